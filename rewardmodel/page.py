"""A report as one HTML file: a style that follows light and dark, tables, figures of charts; nothing fetched."""

from collections.abc import Iterable, Sequence
from html import escape

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2733; --paper: #fff; --soft: #8793a1; --a: #0b62a8; --b: #b3541e; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e9ee; --paper: #14181d; --soft: #7d8894; --a: #6fb5ee; --b: #f0a36e; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 64rem; margin: 2rem auto; padding: 0 1rem; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 25rem), 1fr)); gap: 1rem; }
figure { margin: 0; } svg { width: 100%; height: auto; font-size: 12px; fill: currentColor; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; margin: 0 0 1.5rem; }
th, td { padding: .2rem .9rem .2rem 0; text-align: left; border-bottom: 1px solid var(--soft); }
td + td, th + th { text-align: right; font-variant-numeric: tabular-nums; }
.grid { stroke: var(--soft); stroke-opacity: .3; }
.ideal { stroke: var(--soft); stroke-dasharray: 5 4; stroke-width: 1.5; }
.s0 { stroke: var(--a); stroke-width: 2; } .s1 { stroke: var(--b); stroke-width: 2; stroke-dasharray: 6 3; }
.s2 { stroke: var(--soft); stroke-width: 2; stroke-dasharray: 2 3; }
.s0.dot { fill: var(--a); } .s1.dot { fill: var(--b); } .s2.dot { fill: var(--soft); } .dot { stroke: none; }
"""


def page(title: str, parts: Iterable[str]) -> str:
    """The whole file. `parts` are HTML; empty ones are left out."""
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
    body = "\n".join([f"<h1>{escape(title)}</h1>", *filter(None, parts)])
    return (
        f'<!doctype html>\n<html lang="en"><head>{head}<style>{_STYLE}</style></head>\n<body>\n{body}\n</body></html>\n'
    )


def table(rows: Iterable[Sequence[str]], *, head: Sequence[str] = ()) -> str:
    """Rows of text; the first column is read to the left, the others are figures."""
    cells = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    heads = f"<tr>{''.join(f'<th>{escape(cell)}</th>' for cell in head)}</tr>" if head else ""
    return f'<div class="scroll"><table>{heads}{cells}</table></div>'


def figures(drawings: Iterable[str]) -> str:
    """Charts of rewardmodel.charts side by side, each under its title."""
    return f'<div class="charts">{"".join(map(_figure, drawings))}</div>'


def _figure(drawing: str) -> str:
    title = drawing.partition("<title>")[2].partition("</title>")[0]
    return f"<figure><figcaption>{title}</figcaption>{drawing}</figure>"
