"""The pages of an evaluation by people: who opens them, the form, the verdict, and the promotion that follows."""

import uuid
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from labeling.models import Candidate, Evaluation, Policy, Project, Promotion, User
from labeling.rounds import evaluations
from tests.labeling.factories import (
    make_project,
    make_served_policy,
    make_user,
)
from tests.labeling.rounds.judging import (
    answer_all,
    claimed,
    fill_pool,
    judge,
    run_evaluation,
)
from tests.labeling.signed_in import as_user, htmx_get

pytestmark = pytest.mark.django_db


@pytest.fixture
def project(store: Path) -> Project:
    project = make_project(slug="sky", policy=make_served_policy(name="base"))
    fill_pool(project)
    return project


@pytest.fixture
def newer() -> Policy:
    return make_served_policy(name="newer")


@pytest.fixture
def browser(project: Project) -> Client:
    return as_user(make_user(username="erin", role=User.Role.ENGINEER, projects=[project]))


def url(name: str, *arguments: Any) -> str:
    return reverse(name, args=("sky", *arguments))


def form(policy: Policy, **values: Any) -> dict[str, Any]:
    return {"candidates": [policy.id], "num_prompts": 30, "verdicts_per_pair": 1, "share": 25, **values}


def test_only_engineers_and_admins_of_the_project_open_them(project: Project, newer: Policy) -> None:
    evaluation = evaluations.begin(project, [newer], by=None, num_prompts=20)
    trainer = as_user(make_user(projects=[project]))
    stranger = as_user(make_user(role=User.Role.ENGINEER))
    for address in (url("evaluations"), url("evaluation", evaluation.id)):
        assert trainer.get(address).status_code == 403
        assert stranger.get(address).status_code == 404
    for address in (url("evaluations"), url("stop_evaluation", evaluation.id)):
        assert trainer.post(address).status_code == 403
        assert stranger.post(address).status_code == 404
    evaluation.refresh_from_db()
    assert evaluation.is_open


def test_an_evaluation_is_begun_from_the_form(project: Project, newer: Policy, browser: Client) -> None:
    asked = browser.get(url("evaluations"), {"candidate": str(newer.id)}).content.decode()
    assert f'value="{newer.id}"' in asked
    assert "checked" in asked
    answer = browser.post(url("evaluations"), form(newer))
    evaluation = Evaluation.objects.get()
    assert answer["Location"] == url("evaluation", evaluation.id)
    assert (evaluation.share, evaluation.num_prompts, str(evaluation.created_by)) == (0.25, 30, "Erin")
    assert "An evaluation is open" in browser.get(url("evaluations")).content.decode()


def test_what_cannot_be_begun_is_said_beside_the_form(project: Project, newer: Policy, browser: Client) -> None:
    for values, sentence in (
        (form(newer, num_prompts=5), "5 prompts are held out, for 5 judgements: too few"),
        (form(newer, share=0), "greater than or equal to 1"),
        ({"num_prompts": 30, "verdicts_per_pair": 1, "share": 50}, "Choose at least one policy"),
        (form(newer, candidates=[uuid.uuid4()]), "is not one of the available choices"),
    ):
        answer = browser.post(url("evaluations"), values)
        assert answer.status_code == 422
        assert sentence in answer.content.decode()
    assert browser.get(url("evaluations"), {"candidate": "no id"}).status_code == 200
    assert Evaluation.objects.count() == 0


def test_the_page_says_how_far_it_is_and_then_the_verdict(project: Project, newer: Policy, browser: Client) -> None:
    evaluation = evaluations.begin(project, [newer], by=None, num_prompts=50, share=1.0)
    answer_all(evaluation, most=49)
    alice, bob = make_user(projects=[project]), make_user(projects=[project])
    judge(claimed(project, alice), by=alice, better="newer")
    page = browser.get(url("evaluation", evaluation.id)).content.decode()
    assert "1 judgement so far. The test looks when 40 are in" in page
    assert "50 pairs of answers." in page
    assert "1 is still being sampled." in page
    for number in range(39):
        trainer = (alice, bob)[number % 2]
        judge(claimed(project, trainer), by=trainer, better="newer")
    assert evaluations.decide(project) == 1
    part = htmx_get(browser, url("evaluation", evaluation.id)).content.decode()
    assert "<html" not in part
    assert "People prefer newer to base." in part
    assert "100 %" in part
    assert "n = 40" in part
    assert "hx-get" not in part  # nothing changes any more


def test_an_evaluation_is_stopped_from_its_page(project: Project, newer: Policy, browser: Client) -> None:
    evaluation = evaluations.begin(project, [newer], by=None, num_prompts=20)
    page = browser.post(url("stop_evaluation", evaluation.id), follow=True).content.decode()
    assert "The evaluation is stopped. What was judged is kept." in page
    assert "Stopped" in page
    evaluation.refresh_from_db()
    assert evaluation.state == Evaluation.State.STOPPED


def test_people_s_word_comes_first_where_a_policy_is_promoted(project: Project, newer: Policy, browser: Client) -> None:
    run_evaluation(project, newer, better="newer")
    page = browser.get(url("promote_policy", newer.id)).content.decode()
    assert page.index("People prefer newer to base.") < page.index("gold preference")
    assert 'name="reason"' not in page
    assert browser.post(url("promote_policy", newer.id)).status_code == 302
    assert Promotion.objects.get().has_peoples_word
    assert "people's word" in browser.get(url("rounds")).content.decode()


def test_a_policy_that_people_called_worse_is_promoted_with_a_reason_that_stays(
    project: Project, newer: Policy, browser: Client
) -> None:
    run_evaluation(project, newer, better="base")
    page = browser.get(url("promote_policy", newer.id)).content.decode()
    assert "People prefer base to newer." in page
    assert "newer was judged worse than base. Say why" in page
    refused = browser.post(url("promote_policy", newer.id), {"reason": "x" * 2001})
    assert refused.status_code == 422
    assert browser.post(url("promote_policy", newer.id), {"reason": "It is safer."}).status_code == 302
    model = browser.get(reverse("model", args=(newer.id,))).content.decode()
    assert "against people's word" in model
    assert "It is safer." in model
    rounds = browser.get(url("rounds")).content.decode()
    base = Policy.objects.get(name="base")
    assert url("promote_policy", base.id) in rounds
    assert "Go back to base?" in browser.get(url("promote_policy", base.id)).content.decode()


def test_the_compare_page_asks_people_first(project: Project, newer: Policy, browser: Client) -> None:
    page = browser.get(url("compare_policy", newer.id)).content.decode()
    assert "People were not asked about newer and base." in page
    assert f"{url('evaluations')}?candidate={newer.id}" in page
    evaluations.begin(project, [newer], by=None, num_prompts=20)
    page = browser.get(url("compare_policy", newer.id)).content.decode()
    assert "Is newer better than base?" in page
    assert Candidate.objects.get().verdict == Candidate.Verdict.OPEN


@pytest.mark.parametrize(
    ("num_simulated", "said"),
    [
        (0, "People prefer newer to base"),
        (1, "are by simulated trainers"),
        (2, "Simulated trainers prefer newer to base"),
    ],
)
def test_what_programs_judged_is_not_called_peoples_word(
    project: Project, newer: Policy, browser: Client, num_simulated: int, said: str
) -> None:
    evaluation = run_evaluation(project, newer, better="newer")
    judges = User.objects.filter(rankings__comparison__evaluation=evaluation).distinct()
    assert judges.count() == 2
    User.objects.filter(id__in=[one.id for one in judges[:num_simulated]]).update(is_simulated=True)
    for address in (url("evaluation", evaluation.id), url("promote_policy", newer.id)):
        page = browser.get(address).content.decode()
        assert said in page
        assert ("simulated" in page.lower()) == (num_simulated > 0)
    browser.post(url("promote_policy", newer.id))
    assert Promotion.objects.get().is_by_simulated_trainers == (num_simulated > 0)
    page = browser.get(reverse("model", args=(newer.id,))).content.decode()
    assert ("by simulated trainers" in page) == (num_simulated > 0)
