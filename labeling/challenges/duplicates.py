"""Duplicates among entries: proposed by what they share, named by an admin. The first sent is credited."""

import unicodedata
from collections import defaultdict
from collections.abc import Hashable

from django.db import transaction
from django.utils.translation import gettext as _

from labeling.models import AuditEvent, Challenge, Entry, User


class DuplicateError(ValueError):
    """Two entries cannot be named duplicates; the message says why."""


def proposed(challenge: Challenge) -> list[tuple[Entry, Entry, str]]:
    """Pairs of judged entries, the earlier first, that report the same output or say the same, each pair once.

    Nobody's prize rests on this: it only puts pairs before a person.
    """
    entries = challenge.entries.judged().prefetch_related("reports").order_by("sent_at", "id")
    groups: defaultdict[tuple[str, Hashable], list[Entry]] = defaultdict(list)
    for entry in entries:
        for mark in _marks_of(entry):
            groups[mark].append(entry)
    found: dict[tuple[object, object], tuple[Entry, Entry, str]] = {}
    for mark, alike in groups.items():
        why = _("the same words") if mark[0] == "text" else _("the same output reported")
        for entry in alike[1:]:
            found.setdefault((alike[0].pk, entry.pk), (alike[0], entry, why))
    return list(found.values())


def name_duplicate(one: Entry, other: Entry, *, why: str, by: User) -> Entry:
    """Say that two entries are one finding. Whichever was sent first is credited; returns the other, its duplicate."""
    with transaction.atomic():
        challenge = Challenge.objects.select_for_update(no_key=True).get(pk=one.challenge_id)
        pair = Entry.objects.sent().filter(challenge=challenge, pk__in=[one.pk, other.pk])
        roots = {entry.duplicate_of or entry for entry in pair.select_related("duplicate_of")}
        if len(pair) < 2 or len(roots) < 2:
            raise DuplicateError(_("Choose two entries of this contest that are sent, and not duplicates already."))
        first, later = sorted(roots, key=lambda entry: (entry.sent_at is None, entry.sent_at, entry.pk))
        later.duplicates.update(duplicate_of=first)
        later.duplicate_of, later.duplicate_why = first, why
        later.save(update_fields=["duplicate_of", "duplicate_why"])
        AuditEvent.note("name duplicate", later, by=by, of=str(first.pk))
        return later


def take_back(entry: Entry, *, by: User) -> None:
    """Let a duplicate be an entry of its own again. It may need jurors."""
    with transaction.atomic():
        Challenge.objects.select_for_update(no_key=True).get(pk=entry.challenge_id)
        Entry.objects.filter(pk=entry.pk).update(duplicate_of=None, duplicate_why="")
        AuditEvent.note("take duplicate back", entry, by=by)


def _marks_of(entry: Entry) -> list[tuple[str, Hashable]]:
    """What another entry may share with it, each once."""
    found: list[tuple[str, Hashable]] = [("text", _plain(entry.text))]
    for report in entry.reports.all():
        found += [("message", report.message_id)] if report.message_id else []
        found += [("completion", report.completion_id)] if report.completion_id else []
        found.append(("content", _plain(report.content)))
    return list(dict.fromkeys(found))


def _plain(text: str) -> str:
    """Without what eyes pass over: width, case, spaces and characters of format, which are of no width."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    visible = "".join(one for one in folded if unicodedata.category(one) != "Cf")
    return " ".join(visible.split())
