"""How well a project's people judge, as a worker measured it last."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("labeling", "0043_models_of_those_who_trained_them")]
    operations = [
        migrations.CreateModel(
            name="JudgingFigures",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("looked_at", models.DateTimeField()),
                ("measured_at", models.DateTimeField(blank=True, null=True)),
                ("state", models.CharField(blank=True, max_length=64)),
                ("figures", models.JSONField(default=dict)),
                (
                    "project",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="judging_figures",
                        to="labeling.project",
                    ),
                ),
            ],
            options={"verbose_name_plural": "judging figures"},
        ),
    ]
