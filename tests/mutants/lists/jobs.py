"""Leases and fences of background work."""

from tests.mutants.mutant import Mutant


def _leases(fault: str, before: str, after: str) -> Mutant:
    return Mutant("labeling/jobs/leases.py", fault, ((before, after),), ("tests/labeling/jobs/test_leases.py",))


MUTANTS = [
    _leases("the attempt is not compared", "attempt=work.attempt, state", "state"),
    _leases("one attempt too many", "id=identifier, attempt__lt=work.MAX", "id=identifier, attempt__lte=work.MAX"),
    _leases(
        "a running attempt is taken away",
        'Q(state="running", lease_until__lt=Now())\n    with',
        'Q(state="running")\n    with',
    ),
    _leases("the last attempt is sent again", "filter(lost, attempt__lt=work.MAX_ATTEMPTS)", "filter(lost)"),
    _leases("work with attempts left is given up", ", attempt__gte=work.MAX_ATTEMPTS)", ")"),
    _leases("a message is lost at once", ", created_at__lt=Now() - MESSAGE_LOST_AFTER)", ")"),
    _leases("renewing forgets the lease", ".update(lease_until=Now() + LEASE, fraction=min", ".update(fraction=min"),
    _leases("what was given up is not cleaned up", "        clean_up(identifier)\n", "        pass\n"),
]
