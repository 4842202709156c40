"""Looks at texts: what a filter saw of each, as the record that labeling keeps of it."""

import hashlib
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TypeVar

from records import Message, Screen, Screening
from records.screening import Side
from sampler.screening.positions import look_positions
from sampler.screening.rules import decide
from sampler.screening.seeing import FilterAway, Seen, TextFilter, worst

_CONTEXT = 4  # messages before what was said: two turns
FEWEST_BY_ITSELF = 40  # characters of what is new in an answer, from which on it is also seen without what came before
_DECIMALS = 4  # of probabilities
_MOST_REASON = 200  # characters, of the column that keeps it
_WEIGHTS = {("block", True): 5, ("warn", True): 4, ("block", False): 3, ("warn", False): 2, ("not judged", False): 1}

Result = TypeVar("Result")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Look:
    """A text to be looked at, up to `end` where it is an answer; what came after `start` is new in it."""

    side: Side
    text: str
    index: int | None = None
    end: int | None = None
    start: int = 0

    @property
    def shown(self) -> str:
        return self.text[: self.end]

    @property
    def new(self) -> str | None:
        """What is new in it, where that is not all of it and long enough to say something by itself."""
        found = self.shown[self.start :]
        return found if self.start and len(found.strip()) >= FEWEST_BY_ITSELF else None


def looks_of(text: str, *, index: int | None = None) -> list[Look]:
    """All looks at a whole answer, in order: the same as while it comes."""
    ends = look_positions(text, 0)
    ends = [*ends, len(text)] if [*ends, 0][-1] < len(text) else ends
    return [Look("answered", text, index, end, start) for start, end in pairwise([0, *ends])]


def looked_at(looks: Sequence[Look], content_filter: TextFilter, screen: Screen) -> list[Screening]:
    """A screening a look, in their order: of the answer so far, and of what is new in it, the worse of both.

    A sentence is seen by itself too, because a harmless one before it can hide it. Raises FilterAway.
    """
    by_itself = {place: look.new for place, look in enumerate(looks) if look.new is not None}
    texts = [*(look.shown for look in looks), *by_itself.values()]
    seen, seconds = _timed(lambda: content_filter.look(texts))
    if len(seen) != len(texts):
        raise FilterAway(f"it saw {len(seen)} texts of {len(texts)}")
    for place, part in zip(by_itself, seen[len(looks) :], strict=True):
        seen[place] = worst([seen[place], Seen(part.probabilities, part.flagged)])
    seen = seen[: len(looks)]
    return [
        _screening(look, one, content_filter, screen, seconds / len(looks))
        for look, one in zip(looks, seen, strict=True)
    ]


def said(messages: Sequence[Message], content_filter: TextFilter, screen: Screen) -> Screening | None:
    """The newest message of a user as the filter sees it, alone and then after two turns of context: the worst of both.

    None where no user has said anything. Raises FilterAway.
    """
    newest = newest_of_user(messages)
    if newest is None:
        return None
    context = [message.content for message in messages[max(0, newest - _CONTEXT) : newest]]
    return said_text(messages[newest].content, content_filter, screen, context=context)


def said_text(text: str, content_filter: TextFilter, screen: Screen, *, context: Sequence[str] = ()) -> Screening:
    """What was said as the filter sees it, by itself where there is no `context`. Raises FilterAway."""

    def see() -> Seen:
        alone = content_filter.look_through(text)
        if not context:
            return alone
        (after,) = content_filter.look(["\n".join([*context, text])])
        return worst([alone, Seen(after.probabilities, after.flagged)])  # whether it can be judged is its own matter

    seen, seconds = _timed(see)
    return _screening(Look("said", text), seen, content_filter, screen, seconds)


def newest_of_user(messages: Sequence[Message]) -> int | None:
    """The place of what a user said last."""
    return next((place for place in reversed(range(len(messages))) if messages[place].role == "user"), None)


def unjudged(look: Look, screen: Screen, reason: str) -> Screening:
    """The screening of a text that no filter has seen."""
    return Screening(
        side=look.side,
        filter=screen.filter,
        verdict="not judged",
        text_sha256=_sha256(look.shown),
        index=look.index,
        end=look.end,
        reason=reason[:_MOST_REASON],
    )


def stronger(one: Screening | None, other: Screening) -> Screening:
    """The one of two looks at a completion that decides: the block, else what is worse."""
    return one if one is not None and _weight(one) >= _weight(other) else other


def _weight(screening: Screening) -> tuple[int, float]:
    of_all = max(screening.probabilities.values(), default=0.0)
    decided = screening.probabilities.get(screening.category, of_all) if screening.category else of_all
    return _WEIGHTS.get((screening.verdict, screening.acted), 0), decided


def _timed(see: Callable[[], Result]) -> tuple[Result, float]:
    """What was seen and how long it took. Whatever is wrong with a filter, it is away: its errors may quote a text, so
    only their kinds are told."""
    began = time.perf_counter()
    try:
        return see(), time.perf_counter() - began
    except FilterAway:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, nothing may pass unseen
        logger.warning("a content filter failed: %s", type(error).__name__)
        raise FilterAway(f"it failed ({type(error).__name__})") from None


def _screening(look: Look, seen: Seen, content_filter: TextFilter, screen: Screen, seconds: float) -> Screening:
    decision = decide(seen, screen.rules, look.side, content_filter.thresholds)
    return replace(
        unjudged(look, screen, decision.reason or ""),
        verdict=decision.verdict,
        category=decision.category,
        acted=decision.acted,
        probabilities={name: round(probability, _DECIMALS) for name, probability in seen.probabilities.items()},
        reason=decision.reason,
        milliseconds=round(seconds * 1000, 2),
    )


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
