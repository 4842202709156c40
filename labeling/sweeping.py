"""The broom: what was lost is found, what is over is closed, what will be wanted is begun. Safe to run twice."""

import logging
from collections.abc import Callable

from labeling import (
    accounts,
    assignment,
    bettering,
    comparing,
    exporting,
    lost_runs,
    near_duplicates,
    tokens,
    training_jobs,
    webhooks,
)
from labeling.importing import uploads
from labeling.models import Project

logger = logging.getLogger(__name__)


def sweep() -> dict[str, int]:
    """Do every chore once and return what each found. One that fails is logged and keeps no other from its turn."""
    found: dict[str, int] = {}
    for name, chore in CHORES.items():
        try:
            found[name] = chore()
        except Exception:
            logger.exception("sweep: %s failed; it is tried again at the next sweep", name)
    if any(found.values()):
        logger.info("sweep: %s", ", ".join(f"{name} {num}" for name, num in found.items() if num))
    return found


def _in_each_project(chore: Callable[[Project], int]) -> Callable[[], int]:
    """The chore done in every project that is not archived, the oldest first."""
    return lambda: sum(map(chore, Project.objects.current().order_by("created_at")))


CHORES: dict[str, Callable[[], int]] = {
    "leases expired": assignment.expire_leases,
    "sampling runs swept": lambda: sum(lost_runs.sweep().values()),
    "exports swept": exporting.sweep_exports,
    "imports swept": uploads.sweep_imports,
    "deliveries due": webhooks.sweep_deliveries,
    "training jobs swept": training_jobs.sweep_jobs,
    "written texts joined": _in_each_project(bettering.join_written),
    "comparisons made": _in_each_project(comparing.keep_ready),
    "prompts to be embedded": _in_each_project(near_duplicates.ask_for_vectors),
    "sign-in failures forgotten": accounts.forget_old_failures,
    "answers of the API forgotten": tokens.forget_old_answers,
}
