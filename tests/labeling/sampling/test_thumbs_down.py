"""A thumb down where the project says so: by the next sweep its prompt is in the pool and its comparison requested."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis
from django.utils import timezone

from labeling import periodic, tasks
from labeling.celery import SWEEP_SECONDS, app
from labeling.imports import import_thumbs
from labeling.models import Comparison, Project, Prompt, Thumb
from labeling.sampling import thumbs_down
from labeling.sampling.thumbs_down import compare_thumbs_down
from records import encode
from tests.labeling.api.api_client import Program
from tests.labeling.factories import QUESTION, make_project, make_prompt, make_thumb, make_user
from tests.labeling.imports.files import user, write_lines
from tests.labeling.sampling.sampling_runs import messages_in, result_for

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project(slug="ours", compares_thumbs_down=True, comparisons_ready=0)


def down(project: Project, question: str = QUESTION, **fields: Any) -> Thumb:
    return make_thumb(project=project, messages=[user(question)], wants_comparison=True, **fields)


def questions(project: Project) -> list[str]:
    return sorted(one.question for one in Comparison.objects.filter(project=project))


@pytest.mark.django_db(transaction=True)
def test_within_one_beat_the_comparison_is_requested_and_with_its_completions_offered(
    project: Project, broker: redis.Redis
) -> None:
    erin = Program(make_user(username="erin", projects=[project]))
    given = {"id": "m-1", "messages": [user(QUESTION)], "answer": "Rome.", "thumb": "down", "policy": "assistant-7"}
    assert erin.post("projects/ours/feedback", given).status_code == 201
    assert SWEEP_SECONDS <= 10
    assert app.conf.beat_schedule["sweep"]["schedule"] == SWEEP_SECONDS
    tasks.sweep()
    thumb = Thumb.objects.get()
    comparison, prompt = thumb.comparison, thumb.prompt
    assert comparison is not None
    assert prompt is not None
    assert (prompt.source, prompt.messages, comparison.prompt) == ("feedback", [user(QUESTION)], prompt)
    (sent,) = [one for one in messages_in(broker, "overnight") if "run_id" in one["request"]]  # and the prompt's vector
    assert sent["request"]["messages"] == [user(QUESTION)]
    run = comparison.sampling_runs.get()
    assert (sent["request"]["run_id"], run.num_completions) == (str(run.id), project.num_completions)
    tasks.record_completions(encode(result_for(run, "Paris.", "Lyon.", "Nice.", "Lille.")))
    comparison.refresh_from_db()
    assert (comparison.state, comparison.round) == (Comparison.State.OPEN, project.current_round)
    contents = set(comparison.completions.values_list("content", flat=True))
    assert contents == {"Paris.", "Lyon.", "Nice.", "Lille."}  # not the one that was picked for being disliked
    assert erin.get("projects/ours/feedback").json()["results"][0]["comparison_id"] == str(comparison.id)


def test_nothing_of_it_happens_unless_the_project_says_so() -> None:
    project = make_project(comparisons_ready=0)
    assert not Project().compares_thumbs_down
    down(project)
    assert periodic.sweep()["thumbs down compared"] == 0
    assert not Prompt.objects.exists()


def test_only_a_thumb_down_that_came_since_and_counts_is_compared(project: Project, tmp_path: Path) -> None:
    rows = [{"prompt": name, "completion": "A", "label": name == "up"} for name in ("up", "down")]
    Project.objects.update(compares_thumbs_down=False)
    project.refresh_from_db()
    import_thumbs(write_lines(tmp_path / "before.jsonl", [{**rows[1], "prompt": "before"}]), project=project, by=None)
    Project.objects.update(compares_thumbs_down=True)
    project.refresh_from_db()
    import_thumbs(write_lines(tmp_path / "since.jsonl", rows), project=project, by=None)
    down(project, "retracted", retracted_at=timezone.now())
    assert compare_thumbs_down(project) == 1
    assert questions(project) == ["down"]
    assert Prompt.objects.get().messages == [user("down")]


def test_a_prompt_is_compared_once_a_round_however_many_dislike_its_answers(project: Project) -> None:
    known = make_prompt(project=project, content=QUESTION, topic="cities", source="file.jsonl")
    thumbs = [down(project), down(project)]
    assert compare_thumbs_down(project) == 1
    later = down(project)
    assert compare_thumbs_down(project) == 0
    comparison = Comparison.objects.get()
    for thumb in (*thumbs, later):
        thumb.refresh_from_db()
        assert (thumb.prompt, thumb.comparison) == (known, comparison)
    assert (comparison.topic, comparison.source) == ("cities", "file.jsonl")
    project.rounds.update(closed_at=timezone.now())
    project.rounds.create(number=2, policy=project.policy)
    down(project)
    assert compare_thumbs_down(project) == 1


def test_a_retired_prompt_is_not_compared_and_holds_up_no_other(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(thumbs_down, "MOST_AT_ONCE", 1)
    make_prompt(project=project, content=QUESTION, retired_at=timezone.now())
    down(project)
    assert [compare_thumbs_down(project), compare_thumbs_down(project)] == [0, 0]
    down(project, "Another?")
    assert compare_thumbs_down(project) == 1
    assert questions(project) == ["Another?"]


def test_where_no_round_is_open_it_waits_in_the_pool_and_is_first_once_one_opens(project: Project) -> None:
    project.rounds.update(closed_at=timezone.now())
    down(project, "disliked")
    for _ in range(5):
        make_prompt(project=project)
    periodic.sweep()
    assert Prompt.objects.filter(source="feedback").count() == 1
    assert not Comparison.objects.exists()
    project.rounds.create(number=2, policy=project.policy)
    Project.objects.update(comparisons_ready=1)
    found = periodic.sweep()
    assert (found["thumbs down compared"], found["comparisons made"]) == (1, 0)
    assert questions(project) == ["disliked"]


def test_more_than_a_sweep_looks_at_still_reach_the_pool(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thumbs_down, "MOST_AT_ONCE", 2)
    project.rounds.update(closed_at=timezone.now())
    for num in range(5):
        down(project, f"Question {num}?")
    for _ in range(3):
        compare_thumbs_down(project)
    assert Prompt.objects.count() == 5


def test_a_flood_of_thumbs_does_not_fill_the_queue(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thumbs_down, "MOST_WAITING", 2)
    for num in range(4):
        down(project, f"Question {num}?")
    assert [compare_thumbs_down(project), compare_thumbs_down(project)] == [2, 0]
    assert questions(project) == ["Question 0?", "Question 1?"]
    Comparison.objects.filter(prompt__thumbs__messages=[user("Question 0?")]).update(state=Comparison.State.DONE)
    assert compare_thumbs_down(project) == 1
    assert questions(project) == ["Question 0?", "Question 1?", "Question 2?"]


@pytest.mark.parametrize("missing", ["policy", "current"])
def test_what_could_not_be_sampled_is_not_requested(project: Project, missing: str) -> None:
    if missing == "policy":
        project.rounds.update(policy=None)
        Project.objects.update(policy=None)
    else:
        Project.objects.update(archived_at=timezone.now())
    project.refresh_from_db()
    down(project)
    assert compare_thumbs_down(project) == 0
    assert not Comparison.objects.exists()


def test_a_thumb_that_is_compared_costs_later_sweeps_nothing(
    project: Project, django_assert_max_num_queries: Callable[..., Any]
) -> None:
    down(project)
    compare_thumbs_down(project)
    with django_assert_max_num_queries(2):
        assert compare_thumbs_down(project) == 0
