"""Rows of each kind of export as records.

Rows are read in chunks of ids that were frozen when the export started. One long snapshot instead would slow the
trainers' queue tenfold. Rows that were retracted, withdrawn or retired in between are left out.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

from django.db.models import QuerySet

from labeling.exports.filters import Filters
from labeling.exports.label_rows import label_rows, labels_left_out, read_labels
from labeling.exports.ranking_lines import write_ranking_lines
from labeling.exports.ranking_records import read_rankings
from labeling.exports.selection import (
    adjudication_rows,
    demonstration_rows,
    demonstrations_left_out,
    prompt_rows,
    prompts_left_out,
    ranking_rows,
    rankings_left_out,
    thumb_rows,
    thumbs_left_out,
)
from labeling.exports.splits import split_under_filters
from labeling.models import Dialogue, Export, Message, Project, Prompt, Thumb
from records import Completion, Demonstration, RecordError, SamplingParams, decode
from records import Message as MessageRecord
from records import Prompt as PromptRecord
from records import Thumb as ThumbRecord
from records.names import DEMONSTRATIONS_FILE, LABELS_FILE, PROMPTS_FILE, RANKINGS_FILE, THUMBS_FILE


@dataclass(frozen=True, kw_only=True)
class Source:
    """One kind of export: `rows` selects the ids in order; `read` turns a chunk of ids into records in that order.

    `write_lines`, where present, writes and counts exactly what `read` and records.to_line would, but faster.
    `beside` selects rows of another kind that `read` knows too; they stand among the others, by comparison and id.
    """

    file_name: str
    rows: Callable[[Project, Filters], QuerySet[Any]]
    read: Callable[[Sequence[str], Filters], list[Any]]
    left_out: Callable[[Project], dict[str, int]]
    write_lines: Callable[[Sequence[str], Filters, Any, IO[bytes]], None] | None = None
    beside: Callable[[Project, Filters], QuerySet[Any]] | None = None


def read_demonstrations(ids: Sequence[str], filters: Filters) -> list[Demonstration]:
    rows = {
        str(row["id"]): row
        for row in Dialogue.objects.filter(id__in=ids)
        .exclude(state=Dialogue.State.WITHDRAWN)
        .values("id", "topic", "source", "kind", "author__pseudonym", "guideline_version__version")
    }
    messages = _messages(rows)

    def record(one: str) -> Demonstration:
        return _demonstration_record(rows[one], tuple(messages[one]), filters)

    return [_make_record(record, one, "dialogue") for one in ids if one in rows]


def read_prompts(ids: Sequence[str], filters: Filters) -> list[PromptRecord]:
    found = Prompt.objects.in_use().filter(id__in=ids).values("id", "messages", "topic", "source")
    rows = {str(row["id"]): row for row in found}
    return [_make_record(lambda one: _prompt_record(rows[one], filters), one, "prompt") for one in ids if one in rows]


def read_thumbs(ids: Sequence[str], filters: Filters) -> list[ThumbRecord]:
    rows = {str(row.id): row for row in Thumb.objects.to_learn_from().filter(id__in=ids).select_related("policy")}
    return [_make_record(lambda one: _thumb_record(rows[one], filters), one, "thumb") for one in ids if one in rows]


def _make_record(make: Callable[[str], Any], identifier: str, name: str) -> Any:
    """The record of a row. Raises RecordError that names a row which is not a valid record."""
    try:
        return make(identifier)
    except ValueError as error:
        raise RecordError(f"{name} {identifier}: {error}") from error


def _messages(dialogues: Iterable[str]) -> dict[str, list[MessageRecord]]:
    found: defaultdict[str, list[MessageRecord]] = defaultdict(list)
    rows = Message.objects.filter(dialogue_id__in=dialogues).order_by("dialogue_id", "position")
    for dialogue, role, content, authorship, policy, reasoning in rows.values_list(
        "dialogue_id", "role", "content", "authorship", "policy__name", "reasoning"
    ):
        found[str(dialogue)].append(
            MessageRecord(
                role=role,  # type: ignore[arg-type]
                content=content,
                authorship=authorship,  # type: ignore[arg-type]
                policy=policy,
                reasoning=reasoning or None,
            )
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
        split=split_under_filters(messages, filters, trainer=row["author__pseudonym"]),
    )


def _prompt_record(row: Mapping[str, Any], filters: Filters) -> PromptRecord:
    messages = tuple(decode(MessageRecord, value, where="messages") for value in row["messages"])
    return PromptRecord(
        id=str(row["id"]),
        messages=messages,
        topic=row["topic"] or None,
        source=row["source"] or None,
        split=split_under_filters(messages, filters),
    )


def _thumb_record(row: Thumb, filters: Filters) -> ThumbRecord:
    messages = tuple(decode(MessageRecord, value, where="messages") for value in row.messages)
    trainer = row.outside_trainer or None
    completion = Completion(
        id=str(row.id),
        content=row.content,
        policy=row.policy_name or None,
        sampling=decode(SamplingParams, row.sampling, where="sampling") if row.sampling else None,
    )
    return ThumbRecord(
        id=str(row.id),
        messages=messages,
        completion=completion,
        up=row.up,
        reason=row.reason or None,
        trainer=trainer,
        trainer_kind=row.trainer_kind,  # type: ignore[arg-type]
        given_at=row.given_at.isoformat(),
        topic=row.topic or None,
        source=row.source or None,
        split=split_under_filters(messages, filters, trainer=trainer),
    )


SOURCES = {
    Export.Kind.RANKINGS: Source(
        file_name=RANKINGS_FILE,
        rows=ranking_rows,
        read=read_rankings,
        left_out=rankings_left_out,
        write_lines=write_ranking_lines,
        beside=adjudication_rows,
    ),
    Export.Kind.DEMONSTRATIONS: Source(
        file_name=DEMONSTRATIONS_FILE,
        rows=demonstration_rows,
        read=read_demonstrations,
        left_out=demonstrations_left_out,
    ),
    Export.Kind.PROMPTS: Source(
        file_name=PROMPTS_FILE,
        rows=prompt_rows,
        read=read_prompts,
        left_out=prompts_left_out,
    ),
    Export.Kind.THUMBS: Source(
        file_name=THUMBS_FILE,
        rows=thumb_rows,
        read=read_thumbs,
        left_out=thumbs_left_out,
    ),
    Export.Kind.LABELS: Source(
        file_name=LABELS_FILE,
        rows=label_rows,
        read=read_labels,
        left_out=labels_left_out,
    ),
}
