"""Erasing dialogues and all that was made of them: for good, in every place, also while answers are sampled; and a
visitor with all that they wrote, chose and were answered. Of those who work here labeling.retention erases the rest.

Within one transaction the rows go; then the broker's streams and waiting messages, and the ids of erased records are
put beside frozen exports. A sweep does the last two again until nothing can come back. The visitor's account stays as
a row without address and name, for the audit, which holds no words.
"""

import secrets
import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from functools import partial
from itertools import chain
from math import inf
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from labeling.exports.lookup import key_of_row
from labeling.exports.retractions import mark_erased
from labeling.jobs import dispatch
from labeling.models import (
    Adjudication,
    AuditEvent,
    CaughtMail,
    Comparison,
    Completion,
    Consent,
    Dialogue,
    DoorLink,
    Erasure,
    Export,
    Lease,
    Message,
    Project,
    Prompt,
    Ranking,
    Report,
    SamplingRun,
    Screening,
    Thumb,
    User,
    VisitorPrompt,
    VisitorUse,
)
from labeling.preview import limits
from labeling.safety import erasure as safety_erasure
from records.names import stream_key

BATCH = 100  # dialogues erased in one transaction, so that no lock is held for long
STRAYS = timedelta(minutes=10)  # for which a worker may still write of a run that it was asked to stop

# What rooms above this one keep of a visitor; labeling.apps names them, since nothing here may know those rooms.
ERASERS_ABOVE: list[Callable[[User], object]] = []


def erase_dialogue(dialogue: Dialogue, *, by: User) -> None:
    """Erase one dialogue of a visitor, and all that was made of it."""
    erase_dialogues(Dialogue.objects.filter(id=dialogue.id), by=by)


def erase_dialogues(dialogues: QuerySet[Dialogue], *, by: User, until: float = inf, is_asked: bool = True) -> int:
    """Erase these dialogues of the person `by`, some at a time; returns how many. What is done stays done if it ends.

    `until` is the time.monotonic() at which no further batch is begun. Without `is_asked` the audit says that Parley
    did it, and not its author.
    """
    num = 0
    while time.monotonic() < until and (batch := list(dialogues.filter(author=by).order_by("id")[:BATCH])):
        for project in {one.project_id: one.project for one in batch}.values():
            of_project = [one for one in batch if one.project_id == project.id]
            _erase_batch(project, of_project, by=by, noted_by=by if is_asked else None)
        num += len(batch)
    return num


def made_of(own: QuerySet[Dialogue]) -> tuple[list[Any], list[Any]]:
    """The ids of all dialogues that hold words of these, themselves included, and of all comparisons that do.

    Others go on from a dialogue, branch it, or write a better answer while they rank what was made of it: theirs begin
    with its words. A comparison holds them as its prompt, or as one of its completions.
    """
    prompts = Prompt.objects.filter(visitors__dialogue__in=own)
    reached: set[Any] = set()
    found = Dialogue.objects.filter(_begins_with(own, prompts))
    while new := set(_ids(found)) - reached:
        reached |= new
        ranked = Q(lease__comparison__dialogue__in=new) | Q(lease__comparison__message__dialogue__in=new)
        found = Dialogue.objects.filter(Q(branched_from__in=new) | ranked)
    held = Q(completions__message__dialogue__in=reached)
    asked = Q(dialogue__in=reached) | Q(message__dialogue__in=reached)
    comparisons = {
        key for held in (asked, held, Q(prompt__in=prompts)) for key in _ids(Comparison.objects.filter(held))
    }
    comparisons |= set(_ids(Comparison.objects.filter(family__in=comparisons)))
    return sorted(reached), sorted(comparisons)


def erase_comparisons(project: Project, comparisons: QuerySet[Comparison], *, by: User) -> None:
    """Erase these comparisons, all of one project, with what was ranked and sampled of them."""
    with transaction.atomic():
        ids = _ids(comparisons)
        runs = SamplingRun.objects.filter(comparison__in=ids)
        list(runs.select_for_update(of=("self",)).order_by("id"))
        frozen = [[], ids, _ids(runs), []]
        erasure = Erasure.objects.create(project=project, user=by, is_whole=True, record_keys=_record_keys(*frozen))
        _delete(*frozen, by=by)
        transaction.on_commit(partial(clean_up, erasure), robust=True)


def erase_visitor(user: User) -> None:
    """Erase everything of a visitor. The account can be entered no more, and says nothing of who it was."""
    with transaction.atomic():
        # First nothing new can begin: whoever says something locks this row before.
        locked = User.objects.select_for_update().get(pk=user.pk)
        email = locked.email
        locked.username = locked.pseudonym = f"erased-{secrets.token_hex(8)}"
        locked.email = locked.display_name = ""
        locked.is_active, locked.preferences, locked.topics = False, {}, []
        locked.set_unusable_password()
        locked.save()
        DoorLink.objects.filter(email=email).exclude(email="").delete()
        CaughtMail.objects.filter(to=email).delete()
        Consent.objects.in_force().filter(user=user).update(withdrawn_at=Now())
        AuditEvent.note("erase account", locked, by=locked)
    erase_dialogues(Dialogue.objects.all(), by=user)
    erase_left_behind(user)


def sweep() -> int:
    """Finish erasures: what a worker wrote late, and exports that were being made meanwhile; returns how many."""
    begun = Erasure.objects.filter(finished_at=None).select_related("project")
    for erasure in begun:
        clean_up(erasure)
    abandoned = User.objects.filter(role=User.Role.VISITOR, is_active=False, dialogues__isnull=False).distinct()
    for user in abandoned.filter(username__startswith="erased-"):  # the request that erased it was cut off
        erase_dialogues(Dialogue.objects.all(), by=user)
    return len(begun)


def _erase_batch(project: Project, batch: list[Dialogue], *, by: User, noted_by: User | None) -> None:
    with transaction.atomic():
        locked = User.objects.select_for_update(no_key=True).get(pk=by.pk)
        own = Dialogue.objects.filter(id__in=[one.id for one in batch])
        list(own.select_for_update(of=("self",)).order_by("id"))
        limits.settle(VisitorUse.objects.filter(run__dialogue__in=own))
        prompts = Prompt.objects.filter(visitors__dialogue__in=own)
        reached, comparisons = made_of(own)
        runs = SamplingRun.objects.filter(Q(dialogue__in=reached) | Q(comparison__in=comparisons))
        # As a result that arrives locks them: runs before comparisons.
        list(SamplingRun.objects.filter(id__in=_ids(runs)).select_for_update(of=("self",)).order_by("id"))
        frozen = [reached, comparisons, _ids(runs), _ids(prompts)]
        erasure = Erasure.objects.create(
            project=project,
            user=by,
            is_whole=not locked.is_active,
            num_dialogues=len(batch),
            record_keys=_record_keys(*frozen),
            stream_keys=[stream_key(str(one.id), attempt) for one in runs for attempt in range(one.attempt + 2)],
        )
        _delete(*frozen, by=by)
        AuditEvent.note("erase dialogues", erasure, by=noted_by, num=len(batch))
        transaction.on_commit(partial(_stop, [str(one) for one in frozen[2]]), robust=True)
        transaction.on_commit(partial(clean_up, erasure), robust=True)


def _begins_with(own: QuerySet[Dialogue], prompts: QuerySet[Prompt]) -> Q:
    """Trainers' dialogues that begin with a prompt that a visitor's turn was made into, too."""
    begun = Q(prompt__in=prompts)
    return Q(id__in=own) | begun | Q(branched_from__prompt__in=prompts) | Q(lease__comparison__prompt__in=prompts)


def _record_keys(dialogues: list[Any], comparisons: list[Any], _runs: list[Any], prompts: list[Any]) -> dict[str, Any]:
    ordered = (rows.objects.filter(comparison__in=comparisons) for rows in (Ranking, Adjudication))
    made: dict[str, Iterable[Any]] = {
        Export.Kind.RANKINGS: chain(*ordered),
        Export.Kind.DEMONSTRATIONS: Dialogue.objects.filter(id__in=dialogues),
        Export.Kind.PROMPTS: Prompt.objects.filter(id__in=prompts),
        Export.Kind.THUMBS: Thumb.objects.filter(message__dialogue__in=dialogues),
    }
    keys = {str(kind): [list(key_of_row(row)) for row in rows] for kind, rows in made.items()}
    return {kind: found for kind, found in keys.items() if found}


def _delete(dialogues: list[Any], comparisons: list[Any], runs: list[Any], prompts: list[Any], *, by: User) -> None:
    """Delete the rows, in an order that no protected relation stands against."""
    messages = Message.objects.filter(dialogue__in=dialogues)
    completions = Completion.objects.filter(Q(run__in=runs) | Q(comparison__in=comparisons) | Q(message__in=messages))
    completions = Completion.objects.filter(id__in=_ids(completions))
    screenings = Screening.objects.filter(Q(run__in=runs) | Q(message__in=messages) | Q(completion__in=completions))
    screenings = Screening.objects.filter(id__in=_ids(screenings))
    about = Q(message__in=messages) | Q(completion__in=completions) | Q(screening__in=screenings)
    safety_erasure.erase_reports(Report.objects.filter(about), by, safety_erasure.Erased())
    Thumb.objects.filter(message__in=messages).delete()
    screenings.delete()
    Ranking.objects.filter(comparison__in=comparisons).delete()
    Lease.objects.filter(comparison__in=comparisons).delete()
    Comparison.objects.filter(id__in=comparisons).delete()
    completions.delete()
    SamplingRun.objects.filter(id__in=runs).delete()
    VisitorPrompt.objects.filter(prompt__in=prompts).delete()
    Prompt.objects.filter(id__in=prompts).delete()
    Dialogue.objects.filter(id__in=dialogues).delete()


def erase_left_behind(user: User) -> None:
    """What else is of this person alone: reports, thumbs, entries of contests. Uses hold no words."""
    safety_erasure.erase_words_of(user)
    for erase in ERASERS_ABOVE:
        erase(user)
    VisitorUse.objects.filter(user=user).delete()


def _stop(run_ids: list[str]) -> None:
    """Ask workers to stop, and take what waits for them, or came from them, out of the broker."""
    for one in run_ids:
        dispatch.ask_to_stop(one)
    dispatch.forget_messages(run_ids)


def clean_up(erasure: Erasure) -> None:
    """Take what is erased out of the broker, and mark exports that hold it."""
    dispatch.forget_streams(erasure.stream_keys)
    mark_erased(erasure.project, erasure.record_keys)
    being_made = (Export.State.WAITING, Export.State.RUNNING)
    may_hold = Export.objects.filter(project=erasure.project_id, state__in=being_made, created_at__lte=erasure.at)
    if not may_hold.exists():
        old = Erasure.objects.filter(pk=erasure.pk, finished_at=None, at__lt=Now() - STRAYS)
        old.update(finished_at=Now(), stream_keys=[])


def _ids(rows: QuerySet[Any]) -> list[Any]:
    return list(rows.values_list("pk", flat=True))
