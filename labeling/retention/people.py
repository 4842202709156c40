"""Erasing a person who works here: their words for good, their judgements without a name (docs/erasure.md).

First the account is closed and names nobody; then words go, batch by batch, and the sweep goes on with what is left.
"""

import secrets
import time
from dataclasses import dataclass
from functools import partial
from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from labeling.accounts.users import AccountError
from labeling.exports.lookup import key_of_row
from labeling.models import (
    AccountLink,
    Adjudication,
    AuditEvent,
    CaughtMail,
    Comparison,
    Completion,
    Dialogue,
    Entry,
    Erasure,
    Export,
    GuidelineVersion,
    Lease,
    PersonErasure,
    ProbeLabel,
    Project,
    Prompt,
    Ranking,
    Reference,
    Report,
    Session,
    SignInFailures,
    Thumb,
    User,
)
from labeling.preview.erasure import STRAYS, clean_up, erase_comparisons, erase_dialogues, erase_left_behind, made_of
from labeling.retention import audit
from labeling.retention.words import BLANK, DELETED, WORDS

_SAID_WHY = Q(abstained__isnull=False) & ~Q(abstained=BLANK)  # why they ranked nothing, as they put it
PATIENCE = 5.0  # seconds for which a page goes on with batches before it leaves the rest to the sweep


@dataclass(frozen=True, slots=True)
class Kind:
    """One line of what an erasure will do."""

    label: str
    num: int
    is_erased: bool  # else it stays, without a name


def plan_of(person: User) -> list[Kind]:
    """What erasing this person will do, by kind, with the number of rows of each."""
    own = Dialogue.objects.filter(author=person)
    reached, comparisons = made_of(own)
    others = Ranking.objects.filter(_in(comparisons, person)).exclude(trainer=person)
    theirs = Dialogue.objects.filter(id__in=reached).exclude(author=person)
    held = Comparison.objects.filter(Q(id__in=comparisons) | Q(completions__author=person)).distinct()
    kept = Ranking.objects.filter(trainer=person).exclude(_in(comparisons, person))
    columns = {words.rows._meta.label + words.whose for words in WORDS if words.of(person).exists()}
    return [
        Kind(_("dialogues, drafts and chats of theirs, with the answers in them"), own.count(), is_erased=True),
        Kind(_("dialogues of others that begin with words of theirs"), theirs.count(), is_erased=True),
        Kind(_("comparisons that hold words of theirs"), held.count(), is_erased=True),
        Kind(_("rankings of others on these comparisons"), others.count(), is_erased=True),
        Kind(
            _("comments on others’ messages"),
            DELETED[0][0]._default_manager.filter(author=person).count(),
            is_erased=True,
        ),
        Kind(_("reports"), Report.objects.filter(reporter=person).count(), is_erased=True),
        Kind(_("thumbs"), _thumbs_of(person).count(), is_erased=True),
        Kind(_("entries of contests"), Entry.objects.filter(author=person).count(), is_erased=True),
        Kind(_("places where words of theirs stand beside work that is kept"), len(columns), is_erased=True),
        Kind(_("rankings"), kept.count(), is_erased=False),
        Kind(_("labels of probes"), ProbeLabel.objects.filter(by=person).exclude(value="").count(), is_erased=False),
        Kind(_("versions of guidelines"), GuidelineVersion.objects.filter(created_by=person).count(), is_erased=False),
        Kind(_("prompts brought in"), Prompt.objects.filter(created_by=person).count(), is_erased=False),
        Kind(_("reference rankings"), Reference.objects.filter(made_by=person).count(), is_erased=False),
    ]


def erase_person(person: User, *, by: User | None) -> PersonErasure:
    """Erase everything that this person wrote. Raises AccountError. What is not done in a moment the sweep does."""
    if person.is_visitor:
        raise AccountError(_("Visitors delete what is theirs on their own page."))
    if by is not None and by.pk == person.pk:
        raise AccountError(_("Nobody erases themselves; another admin does it."))
    with transaction.atomic():
        # As labeling.accounts.users locks them: two admins cannot erase each other at once.
        admins = Q(role=User.Role.ADMIN, is_active=True)
        rows = {one.pk: one for one in User.objects.select_for_update().filter(admins | Q(pk=person.pk)).order_by("id")}
        locked = rows[person.pk]
        if PersonErasure.objects.filter(person=locked).exists():
            raise AccountError(_("This person is erased already."))
        if len(rows) == 1 and locked.is_admin:
            raise AccountError(_("This is the last admin. Make somebody else an admin first."))
        counts = {one.label: one.num for one in plan_of(locked) if one.num}
        _make_nameless(locked)
        made = PersonErasure.objects.create(person=locked, by=by, counts=counts)
        AuditEvent.note("erase person", locked, by=by, counts=counts)
    go_on(made, until=time.monotonic() + PATIENCE)
    return made


def go_on(erasure: PersonErasure, *, until: float) -> bool:
    """Erase what is left; returns whether it is over. Safe to repeat."""
    person = erasure.person
    erase_dialogues(Dialogue.objects.all(), by=person, until=until, is_asked=False)
    if Dialogue.objects.filter(author=person).exists():
        return False
    for project in Project.objects.filter(comparisons__completions__author=person).distinct():
        erase_comparisons(project, Comparison.objects.filter(completions__author=person, project=project), by=person)
    Completion.objects.filter(author=person).delete()
    with transaction.atomic():
        _erase_words(person)
    audit.forget_words()
    over = PersonErasure.objects.filter(pk=erasure.pk, finished_at=None, at__lt=Now() - STRAYS)
    return bool(over.update(finished_at=Now()))


def sweep() -> int:
    """Go on with erasures that are not over; returns how many there are."""
    begun = list(PersonErasure.objects.filter(finished_at=None).select_related("person"))
    for erasure in begun:
        go_on(erasure, until=time.monotonic() + PATIENCE)
    return len(begun)


def _make_nameless(person: User) -> None:
    """The row stays for what refers to it. The pseudonym does too: it is random, and exports split by it."""
    name, emails = person.username, {person.email, person.proven_email} - {""}
    person.username = f"erased-{secrets.token_hex(8)}"
    person.email = person.proven_email = person.display_name = ""
    person.is_active, person.preferences, person.topics = False, {}, []
    person.time_zone, person.language = "UTC", "en"
    person.set_unusable_password()
    person.save()
    Session.objects.filter(user=person).delete()
    AccountLink.objects.filter(user=person).delete()
    for rows in (Authenticator, SocialAccount, EmailAddress):
        rows.objects.filter(user_id=person.pk).delete()
    SignInFailures.objects.filter(key__icontains=name).delete()
    CaughtMail.objects.filter(to__in=emails).delete()
    Lease.objects.filter(trainer=person, state=Lease.State.OPEN).update(expires_at=Now())  # the sweep frees the place
    ProbeLabel.objects.filter(by=person, value="").delete()  # places that they held; nothing was said there


def _erase_words(person: User) -> None:
    """Words that stand alone go; beside work that is kept they become blank. Exports that hold them are marked."""
    keys = _record_keys(person)
    prompts = _prompts_made_for(person)
    given = list(_thumbs_of(person).values_list("project_id", "id"))
    erase_left_behind(person)
    for rows, whose in DELETED:
        rows._default_manager.filter(**{whose: person}).delete()
    for words in WORDS:
        words.blank(person)
    for project_id, identifier in given:
        keys.setdefault(project_id, {}).setdefault(Export.Kind.THUMBS, []).append([str(identifier)])
    blanked = [{"role": "user", "content": BLANK}]
    for project_id, identifier in Prompt.objects.filter(id__in=prompts, messages=blanked).values_list(
        "project_id", "id"
    ):
        keys.setdefault(project_id, {}).setdefault(Export.Kind.PROMPTS, []).append([str(identifier)])
    for project_id, found in keys.items():
        made = Erasure.objects.create(project_id=project_id, user=person, is_whole=True, record_keys=found)
        transaction.on_commit(partial(clean_up, made), robust=True)


def _record_keys(person: User) -> dict[Any, dict[str, list[Any]]]:
    """Records of exports that quote this person beside what is kept, by project: a note, the words of a decision."""
    noted = Ranking.objects.filter(trainer=person)
    noted = noted.filter(~Q(note="") | Q(ratings__in=_ratings_with_notes(person)) | _SAID_WHY).distinct()
    decided = Adjudication.objects.filter(reviewer=person).exclude(words="")
    keys: dict[Any, dict[str, list[Any]]] = {}
    for row in [*noted.select_related("comparison"), *decided.select_related("comparison")]:
        of_project = keys.setdefault(row.comparison.project_id, {})
        of_project.setdefault(Export.Kind.RANKINGS, []).append(list(key_of_row(row)))
    return keys


def _ratings_with_notes(person: User) -> QuerySet[Any]:
    return next(words for words in WORDS if words.whose == "ranking__trainer").of(person)


def _prompts_made_for(person: User) -> list[Any]:
    """Prompts of the pool that were made of this person's reports and thumbs."""
    made = Q(follow_ups__report__reporter=person) | Q(thumbs__in=_thumbs_of(person))
    return list(Prompt.objects.filter(made).values_list("id", flat=True))


def _thumbs_of(person: User) -> QuerySet[Thumb]:
    return Thumb.objects.filter(Q(outside_trainer=person.pseudonym) | Q(created_by=person, message__isnull=False))


def _in(comparisons: list[Any], person: User) -> Q:
    return Q(comparison__in=comparisons) | Q(comparison__completions__author=person)
