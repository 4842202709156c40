"""The page of near-duplicates: pairs side by side with what differs marked, and every decision taken once."""

import uuid

import pytest
from django.test import Client
from django.urls import reverse

from labeling.models import Project, Prompt, PromptVector, User
from labeling.prompts import near_duplicates
from records import EmbedResult
from tests.labeling.factories import make_project, make_prompt
from tests.labeling.signed_in import as_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def near(project: Project) -> tuple[Prompt, Prompt]:
    one = make_prompt(project=project, content="How do I bake <bread>?", topic="baking")
    other = make_prompt(project=project, content="How can I bake <bread>?", source="questions.jsonl")
    rest = [0.0] * (PromptVector.WIDTH - 2)
    vectors = ((1.0, 0.0, *rest), (0.96, 0.28, *rest))
    near_duplicates.record_vectors(EmbedResult(ids=(str(one.id), str(other.id)), vectors=vectors))
    return one, other


def page(browser: Client, project: Project) -> str:
    return browser.get(reverse("near_duplicates", args=(project.slug,))).content.decode()


def decide(browser: Client, project: Project, prompt: Prompt, decision: str) -> int:
    url = reverse("decide_near_duplicate", args=(project.slug, prompt.id))
    return browser.post(url, {"decision": decision}).status_code


def in_use(project: Project) -> set[Prompt]:
    return set(Prompt.objects.in_use().filter(project=project))


def test_a_pair_is_shown_with_what_differs(
    project: Project, near: tuple[Prompt, Prompt], erins_browser: Client
) -> None:
    make_prompt(project=project)
    shown = page(erins_browser, project)
    assert "How <mark>do</mark> I bake &lt;bread&gt;?" in shown
    assert "How <mark>can</mark> I bake &lt;bread&gt;?" in shown
    assert "0.960" in shown
    assert "1 prompt is not compared with the others yet" in shown
    assert "1 is nearly an earlier one" in erins_browser.get(reverse("data", args=(project.slug,))).content.decode()


@pytest.mark.parametrize(("decision", "stays"), [("earlier", {1}), ("later", {0}), ("both", {0, 1})])
def test_a_decision_is_taken_and_the_pair_goes(
    project: Project, near: tuple[Prompt, Prompt], erins_browser: Client, decision: str, stays: set[int]
) -> None:
    for _ in range(2):
        assert decide(erins_browser, project, near[1], decision) == 302
    assert in_use(project) == {near[place] for place in stays}
    assert "No two prompts are nearly the same" in page(erins_browser, project)


def test_a_retired_prompt_can_be_brought_back(
    project: Project, near: tuple[Prompt, Prompt], erins_browser: Client
) -> None:
    decide(erins_browser, project, near[1], "later")
    assert "Retired lately" in page(erins_browser, project)
    erins_browser.post(reverse("retire_prompt", args=(project.slug, near[1].id)), {"retired": "no"})
    assert in_use(project) == set(near)


def test_all_from_a_similarity_on_are_retired(
    project: Project, near: tuple[Prompt, Prompt], erins_browser: Client
) -> None:
    url = reverse("retire_near_duplicates", args=(project.slug,))
    answer = erins_browser.post(url, {"at_least": "0.99"}, follow=True)
    assert "No two prompts are that near." in answer.content.decode()
    for wrong in ("0.5", "2", "near", ""):
        answer = erins_browser.post(url, {"at_least": wrong})
        assert answer.status_code == 422
        assert "errorlist" in answer.content.decode()
    assert in_use(project) == set(near)
    assert "1 prompt was retired." in erins_browser.post(url, {"at_least": "0.95"}, follow=True).content.decode()
    assert in_use(project) == {near[0]}


def test_nonsense_changes_nothing(project: Project, near: tuple[Prompt, Prompt], erins_browser: Client) -> None:
    assert decide(erins_browser, project, near[1], "eat it") == 422
    assert decide(erins_browser, project, near[0], "earlier") == 302  # it resembles no other
    elsewhere = make_prompt(project=make_project())
    assert decide(erins_browser, project, elsewhere, "later") == 404
    url = reverse("decide_near_duplicate", args=(project.slug, uuid.uuid4()))
    assert erins_browser.post(url, {"decision": "later"}).status_code == 404
    assert in_use(project) == set(near)


def test_trainers_have_no_business_here(project: Project, near: tuple[Prompt, Prompt], alice: User) -> None:
    assert as_user(alice).get(reverse("near_duplicates", args=(project.slug,))).status_code in (403, 404)
    assert decide(as_user(alice), project, near[1], "later") in (403, 404)
    assert in_use(project) == set(near)
