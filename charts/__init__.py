"""Charts as SVG text, for the platform's pages and for reports of one file. Standard library only; knows nobody.

No script, no inline style. Colours come from the stylesheet by class and tokens of the page, so that they follow its
light or dark; series differ by dash and marker too, since colour never carries meaning alone. Every chart says in
<title> and <desc> what it shows.
"""

from pathlib import Path

from charts.bars import Bar, bar_chart
from charts.lines import Point, Series, line_chart
from charts.scales import format_number
from charts.svg import Svg

STYLESHEET = Path(__file__).parent / "static" / "charts.css"

__all__ = ["STYLESHEET", "Bar", "Point", "Series", "Svg", "bar_chart", "format_number", "line_chart"]
