from typing import Any

from django.db import migrations, models


def mark_choices(apps: Any, schema_editor: Any) -> None:
    """Rankings that came of a choice among the drafts of a chat were kept as if the others were tied."""
    apps.get_model("labeling", "Ranking").objects.filter(layout="chat", lease=None).update(is_choice=True)


class Migration(migrations.Migration):
    dependencies = [("labeling", "0007_suggestions_sampled_apart")]

    operations = [
        migrations.AddField(
            model_name="ranking",
            name="is_choice",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.RunPython(mark_choices, migrations.RunPython.noop),
    ]
