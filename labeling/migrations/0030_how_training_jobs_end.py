"""Whether a failed training job would fail in the same way again; the stage of a running one."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = (("labeling", "0029_withdrawals"),)

    operations = (
        migrations.AddField(
            model_name="trainingjob",
            name="stage",
            field=models.CharField(blank=True, db_default="", default="", max_length=40),
        ),
        migrations.AddField(
            model_name="trainingjob",
            name="needs_other_settings",
            field=models.BooleanField(db_default=False, default=False),
        ),
    )
