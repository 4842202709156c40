"""Trainers at the queue: a place taken, and an order for it."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from labeling.models import Lease, Project, User
from labeling.rankings import assignment
from labeling.rankings.submission import Submission


def claim(project: Project, by: User) -> Lease:
    lease = assignment.claim(project, by=by)
    assert isinstance(lease, Lease), lease
    return lease


def in_shown_order(lease: Lease, **fields: Any) -> Submission:
    return Submission(tiers=tuple((identifier,) for identifier in lease.shown_order), **fields)


def run_out(lease: Lease) -> None:
    Lease.objects.filter(id=lease.id).update(expires_at=timezone.now() - timedelta(seconds=1))


def lose(lease: Lease) -> None:
    run_out(lease)
    assert assignment.expire_leases() == 1
