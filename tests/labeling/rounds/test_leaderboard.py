"""The leaderboard: whose rankings count, which pairs they give, and what its page says of few votes."""

import random
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from labeling.models import Policy, Project, User
from labeling.rounds import leaderboard
from labeling.rounds.leaderboard import leaderboard_of
from tests.labeling.exports.material import make_ranking
from tests.labeling.factories import make_comparison, make_policy, make_project, make_user
from tests.labeling.signed_in import as_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def policies() -> list[Policy]:
    return [make_policy(name=name) for name in ("alpha", "beta", "gamma")]


@pytest.fixture
def project() -> Project:
    return make_project(slug="sky")


def rank(project: Project, order: list[list[Policy]], *, trainer: User, use: str = "evaluation", **fields: Any) -> None:
    """One ranking of one completion of each policy, in this order of tiers."""
    num = sum(map(len, order))
    comparison = make_comparison(project=project, num_completions=num, use=use, state="done", open_slots=0)
    placed: list[list[int]] = []
    for tier in order:
        begin = sum(map(len, placed))
        placed.append(list(range(begin, begin + len(tier))))
    for index, policy in enumerate(policy for tier in order for policy in tier):
        comparison.completions.filter(index=index).update(policy=policy)
    make_ranking(project=project, comparison=comparison, trainer=trainer, order=placed, **fields)


def test_every_pair_of_two_policies_in_a_ranking_is_a_vote(project: Project, policies: list[Policy]) -> None:
    alpha, beta, gamma = policies
    rank(project, [[alpha], [beta, gamma], [alpha]], trainer=make_user(projects=[project]), use="work")
    board = leaderboard_of([project])
    assert (board.num_rankings, board.num_votes) == (1, 5)  # not alpha with itself
    found = {one.policy: (one.num_votes, one.wins.value) for one in board.standings}
    assert found == {"alpha": (4, 0.5), "beta": (3, 0.5), "gamma": (3, 0.5)}
    assert [one.strength for one in board.standings] == [None, None, None]


def test_only_what_people_ranked_and_did_not_take_back_counts(project: Project, policies: list[Policy]) -> None:
    alpha, beta, _ = policies
    alice = make_user(username="alice", projects=[project])
    rank(project, [[alpha], [beta]], trainer=alice)
    for fields in ({"retracted_at": timezone.now()}, {"use": "gold"}, {"trainer": make_user(is_simulated=True)}):
        rank(project, [[beta], [alpha]], **{"trainer": make_user(projects=[project]), **fields})
    rank(make_project(), [[beta], [alpha]], trainer=alice)
    board = leaderboard_of([project])
    assert (board.num_votes, board.standings[0].policy, board.standings[0].wins.value) == (1, "alpha", 1.0)


def test_the_order_is_that_of_planted_strengths(
    project: Project, policies: list[Policy], monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = random.Random(1)
    trainers = [make_user(projects=[project]) for _ in range(4)]
    for number in range(90):
        first, second = generator.sample(range(3), 2)
        better, worse = (first, second) if (first < second) == (generator.random() < 0.8) else (second, first)
        rank(project, [[policies[better]], [policies[worse]]], trainer=trainers[number % 4])
    board = leaderboard_of([project])
    assert [one.policy for one in board.standings] == ["alpha", "beta", "gamma"]
    strengths = [one.strength for one in board.standings]
    assert all(one is not None and one.low < one.value < one.high for one in strengths) == (len(strengths) == 3)
    assert board.tied is not None
    assert board.styled is not None
    assert not board.is_cut
    monkeypatch.setattr(leaderboard, "MOST_RANKINGS", 50)
    cut = leaderboard_of([project])
    assert (cut.num_rankings, cut.is_cut) == (50, True)


def test_the_page_says_what_is_too_few_and_is_for_engineers(project: Project, policies: list[Policy]) -> None:
    alpha, beta, _ = policies
    alice = make_user(username="alice", projects=[project])
    browser = as_user(make_user(username="erin", role=User.Role.ENGINEER, projects=[project]))
    assert "Nothing to compare yet" in page(browser)
    for _ in range(3):
        rank(project, [[alpha], [beta]], trainer=alice)
    shown = page(browser)
    assert "too few to say" in shown
    assert "1 person, 1 prompt" in shown
    assert "44 % – 100 %" in shown  # no "100 %, 100–100 %" of three votes
    elsewhere = make_project(slug="sea")
    assert "Nothing to compare yet" in page(as_user(make_user(role="admin")), project="sea")
    assert elsewhere.name not in shown
    assert as_user(alice).get(reverse("leaderboard")).status_code == 403


def page(browser: Client, **query: str) -> str:
    answer = browser.get(reverse("leaderboard"), query)
    assert answer.status_code == 200
    return answer.content.decode()
