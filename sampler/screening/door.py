"""Through here goes what is sampled, to a person's screen and into the result: held back until a sentence ends, looked
at, and then shown, or never. What a filter blocks is in no stream and in no completion.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from records import Completion, Screen, Screening, Withheld
from sampler.screening.looking import Look, looked_at, stronger, unjudged
from sampler.screening.positions import last_word_end, look_positions
from sampler.screening.seeing import FilterAway, TextFilter

LONGEST_SECONDS = 1.5  # that text is held back for the end of its sentence

logger = logging.getLogger(__name__)


@dataclass
class _Held:
    """One completion as far as it has come. What is after `passed` nobody has seen."""

    text: str = ""
    passed: int = 0  # characters of it that the filter let pass
    shown: str = ""  # what was written to a person's screen
    since: float = 0.0  # when the first that is held back came
    is_shown: bool = True
    is_blocked: bool = False
    screening: Screening | None = None


class Door:
    """The completions of one request. `write` is where their text is shown as it comes; without it they come whole.

    With a filter that is away from the beginning everything passes and is marked; whoever needs one opens no door.
    """

    def __init__(
        self,
        content_filter: TextFilter | FilterAway,
        screen: Screen,
        *,
        num_completions: int,
        write: Callable[[int, str], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._away = content_filter if isinstance(content_filter, FilterAway) else None
        self._filter = None if isinstance(content_filter, FilterAway) else content_filter
        self._screen, self._write, self._clock = screen, write, clock
        self._held = [_Held(is_shown=write is not None) for _ in range(num_completions)]

    def on_text(self, index: int, text: str) -> bool:
        """Take the next text of a completion; True where it is to end here. Shows what is due of the others too."""
        now, held = self._clock(), self._held[index]
        if text and not held.is_blocked:
            if len(held.text) == held.passed:
                held.since = now
            held.text += text
            self._look({index: [len(held.text)] if self._away else look_positions(held.text, held.passed)})
        due = {i: last_word_end(one.text, one.passed) for i, one in enumerate(self._held) if self._is_due(one, now)}
        self._look({i: [end] for i, end in due.items() if end is not None})
        if self._write is not None:
            self._write(index, "")  # what was shown a moment ago is due to be sent
        return held.is_blocked or self._is_closed

    def finish(self, completions: Sequence[Completion]) -> tuple[Completion, ...]:
        """The completions as people may have them, once all have ended. Raises FilterAway where nobody may."""
        self._require_open()
        ends = {}
        for index, (held, completion) in enumerate(zip(self._held, completions, strict=True)):
            if not completion.content.startswith(held.text[: held.passed]):
                held.passed, held.is_shown = 0, False  # its last bytes made it another text: seen from the beginning
            held.text = completion.content
            if not held.is_blocked:
                ends[index] = _to_the_end(held)
        self._look(ends)
        self._require_open()
        return tuple(_ended(held, completion) for held, completion in zip(self._held, completions, strict=True))

    @property
    def screenings(self) -> tuple[Screening, ...]:
        """One a completion: the look that decided."""
        return tuple(held.screening for held in self._held if held.screening)

    @property
    def withheld(self) -> tuple[Withheld, ...]:
        """What nobody was shown of those that were blocked."""
        return tuple(
            Withheld(index=index, content=held.text.removeprefix(held.shown))
            for index, held in enumerate(self._held)
            if held.is_blocked
        )

    @property
    def _is_closed(self) -> bool:
        return self._away is not None and self._screen.needs_filter

    def _require_open(self) -> None:
        if self._away is not None and self._screen.needs_filter:
            raise self._away

    def _is_due(self, held: _Held, now: float) -> bool:
        return not held.is_blocked and len(held.text) > held.passed and now - held.since >= LONGEST_SECONDS

    def _look(self, ends: dict[int, list[int]]) -> None:
        """Look at completions up to each of these places, and let pass what comes before the first block of each."""
        looks = [
            Look("answered", self._held[index].text, index, end, start)
            for index in ends
            for start, end in pairwise([self._held[index].passed, *ends[index]])
        ]
        if not looks:
            return
        for look, screening in zip(looks, self._screenings_of(looks), strict=False):  # none where it has closed
            assert look.index is not None
            assert look.end is not None
            held = self._held[look.index]
            if held.is_blocked:
                continue
            held.screening = stronger(held.screening, screening)
            if screening.acted and screening.verdict == "block":
                held.is_blocked = True
            else:
                self._pass(look.index, look.end)

    def _screenings_of(self, looks: Sequence[Look]) -> list[Screening]:
        """With the filter away, then and for the rest of the request: none where nothing may pass without it, else all
        as not judged."""
        if self._filter is not None and self._away is None:
            try:
                return looked_at(looks, self._filter, self._screen)
            except FilterAway as away:
                logger.warning("the content filter %s is away: %s", self._screen.filter, away)
                self._away = away
        return [] if self._is_closed else [unjudged(look, self._screen, str(self._away)) for look in looks]

    def _pass(self, index: int, end: int) -> None:
        held = self._held[index]
        if self._write is not None and held.is_shown:
            self._write(index, held.text[held.passed : end])
            held.shown += held.text[held.passed : end]
        held.passed, held.since = end, self._clock()


def _to_the_end(held: _Held) -> list[int]:
    """The places to look at when no more comes. An empty text is looked at too: that is how it is not judged."""
    ends = look_positions(held.text, held.passed)
    last = ends[-1] if ends else held.passed
    return [*ends, len(held.text)] if last < len(held.text) or not (ends or held.screening) else ends


def _ended(held: _Held, completion: Completion) -> Completion:
    if not held.is_blocked:
        return completion
    # Its tokens and their log-probability are those of all that was sampled, withheld or not.
    return replace(completion, content=held.shown, finish_reason="filtered", num_tokens=None, logprob=None)
