"""What an admin does with a challenge: sets it up, disqualifies, releases words, answers objections."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from labeling.challenges.draw import seed_of
from labeling.models import AuditEvent, Challenge, ChallengeRules, Entry, Objection, Project, User


class SetupError(ValueError):
    """A challenge cannot be set up so; the message says why."""


def set_up(project: Project, values: Mapping[str, Any], *, rules: str, by: User) -> Challenge:
    """A new challenge with the first version of its rules. Anyone can read both from now on."""
    with transaction.atomic():
        made = Challenge.objects.create(
            project=project, seed=seed_of(project.slug, values["slug"]), created_by=by, **values
        )
        ChallengeRules.objects.create(challenge=made, version=1, text=rules, created_by=by)
        AuditEvent.note("set up challenge", made, by=by)
        return made


def change(challenge: Challenge, values: Mapping[str, Any], *, rules: str, by: User) -> Challenge:
    """Change what is not decided by time yet; other rules are a new version, which entries sent before do not name."""
    with transaction.atomic():
        held = Challenge.objects.select_for_update(no_key=True).get(pk=challenge.pk)
        now = timezone.now()
        if now >= held.closes_at:
            raise SetupError(_("The contest is closed: its dates, rules, criteria and prizes stand."))
        if now >= held.opens_at and values["criteria"] != held.criteria:
            raise SetupError(_("The contest is open: people write by its criteria, so their weights stand."))
        if values["closes_at"] <= now:
            raise SetupError(_("The close must lie ahead."))
        fields = {name: value for name, value in values.items() if name != "slug"}
        for name, value in fields.items():
            setattr(held, name, value)
        held.save(update_fields=list(fields))
        newest = held.rules
        if newest is None or newest.text != rules:
            number = newest.version + 1 if newest else 1
            ChallengeRules.objects.create(challenge=held, version=number, text=rules, created_by=by)
        AuditEvent.note("change challenge", held, by=by)
        return held


def disqualify(entry: Entry, *, why: str, by: User) -> None:
    """Take a sent entry out, for a reason that its author reads."""
    with transaction.atomic():
        Challenge.objects.select_for_update(no_key=True).get(pk=entry.challenge_id)
        changed = Entry.objects.sent().filter(pk=entry.pk).update(state=Entry.State.DISQUALIFIED, reason=why)
        if not changed:
            raise SetupError(_("Only an entry that is sent can be disqualified."))
        AuditEvent.note("disqualify entry", entry, by=by)


def release(entry: Entry, *, released: bool, by: User) -> None:
    """Let anyone read the words of an entry with the results, or hold them back again."""
    with transaction.atomic():
        Entry.objects.filter(pk=entry.pk).update(released_at=timezone.now() if released else None)
        AuditEvent.note("release entry" if released else "hold entry back", entry, by=by)


def answer(objection: Objection, *, reply: str, by: User) -> None:
    """Answer an objection; an answer may be changed, and its author reads the last."""
    with transaction.atomic():
        objection.reply, objection.decided_by, objection.decided_at = reply, by, timezone.now()
        objection.save(update_fields=["reply", "decided_by", "decided_at"])
        AuditEvent.note("answer objection", objection, by=by)
