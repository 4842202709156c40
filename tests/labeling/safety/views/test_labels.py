"""The page on which texts are labelled, the quality page of the filter, and the form that trains another."""

from typing import Any

import pytest
from django.urls import reverse

from labeling.exports import build, request_export
from labeling.models import DrawnText, Filter, FilterRules, Label, Project, TrainingJob, User
from labeling.models.safety.categories import CATEGORIES
from labeling.rounds.training_jobs import record_result, request_of, send_job
from records import TrainingResult, publish_directory
from tests.labeling.factories import make_user
from tests.labeling.safety.material import make_drawn, make_screening, make_stream, settle
from tests.labeling.signed_in import as_user, page_of

pytestmark = pytest.mark.django_db


def labels_url(project: Project) -> str:
    return reverse("label_texts", args=(project.slug,))


@pytest.mark.parametrize(
    ("given", "yes", "rest"),
    [
        ({"categories": ["V", "V2"]}, {"V", "V2"}, "no"),
        ({"categories": ["H2"], "unsure": "on"}, {"H", "H2"}, "unsure"),
        ({"none": "yes", "categories": ["V"]}, set(), "no"),
        ({}, set(), "no"),
    ],
    ids=["two", "unsure of the rest", "none", "nothing ticked"],
)
def test_what_is_ticked_is_said(project: Project, rita: User, given: dict[str, Any], yes: set[str], rest: str) -> None:
    drawn = make_drawn(screening=make_screening(project=project, text="They walked on.", withheld=" And fought."))
    client = as_user(rita)
    shown = page_of(client, labels_url(project))
    assert "They walked on. And fought." in shown
    assert client.post(labels_url(project), {"drawn": drawn.id, **given}).status_code == 302
    answers = Label.objects.get(by=rita).answers
    assert {name for name, answer in answers.items() if answer == "yes"} == yes
    assert {answers[name] for name in set(CATEGORIES) - yes} == {rest}


def test_what_the_filter_said_is_not_on_the_page(project: Project, rita: User) -> None:
    make_drawn(screening=make_screening(project=project, probabilities={"V": 0.8731}))
    shown = page_of(as_user(rita), labels_url(project)).split("<main")[1]
    for secret in ("0.87", "87 %", "Blocked", "Warning", "random"):
        assert secret not in shown


def test_a_form_that_names_no_text_of_this_project_changes_nothing(project: Project, rita: User) -> None:
    client = as_user(rita)
    assert client.post(labels_url(project), {"drawn": "x"}).status_code == 422
    assert client.post(labels_url(project), {"drawn": "00000000-0000-0000-0000-000000000000"}).status_code == 404
    assert "No text waits for you" in page_of(client, labels_url(project))
    assert not Label.objects.exists()


def test_opening_the_queue_draws_texts_and_a_late_label_is_told_so(project: Project, rita: User) -> None:
    make_stream(project=project, probabilities=[{}] * 5)
    client = as_user(rita)
    assert "5 texts wait for you" in page_of(client, labels_url(project))
    drawn = settle(DrawnText.objects.all()[0])
    answer = client.post(labels_url(project), {"drawn": drawn.id}, follow=True)
    assert "needs no more" in answer.content.decode()


def quality_url(project: Project) -> str:
    return reverse("filter_quality", args=(project.slug,))


def test_the_quality_page_says_where_too_little_is_known(project: Project, erin: User) -> None:
    assert "has seen nothing yet" in page_of(as_user(erin), quality_url(project))
    settle(make_drawn(screening=make_screening(project=project)), V="yes")
    shown = page_of(as_user(erin), quality_url(project))
    assert shown.count("too few: from 20 texts") == len(CATEGORIES)
    assert "Too few: a curve" in shown


def test_the_quality_page_draws_the_curves_of_a_category(project: Project, erin: User) -> None:
    rules = [{"category": "V", "side": "answered", "mode": "on", "warn_at": 0.5, "block_at": 0.9}]
    FilterRules.objects.create(project=project, version=1, rules=rules)
    made = make_stream(project=project, probabilities=[{"V": number / 50} for number in range(50)])
    for number, screening in enumerate(made):
        settle(make_drawn(screening=screening), V="yes" if number >= 25 else "no")
    url = f"{quality_url(project)}?category=V&side=answered"
    shown = page_of(as_user(erin), url)
    for words in ("100 %", "Curves of: violence", "warns", "blocks", "as it says"):
        assert words in shown
    assert shown.count("<svg") >= 2
    assert as_user(erin).get(f"{url}&week=x").status_code == 422


def test_a_filter_is_trained_on_labels_and_becomes_a_candidate(
    project: Project, erin: User, store: Any, sent: list[Any], commits: Any
) -> None:
    client, url = as_user(erin), reverse("filter_training", args=(project.slug,))
    assert "Nothing to learn from yet" in page_of(client, url)
    settle(make_drawn(screening=make_screening(project=project)), V="yes")
    export = request_export(project, kind="labels", by=erin, notify_worker=False)
    assert build(export.id)
    export.refresh_from_db()
    given = {
        "export": export.id, "output_name": "next", "seed": 0, "num_folds": 4, "strength_vectors": 10,
        "strength_ngrams": 30,
    }  # fmt: skip
    assert client.post(url, given | {"num_folds": 1}).status_code == 422
    assert client.post(url, given).status_code == 302
    job = TrainingJob.objects.get()
    assert (job.kind, job.policy, job.options["num_folds"]) == ("filter", None, 4)
    request = request_of(job)
    assert (request.data_path, request.out_path, request.model_path) == (export.store_path, "filters/next", None)
    assert client.post(url, given).status_code == 422, "the name is taken"
    job = finished(job, store)
    made = Filter.objects.get(name="next")
    assert (made.state, made.store_path, made.export, made.training_job) == ("candidate", "filters/next", export, job)
    assert made.thresholds == {"V": {"warn_at": 0.4, "block_at": None}}
    assert made.metrics == {"auprc_any": 0.9}
    assert "next is in the registry" in page_of(client, reverse("training_job", args=(project.slug, job.id)))
    assert "Filters that learned from it" in page_of(client, reverse("export", args=(project.slug, export.id)))
    assert page_of(client, reverse("runs", args=(project.slug,)) + "?kind=filter").count("0.9") >= 1


def finished(job: TrainingJob, store: Any) -> TrainingJob:
    """As if its worker had published a filter."""
    send_job(job.id)
    job.refresh_from_db()
    staging = store / "staging"
    staging.mkdir()
    (staging / "heads.safetensors").write_text("heads")
    thresholds = {"V": {"warn_at": 0.4, "block_at": None}}
    sha = publish_directory(staging, store / "filters" / "next", kind="content-filter", thresholds=thresholds)
    result = TrainingResult(
        job_id=str(job.id), attempt=job.attempt, out_path="filters/next", manifest_sha256=sha,
        metrics={"auprc_any": 0.9},
    )  # fmt: skip
    assert record_result(result)
    job.refresh_from_db()
    return job


def test_only_an_admin_may_export_what_is_withheld(project: Project, erin: User) -> None:
    given = {
        "kind": "labels", "format": "records", "validation_percent": 10, "test_percent": 10, "includes_withheld": "on",
    }  # fmt: skip
    url = reverse("new_export", args=(project.slug,))
    answer = as_user(erin).post(url, given)
    assert answer.status_code == 422
    assert "Only an admin" in answer.content.decode()
    assert as_user(make_user(username="adam")).post(url, given).status_code == 302
