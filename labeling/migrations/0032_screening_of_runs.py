from django.db import migrations, models


class Migration(migrations.Migration):
    """The rules that a run is screened by, when a filter in shadow was last asked, and the event of a block."""

    dependencies = [
        ("labeling", "0031_filters_rules_and_screenings"),
    ]

    operations = [
        migrations.AddField(
            model_name="samplingrun",
            name="rules_version",
            field=models.PositiveIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="filter",
            name="shadow_asked_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AlterField(
            model_name="delivery",
            name="event",
            field=models.CharField(
                choices=[
                    ("comparison.completed", "A comparison has all its rankings"),
                    ("export.ready", "An export is done"),
                    ("round.finished", "A round has closed"),
                    ("screening.blocked", "The content filter blocked a text"),
                ],
                max_length=40,
            ),
        ),
    ]
