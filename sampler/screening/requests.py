"""Texts that are looked at after the fact: overnight by a filter in shadow, or for a program outside."""

from records import Screening, ScreenRequest, ScreenResult
from records.screening import Side
from sampler.screening.loading import filters
from sampler.screening.looking import Look, looked_at, looks_of, said_text, stronger
from sampler.screening.seeing import FilterAway, TextFilter


def screen(request: ScreenRequest) -> ScreenResult:
    """A screening a text, as it would have been at the door; that the filter is away comes back as the `error`."""
    try:
        content_filter = filters().get(request.screen)
        screenings = tuple(
            _screened(text, side, content_filter, request)
            for text, side in zip(request.texts, request.sides, strict=True)
        )
    except FilterAway as away:
        return ScreenResult(ids=request.ids, error=f"the content filter is away: {away}")
    return ScreenResult(ids=request.ids, screenings=screenings)


def _screened(text: str, side: Side, content_filter: TextFilter, request: ScreenRequest) -> Screening:
    if side == "said":
        return said_text(text, content_filter, request.screen)
    deciding: Screening | None = None
    for screening in looked_at(looks_of(text) or [Look("answered", text, end=0)], content_filter, request.screen):
        deciding = stronger(deciding, screening)
        if deciding.acted and deciding.verdict == "block":
            break
    assert deciding is not None
    return deciding
