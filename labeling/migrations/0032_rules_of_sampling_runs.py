from django.db import migrations, models


class Migration(migrations.Migration):
    """By which version of the filter's rules a run's newest attempt is screened."""

    dependencies = [
        ("labeling", "0031_filters_rules_and_screenings"),
    ]

    operations = [
        migrations.AddField(
            model_name="samplingrun",
            name="rules_version",
            field=models.PositiveIntegerField(blank=True, null=True),
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
