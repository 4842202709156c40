"""What is said of the sampling of comparisons: counts, a speed, an honest end, or the reason why there is none."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from labeling.models import Comparison, Project, SamplingRun
from labeling.sampling import progress
from labeling.sampling.progress import coming_sentence, duration_in_words, pace_of, sampling_progress, union_seconds
from tests.labeling.factories import make_chat, make_comparisons, make_project, make_prompt, make_run
from tests.labeling.jobs.workers_alive import make_worker
from tests.labeling.sampling.sampling_runs import waiting_comparison

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("broker")]
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def project() -> Project:
    return make_project(comparisons_ready=10, num_completions=4)


def finished(project: Project, *, minutes_ago: float, took: float = 1.0, num: int = 4, **fields: Any) -> SamplingRun:
    end = timezone.now() - timedelta(minutes=minutes_ago)
    times = {"sent_at": end - timedelta(minutes=took), "finished_at": end}
    values = {"purpose": "comparison", "state": "done", "num_completions": num, **times, **fields}
    return make_run(project=project, **values)


def ready(project: Project, num: int) -> None:
    make_comparisons(project=project, num=num, round=project.current_round)


def being_sampled(project: Project, num: int) -> list[Comparison]:
    made = []
    for _ in range(num):
        comparison = waiting_comparison(project, round=project.current_round)
        values = {"state": "sent", "sent_at": timezone.now(), "num_completions": 4}
        make_run(project=project, purpose="comparison", comparison=comparison, **values)
        made.append(comparison)
    return made


def test_spans_that_overlap_count_once() -> None:
    spans = [(1, 4), (2, 3), (3, 6), (8, 9), (8, 9)]
    random.Random(1).shuffle(spans)
    assert union_seconds([(NOON + timedelta(minutes=a), NOON + timedelta(minutes=b)) for a, b in spans]) == 6 * 60
    assert union_seconds([]) == 0


def test_the_speed_is_of_the_time_in_which_something_was_under_way(project: Project) -> None:
    finished(project, minutes_ago=50, took=5)  # an idle half hour follows
    finished(project, minutes_ago=10, took=5)
    finished(project, minutes_ago=12, took=5)  # overlaps by three minutes
    finished(project, minutes_ago=90)  # too long ago
    finished(project, minutes_ago=3, purpose="chat")
    finished(make_project(), minutes_ago=3)
    pace = pace_of(project, now=timezone.now())
    assert (pace.num_runs, pace.num_completions) == (3, 12)
    assert pace.busy_seconds == pytest.approx(12 * 60, abs=2)
    assert pace.per_hour == pytest.approx(60, rel=0.01)


def test_what_hangs_slows_the_speed(project: Project) -> None:
    finished(project, minutes_ago=28, took=2)
    finished(project, minutes_ago=29, took=1)
    before = pace_of(project, now=timezone.now()).per_hour
    make_run(project=project, purpose="comparison", state="running", sent_at=timezone.now() - timedelta(minutes=28))
    after = pace_of(project, now=timezone.now()).per_hour
    assert before == pytest.approx(240, rel=0.01)
    assert after == pytest.approx(16, rel=0.01)


def test_of_many_runs_the_speed_is_that_of_the_newest(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that are not read count neither as completions nor as time."""
    monkeypatch.setattr(progress, "MOST_RUNS", 3)
    for minutes_ago in (2, 4, 6, 8):
        finished(project, minutes_ago=minutes_ago, took=30)
    pace = pace_of(project, now=timezone.now())
    assert (pace.num_runs, pace.num_completions) == (3, 12)
    assert pace.busy_seconds == pytest.approx(4 * 60, abs=2)


def test_one_run_tells_no_speed(project: Project) -> None:
    finished(project, minutes_ago=5)
    assert pace_of(project, now=timezone.now()).per_hour is None


@pytest.mark.parametrize(
    ("minutes", "words"),
    [
        (0.2, "about a minute"),
        (4.4, "about 4 minutes"),
        (38, "about 40 minutes"),
        (57, "about 55 minutes"),
        (62, "about an hour"),
        (200, "about 3 hours"),
        (60 * 24 * 5, "about 5 days"),
    ],
)
def test_time_is_said_as_one_says_it_who_does_not_know_exactly(minutes: float, words: str) -> None:
    assert duration_in_words(60 * minutes) == words


def test_an_end_is_foretold_from_the_last_hour(project: Project) -> None:
    """12 completions in 14 minutes; 3 comparisons of 4 are under way and 2 not begun: 20 more, some 23 minutes."""
    make_worker()
    ready(project, 5)
    first, *_ = being_sampled(project, 3)
    make_run(
        project=project, purpose="comparison", comparison=first, state="done", num_completions=4
    )  # a part is there
    for minutes_ago in (2, 4, 6, 8):
        finished(project, minutes_ago=minutes_ago, took=8, num=3)
    make_prompt(project=project)
    found = sampling_progress(project)
    assert (found.num_ready, found.num_sampling, found.num_failed, found.num_to_make) == (5, 3, 0, 2)
    assert found.num_to_come == 12
    assert found.pace.per_hour == pytest.approx(12 * 60 / 14, rel=0.02)
    assert found.seconds_left == pytest.approx(20 / 12 * 14 * 60, rel=0.02)
    assert found.sentence == "10 will be ready in about 25 minutes, if it goes on as in the last hour."
    assert found.caveats == ()


def test_a_worker_that_is_missing_is_the_reason(project: Project) -> None:
    being_sampled(project, 1)
    make_worker("train@gpu1")
    found = sampling_progress(project)
    assert (found.asks_for_worker, found.seconds_left) == (True, None)
    assert "No sample worker is alive" in found.sentence


def test_a_broker_that_is_away_is_the_reason(project: Project, settings: Any) -> None:
    being_sampled(project, 1)
    settings.REDIS_URL = "unix:///nowhere.sock"
    assert "The broker does not answer" in sampling_progress(project).sentence


def test_too_few_and_too_long_ago_are_reasons(project: Project) -> None:
    make_worker()
    being_sampled(project, 2)
    assert "Too few" in sampling_progress(project).sentence
    for minutes_ago in (20, 30):
        finished(project, minutes_ago=minutes_ago)
    assert "Nothing has come in for ten minutes" in sampling_progress(project).sentence


def test_what_failed_and_what_cannot_be_made_is_said(project: Project) -> None:
    make_worker()
    for comparison in being_sampled(project, 3)[:2]:
        Comparison.objects.filter(id=comparison.id).update(state="failed")
    for minutes_ago in (1, 2):
        finished(project, minutes_ago=minutes_ago)
    found = sampling_progress(project)
    assert (found.num_failed, found.num_sampling, found.num_to_make) == (2, 1, 0)
    assert found.sentence.startswith("1 will be ready in about")
    assert [caveat.partition(" ")[0] for caveat in found.caveats] == ["2", "Nothing"]
    make_chat(project=project)
    assert len(sampling_progress(project).caveats) == 1


def test_when_nothing_is_under_way_it_says_why(project: Project) -> None:
    assert sampling_progress(project).sentence == "Nothing is under way."
    ready(project, 10)
    assert sampling_progress(project).sentence == "As many are ready as the project wants."
    project.comparisons_ready = 0
    assert "keeps none ready" in sampling_progress(project).sentence
    project.archived_at = timezone.now()
    assert "archived" in sampling_progress(project).sentence
    project.archived_at = None
    project.rounds.update(policy=None)
    project.policy = None
    project.save()
    assert "No policy" in sampling_progress(project).sentence
    project.rounds.update(closed_at="2100-01-01T00:00Z")
    assert "No round is open" in sampling_progress(project).sentence


def test_practice_and_gold_items_are_not_counted(project: Project) -> None:
    make_comparisons(project=project, num=2, round=project.current_round, use="gold", open_slots=0)
    make_comparisons(project=project, num=2)  # of no round
    assert sampling_progress(project).num_ready == 0


def test_statements_do_not_grow_with_what_there_is(project: Project) -> None:
    make_worker()
    counts = []
    for num in (1, 9):
        being_sampled(project, num)
        ready(project, num)
        finished(project, minutes_ago=1)
        with CaptureQueriesContext(connection) as statements:
            sampling_progress(project)
        counts.append(len(statements))
    assert counts[0] >= counts[1]
    assert counts[0] <= 9


def test_who_is_out_of_work_learns_how_many_are_coming_and_when(project: Project) -> None:
    assert coming_sentence(project) == ""
    make_worker()
    being_sampled(project, 3)
    assert coming_sentence(project).startswith("3 more comparisons are being sampled. Too few have come in")
    for minutes_ago in (2, 4, 6, 8):
        finished(project, minutes_ago=minutes_ago, took=8, num=3)
    assert coming_sentence(project) == (
        "3 more comparisons are being sampled. All will be here in about 15 minutes, the first of them sooner."
    )
