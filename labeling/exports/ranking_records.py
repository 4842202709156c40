"""Rankings as records, read by three plain SQL statements a chunk: the ORM took most of an export's time here.

Ids stay text from the table to the file, and no object is made of a row but its record.
Zero seconds are of a ranking that nobody measured: such a time is unknown, and unset in the record.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any

from django.db import connection

from labeling.exports.filters import Filters
from labeling.exports.splits import split_under_filters
from records import Completion, Message, Ranking, Rating, RecordError, SamplingParams, decode

Row = tuple[Any, ...]


def read_rankings(ids: Sequence[str], filters: Filters) -> list[Ranking]:
    """The records of these rankings, in this order, without those that no longer count.

    Raises RecordError that names a row which is not a valid record.
    """
    rows = {row[0]: row for row in [*_select(_RANKINGS, ids), *_select(_ADJUDICATIONS, ids)]}
    completions = _completions({row[1] for row in rows.values()})
    ratings = _ratings(rows)
    records = []
    for identifier in ids:
        row = rows.get(identifier)
        if row is not None:
            try:
                records.append(_record(row, completions.get(row[1], ()), ratings.get(identifier, ()), filters))
            except ValueError as error:
                raise RecordError(f"ranking {identifier}: {error}") from error
    return records


def _record(row: Row, completions: tuple[Completion, ...], ratings: tuple[Rating, ...], filters: Filters) -> Ranking:
    (
        identifier, comparison, tiers, unacceptable_from, abstained, shown_order, seconds, source, outside_trainer,
        ranked_at, pseudonym, kind, guideline_version, messages, topic, comparison_source, round_number,
        is_choice, note, adjudication, strengths,
    ) = row  # fmt: skip
    trainer = pseudonym or outside_trainer or None
    prompt = tuple(decode(Message, value, where=f"comparison {comparison}") for value in json.loads(messages))
    return Ranking(
        id=identifier,
        comparison_id=comparison,
        messages=prompt,
        completions=completions,
        tiers=tuple(map(tuple, json.loads(tiers))),
        unacceptable_from=unacceptable_from,
        strengths=tuple(json.loads(strengths)),
        abstained=abstained,
        choice=is_choice or None,
        adjudication=adjudication,
        note=note or None,
        shown_order=tuple(json.loads(shown_order)),
        ratings=ratings,
        trainer=trainer,
        trainer_kind="imported" if pseudonym is None else kind,
        guideline_version=guideline_version,
        seconds=seconds,
        ranked_at=ranked_at.isoformat(),
        round=round_number,
        topic=topic or None,
        source=source or comparison_source or None,
        split=split_under_filters(prompt, filters, trainer=trainer),
    )


def adjudications_among(ids: Sequence[str]) -> bool:
    """Whether any of these is an adjudication."""
    return bool(_select("SELECT FROM labeling_adjudication WHERE id = ANY(%s::uuid[]) LIMIT 1", ids))


def _completions(comparisons: Collection[str]) -> dict[str, tuple[Completion, ...]]:
    found: defaultdict[str, list[Completion]] = defaultdict(list)
    for row in _select(_COMPLETIONS, comparisons):
        comparison, identifier, content, policy, outside, sampling, finish_reason, num_tokens, logprob = row
        where = f"completion {identifier}"
        record = Completion(
            id=identifier,
            content=content,
            policy=policy or outside or None,
            sampling=decode(SamplingParams, json.loads(sampling), where=where) if sampling else None,
            finish_reason=finish_reason or None,
            num_tokens=num_tokens,
            logprob=logprob,
        )
        found[comparison].append(record)
    return {comparison: tuple(records) for comparison, records in found.items()}


def _ratings(rankings: Collection[str]) -> dict[str, tuple[Rating, ...]]:
    found: defaultdict[str, list[Rating]] = defaultdict(list)
    for ranking, completion, overall, flags, note in _select(_RATINGS, rankings):
        found[ranking].append(
            Rating(completion_id=completion, overall=overall, flags=json.loads(flags), note=note or None)
        )
    return {ranking: tuple(records) for ranking, records in found.items()}


def _select(statement: str, ids: Collection[str]) -> list[Row]:
    with connection.cursor() as cursor:
        cursor.execute(statement, [list(ids)])
        return list(cursor.fetchall())


_RANKINGS = """
    SELECT ranking.id::text, ranking.comparison_id::text, ranking.tiers::text, ranking.unacceptable_from,
           ranking.abstained, ranking.shown_order::text, nullif(ranking.seconds, 0), ranking.source,
           ranking.outside_trainer, ranking.ranked_at, trainer.pseudonym,
           CASE WHEN trainer.role = 'visitor' THEN 'visitor'
                WHEN trainer.is_simulated THEN 'simulated' ELSE 'person' END,
           guidelines.version,
           comparison.messages::text, comparison.topic, comparison.source, round.number,
           ranking.is_choice, ranking.note, NULL, ranking.strengths::text
    FROM labeling_ranking ranking
    JOIN labeling_comparison comparison ON comparison.id = ranking.comparison_id
    LEFT JOIN labeling_user trainer ON trainer.id = ranking.trainer_id
    LEFT JOIN labeling_guidelineversion guidelines ON guidelines.id = ranking.guideline_version_id
    LEFT JOIN labeling_round round ON round.id = comparison.round_id
    WHERE ranking.id = ANY(%s::uuid[]) AND ranking.retracted_at IS NULL AND comparison.state <> 'withdrawn'
"""
# In the columns of rankings: the reviewer is the trainer, and their words are the note.
_ADJUDICATIONS = """
    SELECT given.id::text, given.comparison_id::text, given.tiers::text, given.unacceptable_from, NULL,
           given.shown_order::text, nullif(given.seconds, 0), given.source, given.outside_reviewer, given.decided_at,
           reviewer.pseudonym, CASE WHEN reviewer.is_simulated THEN 'simulated' ELSE 'person' END,
           guidelines.version, comparison.messages::text, comparison.topic, comparison.source, round.number, false,
           given.words, given.reason, '[]'
    FROM labeling_adjudication given
    JOIN labeling_comparison comparison ON comparison.id = given.comparison_id
    LEFT JOIN labeling_user reviewer ON reviewer.id = given.reviewer_id
    LEFT JOIN labeling_guidelineversion guidelines ON guidelines.id = given.guideline_version_id
    LEFT JOIN labeling_round round ON round.id = comparison.round_id
    WHERE given.id = ANY(%s::uuid[]) AND given.state = 'done' AND comparison.state <> 'withdrawn'
"""
_COMPLETIONS = """
    SELECT completion.comparison_id::text, completion.id::text, completion.content, policy.name,
           completion.outside_policy, completion.sampling::text, completion.finish_reason, completion.num_tokens,
           completion.logprob
    FROM labeling_completion completion
    LEFT JOIN labeling_policy policy ON policy.id = completion.policy_id
    WHERE completion.comparison_id = ANY(%s::uuid[])
    ORDER BY completion.comparison_id, completion.index, completion.id
"""
_RATINGS = """
    SELECT ranking_id::text, completion_id::text, overall, flags::text, note
    FROM labeling_rating WHERE ranking_id = ANY(%s::uuid[])
    ORDER BY ranking_id, completion_id
"""
