"""What imports keep besides: the reasoning before an answer, by which id a later file corrects a ranking, and what a
person said that a file's names mean.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = (("labeling", "0018_newest_comparisons"),)

    operations = (
        migrations.AddField(model_name="message", name="reasoning", field=models.TextField(blank=True, db_default="")),
        migrations.AddField(
            model_name="ranking",
            name="outside_id",
            field=models.CharField(blank=True, db_default="", max_length=120),
        ),
        migrations.AddField(model_name="import", name="columns", field=models.JSONField(blank=True, default=dict)),
        migrations.AlterField(model_name="import", name="format", field=models.CharField(blank=True, max_length=40)),
    )
