"""How much better each tier of a ranking is than the next, and whether a project asks for it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = (("labeling", "0024_time_to_change_a_ranking"),)

    operations = (
        migrations.AddField(
            model_name="project", name="asks_strengths", field=models.BooleanField(db_default=False, default=False)
        ),
        migrations.AddField(
            model_name="ranking", name="strengths", field=models.JSONField(blank=True, db_default=[], default=list)
        ),
    )
