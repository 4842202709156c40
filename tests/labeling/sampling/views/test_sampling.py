"""The page of sampling: what it shows, trying again, leaving out, and who may."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from labeling.models import Comparison, Project, Round, SamplingRun, User
from labeling.sampling import comparisons, runs
from labeling.sampling.mixtures import Part, change_mixture
from tests.labeling.factories import make_chat, make_policy, make_project, make_user
from tests.labeling.signed_in import as_user, htmx_get

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("broker")]


@pytest.fixture
def project() -> Project:
    return make_project(slug="sky", policy=make_policy(name="base"))


def failed_comparison(project: Project, error: str = "policy base cannot be served") -> Comparison:
    make_chat(project=project)
    (comparison,) = comparisons.make_comparisons(project, num=1, seed=1, by=None)
    run = comparison.sampling_runs.get()
    runs.fail(run, error, for_good=True)
    comparison.refresh_from_db()
    assert comparison.state == "failed"
    return comparison


def url(name: str, *arguments: Any) -> str:
    return reverse(name, args=("sky", *arguments))


def test_it_shows_what_failed_and_why(project: Project, erins_browser: Client) -> None:
    failed_comparison(project, "policies/base is not in this worker's model store; publish it there")
    shown = erins_browser.get(url("sampling")).content.decode()
    assert "policies/base is not in this worker&#x27;s model store; publish it there" in shown
    assert "Question 0?" in shown
    assert "base at 1.0" in shown
    assert "Try all again" not in shown  # there is but one
    assert "See sampling" in erins_browser.get(url("rounds")).content.decode()


def test_its_changing_part_comes_alone(project: Project, erins_browser: Client) -> None:
    shown = htmx_get(erins_browser, url("sampling")).content.decode()
    assert shown.lstrip().startswith('<div id="sampling" hx-get=')
    assert "<html" not in shown


def test_a_mixture_is_told(project: Project, erins_browser: Client) -> None:
    other = make_policy(name="other")
    adam = make_user(username="adam", role=User.Role.ADMIN)
    change_mixture(project, [Part(share=3), Part(policy=other, share=1, temperature=0.5)], by=adam)
    shown = " ".join(erins_browser.get(url("sampling")).content.decode().split())
    assert "Each is shared out among base (3), other at 0.5 (1)." in shown


def test_it_is_tried_again(
    project: Project, erins_browser: Client, commits: Callable[[], AbstractContextManager[Any]]
) -> None:
    comparison = failed_comparison(project)
    with commits():
        answer = erins_browser.post(url("retry_sampling", comparison.id))
    assert answer["Location"] == url("sampling")
    run = comparison.sampling_runs.get()
    assert (run.state, run.attempt, run.error) == (SamplingRun.State.SENT, 1, "")
    comparison.refresh_from_db()
    assert comparison.state == "sampling"


def test_all_are_tried_again(project: Project, erins_browser: Client) -> None:
    first, second = failed_comparison(project), failed_comparison(project)
    assert "Try all again" in erins_browser.get(url("sampling")).content.decode()
    shown = erins_browser.post(url("retry_all_sampling"), follow=True).content.decode()
    assert "2 are sampled again." in shown
    assert set(Comparison.objects.values_list("state", flat=True)) == {"sampling"}
    assert first != second


def test_it_is_left_out(project: Project, erins_browser: Client) -> None:
    comparison = failed_comparison(project)
    erins_browser.post(url("leave_out_comparison", comparison.id))
    comparison.refresh_from_db()
    assert comparison.state == "withdrawn"
    assert "Question 0?" not in erins_browser.get(url("sampling")).content.decode()


def test_without_a_round_it_says_so(project: Project, erins_browser: Client) -> None:
    Round.objects.update(closed_at="2100-01-01T00:00Z")
    assert "No round is open" in erins_browser.get(url("sampling")).content.decode()
    assert erins_browser.post(url("retry_all_sampling")).status_code == 302


def test_others_are_kept_out(project: Project, alice: User) -> None:
    comparison = failed_comparison(project)
    stranger = as_user(make_user(username="ezra", role="engineer"))
    for name, arguments in (("retry_sampling", [comparison.id]), ("leave_out_comparison", [comparison.id])):
        assert as_user(alice).post(url(name, *arguments)).status_code == 403
        assert stranger.post(url(name, *arguments)).status_code == 404
    assert as_user(alice).get(url("sampling")).status_code == 403
    assert stranger.get(url("sampling")).status_code == 404
    elsewhere = make_project(slug="sea")
    erins_browser = as_user(make_user(role="engineer", projects=[elsewhere]))
    assert erins_browser.post(reverse("retry_sampling", args=("sea", comparison.id))).status_code == 404


def test_more_failed_ones_cost_no_more_queries(
    project: Project, erins_browser: Client, django_assert_max_num_queries: Any
) -> None:
    for _ in range(6):
        failed_comparison(project)
    with django_assert_max_num_queries(20):
        erins_browser.get(url("sampling"))
