"""How long a submitted ranking can be changed by its author; a lease whose ranking was withdrawn."""

from django.db import migrations, models

STATES = ["open", "submitted", "expired", "skipped", "late", "withdrawn"]


class Migration(migrations.Migration):
    dependencies = (("labeling", "0023_evaluations_by_people"),)

    operations = (
        migrations.AddField(
            model_name="project",
            name="minutes_to_change",
            field=models.PositiveSmallIntegerField(db_default=30, default=30),
        ),
        migrations.AlterField(
            model_name="lease",
            name="state",
            field=models.CharField(
                choices=[(state, state.capitalize()) for state in STATES], default="open", max_length=16
            ),
        ),
    )
