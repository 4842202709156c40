"""Fences: what an older attempt may not do any more, and how many attempts there are."""

import uuid
from datetime import timedelta

import pytest
from django.db.models.functions import Now

from labeling.exports import request_export
from labeling.jobs import leases
from labeling.models import Export
from tests.labeling.factories import make_project

pytestmark = pytest.mark.django_db


def test_an_attempt_that_wakes_while_a_newer_one_runs_changes_nothing() -> None:
    """The row is running again by then, so its state alone does not tell the two apart."""
    export = _export()
    old = _claim(export)
    _let_its_lease_run_out(export)
    newer = _claim(export)

    for late in (lambda: leases.renew(old, fraction=0.5), lambda: leases.lock_attempt(old)):
        with pytest.raises(leases.FenceLost):
            late()
    assert not leases.fail(old, "too late")

    export.refresh_from_db()
    assert (export.state, export.attempt, export.fraction) == ("running", newer.attempt, 0.0)
    leases.renew(newer, fraction=0.5)  # it is the older one that is refused, not any


def test_a_running_attempt_is_not_taken_away_before_its_lease_runs_out() -> None:
    export = _export()
    _claim(export)
    assert leases.claim(Export, export.id) is None


def test_a_renewed_lease_lasts_longer_than_the_one_before() -> None:
    export = _export()
    attempt = _claim(export)
    _let_its_lease_run_out(export)
    leases.renew(attempt, fraction=1.5)
    export.refresh_from_db()
    assert export.fraction == 1.0
    assert leases.claim(Export, export.id) is None


def test_work_is_begun_as_often_as_it_may_and_not_once_more() -> None:
    export = _export()
    for number in range(1, Export.MAX_ATTEMPTS + 1):
        assert _claim(export).attempt == number
        _let_its_lease_run_out(export)
    assert leases.claim(Export, export.id) is None


def test_a_sweep_sends_what_may_be_tried_again_and_fails_what_may_not() -> None:
    lost, used_up, alive, fresh = (_export() for _ in range(4))
    for export in (lost, used_up, alive):
        _claim(export)
    _let_its_lease_run_out(lost)
    _let_its_lease_run_out(used_up)
    Export.objects.filter(id=used_up.id).update(attempt=Export.MAX_ATTEMPTS)
    sent: list[uuid.UUID] = []
    cleaned: list[uuid.UUID] = []

    assert leases.sweep(Export, send=sent.append, clean_up=cleaned.append) == 2

    assert (sent, cleaned) == ([lost.id], [used_up.id])
    used_up.refresh_from_db()
    assert used_up.state == "failed"
    assert used_up.error
    states = dict(Export.objects.values_list("id", "state"))
    assert (states[alive.id], states[fresh.id], states[lost.id]) == ("running", "waiting", "running")


def test_a_message_that_nobody_acted_on_is_sent_again_after_a_while() -> None:
    waiting = _export()
    sent: list[uuid.UUID] = []
    leases.sweep(Export, send=sent.append)
    assert sent == []
    Export.objects.filter(id=waiting.id).update(created_at=Now() - leases.MESSAGE_LOST_AFTER - timedelta(seconds=1))
    leases.sweep(Export, send=sent.append)
    assert sent == [waiting.id]


def _export() -> Export:
    return request_export(make_project(), kind="rankings", filters={}, by=None, notify_worker=False)


def _claim(export: Export) -> Export:
    claimed = leases.claim(Export, export.id)
    assert claimed is not None
    return claimed


def _let_its_lease_run_out(export: Export) -> None:
    Export.objects.filter(id=export.id).update(lease_until=Now() - timedelta(seconds=1))
