"""A trainer's note on a ranking as a whole."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = (("labeling", "0021_dates_and_times_that_can_be_read"),)

    operations = (
        migrations.AddField(
            model_name="ranking", name="note", field=models.TextField(blank=True, db_default="", default="")
        ),
    )
