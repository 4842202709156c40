"""How the rows of an export become records, and what each kind of export is made of.

Rows are read in chunks of ids that were frozen when the export began: no long snapshot, which would slow the
trainers' queue tenfold. What is retracted or withdrawn meanwhile is left out.
"""

import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from labeling.exporting.filters import Filters
from labeling.exporting.rows import (
    demonstration_rows,
    demonstrations_left_out,
    nothing_left_out,
    prompt_rows,
    ranking_rows,
    rankings_left_out,
)
from labeling.exporting.splits import split_of
from labeling.models import Comparison, Completion, Dialogue, Export, Message, Project, Prompt, Ranking, Rating
from records import Completion as CompletionRecord
from records import Demonstration, RecordError, SamplingParams, decode
from records import Message as MessageRecord
from records import Prompt as PromptRecord
from records import Ranking as RankingRecord
from records import Rating as RatingRecord
from records.names import DEMONSTRATIONS_FILE, PROMPTS_FILE, RANKINGS_FILE
from records.types import Split, TrainerKind

Record = RankingRecord | Demonstration | PromptRecord


@dataclass(frozen=True, kw_only=True)
class Source:
    """One kind of export. `rows` is ordered, and what it selects are the ids; `read` keeps their order."""

    file_name: str
    record: type[Any]
    rows: Callable[[Project, Filters], QuerySet[Any]]
    read: Callable[[Sequence[uuid.UUID], Filters], list[Any]]
    left_out: Callable[[Project], dict[str, int]]


def read_rankings(ids: Sequence[uuid.UUID], filters: Filters) -> list[RankingRecord]:
    rows = {row["id"]: row for row in _still_counting(ids).values(*_RANKING_COLUMNS)}
    completions = _completions({row["comparison_id"] for row in rows.values()})
    ratings = _ratings(rows)

    def record(one: uuid.UUID) -> RankingRecord:
        row = rows[one]
        return _ranking_record(row, completions.get(row["comparison_id"], ()), ratings.get(one, ()), filters)

    return [_made(record, one, "ranking") for one in ids if one in rows]


def read_demonstrations(ids: Sequence[uuid.UUID], filters: Filters) -> list[Demonstration]:
    rows = {
        row["id"]: row
        for row in Dialogue.objects.filter(id__in=ids)
        .exclude(state=Dialogue.State.WITHDRAWN)
        .values("id", "topic", "source", "kind", "author__pseudonym", "guideline_version__version")
    }
    messages = _messages(rows)

    def record(one: uuid.UUID) -> Demonstration:
        return _demonstration_record(rows[one], tuple(messages[one]), filters)

    return [_made(record, one, "dialogue") for one in ids if one in rows]


def read_prompts(ids: Sequence[uuid.UUID], filters: Filters) -> list[PromptRecord]:
    rows = {row["id"]: row for row in Prompt.objects.filter(id__in=ids).values("id", "messages", "topic", "source")}
    return [_made(lambda one: _prompt_record(rows[one], filters), one, "prompt") for one in ids if one in rows]


def _made(make: Callable[[uuid.UUID], Any], identifier: uuid.UUID, name: str) -> Any:
    """The record of a row. Raises RecordError that names the row which makes no sense."""
    try:
        return make(identifier)
    except ValueError as error:
        raise RecordError(f"{name} {identifier}: {error}") from error


def trainer_kind_of(*, has_trainer: bool, is_simulated: bool | None) -> TrainerKind:
    if not has_trainer:
        return "imported"
    return "simulated" if is_simulated else "person"


_RANKING_COLUMNS = (
    "id", "comparison_id", "tiers", "unacceptable_from", "abstained", "shown_order", "seconds", "source",
    "outside_trainer", "ranked_at", "trainer__pseudonym", "trainer__is_simulated", "guideline_version__version",
    "comparison__messages", "comparison__topic", "comparison__source", "comparison__round__number",
)  # fmt: skip


def _still_counting(ids: Sequence[uuid.UUID]) -> QuerySet[Ranking]:
    return Ranking.objects.filter(id__in=ids, retracted_at=None).exclude(comparison__state=Comparison.State.WITHDRAWN)


def _completions(comparisons: set[uuid.UUID]) -> dict[uuid.UUID, tuple[CompletionRecord, ...]]:
    found: defaultdict[uuid.UUID, list[CompletionRecord]] = defaultdict(list)
    rows = Completion.objects.filter(comparison_id__in=comparisons).order_by("comparison_id", "index", "id")
    for row in rows.values_list(
        "comparison_id", "id", "content", "policy__name", "outside_policy", "sampling", "finish_reason",
        "num_tokens", "logprob",
    ):  # fmt: skip
        comparison, identifier, content, policy, outside, sampling, finish_reason, num_tokens, logprob = row
        record = CompletionRecord(
            id=str(identifier),
            content=content,
            policy=policy or outside or None,
            sampling=decode(SamplingParams, sampling, where=f"completion {identifier}") if sampling else None,
            finish_reason=finish_reason or None,  # type: ignore[arg-type]
            num_tokens=num_tokens,
            logprob=logprob,
        )
        found[comparison].append(record)
    return {comparison: tuple(records) for comparison, records in found.items()}


def _ratings(rankings: Iterable[uuid.UUID]) -> dict[uuid.UUID, tuple[RatingRecord, ...]]:
    found: defaultdict[uuid.UUID, list[RatingRecord]] = defaultdict(list)
    rows = Rating.objects.filter(ranking_id__in=rankings).order_by("ranking_id", "completion_id")
    for ranking, completion, overall, flags, note in rows.values_list(
        "ranking_id", "completion_id", "overall", "flags", "note"
    ):
        found[ranking].append(
            RatingRecord(completion_id=str(completion), overall=overall, flags=flags, note=note or None)
        )
    return {ranking: tuple(records) for ranking, records in found.items()}


def _ranking_record(
    row: Mapping[str, Any],
    completions: tuple[CompletionRecord, ...],
    ratings: tuple[RatingRecord, ...],
    filters: Filters,
) -> RankingRecord:
    messages = _prompt_messages(row["comparison__messages"], f"comparison {row['comparison_id']}")
    kind = trainer_kind_of(has_trainer=row["trainer__pseudonym"] is not None, is_simulated=row["trainer__is_simulated"])
    return RankingRecord(
        id=str(row["id"]),
        comparison_id=str(row["comparison_id"]),
        messages=messages,
        completions=completions,
        tiers=tuple(map(tuple, row["tiers"])),
        unacceptable_from=row["unacceptable_from"],
        abstained=row["abstained"],
        shown_order=tuple(row["shown_order"]),
        ratings=ratings,
        trainer=row["trainer__pseudonym"] or row["outside_trainer"] or None,
        trainer_kind=kind,
        guideline_version=row["guideline_version__version"],
        seconds=row["seconds"],
        ranked_at=row["ranked_at"].isoformat(),
        round=row["comparison__round__number"],
        topic=row["comparison__topic"] or None,
        source=row["source"] or row["comparison__source"] or None,
        split=_split(messages, filters),
    )


def _messages(dialogues: Iterable[uuid.UUID]) -> dict[uuid.UUID, list[MessageRecord]]:
    found: defaultdict[uuid.UUID, list[MessageRecord]] = defaultdict(list)
    rows = Message.objects.filter(dialogue_id__in=dialogues).order_by("dialogue_id", "position")
    for dialogue, role, content, authorship, policy in rows.values_list(
        "dialogue_id", "role", "content", "authorship", "policy__name"
    ):
        found[dialogue].append(
            MessageRecord(role=role, content=content, authorship=authorship, policy=policy)  # type: ignore[arg-type]
        )
    return found


def _demonstration_record(
    row: Mapping[str, Any], messages: tuple[MessageRecord, ...], filters: Filters
) -> Demonstration:
    return Demonstration(
        id=str(row["id"]),
        messages=messages,
        topic=row["topic"] or None,
        trainer=row["author__pseudonym"],
        guideline_version=row["guideline_version__version"],
        source=row["source"] or None,
        split=_split(messages, filters),
    )


def _prompt_record(row: Mapping[str, Any], filters: Filters) -> PromptRecord:
    messages = _prompt_messages(row["messages"], f"prompt {row['id']}")
    return PromptRecord(
        id=str(row["id"]),
        messages=messages,
        topic=row["topic"] or None,
        source=row["source"] or None,
        split=_split(messages, filters),
    )


def _prompt_messages(values: list[dict[str, Any]], where: str) -> tuple[MessageRecord, ...]:
    return tuple(decode(MessageRecord, value, where=where) for value in values)


def _split(messages: tuple[MessageRecord, ...], filters: Filters) -> Split:
    return split_of(messages, validation_percent=filters.validation_percent, test_percent=filters.test_percent)


SOURCES = {
    Export.Kind.RANKINGS: Source(
        file_name=RANKINGS_FILE,
        record=RankingRecord,
        rows=ranking_rows,
        read=read_rankings,
        left_out=rankings_left_out,
    ),
    Export.Kind.DEMONSTRATIONS: Source(
        file_name=DEMONSTRATIONS_FILE,
        record=Demonstration,
        rows=demonstration_rows,
        read=read_demonstrations,
        left_out=demonstrations_left_out,
    ),
    Export.Kind.PROMPTS: Source(
        file_name=PROMPTS_FILE,
        record=PromptRecord,
        rows=prompt_rows,
        read=read_prompts,
        left_out=nothing_left_out,
    ),
}
