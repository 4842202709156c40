from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("labeling", "0037_further_training_kinds")]

    operations = [
        migrations.AddField(
            "trainingjob",
            "ensemble_models",
            models.ManyToManyField(blank=True, related_name="+", to="labeling.rewardmodel"),
        ),
    ]
