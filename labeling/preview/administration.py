"""Setting a preview up: its row, and the versions of its terms."""

from typing import Any

from django.db import transaction

from labeling.models import AuditEvent, Preview, PreviewTerms, Project, User

FIRST_TERMS = """This is a research preview. The answers come from a language model that is still being taught: they \
can be wrong, biased or offensive. Do not rely on them, and do not write anything about other people, or anything of \
yours that must stay private.

What you write is screened by a content filter, and kept until you delete it. People who run this preview may read \
chats that are reported or that the filter acted on. You can download or delete all of it at any time, under *Mine*.

You must be 18 or older."""


def preview_of(project: Project) -> Preview:
    """The project's preview; a closed one that is not saved yet, if it has none."""
    found = Preview.objects.filter(project=project).first()
    return found or Preview(project=project, slug=project.slug, title=project.name)


def save(preview: Preview, *, terms: str, by: User) -> None:
    """Save what an admin set up. A changed text of the terms is a new version."""
    with transaction.atomic():
        is_new = preview.pk is None
        preview.save()
        if preview.terms is None or preview.terms.text != terms:
            version = preview.terms.version + 1 if preview.terms else 1
            PreviewTerms.objects.create(preview=preview, version=version, text=terms, created_by=by)
        facts: dict[str, Any] = {"is_open": preview.is_open, "slug": preview.slug, "terms": preview.terms.version}  # type: ignore[union-attr]
        AuditEvent.note("set up preview" if is_new else "change preview", preview, by=by, **facts)
