"""What a content filter saw in a sampling run: kept with the run's completions, and found again for pages.

A notice is a row and never text in a message, so no prompt of a policy can hold one, and a text that imitates a
notice stays a text. What was withheld goes into a row of its own, which nothing here reads.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db.models import F, Q

from labeling.models import Appeal, Completion, Filter, Message, SamplingRun, Screening, Webhook, Withheld
from labeling.models.safety.filters import BUNDLED_FILTER
from labeling.webhooks.deliveries import announce
from records import SampleResult
from records import Screening as Seen

logger = logging.getLogger(__name__)

SAID, ANSWERED = "said", "answered"
FILTERED = "filtered"  # the finish_reason of a completion of which the filter blocked the rest
_SAMPLED = (Message.Authorship.POLICY, Message.Authorship.TAKEN)  # a model's text, unchanged
_SEVERITY = {Screening.Verdict.BLOCK: 3, Screening.Verdict.WARN: 2, Screening.Verdict.NOT_JUDGED: 1}


def keep(run: SamplingRun, result: SampleResult, completions: Sequence[Completion] = ()) -> list[Screening]:
    """Store what the filter said of this attempt's texts, in the transaction that stores its completions."""
    filters = filters_by_name(seen.filter for seen in result.screenings)
    said = _message_said(run) if any(seen.side == SAID for seen in result.screenings) else None
    rows = []
    for seen in result.screenings:
        completion = _at(completions, seen.index) if seen.side == ANSWERED else None
        if seen.filter not in filters or (seen.side == ANSWERED and completion is None):
            logger.warning("run %s: a screening by %r of completion %s is of nothing", run.id, seen.filter, seen.index)
            continue
        of = {"completion": completion} if completion else {"message": said}
        row = row_of(seen, filters[seen.filter], project_id=run.project_id, rules_version=run.rules_version or 0, **of)
        row.run, row.attempt = run, run.attempt
        rows.append(row)
    Screening.objects.bulk_create(rows)
    _keep_withheld(result, rows)
    for row in rows:
        if row.acted and row.verdict == Screening.Verdict.BLOCK:
            facts = {"screening": str(row.pk), "category": row.category, "side": row.side}
            announce(run.project, Webhook.Event.SCREENING_BLOCKED, **facts)
    return rows


def row_of(seen: Seen, by: Filter, **fields: Any) -> Screening:
    """One screening as a row that is not saved yet."""
    return Screening(
        filter=by,
        side=seen.side,
        end=seen.end,
        text_sha256=seen.text_sha256[:64],
        probabilities=seen.probabilities,
        verdict=seen.verdict,
        category=(seen.category or "")[:32],
        acted=seen.acted,
        reason=(seen.reason or "")[:200],
        milliseconds=seen.milliseconds,
        **fields,
    )


def filters_by_name(names: Iterable[str]) -> dict[str, Filter]:
    wanted = set(names)
    found = {one.name: one for one in Filter.objects.filter(name__in=wanted)}
    if BUNDLED_FILTER in wanted - found.keys():
        found[BUNDLED_FILTER] = Filter.objects.bundled()
    return found


def is_blocked_answer(completion: Completion) -> bool:
    """Whether the filter blocked the rest of it, so that it is neither offered nor compared."""
    return completion.finish_reason == FILTERED


def annotate_messages(thread: Sequence[Message]) -> None:
    """Set `screening` of each message that was warned of, blocked or not judged, while its text is still that text."""
    said = [one.pk for one in thread if one.role == Message.Role.USER]
    sampled = {one.pk: one.completion_id for one in thread if one.authorship in _SAMPLED and one.completion_id}
    rows = _telling(Q(message__in=said) | Q(completion__in=sampled.values()))
    for message in thread:
        if message.pk in sampled:
            own = [row for row in rows if row.completion_id == message.completion_id]
        else:
            own = [row for row in rows if row.message_id == message.pk and _last_said(row.run) == message.content]
        message.screening = worst(own)  # type: ignore[attr-defined]


def of_completions(completions: Iterable[Completion]) -> dict[Any, Screening]:
    """The screening to be told of, by completion: its own, or that of the answer whose text it is."""
    sources = {one.pk: one.copied_from_id or one.pk for one in completions}
    kept = Completion.objects.filter(pk__in=sources.values(), run=None, content=F("message__content"))
    originals = dict(kept.values_list("pk", "message__completion"))
    sources = {pk: originals.get(source) or source for pk, source in sources.items()}
    rows = _telling(Q(completion__in=sources.values()))
    found = {pk: worst(row for row in rows if row.completion_id == source) for pk, source in sources.items()}
    return {pk: row for pk, row in found.items() if row is not None}


def blocks(messages: Sequence[Message]) -> Screening | None:
    """The screening that blocks the last user message as it stands; None once it was changed or let through."""
    last = next((one for one in reversed(messages) if one.role == Message.Role.USER), None)
    if last is None:
        return None
    if not hasattr(last, "screening"):
        annotate_messages([last])
    found: Screening | None = last.screening  # type: ignore[attr-defined]
    return found if found is not None and found.verdict == Screening.Verdict.BLOCK else None


def worst(rows: Iterable[Screening]) -> Screening | None:
    """The screening with the gravest verdict, the newest of several."""
    return max(rows, key=lambda row: (_SEVERITY.get(row.verdict, 0), row.created_at), default=None)  # type: ignore[call-overload]


def _telling(where: Q) -> list[Screening]:
    """Screenings of which a person is told: those that acted and were not overturned, and those that judged nothing."""
    told = Q(acted=True) | Q(verdict=Screening.Verdict.NOT_JUDGED, in_shadow=False)
    rows = Screening.objects.filter(where, told).exclude(appeal__state=Appeal.State.OVERTURNED)
    return list(rows.select_related("run", "filter", "project"))


def _message_said(run: SamplingRun) -> Message | None:
    """The newest user message of the run's prompt, as a row of its dialogue; None if it was changed since."""
    if run.dialogue_id is None or run.position is None:
        return None
    said = Message.objects.filter(dialogue=run.dialogue_id, role=Message.Role.USER, position__lt=run.position)
    newest = said.order_by("-position").first()
    return newest if newest is not None and newest.content == _last_said(run) else None


def _last_said(run: SamplingRun | None) -> str | None:
    messages: Sequence[Mapping[str, str]] = run.messages if run is not None else ()
    return next((one["content"] for one in reversed(messages) if one["role"] == Message.Role.USER), None)


def _at(completions: Sequence[Completion], index: int | None) -> Completion | None:
    return completions[index] if index is not None and 0 <= index < len(completions) else None


def _keep_withheld(result: SampleResult, rows: Sequence[Screening]) -> None:
    blocked = {row.completion.index: row for row in rows if row.completion and row.verdict == Screening.Verdict.BLOCK}
    known = [held for held in result.withheld if held.index in blocked]
    if len(known) < len(result.withheld):
        logger.warning("run %s: a text was withheld without a screening that says why", result.run_id)
    Withheld.objects.bulk_create(Withheld(screening=blocked[held.index], content=held.content) for held in known)
