"""Comparisons whose rankings differ: measured as rankings come and go, and sent to adjudication by hand or by rule.

The rule of a project is an agreement in percent: 100 times 1 - distance, so a tie that only one trainer gives counts
half. It is applied when the last ranking that is wanted comes in, and when one of a full comparison changes.
"""

from django.db import transaction
from django.utils.translation import gettext as _

from labeling.models import Adjudication, AuditEvent, Comparison, User
from labeling.models.distances import measure_distances


class NotDisputed(ValueError):
    """A comparison that cannot be sent to adjudication; the text is for the person."""


def remeasure(comparison: Comparison) -> None:
    """Measure a locked comparison whose rankings have just changed; send it to adjudication if the rule says so."""
    if comparison.use != Comparison.Use.WORK or (comparison.num_rankings < 2 and comparison.distance is None):
        return
    measure_distances([comparison.id])
    comparison.refresh_from_db(fields=("distance",))
    below = comparison.project.adjudicates_below
    if below is None or comparison.distance is None or comparison.state != Comparison.State.DONE:
        return
    if 100 * (1 - comparison.distance) < below and not _is_known(comparison):
        _send(comparison, by=None, below=below)


def send(comparison: Comparison, *, by: User) -> Adjudication:
    """Put a comparison into the queue of adjudications by hand. Raises NotDisputed."""
    with transaction.atomic():
        locked = Comparison.objects.select_for_update(of=("self",), no_key=True).get(id=comparison.id)
        if locked.use != Comparison.Use.WORK or locked.state not in Comparison.COMPLETE:
            raise NotDisputed(_("This comparison is withdrawn, or is no work."))
        if locked.distance is None:
            raise NotDisputed(_("There are no two rankings with an order, so there is nothing to settle."))
        if locked.adjudications.filter(state__in=Adjudication.LIVE).exists():
            raise NotDisputed(_("It has been sent already."))
        return _send(locked, by=by, below=None)


def _is_known(comparison: Comparison) -> bool:
    """Whether it was sent before. What was called off or withdrawn is not sent again by the rule, but by hand."""
    return comparison.adjudications.exists()


def _send(comparison: Comparison, *, by: User | None, below: int | None) -> Adjudication:
    adjudication = Adjudication.objects.create(comparison=comparison, sent_by=by, below=below)
    detail = {"comparison": str(comparison.id), "distance": comparison.distance}
    AuditEvent.note("send to adjudication", adjudication, by=by, **detail, **({"below": below} if below else {}))
    return adjudication
