"""The content filters: their thresholds and figures, and how one comes into force.

A filter of the model store has both in its manifest. The bundled one is not on every web machine, so what its manifest
says stands beside this file as well, and a test holds the two together. A server says nothing of itself.
"""

import json
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from labeling.models import AuditEvent, Filter, FilterRules, Project, User
from labeling.models.safety.categories import ALWAYS_BLOCKS, CATEGORIES, category_name
from records import ManifestError, read_manifest

State = Filter.State
SHADOW = timedelta(days=7)  # that a filter is in shadow before it comes into force
PRECISE_ENOUGH = 0.8  # the lower bound of a filter's precision, from which on a project may block by it
_BUNDLED = Path(__file__).with_name("bundled_filter.json")


class FilterError(ValueError):
    """A change of the filters that is refused; the text is for the person who tried."""


def thresholds_of(found: Filter) -> dict[str, dict[str, float | None]]:
    """From which probability on it warns and blocks, by category; empty for a server, which names none."""
    own = found.thresholds or (bundled_figures()["thresholds"] if _is_bundled(found) else {})
    return {name: own[name] for name in CATEGORIES if name in own}


def figures_of(found: Filter) -> dict[str, Any]:
    """How good it is, by category, measured out of fold when it was trained; empty where nobody measured it."""
    if _is_bundled(found):
        return dict(bundled_figures()["metrics"]["categories"])
    if found.backend != Filter.Backend.LOCAL:
        return {}
    try:
        manifest = read_manifest(Path(settings.PARLEY_STORE) / found.store_path)
    except (ManifestError, OSError):
        return {}
    return dict(manifest.get("figures_out_of_fold", {}).get("categories", {}))


def why_not_block(found: Filter, category: str, block_at: float) -> str:
    """Why nothing may be blocked by this category from this probability on; empty where it may."""
    if category == ALWAYS_BLOCKS:
        return ""
    own = thresholds_of(found).get(category, {}).get("block_at")
    low = (figures_of(found).get(category, {}).get("block_precision") or {}).get("low")
    values = {"category": category_name(category), "filter": found.name, "wanted": PRECISE_ENOUGH}
    if own is None or low is None:
        return (
            _("%(category)s: nobody has shown that at least %(wanted)s of what %(filter)s would block is so.") % values
        )
    if low < PRECISE_ENOUGH:
        sentence = _(
            "%(category)s: perhaps only %(low).2f of what %(filter)s would block is so; %(wanted)s are wanted."
        )
        return sentence % {**values, "low": low}
    if block_at < own:
        sentence = _("%(category)s: %(filter)s was measured from %(own)s on; block there or above.")
        return sentence % {**values, "own": own}
    return ""


def add_served(*, name: str, backend: str, url: str, model: str, by: User) -> Filter:
    """Add a server that judges texts, as a candidate. Which hosts a worker calls is set where it runs."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise FilterError(_("This is no address of a server: give it as https://host:8000/v1."))
    if backend not in (Filter.Backend.OPENAI_MODERATION, Filter.Backend.CHAT_GUARD) or not model:
        raise FilterError(_("Say which kind of server it is, and name the model as the server does."))
    with transaction.atomic():
        served = {"backend": backend, "server_url": url, "server_model": model}
        made, is_new = Filter.objects.get_or_create(name=name, defaults=served)
        if not is_new:
            raise FilterError(_("Another filter has this name."))
        AuditEvent.note("add filter", made, by=by, url=url, model=model)
    return made


def promote(found: Filter, *, to: str, why: str = "", by: User) -> Filter:
    """Put a filter in shadow or in force, or retire it. Whatever stood there before gives way. Raises FilterError."""
    with transaction.atomic():
        # All rows, in one order: two people who promote different filters wait for each other here, and the second
        # one sees what the first has done.
        rows = {row.pk: row for row in Filter.objects.select_for_update().order_by("pk")}
        row, before = rows[found.pk], rows[found.pk].state
        if reason := _why_not(row, to, why=why, by=by):
            raise FilterError(reason)
        for other in rows.values():
            if other.pk != row.pk and other.state == to and to in (State.SHADOW, State.IN_FORCE):
                other.state = State.RETIRED if to == State.IN_FORCE else State.CANDIDATE
                other.save(update_fields=["state"])
        row.state = State(to)
        if to == State.SHADOW:
            row.shadow_since, row.shadow_asked_at = Now(), None
        if to == State.IN_FORCE:
            row.in_force_since = Now()
        row.save(update_fields=["state", "shadow_since", "shadow_asked_at", "in_force_since"])
        AuditEvent.note(f"filter {to}", row, by=by, before=before, why=why)
    row.refresh_from_db()
    return row


def choices_for(found: Filter) -> list[tuple[str, str]]:
    """What can be done with a filter in its state, as (state, words)."""
    words = {
        State.SHADOW.value: _("Put it in shadow"),
        State.IN_FORCE.value: _("Put it in force"),
        State.RETIRED.value: _("Retire it"),
    }
    gone = {State.IN_FORCE: (State.IN_FORCE, State.SHADOW, State.RETIRED), State.SHADOW: (State.SHADOW,)}
    return [(to, words[to]) for to in words if to not in gone.get(State(found.state), ())]


def _why_not(found: Filter, to: str, *, why: str, by: User) -> str:
    if to not in dict(choices_for(found)):
        return _("This cannot be done with a filter that is %(state)s.") % {"state": found.get_state_display().lower()}
    if to != State.IN_FORCE:
        return ""
    in_shadow = found.state == State.SHADOW and found.shadow_since is not None
    is_tried = in_shadow and timezone.now() - found.shadow_since >= SHADOW  # type: ignore[operator]
    if not is_tried and not by.is_admin:
        return _("It has not been in shadow for a week yet. Only an admin can put it in force before, with a reason.")
    if not is_tried and not why.strip():
        return _("It has not been in shadow for a week yet: say why it should be in force now.")
    return _unproven_blocks(found)


def _unproven_blocks(found: Filter) -> str:
    """What this filter would block without having been shown to be precise: by its own thresholds, or by a rule."""
    for category, bounds in thresholds_of(found).items():
        if (block_at := bounds.get("block_at")) is not None and (reason := why_not_block(found, category, block_at)):
            return _("It would block by a threshold of its own. %(reason)s") % {"reason": reason}
    for project in Project.objects.current().order_by("name"):
        rules = FilterRules.objects.in_force(project)
        for rule in rules.rules if rules is not None and rules.is_on else ():
            block_at = rule.get("block_at")
            if block_at is None or rule.get("mode", "on") != "on":
                continue
            if reason := why_not_block(found, rule["category"], block_at):
                values = {"project": project.name, "reason": reason}
                return _("%(project)s blocks by a rule that this filter does not carry. %(reason)s") % values
    return ""


def _is_bundled(found: Filter) -> bool:
    return found.backend == Filter.Backend.LOCAL and not found.store_path


@cache
def bundled_figures() -> dict[str, Any]:
    """What the manifest of the bundled filter says of it."""
    return dict(json.loads(_BUNDLED.read_text(encoding="utf-8")))
