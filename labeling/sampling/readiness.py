"""What the end of a sampling run makes of the comparison that it was for: offered, failed, or being sampled again.

The caller has locked the run; the comparison is locked after it. Knows nothing of workers and messages.
"""

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from labeling.models import Comparison, Completion, SamplingRun
from labeling.sampling.screenings import FILTERED

State = SamplingRun.State
GIVEN_UP = (State.FAILED, State.CANCELLED, State.BLOCKED)  # over without completions; a person may retry them


def open_comparison(run: SamplingRun) -> None:
    """Offer the comparison to trainers if all its runs are done; it fails if all completions are the same.

    In an evaluation of policies that is a result and no failure: the pair is done, and nobody is asked about it. A
    visitor of a preview goes on with either.
    """
    comparison = _lock_comparison(run)
    if comparison is None or comparison.state != Comparison.State.SAMPLING:
        return
    if comparison.sampling_runs.exclude(state=State.DONE).exists():
        return
    contents = list(comparison.completions.values_list("content", flat=True))
    are_alike = len(set(contents)) < 2
    num_withheld = Completion.objects.filter(run__comparison=comparison, finish_reason=FILTERED).count()
    is_evaluation = comparison.use == Comparison.Use.EVALUATION
    if num_withheld and (is_evaluation or are_alike):
        _fail_for_withheld(run, comparison, num_withheld)
    elif are_alike and is_evaluation:
        comparison.state, comparison.rankings_wanted = Comparison.State.DONE, 0
    elif are_alike and comparison.use != Comparison.Use.PREVIEW:
        run.error = _("All completions came out the same; a higher temperature gives different ones.")
        run.save(update_fields=["error"])
        comparison.state = Comparison.State.FAILED
    else:
        comparison.state, comparison.open_slots = Comparison.State.OPEN, comparison.rankings_wanted
    comparison.save(update_fields=["state", "open_slots", "rankings_wanted"])


def fail_comparison(run: SamplingRun) -> None:
    """Mark the comparison of a run that ended without result as failed, for a person to decide on.

    Completions of its other runs are still stored.
    """
    comparison = _lock_comparison(run)
    if comparison is not None and comparison.state == Comparison.State.SAMPLING:
        comparison.state = Comparison.State.FAILED
        comparison.save(update_fields=["state"])


def resume_comparison(run: SamplingRun) -> None:
    """Set a failed comparison back to SAMPLING if none of its runs is failed or cancelled any more."""
    comparison = _lock_comparison(run)
    if comparison is None or comparison.state != Comparison.State.FAILED:
        return
    if not comparison.sampling_runs.filter(state__in=GIVEN_UP).exists():
        comparison.state = Comparison.State.SAMPLING
        comparison.save(update_fields=["state"])


def _fail_for_withheld(run: SamplingRun, comparison: Comparison, num: int) -> None:
    """Too few completions are left to be compared, since the filter blocked the others."""
    sentence = ngettext(
        "The content filter blocked %(n)d completion, and too few are left to compare.",
        "The content filter blocked %(n)d completions, and too few are left to compare.",
        num,
    )
    run.error = sentence % {"n": num}
    run.save(update_fields=["error"])
    comparison.state = Comparison.State.FAILED


def _lock_comparison(run: SamplingRun) -> Comparison | None:
    if run.comparison_id is None:
        return None
    # Locked so that of two runs that end at the same time the second one sees that it is the last. The query filters
    # by primary key alone: a row that a condition on the state leaves out is not waited for, even if another run's
    # transaction is about to change it.
    return Comparison.objects.select_for_update(of=("self",)).filter(id=run.comparison_id).first()
