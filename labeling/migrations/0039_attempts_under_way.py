"""Until when an attempt at a delivery may be under way, so that one silent address takes few threads."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("labeling", "0036_feedback_contests")]
    operations = [
        migrations.AddField(
            model_name="delivery",
            name="attempt_ends_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(
                condition=models.Q(("attempt_ends_at", None), _negated=True),
                fields=["webhook"],
                name="delivery_under_way",
            ),
        ),
    ]
