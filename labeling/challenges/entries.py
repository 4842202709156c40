"""An entrant's own entries: drafts, sending, changing and withdrawing until the close, objecting to the results.

Everything that counts against the close takes the lock of the challenge first and reads the clock of the server after
it, so that a request that waited is as late as it is.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from labeling.challenges.eligibility import why_not
from labeling.models import AuditEvent, Challenge, Entry, Objection, Report, User

MOST_OBJECTIONS = 3  # of one person, for one challenge


class EntryError(ValueError):
    """What an entrant asked cannot be done; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Words:
    """What an entry is made of."""

    title: str
    text: str
    reports: tuple[Report, ...]
    shows_name: bool = False


def own_reports(user: User, challenge: Challenge) -> QuerySet[Report]:
    """What this person reported in the challenge's project: the only reports that an entry of theirs may hold."""
    return Report.objects.filter(project=challenge.project_id, reporter=user)


def keep_draft(challenge: Challenge, words: Words, *, by: User, entry: Entry | None = None) -> Entry:
    """Store an entry that is not sent. It may be begun before the challenge opens, and counts as none of so many."""
    with transaction.atomic():
        locked = _locked(challenge, by=by)
        if timezone.now() >= locked.closes_at:
            raise EntryError(_closed())
        held = _held(locked, entry, by=by)
        if held.state == Entry.State.SENT:
            raise EntryError(_("It is sent already: send the change, or withdraw the entry."))
        held.state = Entry.State.DRAFT
        return _store(held, words, by=by)


def send(
    challenge: Challenge,
    words: Words,
    *,
    by: User,
    accepts: int | None,
    is_adult: bool,
    entry: Entry | None = None,
) -> Entry:
    """Send an entry, or a change to one that was sent: from then on its words are those of this moment."""
    with transaction.atomic():
        locked = _locked(challenge, by=by)
        require_open(locked, at=timezone.now())
        held = _held(locked, entry, by=by)
        others = Entry.objects.sent().filter(challenge=locked, author=by).exclude(pk=held.pk)
        rules = locked.rules
        _require_whole(words)
        if accepts is None:
            raise EntryError(_("Accept the rules to send it."))
        if rules is None or accepts != rules.version:
            raise EntryError(_("Accept the rules as they stand now: a newer version was published while you wrote."))
        if not is_adult:
            raise EntryError(_("Only people of 18 or older may enter."))
        if others.count() >= locked.most_entries:
            raise EntryError(_("You have sent as many entries as one person may: %d.") % locked.most_entries)
        verb = "change entry" if held.state == Entry.State.SENT else "send entry"
        held.state, held.sent_at = Entry.State.SENT, timezone.now()
        held.rules, held.is_adult = rules, is_adult
        stored = _store(held, words, by=by)
        AuditEvent.note(verb, stored, by=by, rules=rules.version)
        return stored


def withdraw(entry: Entry, *, by: User) -> None:
    """Take an entry back. Its words stay its author's, as of a draft, until the close."""
    with transaction.atomic():
        locked = _locked(entry.challenge, by=by, may_have_changed=True)
        if timezone.now() >= locked.closes_at:
            raise EntryError(_closed())
        held = _held(locked, entry, by=by)
        held.state, held.sent_at = Entry.State.WITHDRAWN, None
        held.save(update_fields=["state", "sent_at"])
        AuditEvent.note("withdraw entry", held, by=by)


def require_open(challenge: Challenge, *, at: datetime) -> None:
    """Nothing is sent before the challenge opens, nor from the very moment at which it closes."""
    if at < challenge.opens_at:
        raise EntryError(_("The contest is not open yet. Your draft is kept."))
    if at >= challenge.closes_at:
        raise EntryError(_closed())


def object_to(challenge: Challenge, text: str, *, by: User, at: datetime | None = None) -> Objection:
    """An entrant's objection to the results, within the days there are for it."""
    with transaction.atomic():
        locked = Challenge.objects.select_for_update(no_key=True).get(pk=challenge.pk)
        if locked.state_at(at or timezone.now()) != Challenge.State.OBJECTIONS:
            raise EntryError(_("Objections are taken for seven days after the results, and no longer."))
        if not entered(by, locked):
            raise EntryError(_("Only who entered the contest may object to its results."))
        if locked.objections.filter(author=by).count() >= MOST_OBJECTIONS:
            raise EntryError(_("You have objected %d times. The jury answers each.") % MOST_OBJECTIONS)
        made = Objection.objects.create(challenge=locked, author=by, text=text)
        AuditEvent.note("object to results", made, by=by)
        return made


def entered(user: User, challenge: Challenge) -> bool:
    return challenge.entries.filter(author=user, sent_at__isnull=False).exists()


def _locked(challenge: Challenge, *, by: User, may_have_changed: bool = False) -> Challenge:
    """The challenge, so that entries of one person are counted one after the other, and the close is the close.

    Who has become staff or a juror since may still take back what they sent.
    """
    locked = Challenge.objects.select_for_update(no_key=True).get(pk=challenge.pk)
    if not may_have_changed and (reason := why_not(by, locked)):
        raise EntryError(reason)
    return locked


def _held(challenge: Challenge, entry: Entry | None, *, by: User) -> Entry:
    """The entry as it stands now, or a new one."""
    if entry is None:
        return Entry(challenge=challenge, author=by)
    held = Entry.objects.select_for_update(no_key=True).get(pk=entry.pk, author=by)
    if held.state == Entry.State.DISQUALIFIED:
        raise EntryError(_("This entry was disqualified and cannot be changed."))
    return held


def _store(held: Entry, words: Words, *, by: User) -> Entry:
    held.title, held.text, held.shows_name = words.title, words.text, words.shows_name
    held.save()
    held.reports.set(_of(words.reports, by))
    return held


def _of(reports: Iterable[Report], user: User) -> list[Report]:
    foreign = [one for one in reports if one.reporter_id != user.pk]
    if foreign:
        raise EntryError(_("An entry holds reports of one's own only."))
    return list(reports)


def _require_whole(words: Words) -> None:
    if not words.title.strip() or not words.text.strip():
        raise EntryError(_("An entry needs a title and your words."))
    if not words.reports:
        raise EntryError(_("An entry is made of at least one report of your own."))


def _closed() -> str:
    return _("The contest is closed: nothing can be sent, changed or withdrawn any more.")
