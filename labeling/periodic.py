"""The sweep: chores that beat runs every ten seconds, to find lost work, close what is over and prepare work ahead.

Every chore is safe to run twice.
"""

import logging
from collections.abc import Callable

from labeling import exports
from labeling.accounts import api_tokens, guessing, links, sessions
from labeling.evaluations import probe_runs
from labeling.imports import uploads
from labeling.models import Project
from labeling.preview import door, erasure, limits, mail
from labeling.prompts import near_duplicates
from labeling.quality import judging
from labeling.rankings import assignment, corrections
from labeling.retention import people, rules
from labeling.rounds import evaluations, training_jobs
from labeling.safety import cases, follow_ups, shadow
from labeling.sampling import comparisons, recovery, thumbs_down
from labeling.webhooks import deliveries
from labeling.withdrawals import batches as withdrawals

logger = logging.getLogger(__name__)


def sweep() -> dict[str, int]:
    """Run every chore once and return what each found. One that fails is logged, and the others still run."""
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
    """The chore for every project that is not archived, oldest first; returns the sum."""
    return lambda: sum(map(chore, Project.objects.current().order_by("created_at")))


CHORES: dict[str, Callable[[], int]] = {
    "leases expired": assignment.expire_leases,
    "sampling runs swept": lambda: sum(recovery.sweep().values()),
    "exports swept": exports.sweep_exports,
    "imports swept": uploads.sweep_imports,
    "deliveries due": deliveries.sweep_deliveries,
    "training jobs swept": training_jobs.sweep_jobs,
    "withdrawals gone on with": withdrawals.sweep,
    "written texts joined": _in_each_project(corrections.create_comparisons_from_corrections),
    "thumbs down compared": _in_each_project(thumbs_down.compare_thumbs_down),
    "reported prompts compared": _in_each_project(follow_ups.compare_reported),
    "answers to probes taken in": _in_each_project(probe_runs.take_in),
    "policies decided on": _in_each_project(evaluations.decide),
    "judging measured": judging.measure_due,
    "comparisons made": _in_each_project(comparisons.keep_ready),
    "prompts to be embedded": _in_each_project(near_duplicates.ask_for_vectors),
    "texts screened in shadow": shadow.ask,
    "reports to be embedded": _in_each_project(cases.ask_for_vectors),
    "visitors' uses settled": limits.sweep,
    "erasures finished": erasure.sweep,
    "people's erasures gone on with": people.sweep,
    "kept for long enough": rules.forget,
    "links of doors forgotten": door.forget_links,
    "caught mail forgotten": mail.forget_caught,
    "sign-in failures forgotten": guessing.forget_old_failures,
    "sessions ended": sessions.forget_sessions_that_are_over,
    "account links forgotten": links.forget_old_links,
    "answers of the API forgotten": api_tokens.forget_old_answers,
}
