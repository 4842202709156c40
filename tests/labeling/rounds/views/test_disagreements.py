"""What a watched run shows of its looks: curves, and the answers that its two reward models judge most differently."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from labeling.models import Project, TrainingJob
from labeling.rounds.job_files import disagreements_of
from records.names import DISAGREEMENTS_FILE
from tests.labeling.factories import make_policy, make_project
from tests.labeling.rounds.views.test_rounds import make_job, page

pytestmark = pytest.mark.django_db


@pytest.fixture
def project(store: Path) -> Project:
    return make_project(slug="sky", policy=make_policy(name="base"))


def line(update: int, difference: float, **values: Any) -> dict[str, Any]:
    return {
        "update": update, "prompt_id": "p-1", "messages": [{"role": "user", "content": f"Question {difference}?"}],
        "answer": f"Answer {difference}.", "tokens": 12, "ended": True, "score": 1.5, "held_out_score": -0.5,
        "difference": difference, **values,
    }  # fmt: skip


def write(folder: Path, lines: list[dict[str, Any]], name: str = DISAGREEMENTS_FILE) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("".join(json.dumps(one) + "\n" for one in lines) + '{"update": 9, "mess')


def test_the_newest_look_shows_the_answers_that_are_judged_most_differently(
    project: Project, erins_browser: Client, store: Path
) -> None:
    job = make_job(project, kind="ppo", state=TrainingJob.State.RUNNING)
    work = store / "jobs" / str(job.id) / "work"
    newest = [line(20, number / 10, ended=number != 4) for number in range(1, 5)]
    write(work, [line(10, 3.0), *newest, line(20, -2.0, answer="<script>alert(1)</script>"), line(20, 0.05)])
    assert [one.difference for one in disagreements_of(job)] == [-2.0, 0.4, 0.3, 0.2, 0.1]
    content = page(erins_browser, "training_job", job.id)
    assert "after update 20" in content
    assert "Question 3.0?" not in content
    assert "<script>alert" not in content
    assert content.count("Liked more by the watching model") == 1
    assert content.count("Liked more by the reward model trained on") == 4
    assert content.count("without an end") == 1


def test_a_finished_run_shows_what_was_published(project: Project, erins_browser: Client, store: Path) -> None:
    job = make_job(project, kind="rloo", state=TrainingJob.State.DONE, output_name="better")
    write(store / "policies" / "better", [line(30, 1.0)])
    assert "after update 30" in page(erins_browser, "training_job", job.id)
    assert disagreements_of(make_job(project, kind="ppo")) == []


def test_the_looks_are_drawn(project: Project, erins_browser: Client, store: Path) -> None:
    job = make_job(project, kind="ppo", state=TrainingJob.State.RUNNING)
    look = {"watch_held_out_score": 0.5, "watch_tokens": 30.0, "watch_repeated_share": 0.1}
    write(store / "jobs" / str(job.id) / "work", [{"step": step, **look} for step in (10, 20)], "metrics.jsonl")
    content = page(erins_browser, "training_job", job.id)
    assert content.count("<figure") == len(look)
    assert "Length of an answer · watched prompts" in content


def test_lines_of_another_program_are_passed_over(project: Project, store: Path) -> None:
    job = make_job(project, kind="ppo")
    odd = [{"update": 1}, {**line(1, 1.0), "messages": []}, {**line(1, 1.0), "score": None}]
    write(store / "jobs" / str(job.id) / "work", odd)
    assert disagreements_of(job) == []
