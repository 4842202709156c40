"""What a page, and a program, may show of results: who is named, and whose words are released. Nothing before."""

from dataclasses import dataclass

from labeling.challenges.results import name_of, published_agreement
from labeling.models import Challenge, Entry, Result
from labeling.statistics.intervals import Estimate


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One place. Title and text are empty while the entry is held back."""

    place: int
    name: str
    title: str
    text: str
    is_released: bool
    is_erased: bool
    mean: float
    points: float
    num_jurors: int
    by_lot: bool
    words: str
    credited_with: tuple[str, ...]  # whose entries were duplicates of it


@dataclass(frozen=True, kw_only=True)
class Results:
    winners: tuple[Shown, ...]
    others: tuple[Shown, ...]
    agreement: Estimate | None


def published(challenge: Challenge) -> Results:
    """The frozen results. Who asked for no name has none here, and what is not released has no words."""
    rows = challenge.results.select_related("entry__author").prefetch_related("entry__duplicates__author")
    shown = [(one.is_winner, _shown(one)) for one in rows]
    return Results(
        winners=tuple(one for is_winner, one in shown if is_winner),
        others=tuple(one for is_winner, one in shown if not is_winner),
        agreement=published_agreement(challenge),
    )


def _shown(one: Result) -> Shown:
    entry: Entry | None = one.entry
    released = entry is not None and entry.released_at is not None
    duplicates = [dup for dup in entry.duplicates.all() if dup.state == Entry.State.SENT] if entry else []
    return Shown(
        place=one.place,
        name=name_of(entry),
        title=entry.title if entry and released else "",
        text=entry.text if entry and released else "",
        is_released=released,
        is_erased=entry is None,
        mean=one.mean,
        points=one.points,
        num_jurors=one.num_jurors,
        by_lot=one.by_lot,
        words=one.words,
        credited_with=tuple(name_of(dup) for dup in duplicates),
    )
