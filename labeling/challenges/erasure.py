"""Erasing a person's part in feedback contests: for good, leaving places in published results without words or name."""

from django.db import transaction
from django.db.models import Min

from labeling.models import AuditEvent, Challenge, Entry, Objection, Result, User


def erase_entries_of(user: User) -> int:
    """Delete this person's entries with their marks, and their objections; returns how many entries there were.

    A published place stays as that of an entry that was erased. Among duplicates the next one sent is credited.
    """
    with transaction.atomic():
        theirs = Entry.objects.filter(author=user)
        challenges = theirs.values_list("challenge_id", flat=True)
        list(Challenge.objects.filter(pk__in=challenges).order_by("pk").select_for_update(no_key=True))
        for entry in theirs.filter(duplicates__isnull=False).distinct():
            _credit_the_next(entry)
        Result.objects.filter(entry__author=user).update(entry=None, words="")
        Objection.objects.filter(author=user).delete()
        held = list(theirs)
        for entry in held:
            AuditEvent.note("erase entry", entry, by=None)
            entry.delete()
        return len(held)


def _credit_the_next(entry: Entry) -> None:
    others = entry.duplicates.exclude(author=entry.author_id)
    soonest = others.aggregate(at=Min("sent_at"))["at"]
    following = others.filter(sent_at=soonest).order_by("pk").first() if soonest else None
    if following is not None:
        others.exclude(pk=following.pk).update(duplicate_of=following)
        Entry.objects.filter(pk=following.pk).update(duplicate_of=None, duplicate_why="")
