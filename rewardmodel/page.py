"""A report as one HTML file: a style that follows light and dark, tables, figures of charts; nothing fetched."""

from collections.abc import Iterable, Sequence
from html import escape

from charts import STYLESHEET, Svg

_STYLE = """\
:root { color-scheme: light dark; --ink: light-dark(#1e1c19, #e9e5dd); --paper: light-dark(#faf8f3, #161719);
  --muted: light-dark(#625d54, #aaa499); --line: light-dark(#ddd7ca, #34373c);
  --line-strong: light-dark(#8d8678, #787d86); --sans: system-ui, sans-serif; }
body { font: 16px/1.5 var(--sans); color: var(--ink); background: var(--paper);
  max-width: 64rem; margin: 2rem auto; padding: 0 1rem; }
figure { margin: 0 0 1.5rem; } .scroll { overflow-x: auto; } table { border-collapse: collapse; margin: 0 0 1.5rem; }
th, td { padding: .2rem .9rem .2rem 0; text-align: left; border-bottom: 1px solid var(--line-strong); }
td + td, th + th { text-align: right; font-variant-numeric: tabular-nums; }
"""


def page(title: str, parts: Iterable[str]) -> str:
    """The whole file. `parts` are HTML; empty ones are left out."""
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
    body = "\n".join([f"<h1>{escape(title)}</h1>", *filter(None, parts)])
    style = _STYLE + STYLESHEET.read_text(encoding="utf-8")
    return (
        f'<!doctype html>\n<html lang="en"><head>{head}<style>{style}</style></head>\n<body>\n{body}\n</body></html>\n'
    )


def table(rows: Iterable[Sequence[str]], *, head: Sequence[str] = ()) -> str:
    """Rows of text; the first column is read to the left, the others are figures."""
    cells = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    heads = f"<tr>{''.join(f'<th>{escape(cell)}</th>' for cell in head)}</tr>" if head else ""
    return f'<div class="scroll"><table>{heads}{cells}</table></div>'


def figures(drawings: Iterable[Svg]) -> str:
    """Charts, each under its title."""
    return "".join(map(_figure, drawings))


def _figure(drawing: Svg) -> str:
    caption = f"<figcaption>{escape(drawing.caption)}</figcaption>"
    return f'<figure class="chart-scroll" tabindex="0">{caption}{drawing}</figure>'
