"""Each model belongs to the project that trained it.

What other projects use already is shared with them, so that nothing that runs stops; by nobody, since nobody decided.
"""

from django.db import migrations

OWNERS = """
UPDATE labeling_policy SET project_id = job.project_id FROM labeling_trainingjob job WHERE training_job_id = job.id;
UPDATE labeling_rewardmodel SET project_id = job.project_id FROM labeling_trainingjob job WHERE training_job_id = job.id;
"""
USES = """
INSERT INTO labeling_modelshare (policy_id, project_id, at)
SELECT DISTINCT policy.id, used.project_id, now() FROM labeling_policy policy JOIN (
    SELECT policy_id, id AS project_id FROM labeling_project
    UNION ALL SELECT policy_id, project_id FROM labeling_round
    UNION ALL SELECT policy_id, project_id FROM labeling_mixturepart
    UNION ALL SELECT policy_id, project_id FROM labeling_trainingjob
    UNION ALL SELECT policy_id, project_id FROM labeling_promotion
    UNION ALL SELECT baseline_id, project_id FROM labeling_evaluation
    UNION ALL SELECT second_policy_id, project_id FROM labeling_preview
    UNION ALL SELECT candidate.policy_id, evaluation.project_id FROM labeling_candidate candidate
              JOIN labeling_evaluation evaluation ON evaluation.id = candidate.evaluation_id
) used ON used.policy_id = policy.id
WHERE policy.project_id <> used.project_id;
INSERT INTO labeling_modelshare (reward_model_id, project_id, at)
SELECT DISTINCT model.id, used.project_id, now() FROM labeling_rewardmodel model JOIN (
    SELECT reward_model_id, project_id FROM labeling_trainingjob
    UNION ALL SELECT watching_model_id, project_id FROM labeling_trainingjob
    UNION ALL SELECT ensemble.rewardmodel_id, job.project_id FROM labeling_trainingjob_ensemble_models ensemble
              JOIN labeling_trainingjob job ON job.id = ensemble.trainingjob_id
) used ON used.reward_model_id = model.id
WHERE model.project_id <> used.project_id;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('labeling', '0042_whose_models_are'),
    ]

    operations = [
        migrations.RunSQL(OWNERS, migrations.RunSQL.noop),
        migrations.RunSQL(USES, "DELETE FROM labeling_modelshare"),
    ]
