"""From which probability on each category warns and blocks, in a project and on a side of a dialogue.

A project's rules come first, then the filter's own thresholds. Knows the manifest of the bundled filter as a file: the
package itself needs a model library.
"""

import json
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from labeling.models import Filter, FilterRules, Project
from labeling.models.safety.labels import CATEGORIES


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
    own = Filter.objects.in_force().thresholds or _bundled()
    made = {rule["category"]: rule for rule in (rules.rules if rules else ()) if rule["side"] == side}
    given = {**own, **made}
    return {name: _bounds(given.get(name, {})) for name in CATEGORIES}


def _bounds(given: dict[str, Any]) -> Bounds:
    return Bounds(warn_at=given.get("warn_at"), block_at=given.get("block_at"))


@cache
def _bundled() -> dict[str, Any]:
    """The thresholds of the filter that comes with Parley; none where this machine does not have it."""
    spec = find_spec("contentfilter")
    if spec is None or spec.origin is None:
        return {}
    manifest = Path(spec.origin).parent / "bundled" / "manifest.json"
    return dict(json.loads(manifest.read_text(encoding="utf-8"))["thresholds"]) if manifest.is_file() else {}
