"""Storing imported rankings: a finished comparison, its completions, and who preferred what.

Ids are made from content, so that the same file twice adds nothing and two judgements of the same completions share one
comparison. Completions are stored in an order that does not reveal their rank.
"""

import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import filterfalse
from typing import Any

import orjson
from django.db import transaction
from django.db.models import Count, F, OuterRef, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from labeling.imports import identity
from labeling.imports.bulk_copy import CopyTarget
from labeling.imports.dates import moment_of
from labeling.imports.project_lock import lock_project
from labeling.models import Adjudication, AuditEvent, Comparison, Completion, Policy, Project, Ranking, Rating
from labeling.models.content_hash import fingerprint
from labeling.models.distances import measure_distances
from records import Completion as CompletionRecord
from records import Ranking as RankingRecord
from records import encode

_LONGEST_ID = 120  # characters, as the column is long

_COMPARISONS = CopyTarget(
    Comparison, "id", "project_id", "state", "messages", "prompt_sha256", "topic", "source",
    "num_rankings", "rankings_wanted",
)  # fmt: skip
_COMPLETIONS = CopyTarget(
    Completion, "id", "comparison_id", "index", "content", "policy_id", "outside_policy",
    "sampling", "finish_reason", "num_tokens", "logprob",
)  # fmt: skip
_RANKINGS = CopyTarget(
    Ranking, "id", "comparison_id", "submission_key", "tiers", "unacceptable_from", "strengths",
    "abstained", "is_choice", "note", "shown_order", "seconds", "source", "outside_trainer", "outside_id", "ranked_at",
)  # fmt: skip
_RATINGS = CopyTarget(Rating, "ranking_id", "completion_id", "overall", "flags", "note")


@dataclass(frozen=True, slots=True)
class _Identified:
    """A ranking with the ids made from its content."""

    record: RankingRecord
    comparison: uuid.UUID
    place: str  # the comparison's id as text, which every completion needs
    key: uuid.UUID
    completions: tuple[CompletionRecord, ...]
    ids: dict[str, str]  # of completions: the record's to ours

    def stored_ids(self, names: Iterable[str]) -> list[str]:
        return [self.ids[name] for name in names]


def store_rankings(project: Project, records: Sequence[RankingRecord], *, source: str) -> int:
    """Store the rankings that are new, in one transaction; returns how many. Known ones change nothing."""
    identified = {one.key: one for one in (_identify(project, record) for record in records)}
    with transaction.atomic():
        lock_project(project)
        new = _without_settled(_without_superseded(_new_among(project, identified)))
        if new:
            _store(project, new, source)
    return len(new)


def _identify(project: Project, record: RankingRecord) -> _Identified:
    completions = identity.in_neutral_order(record.completions)
    comparison = identity.comparison_id(project.id, record, completions)
    places = {completion.id: index for index, completion in enumerate(completions)}
    ids = {name: identity.completion_id(comparison, index) for name, index in places.items()}
    return _Identified(
        record,
        comparison,
        str(comparison),
        identity.submission_key(comparison, record, places),
        tuple(completions),
        ids,
    )


def _new_among(project: Project, identified: dict[uuid.UUID, _Identified]) -> list[_Identified]:
    known: set[uuid.UUID] = set()
    present: set[str] = set()
    own = _own_ids(identified.values())
    for kind in (Ranking, Adjudication):
        rows: Any = kind.objects
        known.update(rows.filter(submission_key__in=identified).values_list("submission_key", flat=True))
        made_here = rows.filter(id__in=own, comparison__project=project).values_list("id", flat=True)
        present.update(str(identifier) for identifier in made_here if own)
    return [one for key, one in identified.items() if key not in known and one.record.id not in present]


def _without_superseded(new: list[_Identified]) -> list[_Identified]:
    """The rankings without those of which the store or the same chunk has a newer version; the older version of a
    newer one is retracted. Versions have one id in the file and different times; without both, all are kept.
    """
    newest: dict[tuple[uuid.UUID, str], _Identified] = {}
    for one in filter(_is_version, new):
        known = newest.get(_version_key(one))
        if known is None or _ranked_at(one) > _ranked_at(known):
            newest[_version_key(one)] = one
    ids = {identifier for _, identifier in newest}
    stored = Ranking.objects.filter(
        comparison__in={comparison for comparison, _ in newest}, outside_id__in=ids, retracted_at=None
    )
    for old in stored if newest else ():
        newer = newest.get((old.comparison_id, old.outside_id))
        if newer is not None and _ranked_at(newer) > old.ranked_at:
            _retract(old, newer)
        elif newer is not None:
            del newest[old.comparison_id, old.outside_id]
    kept = {id(one) for one in newest.values()}
    return [one for one in new if not _is_version(one) or id(one) in kept]


def _without_settled(new: list[_Identified]) -> list[_Identified]:
    """One adjudication a comparison at most: a comparison that has one keeps it, whoever gave it."""
    first = {one.comparison: one for one in reversed(new) if _is_adjudicated(one)}
    live = Adjudication.objects.filter(comparison__in=first, state__in=Adjudication.LIVE)
    settled = set(live.values_list("comparison", flat=True)) if first else set()
    kept = {id(one) for identifier, one in first.items() if identifier not in settled}
    return [one for one in new if not _is_adjudicated(one) or id(one) in kept]


def _retract(old: Ranking, newer: _Identified) -> None:
    Ranking.objects.filter(id=old.id).update(retracted_at=timezone.now())
    Comparison.objects.filter(id=old.comparison_id).update(num_rankings=F("num_rankings") - 1)
    AuditEvent.note("correct imported ranking", old, by=None, ranked_at=newer.record.ranked_at or "")


def _is_version(one: _Identified) -> bool:
    return bool(one.record.id) and one.record.ranked_at is not None and not _is_adjudicated(one)


def _is_adjudicated(one: _Identified) -> bool:
    return one.record.adjudication is not None


def _version_key(one: _Identified) -> tuple[uuid.UUID, str]:
    return one.comparison, one.record.id[:_LONGEST_ID]


def _ranked_at(one: _Identified) -> datetime:
    assert one.record.ranked_at is not None
    return moment_of(one.record.ranked_at, "ranked_at")


def _own_ids(identified: Iterable[_Identified]) -> list[str]:
    """Ids that may be of rankings made here: re-importing an export adds nothing."""
    return [one.record.id for one in identified if len(one.record.id) == 36 and identity.is_uuid(one.record.id)]


def _store(project: Project, new: list[_Identified], source: str) -> None:
    comparisons = {one.comparison: one for one in new}
    present = set(Comparison.objects.filter(id__in=comparisons).values_list("id", flat=True))
    fresh = [one for identifier, one in comparisons.items() if identifier not in present]
    policies = _policies(project, fresh)
    adjudicated, new = filter(_is_adjudicated, new), list(filterfalse(_is_adjudicated, new))
    num_rankings = Counter(one.comparison for one in new)
    _COMPARISONS.copy(_comparison_row(project, one, source, num_rankings[one.comparison]) for one in fresh)
    _COMPLETIONS.copy(row for one in fresh for row in _completion_rows(one, policies))
    ranked = [(str(uuid.uuid4()), one) for one in new]
    now = timezone.now()
    _RANKINGS.copy(_ranking_row(identifier, one, source, now) for identifier, one in ranked)
    ratings = [row for identifier, one in ranked for row in _rating_rows(identifier, one)]
    if ratings:
        _RATINGS.copy(ratings)
    if present:
        _recount(present)
    several = {identifier for identifier, num in num_rankings.items() if num > 1 or identifier in present}
    if several:
        measure_distances(several)
    _store_adjudications(adjudicated, source, now)


def _store_adjudications(adjudicated: Iterable[_Identified], source: str, now: datetime) -> None:
    Adjudication.objects.bulk_create(_adjudication(one, source, now) for one in adjudicated)


def _adjudication(one: _Identified, source: str, now: datetime) -> Adjudication:
    record = one.record
    at = moment_of(record.ranked_at, "ranked_at") if record.ranked_at else now
    return Adjudication(
        comparison_id=one.comparison,
        state=Adjudication.State.DONE,
        submission_key=one.key,
        tiers=[one.stored_ids(tier) for tier in record.tiers],
        unacceptable_from=record.unacceptable_from,
        shown_order=one.stored_ids(record.shown_order),
        seconds=record.seconds,
        ordered_at=at,
        reason=record.adjudication or "",
        words=record.note or "",
        decided_at=at,
        source=(record.source or source)[:200],
        outside_reviewer=(record.trainer or "")[:80],
    )


def _policies(project: Project, identified: Iterable[_Identified]) -> dict[str, str]:
    """Ids of the project's policies by name. Only completions with sampling parameters are attributed to them."""
    names = {completion.policy for one in identified for completion in one.completions if completion.policy}
    found = Policy.objects.open_to(project).filter(name__in=names).values_list("name", "id") if names else []
    return {name: str(identifier) for name, identifier in found}


def _comparison_row(project: Project, one: _Identified, source: str, num_rankings: int) -> tuple[Any, ...]:
    record = one.record
    messages = [{"role": message.role, "content": message.content} for message in record.messages]
    return (
        one.place,
        project.id,
        Comparison.State.DONE.value,
        _json(messages),
        fingerprint(record.messages),
        (record.topic or "")[:60],
        (record.source or source)[:200],
        num_rankings,
        num_rankings,
    )


def _completion_rows(one: _Identified, policies: dict[str, str]) -> Iterable[tuple[Any, ...]]:
    for index, completion in enumerate(one.completions):
        ours = policies.get(completion.policy or "") if completion.sampling else None
        yield (
            one.ids[completion.id],
            one.place,
            index,
            completion.content,
            ours,
            "" if ours else (completion.policy or "")[:100],
            _json(encode(completion.sampling)) if completion.sampling else None,
            completion.finish_reason or "",
            completion.num_tokens,
            completion.logprob,
        )


def _ranking_row(identifier: str, one: _Identified, source: str, now: datetime) -> tuple[Any, ...]:
    record = one.record
    return (
        identifier,
        one.place,
        one.key,
        _json([one.stored_ids(tier) for tier in record.tiers]),
        record.unacceptable_from,
        _json(record.strengths),
        record.abstained,
        bool(record.choice),
        record.note or "",
        _json(one.stored_ids(record.shown_order)),
        record.seconds,
        (record.source or source)[:200],
        (record.trainer or "")[:80],
        record.id[:_LONGEST_ID] if record.ranked_at else "",  # of versions without a time nobody knows the newer
        moment_of(record.ranked_at, "ranked_at") if record.ranked_at else now,
    )


def _rating_rows(identifier: str, one: _Identified) -> Iterable[tuple[Any, ...]]:
    for rating in one.record.ratings:
        yield identifier, one.ids[rating.completion_id], rating.overall, _json(rating.flags), rating.note or ""


def _recount(comparisons: set[uuid.UUID]) -> None:
    """Set the counters of imported comparisons that got another ranking: they want as many rankings as they have."""
    counted = (
        Ranking.objects.filter(comparison=OuterRef("id"), retracted_at=None)
        .order_by()
        .values("comparison")
        .annotate(num=Count("id"))
        .values("num")
    )
    Comparison.objects.filter(id__in=comparisons, round=None, open_slots=0).update(
        num_rankings=Coalesce(Subquery(counted), F("num_rankings")),
        rankings_wanted=Coalesce(Subquery(counted), F("rankings_wanted")),
    )


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
