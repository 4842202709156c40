"""The ways to a policy beside PPO: what the rounds page says of each, their forms, and what they refuse in words."""

import re
from typing import Any

import pytest
from django.test import Client

from labeling.models import Project, RewardModel, TrainingJob
from labeling.rounds.forms import TRAINING_FORMS
from tests.labeling.exports.material import make_ranking
from tests.labeling.factories import make_policy, make_project, make_prompt
from tests.labeling.rounds.views.test_rounds import make_export, make_job, page, url

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]

WAYS = ("rloo", "dpo", "kto", "rejection_sampling")
SCORED = ("rloo", "rejection_sampling")


@pytest.fixture
def project() -> Project:
    return make_project(slug="sky", name="Sky", policy=make_policy(name="base"))


def judge(name: str = "judge") -> RewardModel:
    return RewardModel.objects.get_or_create(name=name, store_path=f"rewardmodels/{name}", manifest_sha256="0" * 64)[0]


def values(project: Project, kind: str, **given: Any) -> dict[str, Any]:
    """What a browser sends of a form that nobody changed."""
    if kind in SCORED:
        judge()
    form = TRAINING_FORMS[kind](project=project)
    proposed = {name: form.get_initial_for_field(field, name) for name, field in form.fields.items()}
    rows = {
        "export": make_export(project, form_export(kind)).id,
        "reward_model": judge().id if kind in SCORED else None,
    }
    filled = {**proposed, **rows, "lora": "on", "output_name": "better", **given}
    return {name: value for name, value in filled.items() if value is not None and value is not False}


def form_export(kind: str) -> str:
    return {"rloo": "prompts", "dpo": "rankings", "kto": "thumbs", "rejection_sampling": "prompts"}[kind]


def test_ppo_is_offered_first_and_each_other_way_in_one_sentence(project: Project, erins_browser: Client) -> None:
    content = page(erins_browser, "rounds")
    kinds = re.findall(r'href="[^"]*\?kind=([a-z_]+)#train"><b>', content)
    assert kinds == ["sft", "reward_model", "ppo", *WAYS]
    sentences = re.findall(r"<b>[^<]*</b><span class=\"muted small\">([^<]*)</span>", content)
    assert len(sentences) == len(kinds)
    assert [said for said in sentences if said.count(".") != 1 or not said.endswith(".")] == []
    assert content.index("In place of PPO") > content.index("Optimise by PPO")


@pytest.mark.parametrize("kind", WAYS)
def test_a_form_that_nobody_changed_starts_its_job(project: Project, erins_browser: Client, kind: str) -> None:
    sent = values(project, kind)
    answer = erins_browser.post(url("start_training"), sent)
    assert answer.status_code == 302, answer.content.decode()
    job = TrainingJob.objects.get()
    assert (job.kind, job.export_id, job.policy, job.output_name) == (kind, sent["export"], project.policy, "better")
    assert job.reward_model == (judge() if kind in SCORED else None)
    assert job.options["lora"] is True
    content = page(erins_browser, "training_job", job.id)
    assert ("scored by judge" in content) == (kind in SCORED)
    again = page(erins_browser, "rounds", query=f"?again={job.id}")
    assert '<section class="card training-form">' in again


@pytest.mark.parametrize(
    ("kind", "given", "complaint"),
    [
        ("rloo", {"completions_per_prompt": 1}, "greater than or equal to 2"),
        ("rloo", {"minibatch_size": 10}, "must be a multiple of “Completions per step” 10; give 60"),
        ("rloo", {"reward_model": ""}, "A reward model is needed, which scores the completions; train one first."),
        ("rloo", {"advantage": "mean"}, "Select a valid choice"),
        ("dpo", {"whole_tiers": "on", "margin_per_strength": "0.5"}, "Margins are of pairs; whole tiers have none."),
        ("dpo", {"beta": "0"}, "greater than or equal to 0.001"),
        ("kto", {"desirable_weight": "1"}, "The two weights go together; give both or neither."),
        ("rejection_sampling", {"num_samples": 1}, "greater than or equal to 2"),
    ],
)
def test_what_the_program_would_refuse_answers_422(
    project: Project, erins_browser: Client, kind: str, given: dict[str, Any], complaint: str
) -> None:
    answer = erins_browser.post(url("start_training"), values(project, kind, **given))
    assert answer.status_code == 422
    assert complaint in answer.content.decode()
    assert not TrainingJob.objects.exists()


@pytest.mark.parametrize("kind", WAYS)
def test_an_export_of_another_kind_is_refused_by_what_is_needed(
    project: Project, erins_browser: Client, kind: str
) -> None:
    sent = values(project, kind, export=make_export(project, "demonstrations").id)
    answer = erins_browser.post(url("start_training"), sent)
    assert answer.status_code == 422
    assert f"a finished export of {form_export(kind)} of this project" in answer.content.decode()


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("dpo", "It learns from rankings, and nobody has ranked anything here yet."),
        ("kto", "It learns from thumbs, and there are none here yet"),
        ("rloo", "It answers prompts, and the pool holds none yet."),
        ("sft", "It learns from demonstrations, and none has been accepted here yet."),
    ],
)
def test_a_project_that_has_nothing_to_learn_from_is_told_so(
    project: Project, erins_browser: Client, kind: str, sentence: str
) -> None:
    judge()
    content = page(erins_browser, "rounds", query=f"?kind={kind}")
    assert sentence in content
    assert 'name="output_name"' not in content
    assert "none has been made yet" not in content


def test_what_was_never_exported_is_exported_first(project: Project, erins_browser: Client) -> None:
    make_ranking(project=project)
    make_prompt(project=project)
    dpo = page(erins_browser, "rounds", query="?kind=dpo")
    assert "a finished export of rankings in the records format, and there is none" in dpo
    assert f'href="{url("data")}?kind=rankings"' in dpo
    data = page(erins_browser, "data", query="?kind=thumbs")
    assert re.search(r'value="thumbs"[^>]*checked', data)
    sampled = page(erins_browser, "rounds", query="?kind=rejection_sampling")
    assert "none has been made yet" in sampled
    assert f'href="{url("rounds")}?kind=reward_model#train"' in sampled


def test_an_export_of_thumbs_leads_to_kto_and_one_of_rankings_where_it_is_asked(
    project: Project, erins_browser: Client
) -> None:
    thumbs, rankings = make_export(project, "thumbs"), make_export(project, "rankings")
    assert 'name="desirable_weight"' in page(erins_browser, "rounds", query=f"?export={thumbs.id}")
    assert "Scores are to be 0 on" in page(erins_browser, "rounds", query=f"?export={rankings.id}")
    assert 'name="whole_tiers"' in page(erins_browser, "rounds", query=f"?export={rankings.id}&kind=dpo")
    assert 'name="whole_tiers"' not in page(erins_browser, "rounds", query=f"?export={thumbs.id}&kind=dpo")


def test_several_reward_models_score_where_there_are_several(project: Project, erins_browser: Client) -> None:
    alone = page(erins_browser, "rounds", query=f"?export={make_export(project, 'prompts').id}&kind=rloo")
    assert 'name="ensemble_models"' not in alone
    second, third = judge("second"), judge("third")
    sent = values(project, "rloo", ensemble_models=[second.id, third.id], ensemble="worst")
    assert erins_browser.post(url("start_training"), sent).status_code == 302
    job = TrainingJob.objects.get()
    assert set(job.ensemble_models.all()) == {second, third}
    assert job.options["ensemble"] == "worst"
    assert "scored by judge and second and third" in page(erins_browser, "training_job", job.id)
    again = page(erins_browser, "rounds", query=f"?again={job.id}")
    assert len(re.findall(r'name="ensemble_models"[^>]*checked', again)) == 2
    refused = erins_browser.post(url("start_training"), {**values(project, "rloo"), "ensemble": "worst"})
    assert "One reward model has no others to be set against" in refused.content.decode()
    itself = values(project, "rloo", ensemble_models=[judge().id], output_name="itself")
    assert "in an ensemble only once" in erins_browser.post(url("start_training"), itself).content.decode()


@pytest.mark.parametrize("kind", WAYS)
def test_a_policy_of_each_way_is_compared_and_promoted(project: Project, erins_browser: Client, kind: str) -> None:
    job = make_job(project, kind=kind, state=TrainingJob.State.DONE, output_name="better")
    better = make_policy(name="better", training_job=job, parent=project.policy)
    content = page(erins_browser, "training_job", job.id)
    assert f'class="button primary" href="{url("compare_policy", better.id)}"' in content
    assert url("promote_policy", better.id) in page(erins_browser, "rounds")
    for name in ("compare_policy", "promote_policy"):
        assert erins_browser.get(url(name, better.id)).status_code == 200
    assert "better" in page(erins_browser, "runs", query=f"?kind={kind}")
    assert "better" in page(erins_browser, "training_jobs", query=f"?kind={kind}")
