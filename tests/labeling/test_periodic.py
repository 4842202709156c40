"""The periodic sweep: every chore is done, and one that fails keeps no other from its turn."""

from io import StringIO

import pytest
from django.core.management import call_command
from django.utils import timezone

from labeling import periodic
from labeling.models import Lease
from labeling.tasks import sweep as sweep_task
from tests.labeling.factories import make_chat, make_comparison, make_project, make_user, places_of

pytestmark = pytest.mark.django_db


def a_lease_that_ran_out() -> Lease:
    project = make_project(comparisons_ready=0)
    comparison = make_comparison(project=project, open_slots=0)
    return Lease.objects.create(
        comparison=comparison, trainer=make_user(projects=[project]), shown_order=[], expires_at=timezone.now()
    )


def test_a_sweep_does_every_chore() -> None:
    lease = a_lease_that_ran_out()
    project = make_project(comparisons_ready=3)
    make_chat(project=project, num_turns=2)
    found = periodic.sweep()
    assert found["leases expired"] == 1
    assert found["comparisons made"] == 2
    assert places_of(lease.comparison) == (1, 1, 0, 0)
    again = periodic.sweep()
    assert (again["leases expired"], again["comparisons made"]) == (0, 0)


def test_one_chore_that_fails_keeps_no_other_from_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> int:
        raise ZeroDivisionError

    monkeypatch.setattr(periodic, "CHORES", {"broken": broken, **periodic.CHORES})
    lease = a_lease_that_ran_out()
    found = periodic.sweep()
    assert "broken" not in found
    assert places_of(lease.comparison) == (1, 1, 0, 0)


def test_the_command_and_the_task_are_the_same_sweep() -> None:
    lease = a_lease_that_ran_out()
    out = StringIO()
    call_command("sweep", stdout=out)
    assert "leases expired: 1" in out.getvalue()
    lease.comparison.leases.update(state=Lease.State.OPEN)
    lease.comparison.open_slots = 0
    lease.comparison.save()
    sweep_task.run()
    assert places_of(lease.comparison) == (1, 1, 0, 0)
