"""The quality page: figures of real rankings, who may see them, how many reports wait."""

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from labeling.models import Comparison, Project, Ranking, User
from labeling.quality import ranking_fields
from labeling.quality.report import quality_figures
from labeling.safety.reports import report
from tests.labeling.factories import make_comparisons, make_project, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project(slug="quality", rankings_wanted=2)


def rank(project: Project, orders: dict[User | None, list[list[int]]], *, seconds: float = 30.0) -> None:
    """One comparison, ranked by each trainer in tiers of completion indices; shown in order of index."""
    (comparison,) = make_comparisons(project=project, num=1, num_completions=4)
    ids = {one.index: str(one.id) for one in comparison.completions.all()}
    for trainer, tiers in orders.items():
        Ranking.objects.create(
            comparison=comparison,
            trainer=trainer,
            submission_key=comparison.id if trainer is None else trainer_key(comparison.id, trainer.id),
            tiers=[[ids[index] for index in tier] for tier in tiers],
            shown_order=[ids[index] for index in range(4)],
            seconds=seconds,
        )


def trainer_key(one: object, other: object) -> str:
    import uuid

    return str(uuid.uuid5(uuid.UUID(str(one)), str(other)))


def newest(project: Project) -> Comparison:
    return project.comparisons.order_by("-created_at")[0]


def test_agreement_counts_pairs_that_both_ordered(project: Project) -> None:
    alice = make_user(username="alice", projects=[project])
    bob = make_user(username="bob", projects=[project])
    rank(project, {alice: [[0], [1], [2], [3]], bob: [[1], [0], [2], [3]]})  # 5 of 6 pairs alike
    figures = quality_figures(project)
    assert figures.agreement is not None
    assert (figures.agreement.value, figures.agreement.n) == (pytest.approx(5 / 6), 6)
    assert [row.trainer for row in figures.trainers] == [alice, bob]


def test_simulated_and_imported_rankings_are_counted_apart(project: Project) -> None:
    alice = make_user(username="alice", projects=[project])
    robot = make_user(username="simulated", projects=[project])
    User.objects.filter(pk=robot.pk).update(is_simulated=True)
    robot.refresh_from_db()
    rank(project, {alice: [[0], [1], [2], [3]], robot: [[3], [2], [1], [0]], None: [[3], [2, 1, 0]]})
    figures = quality_figures(project)
    assert figures.agreement is None
    assert (figures.num_rankings, figures.num_simulated, figures.num_imported) == (3, 1, 1)


def test_what_was_taken_back_and_gold_items_are_no_work(project: Project) -> None:
    alice, bob = (make_user(username=name, projects=[project]) for name in ("alice", "bob"))
    rank(project, {alice: [[0], [1], [2], [3]], bob: [[0], [1], [2], [3]]})
    rank(project, {alice: [[3], [2], [1], [0]]})
    Ranking.objects.filter(comparison=newest(project)).update(retracted_at=timezone.now())
    rank(project, {bob: [[3], [2], [1], [0]]})
    Comparison.objects.filter(id=newest(project).id).update(use="gold")
    figures = quality_figures(project)
    assert figures.num_rankings == 2
    assert figures.earlier_wins is not None
    assert (figures.earlier_wins.value, figures.earlier_wins.n) == (1.0, 12)


def test_the_newest_rankings_are_read(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranking_fields, "NEWEST", 1)
    alice = make_user(username="alice", projects=[project])
    for seconds in (10.0, 20.0):
        rank(project, {alice: [[0], [1], [2], [3]]}, seconds=seconds)
    assert quality_figures(project).median_seconds == 20


def test_pairs_that_somebody_tied_choices_and_abstentions_are_left_out(project: Project) -> None:
    alice, bob = (make_user(username=name, projects=[project]) for name in ("alice", "bob"))
    rank(project, {alice: [[0], [1], [2, 3]], bob: [[0], [1], [2], [3]]}, seconds=10.0)  # 5 of 5 both ordered
    rank(project, {alice: [[0], [1, 2, 3]], bob: [[1], [0, 2, 3]]})
    Ranking.objects.filter(comparison=newest(project)).update(is_choice=True)
    rank(project, {alice: [], bob: []}, seconds=1000.0)
    Ranking.objects.filter(comparison=newest(project)).update(abstained="no idea")
    figures = quality_figures(project)
    assert figures.agreement is not None
    assert (figures.agreement.value, figures.agreement.n) == (1.0, 5)
    assert (figures.num_abstained, figures.median_seconds) == (2, 20.0)
    assert [(row.num_abstained, row.median_seconds) for row in figures.trainers] == [(1, 20.0)] * 2


def test_a_trainers_agreement_is_with_each_other_trainer(project: Project) -> None:
    alice, bob, carol = (make_user(username=name, projects=[project]) for name in ("alice", "bob", "carol"))
    rank(project, {alice: [[0], [1], [2], [3]], bob: [[0], [1], [2], [3]], carol: [[3], [2], [1], [0]]})
    found = {row.trainer: row.agreement for row in quality_figures(project).trainers}
    assert {trainer: one and (one.value, one.n) for trainer, one in found.items()} == {
        alice: (0.5, 12),
        bob: (0.5, 12),
        carol: (0.0, 12),
    }


@pytest.mark.parametrize(("num", "n"), [(4, 24), (5, 5)])
def test_comparisons_are_resampled_once_there_are_five(project: Project, num: int, n: int) -> None:
    """Before, the interval is over pairs; `n` says which of them it counts."""
    alice, bob = (make_user(username=name, projects=[project]) for name in ("alice", "bob"))
    for _ in range(num):
        rank(project, {alice: [[0], [1], [2], [3]], bob: [[0], [1], [2], [3]]})
    agreement = quality_figures(project).agreement
    assert agreement is not None
    assert agreement.n == n


def test_position_and_ties_are_measured(project: Project) -> None:
    alice = make_user(username="alice", projects=[project])
    rank(project, {alice: [[0], [1], [2, 3]]})
    figures = quality_figures(project)
    assert figures.earlier_wins is not None
    assert (figures.earlier_wins.value, figures.earlier_wins.n) == (1.0, 5)
    assert figures.tied is not None
    assert figures.tied.value == pytest.approx(1 / 6)


def test_the_page_shows_figures_to_reviewers_and_not_to_trainers(project: Project, client: Client) -> None:
    alice = make_user(username="alice", projects=[project])
    rita = make_user(username="rita", projects=[project])
    rank(project, {alice: [[0], [1], [2], [3]], rita: [[0], [1], [2], [3]]})
    client.force_login(rita)
    page = client.get(reverse("quality", args=("quality",)))
    assert page.status_code == 200
    assert "100 %" in page.content.decode()
    client.force_login(alice)
    assert client.get(reverse("quality", args=("quality",))).status_code == 403


def test_the_number_of_queries_does_not_grow_with_the_rankings(
    project: Project, client: Client, django_assert_max_num_queries: object
) -> None:
    rita = make_user(username="rita", projects=[project])
    alice = make_user(username="alice", projects=[project])
    client.force_login(rita)
    for _ in range(8):
        rank(project, {alice: [[0], [1], [2], [3]], rita: [[0, 1], [2], [3]]})
    with django_assert_max_num_queries(17):  # type: ignore[operator]
        client.get(reverse("quality", args=("quality",)))


def test_the_page_says_how_many_reports_wait_and_leads_reviewers_to_them(project: Project, client: Client) -> None:
    alice, rita = make_user(username="alice", projects=[project]), make_user(username="rita", projects=[project])
    (comparison,) = make_comparisons(project=project, num=1)
    report(project, by=alice, completion=comparison.completions.all()[0], kind="harmful")
    for reader, is_led in ((rita, True), (make_user(username="erin", projects=[project]), False)):
        client.force_login(reader)
        page = client.get(reverse("quality", args=("quality",))).content.decode()
        assert "1 case waits." in page
        assert (reverse("triage", args=("quality",)) in page) is is_led


def test_the_arms_are_shown_once_there_is_a_control_arm(project: Project) -> None:
    client = Client()
    client.force_login(make_user(username="rita", projects=[project]))
    address = reverse("quality", args=("quality",))
    assert "Written with suggestions and without" not in client.get(address).content.decode()
    Project.objects.update(control_share=0.2)
    assert "Written with suggestions and without" in client.get(address).content.decode()


def test_where_strengths_are_asked_for_the_page_says_that_no_figure_counts_them(project: Project) -> None:
    alice = make_user(username="alice", projects=[project])
    rank(project, {alice: [[0], [1], [2], [3]]})
    client = Client()
    client.force_login(make_user(username="rita", projects=[project]))
    address = reverse("quality", args=("quality",))
    assert "strengths of preference" not in client.get(address).content.decode()
    Project.objects.update(asks_strengths=True)
    assert "strengths of preference change none of them" in client.get(address).content.decode()
