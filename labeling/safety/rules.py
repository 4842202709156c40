"""A project's rules for its content filter: what is done with each category on each side of a dialogue, as versions.

A version is never changed, so that a screening can name it. A rule blocks only where the filter in force was shown to
be precise (labeling.safety.filters). A category without a rule is left to the filter's own threshold; one that is
switched off has a rule that neither warns nor blocks. Knows nothing of how texts are screened.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from labeling.models import AuditEvent, Filter, FilterRules, Project, Screening, User
from labeling.models.safety.categories import ALWAYS_BLOCKS, CATEGORIES, category_name
from labeling.safety.filters import thresholds_of, why_not_block
from records import FilterRule, encode

Thresholds = Mapping[str, Mapping[str, float | None]]
MODES = ("own", "off", "shadow", "on")
SIDES: tuple[str, ...] = tuple(Screening.Side.values)


class RulesError(ValueError):
    """Rules that cannot be saved; each problem is for the person who tried."""

    def __init__(self, *problems: str) -> None:
        super().__init__(" ".join(problems))
        self.problems = problems


class StaleRules(RulesError):
    """Somebody saved another version since these were read."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """One line of the table. `mode` own leaves it to the filter, whose thresholds the bounds then are; with off nothing
    is done on this side."""

    category: str
    side: str
    mode: str = "own"
    warn_at: float | None = None
    block_at: float | None = None

    @property
    def name(self) -> str:
        return category_name(self.category)

    @property
    def is_fixed(self) -> bool:
        return self.category == ALWAYS_BLOCKS

    def __str__(self) -> str:
        if self.mode in ("own", "off"):
            return _("the filter’s own threshold") if self.mode == "own" else _("off")
        warns = _("warns at %(n)s") % {"n": f"{self.warn_at:g}"} if self.warn_at is not None else ""
        blocks = _("blocks at %(n)s") % {"n": f"{self.block_at:g}"} if self.block_at is not None else ""
        does = ", ".join(part for part in (warns, blocks) if part) or _("does nothing")
        return _("in shadow: %(does)s") % {"does": does} if self.mode == "shadow" else does


def current(project: Project, *, version: FilterRules | None = None) -> list[Rule]:
    """The rules of a version, of the one in force if none is given: a line for each category and side.

    Before the first version all is left to the filter in force.
    """
    newest = version or FilterRules.objects.in_force(project)
    own = thresholds_of(Filter.objects.in_force())
    kept = {(rule["category"], rule["side"]): rule for rule in newest.rules} if newest is not None else {}
    return [
        _kept(kept[category, side]) if (category, side) in kept else _own(category, side, own)
        for category in CATEGORIES
        for side in SIDES
    ]


def save(
    project: Project, rules: Sequence[Rule], *, is_on: bool, note: str = "", seen: int, by: User
) -> FilterRules | None:
    """Make these the project's rules, as a new version; None if nothing is different. `seen` is the version changed.

    Raises StaleRules if there is a newer one, and RulesError with every problem of the rules.
    """
    with transaction.atomic():
        # The project's row is locked, so that of two admins who save at once the second one is told.
        Project.objects.select_for_update(of=("self",)).get(pk=project.pk)
        before = FilterRules.objects.in_force(project)
        if seen != (before.version if before else 0):
            raise StaleRules(_("Somebody saved other rules meanwhile. Look at them, then change them again."))
        found = Filter.objects.in_force()
        own = thresholds_of(found)
        wanted = [_own(rule.category, rule.side, own) if rule.is_fixed else rule for rule in rules]
        if problems := [problem for rule in wanted for problem in _problems(rule, found)]:
            raise RulesError(*problems)
        differences = changes(current(project), wanted)
        if before is not None and not differences and before.is_on == is_on:
            return None
        version = FilterRules.objects.create(
            project=project,
            version=seen + 1,
            is_on=is_on,
            rules=[_encoded(rule) for rule in wanted if rule.mode != "own"],
            note=note,
            created_by=by,
        )
        detail = {"version": version.version, "is_on": is_on, "changes": differences, "note": note}
        AuditEvent.note("change filter rules", version, by=by, filter=found.name, **detail)
    return version


def versions(project: Project) -> list[dict[str, Any]]:
    """All versions, newest first, each with what it changed."""
    rows = list(FilterRules.objects.filter(project=project).select_related("created_by").order_by("version"))
    found = []
    own = thresholds_of(Filter.objects.in_force())
    before = [_own(category, side, own) for category in CATEGORIES for side in SIDES]
    for row in rows:
        after = current(project, version=row)
        found.append({"row": row, "changes": changes(before, after)})
        before = after
    return found[::-1]


def changes(before: Sequence[Rule], after: Sequence[Rule]) -> list[str]:
    """What is different, a sentence for each category and side."""
    known = {(rule.category, rule.side): rule for rule in before}
    sides = dict(Screening.Side.choices)
    return [
        f"{rule.name}, {sides[rule.side].lower()}: {old} → {rule}"
        for rule in after
        if (old := known.get((rule.category, rule.side))) is not None and str(old) != str(rule)
    ]


def _problems(rule: Rule, found: Filter) -> list[str]:
    if rule.mode not in ("shadow", "on"):
        return []
    values = {"category": rule.name, "side": dict(Screening.Side.choices)[rule.side].lower()}
    problems = []
    if any(not 0 < bound <= 1 for bound in (rule.warn_at, rule.block_at) if bound is not None):
        problems.append(_("%(category)s, %(side)s: a probability is above 0 and at most 1.") % values)
    if rule.warn_at is None and rule.block_at is None:
        problems.append(_("%(category)s, %(side)s: say from where it warns or blocks, or switch it off.") % values)
    if rule.warn_at is not None and rule.block_at is not None and rule.block_at < rule.warn_at:
        problems.append(_("%(category)s, %(side)s: it would block before it warns.") % values)
    if (
        rule.mode == "on"
        and rule.block_at is not None
        and (reason := why_not_block(found, rule.category, rule.block_at))
    ):
        problems.append(reason)
    return problems


def _own(category: str, side: str, thresholds: Thresholds) -> Rule:
    bounds = thresholds.get(category, {})
    warn_at, block_at = bounds.get("warn_at"), bounds.get("block_at")
    if category == ALWAYS_BLOCKS:
        block_at = warn_at
    return Rule(category=category, side=side, warn_at=warn_at, block_at=block_at)


def _kept(rule: dict[str, Any]) -> Rule:
    is_off = rule.get("warn_at") is None and rule.get("block_at") is None
    return Rule(**{"mode": "on", **rule, **({"mode": "off"} if is_off else {})})


def _encoded(rule: Rule) -> dict[str, Any]:
    is_off = rule.mode == "off"
    return encode(
        FilterRule(
            category=rule.category,
            side=rule.side,  # type: ignore[arg-type]
            mode="shadow" if rule.mode == "shadow" else "on",
            warn_at=None if is_off else rule.warn_at,
            block_at=None if is_off else rule.block_at,
        )
    )
