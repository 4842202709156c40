"""Creates comparisons: chooses the messages to compare and keeps enough comparisons ready for the trainers.

Every message written wholly by a policy, at any depth of any dialogue, is equally likely to be chosen, at most
once per round. The choice is a pure function of the seed and the eligible messages; the seed is recorded.
"""

import hashlib
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from django.db import transaction
from django.db.models import Exists, F, Model, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _

from labeling.models import (
    AuditEvent,
    Comparison,
    Completion,
    Dialogue,
    Message,
    Project,
    Prompt,
    Round,
    SamplingRun,
    User,
)
from labeling.models.content_hash import fingerprint
from labeling.models.random_order import shuffled
from labeling.sampling import runs as sampling_runs
from labeling.sampling.mixtures import Part, audit_values, divide, mixture_of
from labeling.sampling.screenings import is_blocked_answer
from records import encode

Row = TypeVar("Row", bound=Model)


class ComparisonError(ValueError):
    """The comparisons cannot be made; the text is for the person who asked for them."""


def eligible_messages(project: Project) -> QuerySet[Message]:
    """Messages that may be chosen: answers to a user, wholly a policy's, in a dialogue that is not withdrawn.

    Messages that a branch copied from its origin are left out, or they would be twice as likely to be chosen. So
    are those marked for a second look, and what was said in a preview: visitors' words are taken in only as prompts,
    with their consent.
    """
    before = Message.objects.filter(
        dialogue=OuterRef("dialogue"), position=OuterRef("position") - 1, role=Message.Role.USER
    )
    branched = Q(dialogue__branched_at=None) | Q(position__gt=F("dialogue__branched_at"))
    return Message.objects.filter(
        branched,
        Exists(before),
        dialogue__project=project,
        role=Message.Role.ASSISTANT,
        authorship=Message.Authorship.POLICY,
        needs_second_look=False,
    ).exclude(Q(dialogue__state=Dialogue.State.WITHDRAWN) | Q(dialogue__kind=Dialogue.Kind.VISITOR))


def choose_messages(project: Project, *, num: int, seed: int) -> list[Message]:
    """Choose `num` messages, or all if there are fewer, uniformly among the eligible that this round does not have."""
    taken = Comparison.objects.filter(round=open_round(project), message=OuterRef("pk"))
    eligible = eligible_messages(project).filter(~Exists(taken)).select_related("dialogue", "completion")
    return _draw(eligible, num=num, seed=seed)


def make_comparisons(project: Project, *, num: int, seed: int, by: User | None) -> list[Comparison]:
    """Choose up to `num` messages and request completions of the prompt that each one answers.

    Raises ComparisonError if no round is open, the project takes no new work, or it has no policy.
    """
    with transaction.atomic():
        round_ = lock_round(project)
        chosen = choose_messages(project, num=num, seed=seed)
        contexts = _messages_before(chosen)
        comparisons = [
            _new_comparison(round_, contexts[message.id], message=message, dialogue=message.dialogue)
            for message in chosen
        ]
        Comparison.objects.bulk_create(comparisons)
        _add_originals(comparisons)
        mixture = _request_completions(project, comparisons, seed=seed, by=by)
        AuditEvent.note("make comparisons", round_, by=by, seed=seed, num=len(comparisons), **mixture)
    return comparisons


def keep_ready(project: Project) -> int:
    """Make comparisons until `comparisons_ready` of the open round wait for trainers; returns how many were made.

    Messages come first, then prompts that no policy has answered. Comparisons whose sampling failed count as
    waiting: a person has to look at them, and new ones would probably fail as well.
    """
    round_ = project.rounds.filter(closed_at=None).select_related("policy").first()
    if round_ is None or policy_of(round_) is None or project.archived_at is not None:
        return 0
    waiting = Comparison.objects.filter(
        Q(state__in=(Comparison.State.SAMPLING, Comparison.State.FAILED))
        | Q(state=Comparison.State.OPEN, open_slots__gt=0),
        project=project,
        round=round_,
        use=Comparison.Use.WORK,
    )
    missing = project.comparisons_ready - len(waiting.values_list("id")[: project.comparisons_ready])
    if missing <= 0:
        return 0
    seed = random.randrange(2**31)
    made = len(make_comparisons(project, num=missing, seed=seed, by=None))
    if made < missing:
        with transaction.atomic():
            prompts = _draw(_untouched_prompts(lock_round(project)), num=missing - made, seed=seed)
            made += len(compare_prompts(round_, prompts, seed=seed, by=None))
    return made


def has_more_to_compare(round_: Round) -> bool:
    """Whether a message or a prompt is left of which this open round could make a comparison."""
    taken = Comparison.objects.filter(round=round_, message=OuterRef("pk"))
    left = eligible_messages(round_.project).filter(~Exists(taken))
    return left.exists() or _untouched_prompts(round_).exists()


def compare_prompts(round_: Round, prompts: Sequence[Prompt], *, seed: int, by: User | None) -> list[Comparison]:
    """Request completions of prompts that this round, which the caller has locked, has no comparison of."""
    comparisons = [_new_comparison(round_, prompt.messages, prompt=prompt) for prompt in prompts]
    Comparison.objects.bulk_create(comparisons)
    if comparisons:
        mixture = _request_completions(round_.project, comparisons, seed=seed, by=by)
        AuditEvent.note("make comparisons", round_, by=by, seed=seed, num=len(comparisons), of="prompts", **mixture)
    return comparisons


def compare_wanted(round_: Round, prompts: Sequence[Prompt], *, most: int) -> dict[Any, Comparison]:
    """Comparisons of these prompts in a locked round, by the prompts' ids; at most `most` are requested anew."""
    known = {one.prompt_id: one for one in Comparison.objects.filter(round=round_, prompt__in=prompts)}
    lacking = {prompt.id: prompt for prompt in prompts if prompt.id not in known}
    new = list(lacking.values())[: max(0, most)]
    made = compare_prompts(round_, new, seed=random.randrange(2**31), by=None)
    return known | {one.prompt_id: one for one in made}


def open_round(project: Project) -> Round | None:
    return project.rounds.filter(closed_at=None).first()


def lock_round(project: Project) -> Round:
    """Lock and return the open round, so that two transactions do not choose the same messages.

    Raises ComparisonError if there is no open round, the project takes no new work, or it has no policy.
    """
    rounds = Round.objects.select_for_update(of=("self",)).select_related("policy", "project__policy")
    round_ = rounds.filter(project=project, closed_at=None).first()
    if round_ is None:
        raise ComparisonError(_("No round is open. Start one first."))
    if reason := project.why_no_new_work:
        raise ComparisonError(reason)
    if policy_of(round_) is None:
        raise ComparisonError(_("This project has no policy yet. An admin can choose one in its settings."))
    return round_


def policy_of(round_: Round | None) -> Any:
    assert round_ is not None
    return round_.policy or round_.project.policy


def _draw(rows: QuerySet[Row], *, num: int, seed: int) -> list[Row]:
    """The first `num` rows in the order of a hash of seed and id: uniform, and reproducible for the same rows."""
    return list(rows.order_by(shuffled(seed), "id")[: max(0, num)])


def _untouched_prompts(round_: Round) -> QuerySet[Prompt]:
    answered = Message.objects.filter(dialogue__prompt=OuterRef("pk"), authorship=Message.Authorship.POLICY)
    compared = Comparison.objects.filter(round=round_, prompt=OuterRef("pk"))
    return Prompt.objects.in_use().filter(~Exists(answered), ~Exists(compared), project=round_.project_id)


def _new_comparison(round_: Round, messages: list[dict[str, Any]], **origin: Any) -> Comparison:
    source = origin.get("dialogue") or origin["prompt"]
    return Comparison(
        project_id=round_.project_id,
        round=round_,
        messages=messages,
        prompt_sha256=fingerprint(messages),
        topic=source.topic,
        source=source.source,
        rankings_wanted=round_.project.rankings_wanted,
        queue_key=random.random() - round_.number,  # newest round first, random order within a round
        **origin,
    )


def _add_originals(comparisons: Sequence[Comparison]) -> None:
    """Add the chosen message itself as one of the K completions of its comparison."""
    Completion.objects.bulk_create(
        Completion(
            comparison=comparison,
            content=comparison.message.content,
            policy_id=comparison.message.policy_id,
            message=comparison.message,
            **_sampling_fields(comparison.message),
        )
        for comparison in comparisons
        if comparison.message is not None and _keeps_original(comparison)
    )


def _keeps_original(comparison: Comparison) -> bool:
    """Whether the chosen message is compared as well: not one of which the filter blocked the rest."""
    if comparison.message is None or comparison.round is None or not comparison.round.project.keeps_original:
        return False
    sampled = comparison.message.completion
    return sampled is None or not is_blocked_answer(sampled)


def _sampling_fields(message: Message) -> dict[str, Any]:
    """The sampling parameters and figures of the message, if its text is still the completion that was sampled."""
    sampled = message.completion
    if sampled is None or sampled.content != message.content:
        return {}
    return {name: getattr(sampled, name) for name in ("sampling", "finish_reason", "num_tokens", "logprob")}


def _request_completions(
    project: Project, comparisons: Sequence[Comparison], *, seed: int, by: User | None
) -> dict[str, list[dict[str, Any]]]:
    """Create the sampling runs of every comparison, one per part of the mixture; returns the mixture for the audit.

    Each run has its own seed, derived from `seed` and the message or prompt that is compared.
    """
    mixture = mixture_of(project)
    runs = [run for comparison in comparisons for run in _runs_of(comparison, project, mixture, seed=seed)]
    for run in runs:
        run.requested_by = by
    SamplingRun.objects.bulk_create(runs)
    if runs:
        sampling_runs.send_soon(*runs)
    return {"mixture": audit_values(mixture)} if mixture else {}


def _runs_of(comparison: Comparison, project: Project, mixture: Sequence[Part], *, seed: int) -> Iterator[SamplingRun]:
    num = project.num_completions - _keeps_original(comparison)
    chosen = comparison.message_id or comparison.prompt_id
    parts = mixture or [Part()]
    counts = divide(num, [part.share for part in parts], start=hash_number(seed, chosen, "division"))
    for place, (part, count) in enumerate(zip(parts, counts, strict=True)):
        if count == 0:
            continue
        # Each part has its own seed: two parts with the same policy would sample the same texts under one seed.
        number = hash_number(seed, chosen, place) if mixture else hash_number(seed, chosen)
        params = sampling_runs.default_sampling(project, seed=number >> 1)  # seeds have 31 bits
        if part.temperature is not None:
            params = replace(params, temperature=part.temperature)
        yield SamplingRun(
            project=project,
            purpose=SamplingRun.Purpose.COMPARISON,
            policy=part.policy or policy_of(comparison.round),
            messages=comparison.messages,
            num_completions=count,
            sampling=encode(params),
            comparison=comparison,
        )


def hash_number(*facts: object) -> int:
    """An unsigned 32-bit hash of `facts`, uniform for all practical purposes and reproducible."""
    return int.from_bytes(hashlib.sha256(":".join(map(str, facts)).encode()).digest()[:4])


def _messages_before(chosen: Sequence[Message]) -> dict[Any, list[dict[str, Any]]]:
    """For the id of each message the prompt that it answers, read with one query."""
    by_dialogue: dict[Any, list[tuple[int, dict[str, Any]]]] = {}
    rows = Message.objects.filter(dialogue__in={message.dialogue_id for message in chosen}).order_by("position")
    for dialogue_id, position, role, content in rows.values_list("dialogue_id", "position", "role", "content"):
        by_dialogue.setdefault(dialogue_id, []).append((position, {"role": role, "content": content}))
    return {
        message.id: [said for position, said in by_dialogue[message.dialogue_id] if position < message.position]
        for message in chosen
    }
