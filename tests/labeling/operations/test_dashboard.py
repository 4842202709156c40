"""The dashboard, the alerts and the promises speak of figures, labels and views that there are."""

import json
import re
from pathlib import Path

import pytest
import yaml
from prometheus_client import REGISTRY

from labeling.operations import figures
from labeling.urls import urlpatterns
from labeling.web import observation

CHECKOUT = Path(__file__).resolve().parents[3]
DASHBOARD = json.loads((CHECKOUT / "deploy" / "grafana.json").read_text())
ALERTS = yaml.safe_load((CHECKOUT / "deploy" / "alerts.yaml").read_text())
PANELS = {panel["title"]: [target["expr"] for target in panel["targets"]] for panel in DASHBOARD["panels"]}
RULES = {rule["alert"]: rule["expr"] for group in ALERTS["groups"] for rule in group["rules"]}
EXPRESSIONS = [one for some in PANELS.values() for one in some] + list(RULES.values())
PAGE = (CHECKOUT / "docs" / "operating.md").read_text()


def written_names() -> set[str]:
    """Every name that a scrape may give: the figures that are read, and those that requests count."""
    source = Path(figures.__file__).read_text()
    gauges = set(re.findall(r'"(parley_\w+)"', source))
    assert observation._SECONDS in REGISTRY._collector_to_names
    return gauges | set(REGISTRY._collector_to_names[observation._SECONDS])


def test_every_figure_that_is_drawn_alerted_on_or_promised_is_written() -> None:
    named = {name for text in [*EXPRESSIONS, PAGE] for name in re.findall(r"\bparley_(?!owner|app)\w+", text)}
    assert len(named) > 12
    assert named - written_names() == set()


def test_every_figure_is_on_the_dashboard() -> None:
    drawn = " ".join(one for some in PANELS.values() for one in some)
    gauges = set(re.findall(r'"(parley_\w+)"', Path(figures.__file__).read_text()))
    assert len(gauges) > 10
    assert not [name for name in gauges if not re.search(rf"\b{name}\b", drawn)]


def test_every_view_that_is_named_is_an_address() -> None:
    views = {view for text in EXPRESSIONS for some in re.findall(r'view=~"([\w|]+)"', text) for view in some.split("|")}
    assert views
    assert views <= {pattern.name for pattern in urlpatterns}


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_brackets_close(text: str) -> None:
    for opening, closing in ("()", "{}", "[]"):
        assert text.count(opening) == text.count(closing)


def test_every_alert_says_what_to_do_and_whom_it_wakes() -> None:
    rules = [rule for group in ALERTS["groups"] for rule in group["rules"]]
    assert len(rules) >= 9
    for rule in rules:
        assert rule["labels"]["severity"] in {"page", "ticket"}, rule["alert"]
        assert len(rule["annotations"]["summary"]) > 30, rule["alert"]


def test_panels_have_numbers_and_places_of_their_own() -> None:
    panels = DASHBOARD["panels"]
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}
    assert len({panel["id"] for panel in panels}) == len(places) == len(panels) == len(PANELS)
