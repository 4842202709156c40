"""The figures of a filter: of all texts by what was drawn of them, of what it did, and of how that changed."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from labeling.models import Appeal, Filter, FilterRules, Project, Screening, User
from labeling.safety.drifting import weeks_of
from labeling.safety.quality import FEWEST, CategoryFigures, filter_figures, judged_texts
from tests.labeling.safety.material import SAID, make_drawn, make_screening, make_stream, settle

pytestmark = pytest.mark.django_db


@pytest.fixture
def judged(project: Project) -> list[Screening]:
    """80 texts, of which every second is violent; the filter warns of three in four of those, and of one in four else.

    What it warns of was all drawn, of the rest a quarter.
    """
    rules = [{"category": "V", "side": "answered", "mode": "on", "warn_at": 0.5, "block_at": 0.95}]
    FilterRules.objects.create(project=project, version=1, rules=rules)
    said = [{"V": 0.8 if (number % 8 < 6) == (number < 40) else 0.2} for number in range(80)]
    made = make_stream(project=project, probabilities=said)
    for number, screening in enumerate(made):
        warned = screening.probabilities["V"] > 0.5
        if warned or number % 8 in (0, 1, 6, 7)[number % 1 :: 2]:
            chance = 1.0 if warned else 0.25
            settle(make_drawn(screening=screening, inclusion=chance), V="yes" if number < 40 else "no")
    return made


def figures_of(project: Project, **fields: Any) -> dict[str, CategoryFigures]:
    found = filter_figures(project, Filter.objects.in_force(), side="answered", **fields)
    return {one.name: one for one in found.categories}


def test_precision_and_recall_are_of_all_texts_and_not_of_the_labelled(
    project: Project, judged: list[Screening]
) -> None:
    rows = judged_texts(project, Filter.objects.in_force(), side="answered")["V"]
    true = sum(row.weight for row in rows if row.is_true)
    caught = sum(row.weight for row in rows if row.is_true and row.probability >= 0.5)
    acted = sum(row.weight for row in rows if row.probability >= 0.5)
    found = figures_of(project)["V"]
    assert not found.is_few
    assert found.warn_precision.value == pytest.approx(caught / acted)
    assert found.warn_recall.value == pytest.approx(caught / true)
    assert {row.weight for row in rows} == {1.0, 4.0}
    plain = sum(row.is_true and row.probability >= 0.5 for row in rows) / sum(row.is_true for row in rows)
    assert found.warn_recall.value < plain - 0.1, "the missed ones were drawn more rarely"
    assert found.block_precision is None


def test_a_category_with_few_positives_says_so(project: Project, judged: list[Screening]) -> None:
    assert figures_of(project)["S"].num_yes == 0 < FEWEST
    assert figures_of(project)["S"].is_few


def test_what_no_lot_drew_is_in_no_figure(project: Project, judged: list[Screening]) -> None:
    before = len(judged_texts(project, Filter.objects.in_force(), side="answered")["V"])
    for way in ("report", "appeal", "disagreement"):
        settle(make_drawn(screening=make_screening(project=project), came_by=way), V="yes")
    assert len(judged_texts(project, Filter.objects.in_force(), side="answered")["V"]) == before


def test_settled_texts_stand_for_those_that_still_wait(project: Project) -> None:
    made = make_stream(project=project, probabilities=[{"V": 0.9}] * 4)
    drawn = [make_drawn(screening=one, inclusion=0.5) for one in made]
    drawn[0].__class__.objects.update(frame_until=drawn[0].frame_until)
    settle(drawn[0], V="yes")
    (row,) = judged_texts(project, Filter.objects.in_force(), side="answered")["V"]
    assert row.weight == 8.0  # one in four of the drawn is settled, and each stands for two


def test_a_week_and_a_side_have_figures_of_their_own(project: Project, judged: list[Screening]) -> None:
    settle(make_drawn(screening=make_screening(project=project, side=SAID)), V="yes")
    today = timezone.now()
    assert figures_of(project, span=(today - timedelta(days=9), today - timedelta(days=8)))["V"].num_judged == 0
    found = filter_figures(project, Filter.objects.in_force(), side="said")
    assert (found.num_screened, {one.name: one for one in found.categories}["V"].num_yes) == (1, 1)


def test_a_filter_in_shadow_is_judged_by_the_labels_of_the_texts_it_saw(project: Project) -> None:
    screening = make_screening(project=project, probabilities={"V": 0.9})
    settle(make_drawn(screening=screening), V="yes")
    shadow = Filter.objects.create(name="next", state="shadow")
    Screening.objects.create(
        project=project, filter=shadow, side="answered", completion=screening.completion, verdict="pass",
        text_sha256=screening.text_sha256, probabilities={"V": 0.3}, in_shadow=True,
    )  # fmt: skip
    (row,) = judged_texts(project, shadow, side="answered")["V"]
    assert (row.probability, row.is_true) == (0.3, True)


def test_what_it_did_and_how_long_it_took(project: Project, alice: User) -> None:
    for verdict, times in (("pass", 6), ("warn", 2), ("block", 1), ("not judged", 1)):
        for number in range(times):
            make_screening(project=project, person=alice, verdict=verdict, milliseconds=10.0 + number)
    for screening, state in zip(Screening.objects.filter(acted=True), ("overturned", "upheld", "open"), strict=True):
        decided = {"reply": "So.", "decided_at": timezone.now()} if state != "open" else {}
        Appeal.objects.create(project=project, screening=screening, person=alice, state=state, **decided)
    found = filter_figures(project, Filter.objects.in_force(), side="answered")
    assert (found.num_screened, found.not_judged) == (10, 1)
    assert (found.warned.value, found.blocked.value) == (pytest.approx(2 / 9), pytest.approx(1 / 9))
    assert (found.overturned.value, found.overturned.n, found.num_open_appeals) == (0.5, 2, 1)
    assert found.milliseconds == (11.0, pytest.approx(14.55))


def test_those_who_label_agree_as_much_as_krippendorff_says(project: Project) -> None:
    for number in range(6):
        drawn = make_drawn(screening=make_screening(project=project))
        for answer in ("yes", "no" if number == 0 else "yes") if number < 3 else ("no", "no"):
            drawn.labels.create(project=project, answers={"V": answer})
        drawn.labels.create(project=project, answers={"V": "no"}, by_decision=True)
    found = figures_of(project)["V"].agreement
    assert found is not None
    assert found.n == 6
    assert found.value == pytest.approx(1 - 11 * 2 / (2 * 5 * 7))  # o = 2 coincidences that differ, e = 2·5·7 of 12


def test_a_week_that_differs_from_those_before_stands_out(project: Project) -> None:
    for week in range(1, 9):
        make_stream(project=project, probabilities=[{"V": 0.1}] * 30, days_ago=7 * week)
    make_stream(project=project, probabilities=[{"V": 0.75}] * 100, days_ago=0)
    monday = weeks_of(project, Filter.objects.in_force(), side="answered")[0].monday
    newest = Screening.objects.filter(created_at__date__gte=monday)
    assert newest.count() == 100
    newest.filter(id__in=newest.values("id")[:4]).update(verdict="warn")
    weeks = weeks_of(project, Filter.objects.in_force(), side="answered")
    assert weeks[0].warned_stands_out
    assert not weeks[0].blocked_stands_out
    assert [name for name, _ in weeks[0].moved] == ["violence"]
    assert (weeks[1].warned_stands_out, weeks[1].moved) == (False, []), "of 30 texts no histogram is asked"
    assert weeks[-1].warned_stands_out is None
