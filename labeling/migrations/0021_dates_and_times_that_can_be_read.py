"""Rankings dated or timed as nobody can have made them are mended, and the table takes no more of them.

What becomes of a date is what `manage.py mend_dates` makes of it, with the same entry in the audit; impossible seconds
become unknown.
"""

from datetime import UTC, datetime

from django.db import migrations, models
from django.db.models import Q

STRANGE = "(ranking.ranked_at < '1970-01-01 00:00+00' OR ranking.ranked_at >= '2200-01-01 00:00+00')"
MEND = f"""
    INSERT INTO labeling_auditevent (at, verb, subject_type, subject_id, project_id, detail)
    SELECT statement_timestamp(), 'mend dates', 'project', comparison.project_id::text, comparison.project_id,
           jsonb_build_object('ranked_at', jsonb_object_agg(ranking.id::text, ranking.ranked_at::text))
    FROM labeling_ranking ranking JOIN labeling_comparison comparison ON comparison.id = ranking.comparison_id
    WHERE {STRANGE} GROUP BY comparison.project_id;
    UPDATE labeling_ranking ranking SET ranked_at = comparison.created_at
    FROM labeling_comparison comparison WHERE comparison.id = ranking.comparison_id AND {STRANGE};
    UPDATE labeling_ranking SET seconds = NULL WHERE seconds < 0 OR seconds > 31536000;
    SET CONSTRAINTS ALL IMMEDIATE;
"""


class Migration(migrations.Migration):
    dependencies = (("labeling", "0020_thumbs"),)

    operations = (
        migrations.RunSQL(MEND, migrations.RunSQL.noop),
        migrations.AddConstraint(
            model_name="ranking",
            constraint=models.CheckConstraint(
                condition=Q(
                    ranked_at__gte=datetime(1970, 1, 1, tzinfo=UTC), ranked_at__lt=datetime(2200, 1, 1, tzinfo=UTC)
                ),
                name="ranking_made_1970_to_2199",
            ),
        ),
        migrations.AddConstraint(
            model_name="ranking",
            constraint=models.CheckConstraint(
                condition=Q(seconds=None) | Q(seconds__gte=0, seconds__lte=31_536_000),
                name="ranking_seconds_0_to_a_year",
            ),
        ),
    )
