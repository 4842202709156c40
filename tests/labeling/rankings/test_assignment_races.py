"""The queue's law under many trainers at once, crashes and storms, on a real PostgreSQL.

The law is looked at from outside, by one statement and so in one snapshot, while everybody is at work:
open_slots = rankings_wanted − open leases − rankings that count, for every comparison at every moment.
"""

import os
import random
import signal
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from threading import Event, Thread
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from labeling.models import Comparison, Lease, Project, Ranking, User
from labeling.rankings import assignment, mending
from labeling.rankings.submission import AssignmentError, Outcome, Submission
from tests.labeling.factories import make_comparison, make_comparisons, make_project, make_users, places_of
from tests.labeling.rankings.at_work import in_shown_order

pytestmark = pytest.mark.django_db(transaction=True)

BROKEN = """
    SELECT count(*) FROM labeling_comparison c
    WHERE c.open_slots <> CASE WHEN c.use = 'work' THEN c.rankings_wanted
          - (SELECT count(*) FROM labeling_lease l WHERE l.comparison_id = c.id AND l.state = 'open')
          - (SELECT count(*) FROM labeling_ranking r WHERE r.comparison_id = c.id AND r.retracted_at IS NULL) ELSE 0 END
       OR c.num_rankings <>
          (SELECT count(*) FROM labeling_ranking r WHERE r.comparison_id = c.id AND r.retracted_at IS NULL)
       OR (c.state = 'done') <> (c.use = 'work' AND c.num_rankings >= c.rankings_wanted)
"""
OVERFULL = """
    SELECT count(*) FROM labeling_comparison c WHERE c.use = 'work' AND c.rankings_wanted <
        (SELECT count(*) FROM labeling_ranking r WHERE r.comparison_id = c.id AND r.retracted_at IS NULL)
"""


def number(sql: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return int(cursor.fetchone()[0])


def at_once(calls: list[Callable[[], Any]]) -> list[Any]:
    """Run each in a thread with a connection of its own; an AssignmentError is an answer, any other error is raised."""

    def call(work: Callable[[], Any]) -> Any:
        try:
            return work()
        except AssignmentError as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(call, calls))


@contextmanager
def watched() -> Iterator[list[int]]:
    """Look at the law again and again while the body runs; yields what was found broken, look by look."""
    over, looks = Event(), list[int]()

    def look() -> None:
        while not over.is_set():
            looks.append(number(BROKEN))
        connection.close()

    watcher = Thread(target=look)
    watcher.start()
    try:
        yield looks
    finally:
        over.set()
        watcher.join()


def run_out(leases: Any) -> int:
    return int(leases.update(expires_at=timezone.now() - timedelta(seconds=1)))


def work_day(project: Project, trainers: list[User], *, seed: int, num_acts: int) -> None:
    """One thread's trainers doing what trainers do: rank, rank twice, go home, pass, take back, come late."""
    chance = random.Random(seed)
    for _act in range(num_acts):
        trainer = chance.choice(trainers)
        lease = assignment.claim(project, by=trainer)
        if not isinstance(lease, Lease):
            continue
        key, submission = uuid.uuid4(), in_shown_order(lease)
        act = chance.choice(("rank", "rank", "rank", "again", "leave", "skip", "withdraw", "late", "draft"))
        try:
            if act == "leave":
                run_out(Lease.objects.filter(id=lease.id))
            elif act == "skip":
                assignment.skip(lease, reason="", by=trainer)
            elif act == "draft":
                assignment.save_draft(lease, draft={"n": seed}, version=lease.draft_version, by=trainer)
            else:
                if act == "late":
                    run_out(Lease.objects.filter(id=lease.id))
                    assignment.expire_leases(project)
                outcome = assignment.submit(lease, submission, key=key, by=trainer)
                if act == "again" and not outcome.kept:  # what was too late counts the second time if a place came free
                    assert assignment.submit(lease, submission, key=key, by=trainer).ranking == outcome.ranking
                if act == "withdraw" and outcome.ranking is not None:
                    mending.withdraw(outcome.ranking, by=trainer)
        except AssignmentError:
            pass  # another thread acts for the same trainer and was faster


@pytest.mark.parametrize("wanted", [1, 3])
def test_a_storm_of_trainers_never_breaks_the_law(wanted: int) -> None:
    project = make_project(rankings_wanted=wanted)
    comparisons = make_comparisons(project=project, num=40, num_completions=3)
    trainers = make_users(num=12, project=project)
    with watched() as looks:
        at_once([partial(work_day, project, trainers, seed=n, num_acts=40) for n in range(8)])
    assert len(looks) > 5
    assert not any(looks)
    assert number(OVERFULL) == 0
    assert Ranking.objects.filter(retracted_at=None).count() > 20
    assert not Ranking.objects.exclude(comparison__in=comparisons).exists()


def test_a_storm_fills_every_place_and_not_one_more() -> None:
    project = make_project(rankings_wanted=3)
    make_comparisons(project=project, num=12, num_completions=2)
    trainers = make_users(num=8, project=project)

    def rank_all(trainer: User) -> int:
        num = 0
        while isinstance(lease := assignment.claim(project, by=trainer), Lease):
            assert not assignment.submit(lease, in_shown_order(lease), key=uuid.uuid4(), by=trainer).kept
            num += 1
        return num

    with watched() as looks:
        at_once([partial(rank_all, trainer) for trainer in trainers])
    for trainer in trainers:  # a trainer who found everything locked or leased at the end comes once more
        rank_all(trainer)
    assert set(looks) == {0}
    assert Ranking.objects.count() == 36
    assert set(Comparison.objects.values_list("open_slots", "num_rankings", "state")) == {(0, 3, "done")}


def test_one_place_and_many_trainers_make_one_lease() -> None:
    for _ in range(10):
        project = make_project()
        comparison = make_comparison(project=project)
        trainers = make_users(num=8, project=project)
        found = at_once([partial(assignment.claim, project, by=trainer) for trainer in trainers])
        assert sum(isinstance(lease, Lease) for lease in found) == 1
        assert places_of(comparison) == (1, 0, 1, 0)


def test_many_tabs_of_one_trainer_are_given_the_same_comparison() -> None:
    project = make_project()
    make_comparisons(project=project, num=10)
    (trainer,) = make_users(num=1, project=project)
    found = at_once([partial(assignment.claim, project, by=trainer)] * 8)
    assert len({lease.id for lease in found}) == 1
    assert Lease.objects.count() == 1


def test_the_same_submission_many_times_at_once_is_one_ranking() -> None:
    for _ in range(5):
        project = make_project(rankings_wanted=2)
        comparison = make_comparison(project=project)
        (trainer,) = make_users(num=1, project=project)
        lease, key = assignment.claim(project, by=trainer), uuid.uuid4()
        assert isinstance(lease, Lease)
        found = at_once([partial(assignment.submit, lease, in_shown_order(lease), key=key, by=trainer)] * 8)
        assert len({outcome.ranking.id for outcome in found}) == 1
        assert places_of(comparison) == (2, 1, 0, 1)


def test_different_submissions_of_one_lease_at_once_are_one_ranking_and_refusals() -> None:
    project = make_project(rankings_wanted=2)
    comparison = make_comparison(project=project)
    (trainer,) = make_users(num=1, project=project)
    lease = assignment.claim(project, by=trainer)
    assert isinstance(lease, Lease)
    found = at_once([lambda: assignment.submit(lease, in_shown_order(lease), key=uuid.uuid4(), by=trainer)] * 8)
    assert sum(isinstance(outcome, Outcome) for outcome in found) == 1
    assert sum(isinstance(outcome, AssignmentError) for outcome in found) == 7
    assert places_of(comparison) == (2, 1, 0, 1)


def test_the_last_place_goes_to_the_late_one_or_to_the_next_and_never_to_both() -> None:
    """Which of them gets it is the race; each way by itself is in test_locks.py and test_submission.py."""
    for number_ in range(12):
        project = make_project()
        comparison = make_comparison(project=project)
        late, punctual = make_users(num=2, project=project)
        lease = assignment.claim(project, by=late)
        assert isinstance(lease, Lease)
        run_out(Lease.objects.filter(id=lease.id))
        if number_ % 2:
            assignment.expire_leases(project)

        def come_late(lease: Lease = lease, late: User = late) -> Any:
            return assignment.submit(lease, in_shown_order(lease), key=uuid.uuid4(), by=late)

        def come_in_time(project: Project = project, punctual: User = punctual) -> Any:
            claimed = assignment.claim(project, by=punctual)
            if not isinstance(claimed, Lease):
                return claimed
            return assignment.submit(claimed, in_shown_order(claimed), key=uuid.uuid4(), by=punctual)

        first, second = at_once([come_late, come_in_time])
        counted = [isinstance(outcome, Outcome) and not outcome.kept for outcome in (first, second)]
        assert sum(counted) == 1
        assert places_of(comparison) == (1, 0, 0, 1)


def test_an_expiry_storm_gives_every_place_back_once() -> None:
    project = make_project(rankings_wanted=2)
    make_comparisons(project=project, num=60, num_completions=2)
    trainers = make_users(num=100, project=project)
    for trainer in trainers:
        assignment.claim(project, by=trainer)
    num = run_out(Lease.objects.all())
    assert num == 100
    fresh = make_users(num=4, project=project)
    with watched() as looks:
        found = at_once(
            [assignment.expire_leases] * 6 + [partial(assignment.claim, project, by=trainer) for trainer in fresh]
        )
    rest = assignment.expire_leases()  # what was locked by another at the time
    by_claims = num - sum(found[:6]) - rest
    assert by_claims >= 0
    assert set(looks) == {0}
    assert Lease.objects.filter(state=Lease.State.EXPIRED).count() == num
    assert [type(lease) for lease in found[6:]] == [Lease] * 4
    assert number(BROKEN) == 0


def dies_at(statement: int, work: Callable[[], Any]) -> bool:
    """Do `work` in a process that is killed after its n-th statement; returns whether it lived to the end.

    Statement 0 is the moment before the first. Nothing is cleaned up: the server finds the connection gone.
    """
    connection.close()
    pid = os.fork()
    if pid == 0:
        num = 0

        def die(execute: Any, *arguments: Any) -> Any:
            nonlocal num
            if num == statement:
                os.kill(os.getpid(), signal.SIGKILL)
            result = execute(*arguments)
            num += 1
            if num == statement:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        try:
            with connection.execute_wrapper(die):
                work()
        finally:
            os._exit(0)
    _pid, status = os.waitpid(pid, 0)
    return os.WIFEXITED(status)


def test_death_after_any_statement_leaves_the_law_whole_and_the_work_can_be_done_again() -> None:
    project = make_project(rankings_wanted=2)
    comparison = make_comparison(project=project, num_completions=3)
    (trainer,) = make_users(num=1, project=project)

    def claim() -> Lease:
        lease = assignment.claim(project, by=trainer)
        assert isinstance(lease, Lease)
        return lease

    def everywhere(work: Callable[[], Any]) -> int:
        """Die at every statement of `work` in turn; returns how many there are."""
        for statement in range(40):
            if dies_at(statement, work):
                return statement
            assert number(BROKEN) == 0
        raise AssertionError("it never came to its end")

    assert 3 <= everywhere(claim) < 40
    assert places_of(comparison) == (2, 1, 1, 0)
    lease, key = claim(), uuid.uuid4()
    submit = partial(assignment.submit, lease, in_shown_order(lease), key=key, by=trainer)
    assert 4 <= everywhere(submit) < 40
    assert places_of(comparison) == (2, 1, 0, 1)
    ranking = submit().ranking
    assert ranking is not None
    changed = Submission(tiers=(tuple(lease.shown_order),))
    mend = partial(mending.change, lease, changed, key=mending.change_key(ranking.id), by=trainer)
    assert 4 <= everywhere(mend) < 40
    assert places_of(comparison) == (2, 1, 0, 1)
    changed_ranking = Ranking.objects.get(lease=lease)
    assert changed_ranking.id != ranking.id
    assert 4 <= everywhere(partial(mending.withdraw, changed_ranking, by=trainer)) < 40
    assert places_of(comparison) == (2, 2, 0, 0)
    assert 4 <= everywhere(partial(mending.put_back, changed_ranking, by=trainer)) < 40
    assert places_of(comparison) == (2, 1, 0, 1)
    make_comparison(project=project, num_completions=2, rankings_wanted=2)
    lease = claim()
    run_out(Lease.objects.filter(id=lease.id))
    comparison = lease.comparison
    assert 1 <= everywhere(assignment.expire_leases) < 40
    assert places_of(comparison) == (2, 2, 0, 0)
    lease = claim()
    assert 3 <= everywhere(partial(assignment.skip, lease, reason="", by=trainer)) < 40
    assert places_of(comparison) == (2, 2, 0, 0)


def test_workers_that_are_killed_at_any_time_break_nothing() -> None:
    project = make_project(rankings_wanted=2)
    make_comparisons(project=project, num=400, num_completions=2)
    trainers = make_users(num=8, project=project)
    chance = random.Random(5)
    connection.close()
    killed = 0
    with watched() as looks:
        for _generation in range(6):
            children = []
            for n in range(4):
                pid = os.fork()
                if pid == 0:
                    connection.connection = None
                    try:
                        work_day(project, trainers, seed=chance.randrange(10**6) + n, num_acts=10_000)
                    finally:
                        os._exit(0)
                children.append(pid)
            Event().wait(0.25 + chance.random() / 4)
            for pid in children:
                os.kill(pid, signal.SIGKILL)
                killed += os.WIFSIGNALED(os.waitpid(pid, 0)[1])
    assert killed > 6
    assert set(looks) == {0}
    assert number(BROKEN) == 0
    assert number(OVERFULL) == 0
    assert Ranking.objects.count() > 0
