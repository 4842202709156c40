"""Texts to label: which are drawn and with what chance, who is given which, and what their labels come to."""

from statistics import fmean
from typing import Any

import pytest

from contentfilter.categories import CATEGORIES as OF_FILTERS
from contentfilter.categories import PARENTS as PARENTS_OF_FILTERS
from labeling.models import DrawnText, Filter, FilterRules, Label, Project, Report, Screening, User
from labeling.models.safety.categories import CATEGORIES
from labeling.models.safety.labels import NO, PARENTS
from labeling.safety import labels
from labeling.safety.labels import LabelError
from labeling.statistics.sampling_weights import inclusion
from tests.labeling.factories import make_user
from tests.labeling.overlapping import overlap
from tests.labeling.safety.material import SAID, again, chat_of, make_drawn, make_screening, make_stream, settle

pytestmark = pytest.mark.django_db
NONE = dict.fromkeys(CATEGORIES, NO)


def test_the_categories_are_those_of_the_filters() -> None:
    assert tuple(CATEGORIES) == OF_FILTERS
    assert PARENTS == PARENTS_OF_FILTERS


def rule_at(project: Project, bound: float) -> None:
    rules = [{"category": "V", "side": "answered", "mode": "on", "warn_at": bound, "block_at": None}]
    FilterRules.objects.create(project=project, version=1, rules=rules)


def test_each_text_keeps_the_chance_with_which_the_lots_drew_it(project: Project) -> None:
    rule_at(project, 0.5)
    make_stream(project=project, probabilities=[{"V": 0.45 if number % 4 == 0 else 0.1} for number in range(160)])
    assert labels.draw_if_few(project) == DrawnText.objects.count()
    from_all, from_near = labels.RANDOM / 160, labels.NEAR / 40
    found = DrawnText.objects.select_related("screening")
    assert found.filter(came_by="random").count() == labels.RANDOM
    for drawn in found:
        near = drawn.screening.probabilities["V"] == 0.45
        assert drawn.inclusion == pytest.approx(inclusion(from_all, from_near if near else 0.0))
        assert drawn.came_by in ({"random", "near"} if near else {"random"})
    assert labels.draw_if_few(project) == 0, "enough wait"


def test_what_stands_for_how_many_adds_up_to_all_texts(project: Project) -> None:
    """The mean over many frames of Σ 1/π is the number of texts, and of those that are near (Horvitz and Thompson)."""
    rule_at(project, 0.5)
    make_stream(project=project, probabilities=[{"V": 0.45 if number % 4 == 0 else 0.1} for number in range(120)])
    totals, near = [], []
    for _ in range(12):
        DrawnText.objects.all().delete()
        labels.draw_if_few(project)
        drawn = list(DrawnText.objects.select_related("screening"))
        totals.append(sum(1 / one.inclusion for one in drawn))
        near.append(sum(1 / one.inclusion for one in drawn if one.screening.probabilities["V"] == 0.45))
    assert fmean(totals) == pytest.approx(120, rel=0.1)
    assert fmean(near) == pytest.approx(30, rel=0.12)


def test_frames_follow_each_other_and_none_draws_what_is_in_another(project: Project) -> None:
    make_stream(project=project, probabilities=[{}] * 3)
    labels.draw_if_few(project)
    assert DrawnText.objects.count() == 3
    make_stream(project=project, probabilities=[{}] * 5, days_ago=0.0)
    assert labels.draw_if_few(project) == 0, "these settle for a minute"
    Screening.objects.filter(drawn=None).update(created_at=Screening.objects.first().created_at)
    assert labels.draw_if_few(project) == 0, "these are of the frame before"


def test_what_no_lot_draws_comes_in_without_a_chance(project: Project, alice: User) -> None:
    kept = [make_screening(project=project, verdict="pass", days_ago=1) for _ in range(3)]
    labels.draw_if_few(project)
    DrawnText.objects.all().delete()
    settle(make_drawn(screening=kept[2]))  # the frame ends here, so that no lot draws the two
    shadow = Filter.objects.create(name="next", state="shadow")
    Screening.objects.create(
        project=project, filter=shadow, side="answered", completion=kept[0].completion, verdict="block",
        text_sha256=kept[0].text_sha256, in_shadow=True,
    )  # fmt: skip
    Screening.objects.exclude(id=kept[0].id).filter(in_shadow=False).update(text_sha256="1" * 64)
    Report.objects.create(project=project, completion=kept[1].completion, reporter=alice, content="x")
    assert labels.draw_if_few(project) == 2
    ways = dict(DrawnText.objects.filter(inclusion=None).values_list("screening", "came_by"))
    assert ways == {kept[0].id: "disagreement", kept[1].id: "report"}


def test_a_text_that_an_appeal_brought_in_gets_the_chance_of_a_lot_that_draws_it(project: Project) -> None:
    screening = make_screening(project=project, days_ago=1)
    make_drawn(screening=screening, came_by="appeal")
    labels.draw_if_few(project)
    drawn = DrawnText.objects.get()
    assert (drawn.came_by, drawn.inclusion) == ("random", 1.0)


def test_two_label_a_text_and_a_third_where_they_differ(project: Project, rita: User) -> None:
    drawn = make_drawn(screening=make_screening(project=project))
    bob, carol, dan = (make_user(role="reviewer", projects=[project]) for _ in range(3))
    labels.put_label(drawn, NONE | {"V": "yes"}, by=rita)
    labels.put_label(drawn, NONE, by=bob)
    assert DrawnText.objects.get().labels_wanted == 3
    assert labels.next_text(project, carol) == drawn
    labels.put_label(drawn, NONE | {"V": "yes", "H": "unsure"}, by=carol)
    assert DrawnText.objects.get().consensus() == {**dict.fromkeys(CATEGORIES, False), "V": True}
    assert labels.next_text(project, dan) is None
    with pytest.raises(LabelError, match="needs no more"):
        labels.put_label(drawn, NONE, by=dan)


def test_two_who_agree_are_enough_and_unsure_is_no_disagreement(project: Project, rita: User, bob: User) -> None:
    drawn = make_drawn(screening=make_screening(project=project))
    labels.put_label(drawn, {"V": "yes"}, by=rita)
    labels.put_label(drawn, {"V": "unsure"}, by=bob)
    settled = DrawnText.objects.get()
    assert (settled.num_labels, settled.labels_wanted, settled.consensus()) == (2, 2, {"V": True})


def test_as_many_yes_as_no_is_unknown(project: Project) -> None:
    drawn = make_drawn(screening=make_screening(project=project))
    for answer in ("yes", "no"):
        drawn.labels.create(project=project, answers={"V": answer, "S": "yes"})
    assert drawn.consensus() == {"S": True}


def test_nobody_labels_a_text_twice_nor_their_own(project: Project, alice: User, rita: User) -> None:
    drawn = make_drawn(screening=make_screening(project=project, person=alice))
    with pytest.raises(LabelError, match="own text"):
        labels.put_label(drawn, NONE, by=alice)
    assert labels.next_text(project, alice) is None
    labels.put_label(drawn, NONE, by=rita)
    assert labels.next_text(project, rita) is None
    with pytest.raises(LabelError, match="already"):
        labels.put_label(drawn, NONE, by=rita)
    assert (Label.objects.count(), DrawnText.objects.get().num_labels) == (1, 1)


@pytest.mark.django_db(transaction=True)
def test_of_two_who_give_the_last_label_at_once_one_is_told(project: Project, rita: User) -> None:
    drawn = make_drawn(screening=make_screening(project=project))
    bob, carol = (make_user(role="reviewer", projects=[project]) for _ in range(2))
    labels.put_label(drawn, NONE, by=rita)
    with pytest.raises(LabelError, match="needs no more"):
        overlap(
            lambda: labels.put_label(drawn, NONE, by=bob),
            lambda: labels.put_label(DrawnText.objects.get(), NONE, by=carol),
        )
    assert DrawnText.objects.get().num_labels == 2 == Label.objects.count()


@pytest.mark.django_db(transaction=True)
def test_two_who_open_the_queue_at_once_draw_one_frame(project: Project) -> None:
    make_stream(project=project, probabilities=[{}] * 200)
    overlap(lambda: labels.draw_if_few(project), lambda: labels.draw_if_few(project))
    assert DrawnText.objects.count() == labels.RANDOM


def test_four_in_ten_labels_are_of_texts_drawn_from_all(project: Project, rita: User) -> None:
    rule_at(project, 0.5)
    make_stream(project=project, probabilities=[{"V": 0.45}] * 300)
    ways = []
    for _ in range(15):
        labels.draw_if_few(project)
        drawn = labels.next_text(project, rita)
        assert drawn is not None
        ways.append(drawn.came_by)
        labels.put_label(drawn, NONE, by=rita)
    assert ways.count("random") == 6


def test_a_text_that_was_changed_since_it_was_drawn_is_put_away(project: Project, rita: User) -> None:
    screening = make_screening(project=project, side=SAID, text="One thing.")
    make_drawn(screening=screening)
    chat_of(screening).messages.filter(role="user").update(content="Another.")
    assert labels.next_text(project, rita) is None
    assert not DrawnText.objects.exists()


@pytest.mark.parametrize("answers", [{}, {"X": "yes"}, {"V": "perhaps"}])
def test_an_answer_that_is_none_is_refused(project: Project, rita: User, answers: dict[str, Any]) -> None:
    with pytest.raises(LabelError):
        labels.put_label(make_drawn(screening=make_screening(project=project)), answers, by=rita)
    assert not Label.objects.exists()


def test_what_is_sexual_of_minors_is_sexual(project: Project, rita: User) -> None:
    label = labels.put_label(make_drawn(screening=make_screening(project=project)), NONE | {"S3": "yes"}, by=rita)
    assert {name for name, answer in label.answers.items() if answer == "yes"} == {"S", "S3"}


def test_a_label_goes_with_the_text_that_it_is_about(project: Project, alice: User, rita: User) -> None:
    screening = make_screening(project=project, person=alice)
    labels.put_label(make_drawn(screening=screening), NONE, by=rita)
    again(screening).completion.delete()
    assert not Label.objects.exists()
