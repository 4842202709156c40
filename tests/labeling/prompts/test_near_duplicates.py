"""Near-duplicates among prompts: asked for in batches, found against all earlier ones, retired by people."""

import base64
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import pytest
import redis
from celery import Celery
from django.utils import timezone

from labeling.exports.filters import Filters
from labeling.exports.selection import prompt_rows, prompts_left_out
from labeling.jobs import dispatch
from labeling.models import AuditEvent, Project, Prompt, PromptVector, User
from labeling.prompts import near_duplicates, pool
from labeling.sampling import comparisons
from language.embedding import load_embedder
from records import EmbedRequest, EmbedResult, decode
from records.broker import celery_settings
from tests.labeling.factories import make_project, make_prompt
from tests.labeling.sampling.sampling_runs import QUEUES

pytestmark = pytest.mark.django_db
Commits = Callable[[], AbstractContextManager[Any]]
WIDTH = PromptVector.WIDTH


def vector(**entries: float) -> tuple[float, ...]:
    """A unit vector with these entries, by axis: x0=0.8, x1=0.6."""
    return tuple(entries.get(f"x{axis}", 0.0) for axis in range(WIDTH))


def recorded(*prompts: Prompt, vectors: list[tuple[float, ...]]) -> int:
    return near_duplicates.record_vectors(
        EmbedResult(ids=tuple(str(prompt.id) for prompt in prompts), vectors=tuple(vectors))
    )


def asked(broker: redis.Redis) -> list[EmbedRequest]:
    raw = reversed(broker.lrange(QUEUES["overnight"], 0, -1))  # type: ignore[arg-type]
    bodies = [json.loads(base64.b64decode(json.loads(one)["body"])) for one in raw]
    assert all(embed["callbacks"][0]["task"] == "labeling.record_vectors" for _, _, embed in bodies)
    return [decode(EmbedRequest, kwargs["request"]) for _, kwargs, _ in bodies]


@pytest.fixture
def near(project: Project) -> tuple[Prompt, Prompt]:
    """Two prompts with a similarity of 0.96, the earlier first."""
    one, other = make_prompt(project=project), make_prompt(project=project)
    recorded(one, other, vectors=[vector(x0=1.0), vector(x0=0.96, x1=0.28)])
    return one, other


@pytest.mark.django_db(transaction=True)
def test_prompts_are_asked_for_in_batches_one_at_a_time(
    project: Project, broker: redis.Redis, commits: Commits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(near_duplicates, "BATCH_SIZE", 2)
    prompts = [make_prompt(project=project) for _ in range(3)]
    assert near_duplicates.ask_for_vectors(project) == 2
    assert near_duplicates.ask_for_vectors(project) == 0  # the answer asks for more
    assert [request.ids for request in asked(broker)] == [(str(prompts[0].id), str(prompts[1].id))]
    assert recorded(prompts[0], prompts[1], vectors=[vector(x0=1.0), vector(x1=1.0)]) == 2
    assert [request.ids for request in asked(broker)[1:]] == [(str(prompts[2].id),)]
    assert recorded(prompts[0], prompts[1], vectors=[vector(x2=1.0), vector(x2=1.0)]) == 0  # a second copy
    assert near_duplicates.num_waiting(project) == 1


def test_a_lost_batch_is_asked_for_again(project: Project, broker: redis.Redis, commits: Commits) -> None:
    prompt = make_prompt(project=project)
    with commits():
        assert near_duplicates.ask_for_vectors(project) == 1
    Prompt.objects.update(vector_asked_at=timezone.now() - near_duplicates.BATCH_TIMEOUT - timedelta(seconds=1))
    with commits():
        assert near_duplicates.ask_for_vectors(project) == 1
    assert [request.ids for request in asked(broker)] == [(str(prompt.id),)] * 2


def test_with_the_broker_away_they_wait_for_the_next_sweep(
    project: Project, commits: Commits, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_prompt(project=project)
    away = Celery("away", set_as_current=False)
    away.conf.update(celery_settings("unix:///nowhere/valkey.sock?db=0"))
    monkeypatch.setattr(dispatch, "current_app", away)
    with commits():
        assert near_duplicates.ask_for_vectors(project) == 1
    assert Prompt.objects.get(project=project).vector_asked_at is None


def test_a_pair_points_to_the_one_that_was_there_first(project: Project, near: tuple[Prompt, Prompt]) -> None:
    one, other = near
    (pair,) = near_duplicates.pairs(project)
    assert (pair.prompt, pair.resembles) == (other, one)
    assert pair.similarity == pytest.approx(0.96, abs=1e-3)
    third = make_prompt(project=project)
    recorded(third, vectors=[vector(x0=0.96, x1=0.28)])
    assert [(pair.prompt, pair.resembles) for pair in near_duplicates.pairs(project)] == [(third, other), (other, one)]


def test_what_is_less_near_and_what_another_project_asks_is_no_pair(
    project: Project, near: tuple[Prompt, Prompt]
) -> None:
    far, elsewhere = make_prompt(project=project), make_prompt(project=make_project())
    recorded(far, elsewhere, vectors=[vector(x0=0.6, x2=0.8), vector(x0=1.0)])
    assert near_duplicates.pairs(project).count() == 1
    assert PromptVector.objects.get(prompt=far).resembles is None
    assert PromptVector.objects.get(prompt=elsewhere).similarity is None


def test_the_nearest_is_found_behind_many_nearer_ones_of_another_project(project: Project) -> None:
    elsewhere = make_project()
    crowd = [make_prompt(project=elsewhere) for _ in range(300)]
    recorded(*crowd, vectors=[vector(x0=1.0, x1=number / 1e5) for number in range(300)])
    one, other = make_prompt(project=project), make_prompt(project=project)
    recorded(one, vectors=[vector(x0=0.96, x1=0.28)])
    recorded(other, vectors=[vector(x0=1.0)])
    assert PromptVector.objects.get(prompt=other).resembles == one


def test_an_error_is_no_vector(project: Project) -> None:
    prompt = make_prompt(project=project)
    assert near_duplicates.record_vectors(EmbedResult(ids=(str(prompt.id),), error="no model")) == 0
    assert near_duplicates.num_waiting(project) == 1


def test_a_vector_of_another_model_is_refused(project: Project) -> None:
    prompt = make_prompt(project=project)
    with pytest.raises(ValueError, match="has 3 entries, not 384"):
        recorded(prompt, vectors=[(1.0, 0.0, 0.0)])
    assert near_duplicates.num_waiting(project) == 1


def test_a_retired_prompt_is_out_of_use_and_its_pair_out_of_sight(
    project: Project, near: tuple[Prompt, Prompt], alice: User, erin: User
) -> None:
    one, other = near
    assert near_duplicates.set_retired(other, retired=True, by=erin)
    assert not near_duplicates.set_retired(other, retired=True, by=erin)
    assert not near_duplicates.pairs(project).exists()
    assert pool.next_prompt(project, by=alice) == one
    assert list(prompt_rows(project, Filters())) == [one]
    assert prompts_left_out(project) == {"retired": 1}
    made = {comparison.prompt_id for comparison in project.comparisons.all()} or _made(project)
    assert made == {one.id}
    assert [prompt.retired_by for prompt in near_duplicates.retired(project)] == [erin]
    assert near_duplicates.set_retired(other, retired=False, by=erin)
    assert near_duplicates.pairs(project).count() == 1
    verbs = AuditEvent.objects.filter(subject_id=str(other.id)).order_by("id").values_list("verb", flat=True)
    assert list(verbs) == ["retire prompt", "bring back prompt"]


def _made(project: Project) -> set[Any]:
    comparisons.keep_ready(project)
    return {comparison.prompt_id for comparison in project.comparisons.all()}


def test_the_later_of_every_near_pair_can_be_retired_at_once(project: Project, erin: User) -> None:
    prompts = [make_prompt(project=project) for _ in range(4)]
    near, nearer = vector(x0=0.93, x1=0.3676), vector(x0=0.99, x1=0.1411)
    recorded(*prompts, vectors=[vector(x0=1.0), nearer, near, vector(x5=1.0)])
    assert near_duplicates.retire_later(project, at_least=0.98, by=erin) == 1
    assert set(Prompt.objects.in_use().filter(project=project)) == {prompts[0], prompts[2], prompts[3]}
    event = AuditEvent.objects.get(verb="retire near-duplicate prompts", by=erin)
    assert event.detail == {"at_least": 0.98, "num": 1}


def test_a_pair_that_both_stay_of_is_not_shown_again(project: Project, near: tuple[Prompt, Prompt], erin: User) -> None:
    assert near_duplicates.keep_both(near[1], by=erin)
    assert not near_duplicates.keep_both(near[1], by=erin)
    assert not near_duplicates.pairs(project).exists()
    assert Prompt.objects.in_use().filter(project=project).count() == 2
    assert AuditEvent.objects.filter(verb="keep both prompts", by=erin, subject_id=str(near[1].id)).count() == 1


def test_what_is_compared_leaves_the_system_message_out(project: Project) -> None:
    prompt = make_prompt(project=project)
    prompt.messages = [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Hello!"},
        {"role": "assistant", "content": "Hello. What now?"},
        {"role": "user", "content": "x" * 10_000},
    ]
    assert near_duplicates.text_of(prompt).startswith("Hello!\nHello. What now?\nxxx")
    assert len(near_duplicates.text_of(prompt)) == near_duplicates.LONGEST_TEXT


def test_real_words_make_real_pairs(project: Project) -> None:
    words = [
        "How do I bake bread at home?",
        "What is the capital of France?",
        "How can I bake bread at home?",
        "Write a poem about the sea.",
    ]
    prompts = [make_prompt(project=project, content=content) for content in words]
    vectors = load_embedder().vectors([near_duplicates.text_of(prompt) for prompt in prompts]).tolist()
    recorded(*prompts, vectors=[tuple(one) for one in vectors])
    assert [(str(pair.prompt), str(pair.resembles)) for pair in near_duplicates.pairs(project)] == [
        (words[2], words[0])
    ]
