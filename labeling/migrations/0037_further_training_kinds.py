from django.db import migrations, models

_KINDS = [
    ("sft", "Supervised fine-tuning"),
    ("reward_model", "Reward model"),
    ("ppo", "PPO"),
    ("rloo", "RLOO"),
    ("dpo", "DPO"),
    ("kto", "KTO"),
    ("rejection_sampling", "Rejection sampling"),
    ("filter", "Content filter"),
]


class Migration(migrations.Migration):
    dependencies = [("labeling", "0036_feedback_contests")]

    operations = [
        migrations.AlterField("trainingjob", "kind", models.CharField(choices=_KINDS, max_length=32)),
    ]
