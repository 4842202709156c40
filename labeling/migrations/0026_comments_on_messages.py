"""Reviewers' comments on messages, blind review, acceptances that ended, and an index for notes on rankings."""

import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models import Q

ANSWERS = [("changed", "message changed"), ("said", "author says so"), ("removed", "message removed")]
NO_MESSAGE = {"blank": True, "null": True, "on_delete": django.db.models.deletion.SET_NULL}
CASCADE = {"on_delete": django.db.models.deletion.CASCADE, "related_name": "comments"}


class Migration(migrations.Migration):
    dependencies = (("labeling", "0025_strengths_of_preference"),)

    operations = (
        migrations.CreateModel(
            name="Comment",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("text", models.TextField()),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("sent_at", models.DateTimeField(blank=True, null=True)),
                ("answered_at", models.DateTimeField(blank=True, null=True)),
                ("answer", models.CharField(blank=True, choices=ANSWERS, max_length=16)),
                (
                    "author",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                ("dialogue", models.ForeignKey(to="labeling.dialogue", **CASCADE)),
                ("message", models.ForeignKey(related_name="comments", to="labeling.message", **NO_MESSAGE)),
                ("project", models.ForeignKey(to="labeling.project", **CASCADE)),
            ],
            options={
                "ordering": ("created_at", "id"),
                "indexes": [
                    models.Index(fields=("dialogue", "created_at"), name="comment_of_dialogue"),
                    models.Index(fields=("project", "-created_at", "-id"), name="comment_newest"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=Q(answered_at=None, answer="") | Q(answered_at__isnull=False) & ~Q(answer=""),
                        name="comment_answered_in_some_way",
                    )
                ],
            },
        ),
        migrations.AddField(
            model_name="dialogue", name="unaccepted_at", field=models.DateTimeField(blank=True, null=True)
        ),
        migrations.AddField(
            model_name="project", name="hides_authors", field=models.BooleanField(db_default=False, default=False)
        ),
        migrations.AddIndex(
            model_name="ranking",
            index=models.Index(condition=~Q(note=""), fields=["-ranked_at", "-id"], name="ranking_with_note"),
        ),
    )
