"""Until when an attempt at a delivery may be under way, so that one silent address takes few threads; and with which
rights an answer of the API was given, so that it is not given again to who has lost them.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("labeling", "0038_ensembles_of_reward_models")]
    operations = [
        migrations.AddField(
            model_name="delivery",
            name="attempt_ends_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="apianswer",
            name="rights",
            field=models.JSONField(blank=True, db_default=models.Value({}, models.JSONField()), default=dict),
        ),
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(
                condition=models.Q(("attempt_ends_at", None), _negated=True),
                fields=["webhook"],
                name="delivery_under_way",
            ),
        ),
    ]
