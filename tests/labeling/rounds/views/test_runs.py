"""Runs of a kind beside each other: what differs between them, what they came to, whose curves are drawn."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from labeling.models import Project, TrainingJob, User
from labeling.rounds.run_table import MOST_CURVES, varying_options
from tests.labeling.factories import make_policy, make_project, make_user
from tests.labeling.rounds.views.test_rounds import make_job
from tests.labeling.signed_in import as_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project(slug="sky", policy=make_policy(name="base"))


def make_run(project: Project, store: Path, name: str, **options: Any) -> TrainingJob:
    job = make_job(
        project, output_name=name, options={"epochs": 1, **options}, metrics={"loss": 1.25, "validation_loss": 1.5}
    )
    (work := store / "jobs" / str(job.id) / "work").mkdir(parents=True)
    lines = [{"step": step, "loss": 2 - step / 10, "validation_loss": 2.0} for step in range(1, 5)]
    (work / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return job


def page(client: Client, **query: Any) -> str:
    return str(client.get(reverse("runs", args=("sky",)), query).content.decode())


def test_runs_are_drawn_on_one_chart_beside_what_differs(project: Project, erins_browser: Client, store: Path) -> None:
    first, second = make_run(project, store, "first", lr=0.1), make_run(project, store, "second", lr=0.2)
    make_job(project, kind="ppo", output_name="of-another-kind")
    assert varying_options([first, second]) == ["lr"]
    content = page(erins_browser, kind="sft")
    assert content.count("<figure") == 2, "a chart of each metric, whatever the number of runs"
    assert "Loss · held-out data" in content
    chart = content[content.index("<figure") : content.index("</figure>")]
    assert "first" in chart
    assert "second" in chart
    assert "of-another-kind" not in content
    assert ">0.1<" in content
    assert ">epochs<" not in content
    only = page(erins_browser, kind="sft", job=str(first.id))
    assert "second" not in only[only.index("<figure") : only.index("</figure>")]


def test_no_more_lines_are_drawn_than_can_be_told_apart(project: Project, erins_browser: Client, store: Path) -> None:
    jobs = [make_run(project, store, f"run-{number}") for number in range(MOST_CURVES + 2)]
    content = page(erins_browser, kind="sft", job=[str(job.id) for job in jobs])
    assert content.count("checked") == MOST_CURVES


def test_a_run_that_goes_on_shows_no_figure_that_would_mean_another(
    project: Project, erins_browser: Client, store: Path
) -> None:
    """While it learns a reward model's accuracy is of its batches; the column is of held-out pairs."""
    make_job(project, kind="reward_model", output_name="learning", metrics={"accuracy": 0.987})
    content = page(erins_browser, kind="reward_model")
    assert "Pairs in order, held-out data" in content
    assert "0.987" not in content


def test_other_peoples_projects_and_trainers_stay_out(project: Project, erins_browser: Client, store: Path) -> None:
    other = make_job(make_project(slug="sea", policy=make_policy(name="sea-policy")), output_name="elsewhere")
    assert "elsewhere" not in page(erins_browser, kind="sft", job=str(other.id))
    assert "Nothing of this kind" in page(erins_browser, kind="nonsense", job="nonsense")
    assert as_user(make_user(projects=[project])).get(reverse("runs", args=("sky",))).status_code == 403
    assert as_user(make_user(role=User.Role.ENGINEER)).get(reverse("runs", args=("sky",))).status_code == 404
