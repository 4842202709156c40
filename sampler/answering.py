"""What a request comes to: its completions, all of which went through the door of the content filter where it has one.

Where it has none, completions are as their backend gave them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from records import Completion, Resemblance, SampleRequest, Screen, Screening, Withheld
from sampler.backends import URGENT, Backend, OnText
from sampler.distinctness import resemblances, sample_distinct, wants_distinct
from sampler.runs import Run
from sampler.screening.door import Door
from sampler.screening.loading import filters
from sampler.screening.looking import Look, newest_of_user, said, unjudged
from sampler.screening.seeing import FilterAway, TextFilter
from sampler.streaming import Stream


class FilterClosed(Exception):
    """Nothing is sampled, or nothing more, since the filter that it needs is away: why."""

    def __init__(self, away: FilterAway, screenings: tuple[Screening, ...]) -> None:
        super().__init__(f"the content filter is away, and nothing is sampled without it: {away}")
        self.screenings = screenings


@dataclass(frozen=True)
class Answered:
    """The part of a SampleResult that is not about the run."""

    completions: tuple[Completion, ...] = ()
    resemblances: tuple[Resemblance, ...] = ()
    screenings: tuple[Screening, ...] = ()
    withheld: tuple[Withheld, ...] = ()
    is_blocked: bool = False


def answered(request: SampleRequest, run: Run, backend: Backend, stream: Stream | None) -> Answered:
    """Sample a request. Raises BackendError, and FilterClosed."""
    if request.screen is None:
        completions = _sampled(request, run, backend, stream.write if stream else None)
        return Answered(completions, _resemblances(request, run, completions, range(len(completions))))
    content_filter, of_said = _look_at_said(request, request.screen)
    if of_said and of_said[0].acted and of_said[0].verdict == "block":
        return Answered(screenings=of_said, is_blocked=True)
    write = stream.write if stream and not wants_distinct(request) else None
    door = Door(content_filter, request.screen, num_completions=request.num_completions, write=write)
    completions = _sampled(request, run, backend, door.on_text if write else None)
    try:
        completions = door.finish(completions)
    except FilterAway as away:
        raise FilterClosed(away, of_said) from away
    blocked = {one.index for one in door.withheld}
    alike = _resemblances(request, run, completions, [i for i in range(len(completions)) if i not in blocked])
    return Answered(completions, alike, (*of_said, *door.screenings), door.withheld)


def _look_at_said(request: SampleRequest, screen: Screen) -> tuple[TextFilter | FilterAway, tuple[Screening, ...]]:
    """The filter, and what it saw of what was said. Overnight nobody has said anything: raters must be able to rank
    answers to prompts that no visitor could send."""
    try:
        content_filter = filters().get(screen)
    except FilterAway as away:
        return away, _unseen(request, screen, away)
    if request.purpose not in URGENT:
        return content_filter, ()
    try:
        screening = said(request.messages, content_filter, screen)
    except FilterAway as away:
        return content_filter, _unseen(request, screen, away)
    return content_filter, (screening,) if screening else ()


def _unseen(request: SampleRequest, screen: Screen, away: FilterAway) -> tuple[Screening, ...]:
    """What was said, as not judged. Raises FilterClosed where nothing is sampled then."""
    newest = newest_of_user(request.messages) if request.purpose in URGENT else None
    unseen = () if newest is None else (unjudged(Look("said", request.messages[newest].content), screen, str(away)),)
    if screen.needs_filter:
        raise FilterClosed(away, unseen) from away
    return unseen


def _sampled(request: SampleRequest, run: Run, backend: Backend, on_text: OnText | None) -> tuple[Completion, ...]:
    if not wants_distinct(request):
        return backend.sample(request, run, on_text=on_text)
    return sample_distinct(request, lambda asked: backend.sample(asked, run, on_text=None))


def _resemblances(
    request: SampleRequest, run: Run, completions: tuple[Completion, ...], kept: Sequence[int]
) -> tuple[Resemblance, ...]:
    """Which of those that are kept say much the same, by their places among all."""
    if not wants_distinct(request) or run.cancelled:
        return ()
    found = resemblances(tuple(completions[index] for index in kept))
    return tuple(replace(one, index=kept[one.index], earlier=kept[one.earlier]) for one in found)
