"""What a content filter saw in a sampling run: kept with the run's completions, and found again for pages.

A notice is a row and never text in a message, so no prompt of a policy can hold one, and a text that imitates a
notice stays a text. What was withheld goes into a row of its own, which nothing here reads.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db.models import F

from labeling.models import Completion, Filter, Message, SamplingRun, Screening, Withheld
from labeling.models.safety.filters import BUNDLED_FILTER
from records import SampleResult
from records import Screening as Seen

logger = logging.getLogger(__name__)

FILTERED = "filtered"  # the finish_reason of a completion of which the filter blocked the rest
_SEVERITY = {Screening.Verdict.BLOCK: 3, Screening.Verdict.WARN: 2, Screening.Verdict.NOT_JUDGED: 1}


def keep(run: SamplingRun, result: SampleResult, completions: Sequence[Completion] = ()) -> list[Screening]:
    """Store what the filter said of this attempt's texts, in the transaction that stores its completions."""
    filters = filters_by_name(seen.filter for seen in result.screenings)
    said = _message_said(run) if any(seen.side == Screening.Side.SAID for seen in result.screenings) else None
    rows = []
    for seen in result.screenings:
        completion = _at(completions, seen.index) if seen.side == Screening.Side.ANSWERED else None
        if seen.filter not in filters or (seen.side == Screening.Side.ANSWERED and completion is None):
            logger.warning("run %s: a screening by %r of completion %s is of nothing", run.id, seen.filter, seen.index)
            continue
        of = {"completion": completion} if completion else {"message": said}
        row = row_of(seen, filters[seen.filter], project_id=run.project_id, rules_version=run.rules_version or 0, **of)
        row.run, row.attempt = run, run.attempt
        rows.append(row)
    Screening.objects.bulk_create(rows)
    _keep_withheld(result, rows)
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
    by_message: dict[Any, list[Screening]] = {}
    for row in _telling(message__in=[one.pk for one in thread if one.role == Message.Role.USER]):
        by_message.setdefault(row.message_id, []).append(row)
    sampled = {one.completion_id for one in thread if one.authorship == Message.Authorship.POLICY}
    by_completion = _by_completion(sampled - {None})
    for message in thread:
        rows = [row for row in by_message.get(message.pk, ()) if _last_said(row.run) == message.content]
        if message.authorship == Message.Authorship.POLICY:
            rows = by_completion.get(message.completion_id, [])
        message.screening = worst(rows)  # type: ignore[attr-defined]


def of_completions(completions: Iterable[Completion]) -> dict[Any, Screening]:
    """The screening to be told of, by completion: its own, or that of the answer whose text it is."""
    sources = {one.pk: one.copied_from_id or one.pk for one in completions}
    kept = Completion.objects.filter(pk__in=sources.values(), run=None, content=F("message__content"))
    originals = dict(kept.values_list("pk", "message__completion"))
    sources = {pk: originals.get(source) or source for pk, source in sources.items()}
    found = {pk: worst(rows) for pk, rows in _by_completion(set(sources.values())).items()}
    return {pk: row for pk, source in sources.items() if (row := found.get(source)) is not None}


def said_that_blocked(run: SamplingRun | None) -> Screening | None:
    """The screening by which what was said was blocked, so that this run sampled nothing."""
    if run is None or run.state != SamplingRun.State.BLOCKED:
        return None
    return worst(_telling(run=run, attempt=run.attempt, side=Screening.Side.SAID))


def blocks(messages: Sequence[Message]) -> Screening | None:
    """The screening that blocks the last user message as it stands; None once it was changed or let through."""
    last = next((one for one in reversed(messages) if one.role == Message.Role.USER), None)
    if last is None:
        return None
    rows = _telling(message=last.pk, verdict=Screening.Verdict.BLOCK)
    return worst(row for row in rows if _last_said(row.run) == last.content)


def worst(rows: Iterable[Screening]) -> Screening | None:
    """The screening with the gravest verdict, the newest of several."""
    return max(rows, key=lambda row: (_SEVERITY.get(row.verdict, 0), row.created_at), default=None)  # type: ignore[call-overload, no-any-return]


def _telling(**where: Any) -> list[Screening]:
    """Screenings of which a person is told: those that acted, and those that judged nothing."""
    acted = Screening.objects.that_acted().filter(**where)
    unjudged = Screening.objects.filter(verdict=Screening.Verdict.NOT_JUDGED, in_shadow=False, **where)
    return list((acted | unjudged).select_related("run", "filter"))


def _by_completion(ids: set[Any]) -> dict[Any, list[Screening]]:
    found: dict[Any, list[Screening]] = {}
    for row in _telling(completion__in=ids) if ids else ():
        found.setdefault(row.completion_id, []).append(row)
    return found


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
