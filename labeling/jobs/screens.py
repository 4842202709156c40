"""Which content filter sees the texts of a sampling run, and by which rules it acts.

The version of the rules is chosen when an attempt is sent and kept with its run, so that what comes back names the
rules it was judged by, whatever an admin saved meanwhile.
"""

from dataclasses import replace
from uuid import UUID

from labeling.models import Appeal, Filter, FilterRules, SamplingRun, User
from labeling.models.content_hash import text_sha256
from records import Screen, decode
from records.screening import FilterRule, FilterServer

OWN_THRESHOLDS = 0  # the version of a project that never made rules: the filter's own thresholds hold


def version_in_force(project_id: UUID | None) -> int:
    """The newest version of a project's rules; OWN_THRESHOLDS if it never made any."""
    newest = FilterRules.objects.filter(project=project_id).order_by("-version").values_list("version", flat=True)
    return newest.first() or OWN_THRESHOLDS


def screen_of(run: SamplingRun) -> Screen | None:
    """What the sampler is told about the filter; None where this project's texts are not screened.

    A visitor is answered only where the filter can see it; trainers go on without, and what they get is marked.
    """
    version = version_in_force(run.project_id) if run.rules_version is None else run.rules_version
    is_visitors = run.requested_by is not None and run.requested_by.role == User.Role.VISITOR
    screen = screen_by(Filter.objects.in_force(), project_id=run.project_id, version=version, needs_filter=is_visitors)
    excused = _excused(run)
    if screen is None or not excused:
        return screen
    judged = tuple(rule for rule in screen.rules if rule.side != "said" or rule.category not in excused)
    never = tuple(FilterRule(category=category, side="said") for category in sorted(excused))
    return replace(screen, rules=judged + never)


def _excused(run: SamplingRun) -> set[str]:
    """Categories by which a person found that the filter blocked exactly the text that is said here wrongly.

    What follows it in the dialogue is judged as ever, with it as context.
    """
    said = next((one["content"] for one in reversed(run.messages) if one["role"] == "user"), None)
    return set() if said is None else Appeal.objects.excused_categories(run.project, text_sha256(said))


def screen_by(found: Filter, *, project_id: UUID | None, version: int, needs_filter: bool = False) -> Screen | None:
    """The screen of one filter under one version of a project's rules; None where they switch it off."""
    rules: tuple[FilterRule, ...] = ()
    if version != OWN_THRESHOLDS:
        row = FilterRules.objects.get(project=project_id, version=version)
        rules = tuple(decode(FilterRule, rule) for rule in row.rules)
        if not row.is_on:
            return None
    return Screen(
        filter=found.name,
        rules_version=version,
        rules=rules,
        backend=found.backend,  # type: ignore[arg-type]
        filter_path=found.store_path,
        filter_sha256=found.manifest_sha256 or None,
        server=_server_of(found),
        needs_filter=needs_filter,
    )


def _server_of(found: Filter) -> FilterServer | None:
    if found.backend == Filter.Backend.LOCAL:
        return None
    return FilterServer(url=found.server_url, model=found.server_model)
