"""One of the ways to a policy as a person takes it: the form, the worker's own code, the registry, the pages."""

import json
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse

from labeling.exports.lineage import Registry
from labeling.models import Policy, Project, TrainingJob
from labeling.rounds.training_jobs import record_result, request_of, send_job
from records import publish_directory, write_jsonl
from records.names import RANKINGS_FILE
from tests.labeling.factories import make_policy, make_project
from tests.labeling.rounds.views.test_rounds import make_export, page, url
from tests.rewardmodel.factories import make_toy_rankings
from tests.tiny import build_tiny_policy
from tests.training.test_filter_job import Heard
from training.jobs import run_job

# Each statement commits, so that no transaction idles while the program trains.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def project(store: Path) -> Project:
    build_tiny_policy(store / "policies" / "base")
    return make_project(slug="sky", policy=make_policy(name="base"))


def test_a_job_from_the_page_becomes_a_policy_that_can_be_compared(
    project: Project, erins_browser: Client, store: Path, broker: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    (staging := store / "staging").mkdir()
    rankings = make_toy_rankings(24, split="train") + make_toy_rankings(8, seed=1, split="validation")
    write_jsonl(staging / RANKINGS_FILE, rankings)
    publish_directory(staging, store / "exports" / "rankings")
    export = make_export(project, "rankings", num_records=32)
    sent = {
        "kind": "dpo", "export": export.id, "policy": project.policy_id, "output_name": "better", "lr": "0.003",
        "seed": 0, "beta": "0.1", "epochs": 2, "batch_size": 8,
    }  # fmt: skip
    assert erins_browser.post(url("start_training"), sent).status_code == 302
    job = TrainingJob.objects.get()
    send_job(job.id)  # unless the end of the request has sent it
    job.refresh_from_db()
    assert (job.state, job.attempt) == (TrainingJob.State.SENT, 1)

    result = run_job(request_of(job), store=store, reporter=Heard())

    assert result is not None
    assert result.error is None
    assert record_result(result)
    better = Policy.objects.get(name="better")
    assert (better.parent, better.training_job, better.state) == (project.policy, job, Policy.State.CANDIDATE)
    assert json.loads((store / "policies" / "better" / "policy.json").read_text())["method"] == "dpo"
    assert better.metrics["validation_accuracy"] > 0.6, "it learnt what the toy's trainer likes"
    assert Registry().models_after(export) == [better]
    job_page = page(erins_browser, "training_job", job.id)
    assert "Pairs in order · held-out data" in job_page
    assert url("compare_policy", better.id) in job_page
    model_page = erins_browser.get(reverse("model", args=(better.id,))).content.decode()
    assert "Pairs in order" in model_page
    assert "32 rankings" in model_page
