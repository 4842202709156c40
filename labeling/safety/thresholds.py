"""From which probability on each category warns and blocks, in a project and on a side of a dialogue.

A project's rules come first, then the filter's own thresholds.
"""

from dataclasses import dataclass
from typing import Any

from labeling.models import Filter, FilterRules, Project
from labeling.models.safety.categories import CATEGORIES
from labeling.safety.filters import thresholds_of


@dataclass(frozen=True, slots=True)
class Bounds:
    warn_at: float | None = None
    block_at: float | None = None

    @property
    def known(self) -> list[float]:
        return [bound for bound in (self.warn_at, self.block_at) if bound is not None]


def bounds_of(project: Project, side: str) -> dict[str, Bounds]:
    """By category. What the project's rules leave out is the filter's own; of which nothing is said has no bounds."""
    rules = FilterRules.objects.in_force(project)
    own = thresholds_of(Filter.objects.in_force())
    made = {rule["category"]: rule for rule in (rules.rules if rules else ()) if rule["side"] == side}
    given = {**own, **made}
    return {name: _bounds(given.get(name, {})) for name in CATEGORIES}


def _bounds(given: dict[str, Any]) -> Bounds:
    return Bounds(warn_at=given.get("warn_at"), block_at=given.get("block_at"))
