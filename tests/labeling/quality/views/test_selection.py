"""What narrows the quality page, the boards behind each of its figures, and agreement in the course of time."""

import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from labeling.models import Comparison, GuidelineVersion, Project, Ranking, Rating, Round, User
from labeling.quality.boards import FIGURES, boards_behind
from labeling.quality.report import quality_figures
from labeling.quality.selection import EVERYTHING, Selection
from tests.labeling.factories import make_comparisons, make_project, make_user
from tests.labeling.signed_in import as_user, page_of

pytestmark = pytest.mark.django_db

SAME, TURNED = [[0], [1], [2], [3]], [[3], [2], [1], [0]]
MONDAY = datetime(2026, 11, 2, 12, tzinfo=UTC)


@pytest.fixture
def project() -> Project:
    return make_project(slug="sky", rankings_wanted=2)


@pytest.fixture
def bob(project: Project) -> User:
    return make_user(username="bob", projects=[project])


@pytest.fixture
def carol(project: Project) -> User:
    return make_user(username="carol", projects=[project])


def rank(
    project: Project,
    orders: dict[User, list[list[int]]],
    *,
    at: datetime = MONDAY,
    comparison: dict[str, Any] | None = None,
    **fields: Any,
) -> Comparison:
    """One comparison of four completions, of which the longer are those of a greater index, ranked by each trainer."""
    (made,) = make_comparisons(project=project, num=1, num_completions=4)
    for completion in made.completions.all():
        completion.content = "word " * (1 + 10 * completion.index)
        completion.save(update_fields=["content"])
    Comparison.objects.filter(pk=made.pk).update(**comparison or {})
    ids = [str(one.id) for one in made.completions.order_by("index")]
    for trainer, tiers in orders.items():
        ranking = Ranking.objects.create(
            comparison=made,
            trainer=trainer,
            submission_key=uuid.uuid4(),
            tiers=[[ids[index] for index in tier] for tier in tiers],
            shown_order=ids,
            **{"seconds": 30.0, **fields},
        )
        Ranking.objects.filter(pk=ranking.pk).update(ranked_at=at)
    return made


def agreement(project: Project, **chosen: Any) -> tuple[float, int] | None:
    found = quality_figures(project, Selection(**chosen)).agreement
    return (found.value, found.n) if found else None


def make_round(project: Project, number: int) -> Round:
    return Round.objects.create(project=project, number=number, closed_at=timezone.now() + timedelta(minutes=1))


@pytest.mark.parametrize("narrowed", ["round", "topic", "guidelines", "since", "until"])
def test_each_filter_narrows_the_figures(project: Project, bob: User, carol: User, narrowed: str) -> None:
    rounds = [make_round(project, number) for number in (8, 9)]
    versions = [
        GuidelineVersion.objects.create(project=project, version=number, text="Rank well.") for number in (11, 12)
    ]
    for index, tiers in enumerate((SAME, TURNED)):
        rank(
            project,
            {bob: SAME, carol: tiers},
            at=MONDAY + timedelta(days=7 * index),
            comparison={"round": rounds[index], "topic": ("bread", "sky")[index]},
            guideline_version=versions[index],
        )
    first, second = {
        "round": (8, 9),
        "topic": ("bread", "sky"),
        "guidelines": (11, 12),
        "since": (date(2026, 11, 2), date(2026, 11, 9)),
        "until": (date(2026, 11, 2), date(2026, 11, 9)),
    }[narrowed]
    both, alike, turned = (0.5, 12), (1.0, 6), (0.0, 6)
    assert agreement(project) == both
    assert agreement(project, **{narrowed: first}) == (both if narrowed == "since" else alike)
    assert agreement(project, **{narrowed: second}) == (both if narrowed == "until" else turned)


def test_a_day_is_that_of_the_readers_zone(project: Project, bob: User, carol: User) -> None:
    rank(project, {bob: SAME, carol: SAME}, at=datetime(2026, 11, 2, 23, 30, tzinfo=UTC))
    with timezone.override("Europe/Berlin"):
        assert agreement(project, since=date(2026, 11, 3)) == (1.0, 6)
        assert agreement(project, until=date(2026, 11, 2)) is None


def test_a_trainers_figures_are_of_their_own_rankings_and_their_agreement_with_each_other(
    project: Project, alice: User, bob: User, carol: User
) -> None:
    rank(project, {alice: SAME, bob: SAME, carol: TURNED})
    rank(project, {bob: TURNED, carol: TURNED}, seconds=500.0)
    figures = quality_figures(project, Selection(trainer=alice.pseudonym))
    assert figures.agreement is not None
    assert (figures.agreement.value, figures.agreement.n) == (0.5, 12)
    assert (figures.num_rankings, figures.median_seconds) == (1, 30.0)
    assert [row.trainer for row in figures.trainers] == [alice]


def test_the_boards_behind_a_figure_add_up_to_it(project: Project, bob: User, carol: User) -> None:
    rank(project, {bob: SAME, carol: SAME})
    rank(project, {bob: [[0, 1], [2], [3]], carol: TURNED}, seconds=90.0)
    rank(project, {bob: []}, abstained="no idea")
    figures = quality_figures(project)

    def said(figure: str) -> list[str]:
        return [one.says for one in boards_behind(project, figure, EVERYTHING)]

    assert figures.agreement is not None
    assert (figures.agreement.value, figures.agreement.n) == (pytest.approx(6 / 11), 11)
    assert said("agreement") == ["0 of 5 pairs alike", "6 of 6 pairs alike"]
    assert figures.tied is not None
    assert (figures.tied.value, figures.tied.n) == (pytest.approx(1 / 24), 24)
    assert said("tied") == ["1 pair tied"]
    assert figures.earlier_wins is not None
    assert (figures.earlier_wins.value, figures.earlier_wins.n) == (pytest.approx(17 / 23), 23)
    assert sorted(line.split(" pairs")[0] for line in said("earlier")) == ["0 of 6", "5 of 5", "6 of 6", "6 of 6"]
    assert figures.prefers_longer is not None
    assert (figures.prefers_longer.value, figures.prefers_longer.n) == (pytest.approx(6 / 23), 23)
    assert sorted(line.split(" pairs")[0] for line in said("longer")) == ["0 of 5", "0 of 6", "0 of 6", "6 of 6"]
    assert said("time") == ["1 min 30 s", "1 min 30 s", "30 s", "30 s"]
    assert len(said("abstained")) == figures.num_abstained == 1
    assert len(said("rankings")) == figures.num_rankings == 5
    assert said("sources") == []


def test_the_boards_of_a_week_are_those_of_its_line(project: Project, bob: User, carol: User) -> None:
    rank(project, {bob: SAME, carol: TURNED}, at=MONDAY)
    straddling = rank(project, {bob: SAME, carol: SAME}, at=MONDAY + timedelta(days=6))
    Ranking.objects.filter(comparison=straddling, trainer=carol).update(ranked_at=MONDAY + timedelta(days=7))
    weeks = quality_figures(project).over_time.weeks
    assert [(week.agreement.value, week.num_comparisons) for week in weeks] == [(0.0, 1), (1.0, 1)]
    second = boards_behind(project, "agreement", EVERYTHING, week=date(2026, 11, 9))
    assert [one.comparison_id for one in second] == [str(straddling.id)]


def test_agreement_on_everything_still_has_an_interval(project: Project, bob: User, carol: User) -> None:
    for _ in range(6):
        rank(project, {bob: SAME, carol: SAME})
    found = quality_figures(project).agreement
    assert found is not None
    assert (found.value, found.high, found.n) == (1.0, 1.0, 6)
    assert found.low == pytest.approx(0.61, abs=0.005)  # Wilson's bound of 6 in 6


def test_a_change_of_agreement_is_flagged_with_its_day(project: Project, bob: User, carol: User) -> None:
    for index in range(40):
        rank(project, {bob: SAME, carol: SAME if index < 20 else TURNED}, at=MONDAY + timedelta(days=index))
    over_time = quality_figures(project).over_time
    assert over_time.change is not None
    assert (over_time.change.before, over_time.change.after) == (1.0, 0.0)
    assert over_time.changed_on == (MONDAY + timedelta(days=20)).date()
    page = page_of(as_user(make_user(username="adam")), reverse("quality", args=("sky",)))
    assert "Agreement changed about 22 Nov: 100 % before, 0 % since" in page


def test_versions_of_the_guidelines_are_compared_where_both_ranked_under_one(
    project: Project, bob: User, carol: User
) -> None:
    versions = [GuidelineVersion.objects.create(project=project, version=number, text="Rank.") for number in (11, 12)]
    rank(project, {bob: SAME, carol: SAME}, guideline_version=versions[0])
    mixed = rank(project, {bob: SAME, carol: TURNED}, guideline_version=versions[0])
    Ranking.objects.filter(comparison=mixed, trainer=carol).update(guideline_version=versions[1])
    found = quality_figures(project).over_time.versions
    assert [(one.label, one.agreement.value) for one in found] == [("guidelines, version 11", 1.0)]


def test_alpha_is_shown_from_five_comparisons_on(project: Project, bob: User, carol: User) -> None:
    for _ in range(4):
        rank(project, {bob: SAME, carol: SAME})
    assert quality_figures(project).alpha_of_orders is None
    compared = rank(project, {bob: SAME, carol: SAME})
    figures = quality_figures(project)
    assert figures.alpha_of_orders is not None
    assert (figures.alpha_of_orders.value, figures.alpha_of_orders.n) == (1.0, 5)
    assert figures.alpha_of_ratings is None
    for comparison in project.comparisons.all():
        for ranking in comparison.rankings.all():
            for completion in comparison.completions.all():
                overall = 7 - completion.index - (comparison == compared and ranking.trainer == carol)
                Rating.objects.create(ranking=ranking, completion=completion, overall=overall)
    rated = quality_figures(project).alpha_of_ratings
    assert rated is not None
    assert 0.8 < rated.value < 1
    assert rated.n == 5


def test_engineers_read_pseudonyms_and_trainers_nothing(project: Project, alice: User, bob: User) -> None:
    rank(project, {alice: SAME, bob: SAME})
    addresses = [reverse("quality", args=("sky",))]
    addresses += [reverse("boards_behind", args=("sky", figure)) for figure in FIGURES]
    erin = make_user(username="erin", role=User.Role.ENGINEER, projects=[project])
    rita = make_user(username="rita", role=User.Role.REVIEWER, projects=[project])
    alice.display_name = "Alice Liddell"
    alice.save(update_fields=["display_name"])
    for address in addresses:
        for_engineer = page_of(as_user(erin), address)
        assert "Alice Liddell" not in for_engineer
        assert alice.pseudonym in for_engineer
        assert "Alice Liddell" in page_of(as_user(rita), address)
        assert as_user(bob).get(address).status_code == 403


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("round=77", "Select a valid choice"),
        ("since=yesterday", "Enter a valid date"),
        ("since=2026-11-09&until=2026-11-02", "nothing can lie between"),
        ("trainer=t-unknown", "Select a valid choice"),
    ],
)
def test_what_is_refused_is_said_and_narrows_nothing(project: Project, bob: User, query: str, words: str) -> None:
    rank(project, {bob: SAME})
    client = as_user(make_user(username="adam"))
    for address in (reverse("quality", args=("sky",)), reverse("boards_behind", args=("sky", "rankings"))):
        answer = client.get(f"{address}?{query}")
        assert answer.status_code == 422
        assert words in answer.content.decode()


def test_boards_come_in_pages_that_keep_the_selection(
    project: Project, bob: User, carol: User, django_assert_max_num_queries: Callable[[int], Any]
) -> None:
    for _ in range(27):
        rank(project, {bob: SAME, carol: SAME}, comparison={"topic": "bread"})
    client = as_user(make_user(username="adam"))
    with django_assert_max_num_queries(18):
        first = client.get(reverse("boards_behind", args=("sky", "agreement")) + "?topic=bread").content.decode()
    assert "27 boards" in first
    assert first.count("6 of 6 pairs alike") == 25
    assert "?topic=bread&amp;page=2" in first
    second = client.get(reverse("boards_behind", args=("sky", "agreement")) + "?topic=bread&page=2").content.decode()
    assert second.count("6 of 6 pairs alike") == 2
    assert client.get(reverse("boards_behind", args=("sky", "nonsense"))).status_code == 404
