"""Leases and fences of background work, messages to the workers, and what is said of those that are alive."""

from tests.mutants.mutant import Mutant


def _leases(fault: str, before: str, after: str) -> Mutant:
    return Mutant("labeling/jobs/leases.py", fault, ((before, after),), ("tests/labeling/jobs/test_leases.py",))


def _dispatch(fault: str, before: str, after: str, test: str) -> Mutant:
    return Mutant("labeling/jobs/dispatch.py", fault, ((before, after),), (f"tests/labeling/sampling/{test}",))


def _workers(fault: str, before: str, after: str, test: str) -> Mutant:
    return Mutant("labeling/jobs/workers.py", fault, ((before, after),), (f"tests/labeling/{test}",))


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
    _dispatch(
        "who waits for an answer waits behind the night's work",
        "PRIORITY_VISITORS if run.is_visitors else PRIORITY_WAITING",
        "PRIORITY_OVERNIGHT",
        "test_runs.py::test_a_caller_s_request_is_sent_when_it_is_committed",
    ),
    _dispatch(
        "the failure of an older attempt ends the newest",
        '"attempt": run.attempt}',
        '"attempt": 1 + run.attempt}',
        "test_runs.py::test_a_caller_s_request_is_sent_when_it_is_committed",
    ),
    _dispatch(
        "a worker samples from files that nobody registered",
        "policy_sha256=run.policy.manifest_sha256 or None",
        "policy_sha256=None",
        "test_runs.py::test_a_caller_s_request_is_sent_when_it_is_committed",
    ),
    _dispatch(
        "a run that was stopped once is stopped for ever",
        ", ex=STOP_SECONDS)",
        ")",
        "test_runs.py::test_a_cancelled_run_tells_its_worker_and_its_comparison",
    ),
    _dispatch(
        "an empty queue passes for a broker that is away",
        "return 0  # Redis",
        "return None  # Redis",
        "test_recovery.py::test_an_empty_queue_has_lost_what_was_sent_last_too",
    ),
    _workers(
        "a worker of any kind passes for a sample worker",
        "any(serves(one, SAMPLE_QUEUE) for one in found)",
        "any(one.worker.queue for one in found)",
        "sampling/test_progress.py::test_a_worker_that_is_missing_is_the_reason",
    ),
    _workers(
        "jobs of projects that one is not in are linked",
        "(job, job.project_id in visible)",
        "(job, True)",
        "jobs/views/test_workers.py::test_a_train_worker_shows_its_job_and_links_it_for_those_who_may_open_it",
    ),
]
