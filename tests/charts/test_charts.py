"""Charts are well-formed SVG, drawn where the figures say, readable without sight and safe under a strict CSP."""

import math
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from django.template import Context, Engine
from hypothesis import given
from hypothesis import strategies as st

from charts import STYLESHEET, Bar, Point, Series, Svg, bar_chart, line_chart
from charts.bars import NAME_WIDTH
from charts.lines import FLOOR, LEFT, RIGHT_END
from charts.scales import Scale, extent, format_number, round_steps, widened
from charts.svg import TOP

CHECKOUT = Path(__file__).parents[2]
NS = "{http://www.w3.org/2000/svg}"
KL = Series(name="KL", points=[Point(0, 0.0, 0.0, 0.5), Point(10, 2.0, 1.5, 2.5), Point(20, 4.0, 3.0, 5.0)])


def drawn(svg: str) -> ET.Element:
    return ET.fromstring(svg)


def by_class(root: ET.Element, name: str) -> list[ET.Element]:
    return [element for element in root.iter() if name in (element.get("class") or "").split()]


def named(name: str, *heights: float, **changes: bool) -> Series:
    return Series(name=name, points=[Point(x, y) for x, y in enumerate(heights)], **changes)


def line(**changes: object) -> Svg:
    arguments: dict[str, object] = {"title": "KL", "x_label": "update", "y_label": "nats", "series": [KL]} | changes
    return line_chart(arguments.pop("series"), **arguments)  # type: ignore[arg-type]


def test_a_line_runs_from_the_axis_to_the_right_end_at_the_height_of_its_figures() -> None:
    (path,) = by_class(drawn(line()), "line")
    points = [tuple(map(float, pair.split())) for pair in path.attrib["d"].removeprefix("M").split("L")]
    # The range of the figures with their band is 0 to 5, so that 2 stands at two fifths of the height.
    height = FLOOR - TOP
    assert points == [
        (LEFT, FLOOR),
        ((LEFT + RIGHT_END) / 2, pytest.approx(FLOOR - 0.4 * height, abs=0.06)),
        (RIGHT_END, pytest.approx(FLOOR - 0.8 * height, abs=0.06)),
    ]


def test_the_band_goes_up_one_side_and_back_the_other() -> None:
    (band,) = by_class(drawn(line()), "band")
    corners = [tuple(map(float, corner.split(","))) for corner in band.attrib["points"].split()]
    assert len(corners) == 6
    assert [x for x, _ in corners[:3]] == [x for x, _ in reversed(corners[3:])]
    assert all(upper[1] <= lower[1] for upper, lower in zip(corners[:3], reversed(corners[3:]), strict=True))


def test_a_higher_figure_is_drawn_higher() -> None:
    dots = by_class(drawn(line()), "dot")
    assert all(float(a.attrib["cy"]) > float(b.attrib["cy"]) for a, b in pairwise(dots))
    assert dots[1][0].text == "KL, 10: 2 (1.5 to 2.5)"


def test_series_differ_by_more_than_colour() -> None:
    series = [named(f"policy {i}", i, i + 1) for i in range(4)]
    root = drawn(line(series=series))
    dashes = [path.get("stroke-dasharray") for path in by_class(root, "line")]
    assert len(set(dashes)) == 4
    names = [float(text.attrib["y"]) for text in by_class(root, "name")]
    assert len(names) == 4
    assert all(abs(a - b) >= 15 for a, b in pairwise(sorted(names)))


@pytest.mark.parametrize("height", [0, 0.5, 1])
def test_names_at_one_height_overlap_neither_each_other_nor_what_stands_below_the_floor(height: float) -> None:
    series = [named("other", 0, 1), *(named(f"seed {i}", 0, height) for i in range(9))]
    heights = sorted(float(text.attrib["y"]) for text in by_class(drawn(line(series=series)), "name"))
    assert all(b - a >= 15 for a, b in pairwise(heights))
    assert heights[0] >= TOP
    assert heights[-1] <= FLOOR + 4


def test_a_reference_is_drawn_and_named() -> None:
    root = drawn(line(reference=("held out beyond", 5)))
    (reference,) = by_class(root, "reference")
    assert reference.attrib["x1"] == reference.attrib["x2"] == str(LEFT + (RIGHT_END - LEFT) / 4)
    assert "held out beyond 5" in [text.text for text in by_class(root, "label")]
    assert (root[1].text or "").endswith("highest 4; held out beyond 5.")


def test_a_curve_to_hold_others_against_is_faint_and_takes_no_colour_from_them() -> None:
    root = drawn(line(series=[named("fitted", 0, 2, is_reference=True), named("score", 1, 2), named("gold", 0, 1)]))
    assert [path.attrib["class"] for path in by_class(root, "line")] == ["line series-1", "line series-2"]
    assert len(by_class(root, "reference")) == 1
    assert {dot.attrib["class"] for dot in by_class(root, "dot")} == {"dot series-1", "dot series-2"}
    assert "fitted" in [text.text for text in by_class(root, "label")]
    assert "fitted goes from 0 to 2;" in (root[1].text or "")


def test_single_points_have_whiskers_and_no_line() -> None:
    root = drawn(line(series=[Series(name="observed", points=[*KL.points, Point(30, 1.0)], is_joined=False)]))
    assert not by_class(root, "line")
    assert not by_class(root, "band")
    assert len(by_class(root, "dot")) == 4
    whiskers = by_class(root, "whisker")
    assert len(whiskers) == 3
    assert all(float(whisker.attrib["y1"]) > float(whisker.attrib["y2"]) for whisker in whiskers)


def test_no_interval_is_drawn_where_none_is_known() -> None:
    points = [*KL.points, Point(30, 1.0), Point(40, 1.0, 0.5, 1.5)]
    root = drawn(line(series=[Series(name="KL", points=points)]))
    (band,) = by_class(root, "band")
    assert len(band.attrib["points"].split()) == 6
    (whisker,) = by_class(root, "whisker")
    assert whisker.attrib["x1"] == whisker.attrib["x2"] == str(float(RIGHT_END))


def test_a_range_that_is_given_is_the_range() -> None:
    root = drawn(line(series=[named("share", 0.4, 0.5)], y_range=(0.0, 1.0)))
    assert float(by_class(root, "dot")[1].attrib["cy"]) == (FLOOR + TOP) / 2


def test_an_axis_of_few_counts_has_a_tick_for_each() -> None:
    def ticks(*xs: float) -> list[str | None]:
        root = drawn(line(series=[Series(name="s", points=[Point(x, 0.5) for x in xs])]))
        return [text.text for text in by_class(root, "tick") if text.get("text-anchor") == "middle"]

    assert ticks(1, 2, 3, 4, 6) == ["1", "2", "3", "4", "6"]
    assert ticks(4) == ["4"]
    assert ticks(0.0, 1.0, 2.5) == ["0", "0.5", "1", "1.5", "2", "2.5"]
    assert ticks(1, 2, 100) == ["20", "40", "60", "80", "100"]


def test_the_description_says_what_the_line_does() -> None:
    root = drawn(line())
    title, desc = root[0], root[1]
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-labelledby"] == f"{title.attrib['id']} {desc.attrib['id']}"
    assert title.text == "KL"
    assert desc.text == "nats over update: KL goes from 0 to 4 in 3 points, lowest 0, highest 4."


def test_figures_that_are_not_finite_are_left_out() -> None:
    broken = named("loss", 1.0, math.nan, 3.0, math.inf)
    root = drawn(line(series=[broken]))
    assert len(by_class(root, "dot")) == 2


@pytest.mark.parametrize("heights", [(), (math.nan,), (7.0,), (5.0, 5.0), (-1e-9, 1e12)])
@pytest.mark.parametrize("is_joined", [True, False])
def test_few_or_odd_figures_still_make_a_chart(heights: tuple[float, ...], is_joined: bool) -> None:
    svg = line(series=[named("a", *heights, is_joined=is_joined)])
    assert drawn(svg).tag == f"{NS}svg"
    assert "nan" not in svg
    assert "inf" not in svg


def test_bars_start_at_zero_and_end_at_their_figure() -> None:
    bars = [Bar(name="reward model", value=0.6, low=0.5, high=0.7), Bar(name="longer", value=0.3)]
    root = drawn(bar_chart(bars, title="Accuracy", x_label="share", reference=("chance", 0.5)))
    first, second = by_class(root, "bar")
    assert first.attrib["x"] == second.attrib["x"] == str(float(NAME_WIDTH))
    assert float(first.attrib["width"]) == pytest.approx(2 * float(second.attrib["width"]), abs=0.11)
    (whisker,) = by_class(root, "whisker")
    end = float(first.attrib["x"]) + float(first.attrib["width"])
    assert float(whisker.attrib["x1"]) < end < float(whisker.attrib["x2"])
    assert root[1].text == "share: reward model 0.6 (0.5 to 0.7); longer 0.3; chance 0.5."


def test_a_negative_bar_lies_left_of_zero() -> None:
    root = drawn(bar_chart([Bar(name="gain", value=-2.0), Bar(name="loss", value=1.0)], title="t", x_label="x"))
    gain, loss = by_class(root, "bar")
    assert float(gain.attrib["x"]) + float(gain.attrib["width"]) == pytest.approx(float(loss.attrib["x"]))


def every_chart(text: str) -> list[str]:
    return [
        line_chart(
            [named(text, 1, 2), named(text, 1, 1, is_reference=True)],
            title=text,
            x_label=text,
            y_label=text,
            reference=(text, 1),
        ),
        bar_chart([Bar(name=text, value=1)], title=text, x_label=text, reference=(text, 1)),
    ]


def test_nothing_in_a_chart_needs_more_than_a_strict_csp() -> None:
    charts = every_chart("<script>alert(1)</script>")
    assert len(charts) == 2
    for svg in charts:
        assert "<script" not in svg
        for element in drawn(svg).iter():
            assert "style" not in element.attrib
            assert not [name for name in element.attrib if name.startswith("on") or "href" in name]


@given(st.text(max_size=40))
def test_any_text_makes_well_formed_xml(text: str) -> None:
    assert [drawn(svg).tag for svg in every_chart(text)] == [f"{NS}svg"] * 2


def test_every_class_has_a_rule_and_every_colour_is_a_token() -> None:
    css = STYLESHEET.read_text(encoding="utf-8")
    series = [replace(KL, name=str(i), is_joined=i < 3) for i in range(4)]
    everything = "".join(
        [
            *every_chart("a"),
            line(series=series),
            bar_chart([Bar(name="b", value=1, low=0, high=2)], title="b", x_label="b"),
        ]
    )
    for names in re.findall(r'class="([^"]+)"', everything):
        for name in names.split():
            assert f".{name}" in css, name
    rules = css.split("}", 1)[1]
    assert not re.search(r"#[0-9a-f]{3}", rules)


@pytest.mark.parametrize("page_style", ["labeling/static/labeling/web/parley.css", "rewardmodel/page.py"])
def test_every_page_gives_the_tokens_that_the_stylesheet_uses(page_style: str) -> None:
    css = STYLESHEET.read_text(encoding="utf-8")
    given = css + (CHECKOUT / page_style).read_text(encoding="utf-8")
    assert set(re.findall(r"var\((--[\w-]+)", css)) <= set(re.findall(r"(--[\w-]+):", given))


def test_a_template_inserts_a_chart_as_it_is() -> None:
    svg = line()
    assert Engine().from_string("{{ chart }}").render(Context({"chart": svg}, autoescape=True)) == svg


def test_the_same_figures_make_the_same_chart_and_two_charts_have_two_ids() -> None:
    assert line() == line()
    assert drawn(line())[0].attrib["id"] != drawn(line(title="Another"))[0].attrib["id"]


def test_round_steps_cover_the_range_with_ones_twos_and_fives() -> None:
    assert round_steps(0, 1) == [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert round_steps(-0.07, 0.13) == [-0.1, -0.05, 0.0, 0.05, 0.1, 0.15]
    assert widened(3, 47) == (0.0, 50.0)


@given(st.floats(-1e9, 1e9), st.floats(1e-6, 1e9))
def test_the_widened_range_holds_the_range_and_is_not_much_wider(low: float, width: float) -> None:
    high = low + width
    start, end = widened(*extent([low, high]))
    assert start <= low + 1e-6 * width + 1e-9 * abs(low)
    assert end >= high - 1e-6 * width - 1e-9 * abs(high)
    assert len(round_steps(*extent([low, high]))) <= 13


def test_a_scale_is_straight() -> None:
    scale = Scale(low=10, high=20, start=0, end=100)
    assert [scale.at(value) for value in (10, 15, 20)] == [0, 50, 100]


def test_numbers_are_written_for_people() -> None:
    written = {0: "0", 0.6131: "0.613", 12.54: "12.5", 1200: "1,200", 9e-6: "9e-06", -0.25: "-0.25", math.nan: "–"}
    assert {value: format_number(value) for value in written} == written
