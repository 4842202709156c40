"""Whether a failed training job would fail in the same way again."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = (("labeling", "0024_time_to_change_a_ranking"),)

    operations = (
        migrations.AddField(
            model_name="trainingjob",
            name="needs_other_settings",
            field=models.BooleanField(db_default=False, default=False),
        ),
    )
