"""My work: what I did, what became of it, and my pace, counted kindly and only for me."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format

from labeling.models import Comparison, Dialogue, PracticeRanking, Project, Ranking, User
from labeling.quality.personal_statistics import personal_statistics
from tests.labeling.factories import make_comparison, make_dialogue, make_project, make_reference, make_user
from tests.labeling.signed_in import as_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project(slug="sky")


@pytest.fixture
def client(alice: User) -> Client:
    return as_user(alice)


def make_ranking(*, trainer: User, project: Project, **fields: Any) -> Ranking:
    comparison: Comparison = fields.pop("comparison", None) or make_comparison(project=project)
    ids = [str(completion.pk) for completion in comparison.completions.order_by("index")]
    values = {"tiers": [[ids[1]], [ids[0], ids[2]], [ids[3]]], "shown_order": ids, "seconds": 65.0}
    return Ranking.objects.create(
        comparison=comparison, trainer=trainer, submission_key=uuid.uuid4(), **{**values, **fields}
    )


def test_dialogues_and_rankings_are_listed_with_what_became_of_them(
    client: Client, project: Project, alice: User
) -> None:
    make_dialogue(project=project, author=alice, state=Dialogue.State.ACCEPTED)
    make_dialogue(project=project, author=alice, state=Dialogue.State.RETURNED, review_comment="Too short.")
    make_ranking(trainer=alice, project=project, unacceptable_from=2)
    make_ranking(trainer=alice, project=project, tiers=[], abstained="I do not know the subject")
    page = client.get(reverse("history")).content.decode()
    for words in ("accepted", "Too short.", "B &gt; A = C | D", "abstained: I do not know the subject"):
        assert words in page


def test_the_work_of_others_is_not_there(client: Client, project: Project) -> None:
    bob = make_user(username="bob", projects=[project])
    make_dialogue(project=project, author=bob, turns=[("user", "Bob's secret", "typed")])
    make_ranking(trainer=bob, project=project)
    page = client.get(reverse("history")).content.decode()
    assert "secret" not in page
    assert "B &gt; A" not in page


def test_pace_counts_what_stands_and_says_nothing_of_too_few_times(project: Project, alice: User) -> None:
    make_ranking(trainer=alice, project=project)
    pace = personal_statistics(alice)
    assert [figure.value for figure in pace.figures] == ["0", "1", "–", "–"]
    for seconds in (30.0, 90.0):
        make_ranking(trainer=alice, project=project, seconds=seconds)
    pace = personal_statistics(alice)
    assert [figure.value for figure in pace.figures] == ["0", "3", "1 min 5 s", "–"]
    assert len(pace.days) == 14
    assert pace.days[-1].height == 64


def test_what_was_taken_back_is_no_work_done(project: Project, alice: User) -> None:
    make_ranking(trainer=alice, project=project)
    make_ranking(trainer=alice, project=project, retracted_at=timezone.now())
    pace = personal_statistics(alice)
    assert pace.figures[1].value == "1"
    assert pace.days[-1].title.endswith(": 1")


def test_the_chart_reaches_back_two_weeks(project: Project, alice: User) -> None:
    for days in (13, 14):
        ranking = make_ranking(trainer=alice, project=project)
        Ranking.objects.filter(pk=ranking.pk).update(ranked_at=timezone.now() - timedelta(days=days))
    pace = personal_statistics(alice)
    assert pace.summary == "1 dialogue or ranking in the last two weeks"
    assert pace.days[0].title.endswith(": 1")
    assert pace.days[-1].title == f"{date_format(timezone.localdate(), 'j M')}: 0"


@pytest.mark.parametrize("which", ["taken back", "gold"])
def test_agreement_leaves_out_what_is_not_work_that_stands(project: Project, alice: User, which: str) -> None:
    bob = make_user(username="bob", projects=[project])
    for turned in (False, False, True):
        mine = make_ranking(trainer=alice, project=project)
        tiers = mine.tiers[::-1] if turned else mine.tiers
        taken_back = timezone.now() if turned and which == "taken back" else None
        make_ranking(trainer=bob, project=project, comparison=mine.comparison, tiers=tiers, retracted_at=taken_back)
        if turned and which == "gold":
            Comparison.objects.filter(id=mine.comparison_id).update(use="gold")
    assert personal_statistics(alice).figures[3].value == "100 %"


def test_agreement_is_with_people_who_ranked_the_same_and_with_nobody_else(project: Project, alice: User) -> None:
    bob = make_user(username="bob", projects=[project])
    robot = make_user(username="robot", projects=[project], is_simulated=True)
    for _ in range(2):
        mine = make_ranking(trainer=alice, project=project)
        a, b, c, d = mine.shown_order  # mine is B > A = C > D: five ordered pairs
        for trainer, tiers in ((bob, [[a], [b], [c], [d]]), (robot, [[d], [c], [b], [a]])):
            make_ranking(trainer=trainer, project=project, comparison=mine.comparison, tiers=tiers)
    assert personal_statistics(alice).figures[3].value == "80 %"  # Bob turned one of the five round


def test_earlier_work_is_on_further_pages(client: Client, project: Project, alice: User) -> None:
    for number in range(27):
        make_dialogue(project=project, author=alice, turns=[("user", f"Question {number:02d}?", "typed")])
        make_ranking(trainer=alice, project=project)
    first = client.get(reverse("history"))
    page = first.content.decode()
    assert "Question 26?" in page
    assert "Question 01?" not in page
    work = first.context["work"]
    assert [len(work.rankings.rows), len(work.dialogues.rows)] == [25, 25]
    second = client.get(reverse("history") + work.dialogues.next_query)
    assert "Question 01?" in second.content.decode()
    assert (second.context["work"].rankings, len(second.context["work"].dialogues.rows)) == (None, 2)
    rankings = client.get(reverse("history") + work.rankings.next_query).context["work"]
    assert (rankings.dialogues, len(rankings.rankings.rows)) == (None, 2)
    assert client.get(reverse("history"), {"after": "nonsense", "kind": "nonsense"}).status_code == 200


def test_more_work_costs_no_more_queries(
    client: Client, project: Project, alice: User, django_assert_num_queries: Any
) -> None:
    for num in (1, 8):
        for _ in range(num):
            make_dialogue(project=project, author=alice)
            make_ranking(trainer=alice, project=project)
        with django_assert_num_queries(18):
            client.get(reverse("history"))


def test_practice_is_said_in_pairs_as_its_own_page_says_it(project: Project, alice: User) -> None:
    reference = make_reference(project=project, use="practice")
    first, second, *others = reference.tiers
    practised = {"comparison": reference.comparison, "trainer": alice, "shown_order": []}
    for tiers, figure in (([second, first, *others], "5 of 6"), ([first + second, *others], "5.5 of 6")):
        PracticeRanking.objects.create(submission_key=uuid.uuid4(), tiers=tiers, **practised)
        assert personal_statistics(alice).figures[4].value == figure
