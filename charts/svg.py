"""What every chart is made of: the frame with its description, texts, and an upright line to hold figures against."""

import hashlib
from collections.abc import Iterable
from html import escape

from charts.scales import Scale, format_number

WIDTH, TOP = 640, 28


class Svg(str):
    """SVG text that templates may insert as it is: everything in it has been escaped here."""

    caption: str

    def __html__(self) -> str:
        return self


def frame(parts: Iterable[str], *, title: str, description: str, height: int) -> Svg:
    """The whole chart, with what it shows for those who do not see it."""
    identifier = "chart-" + hashlib.sha256(f"{title}\n{description}".encode("utf-8", "replace")).hexdigest()[:10]
    svg = Svg(
        f'<svg class="chart" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-labelledby="{identifier}-title {identifier}-desc">'
        f'<title id="{identifier}-title">{clean(title)}</title>'
        f'<desc id="{identifier}-desc">{clean(description)}</desc>' + "".join(parts) + "</svg>"
    )
    svg.caption = title
    return svg


def text_at(x: float, y: float, text: str, css: str, *, anchor: str = "start") -> str:
    """A text whose start, middle or end stands at (x, y)."""
    return f'<text class="{css}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{clean(text)}</text>'


def reference_line(reference: tuple[str, float] | None, across: Scale, bottom: int) -> list[str]:
    """An upright line at a named figure, such as chance, with its name above."""
    if reference is None:
        return []
    x = across.at(reference[1])
    return [
        f'<line class="reference" stroke-dasharray="4 3" x1="{x}" y1="{TOP - 6}" x2="{x}" y2="{bottom}"/>',
        text_at(x, TOP - 10, _named(reference), "label", anchor="middle"),
    ]


def in_words(subject: str, phrases: Iterable[str], reference: tuple[str, float] | None) -> str:
    """The description of a chart from what is to be said of each of its figures."""
    said = [*phrases, *([_named(reference)] if reference else [])]
    return f"{subject}: {'; '.join(said) or 'no figures yet'}."


def with_interval(value: float, low: float | None, high: float | None) -> str:
    """0.6 (0.5 to 0.7), or 0.6 where there is no interval."""
    figure = format_number(value)
    return figure if low is None or high is None else f"{figure} ({format_number(low)} to {format_number(high)})"


def shortened(text: str, limit: int) -> str:
    """The text, or what fits of it; the whole of it stands in <desc>."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def clean(text: str) -> str:
    """Escaped, and without the characters that XML does not allow."""
    allowed = (
        c for c in text if c in "\t\n" or (c >= " " and not "\ud800" <= c <= "\udfff" and c not in "\ufffe\uffff")
    )
    return escape("".join(allowed))


def _named(reference: tuple[str, float]) -> str:
    return f"{reference[0]} {format_number(reference[1])}"
