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
    ]
