"""A person's snippets: made, changed, deleted and put back. Knows no page, and not where they are inserted."""

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from labeling.models import AuditEvent, Snippet, User

MOST_SNIPPETS = 50  # of one person; a longer menu would be slower than typing


class SnippetError(ValueError):
    """A snippet that cannot be kept; the text is for the person who tried."""


def add_snippet(*, name: str, text: str, by: User) -> Snippet:
    """Make a snippet. Raises SnippetError where they have as many as one person may."""
    with transaction.atomic():
        _require_room(by)
        snippet = Snippet.objects.create(owner=by, name=name, text=text)
        AuditEvent.note("make snippet", snippet, by=by)
    return snippet


def change_snippet(snippet: Snippet, *, name: str, text: str, by: User) -> None:
    with transaction.atomic():
        snippet.name, snippet.text = name, text
        snippet.save(update_fields=["name", "text"])
        AuditEvent.note("change snippet", snippet, by=by)


def delete_snippet(snippet: Snippet, *, by: User) -> None:
    with transaction.atomic():
        if Snippet.objects.filter(pk=snippet.pk, deleted_at=None).update(deleted_at=timezone.now()):
            AuditEvent.note("delete snippet", snippet, by=by)


def put_back_snippet(snippet: Snippet, *, by: User) -> None:
    """Undo a deletion. Raises SnippetError where its place was taken meanwhile."""
    with transaction.atomic():
        _require_room(by)
        if Snippet.objects.filter(pk=snippet.pk).exclude(deleted_at=None).update(deleted_at=None):
            AuditEvent.note("put back snippet", snippet, by=by)


def _require_room(owner: User) -> None:
    # The owner's row is locked, so that two tabs that make the last one at once make only one.
    User.objects.select_for_update(no_key=True).get(pk=owner.pk)
    if Snippet.objects.kept_by(owner).count() >= MOST_SNIPPETS:
        raise SnippetError(_("You have %(n)d snippets already; delete one first.") % {"n": MOST_SNIPPETS})
