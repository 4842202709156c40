"""The card says what is in an export and what to beware of, in numbers that can be checked by hand."""

from collections import Counter

import pytest

from labeling.exports.card import card_text
from labeling.exports.filters import Filters
from labeling.exports.statistics import DemonstrationStatistics, PromptStatistics, RankingStatistics, quantile_of
from labeling.models import Completion, Dialogue, Project, User
from tests.labeling.exports.material import directory_of, exported, make_ranking
from tests.labeling.factories import make_comparison, make_dialogue, make_project, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project(name="Cooking | *club*")


def card(project: Project, kind: str = "rankings") -> str:
    return (directory_of(exported(project, kind)) / "card.md").read_text()


def with_lengths(project: Project, *lengths: int) -> object:
    comparison = make_comparison(project=project, num_completions=len(lengths))
    for completion, length in zip(comparison.completions.order_by("index"), lengths, strict=True):
        Completion.objects.filter(id=completion.id).update(content="x" * length)
    return comparison


def test_length_bias_counts_pairs_that_differ_by_more_than_30_characters(project: Project) -> None:
    comparison = with_lengths(project, 100, 200, 90, 10)
    make_ranking(project=project, comparison=comparison, order=((1,), (0,), (2, 3)))  # type: ignore[arg-type]
    # Ordered pairs: 200>100, 200>90, 200>10, 100>90 (differ by 10: not counted), 100>10. The longer won all 4.
    assert "the longer won 100.0% of 4" in card(project)


def test_lengths_that_differ_by_just_30_characters_do_not_count_and_the_shorter_may_win(project: Project) -> None:
    order = ((0,), (1,))
    for lengths in ((100, 130), (130, 100), (100, 131), (100, 140), (131, 100)):
        make_ranking(project=project, comparison=with_lengths(project, *lengths), order=order)  # type: ignore[arg-type]
    assert "the longer won 33.3% of 3" in card(project)


def test_shares_of_abstentions_and_of_each_trainer_are_of_all_rankings(project: Project) -> None:
    alice, bob = (make_user(username=name, projects=[project]) for name in ("alice", "bob"))
    for trainer, order in ((alice, ((0,), (1, 2, 3))), (alice, ()), (alice, ((0,), (1, 2, 3))), (bob, ())):
        make_ranking(project=project, trainer=trainer, order=order)
    text = card(project)
    assert "Abstentions: 50.0% of all rankings" in text
    assert f"{alice.pseudonym}, made 3 of 4 (75.0%)" in text


def test_a_card_says_how_much_is_held_out(project: Project) -> None:
    make_ranking(project=project)
    export = exported(project, validation_percent=5, test_percent=20)
    text = (directory_of(export) / "card.md").read_text()
    assert "Of all prompts 5 % are in validation and 20 % in test" in text


def test_answers_are_measured_and_what_the_user_said_is_not(project: Project) -> None:
    turns = [("user", "x" * 50, "typed"), ("assistant", "y" * 10, "typed")] * 2 + [("assistant", "y" * 40, "edited")]
    make_dialogue(project=project, state=Dialogue.State.ACCEPTED, turns=turns)
    text = card(project, "demonstrations")
    assert "| answers | 3 |" in text
    assert "| characters per answer | 20 |" in text


def test_the_largest_topics_are_named_and_the_rest_is_summed(project: Project) -> None:
    topics = Counter({f"topic {number:02}": 1 for number in range(60)}) + Counter({"travel": 9})
    statistics = PromptStatistics(topics=topics)
    named = statistics.counts()["by_topic"]
    assert next(iter(named.items())) == ("travel", 9)
    assert (len(named), named["all others"]) == (51, 11)


def test_position_ties_and_time(project: Project) -> None:
    for order, seconds in ((((0,), (1,), (2,), (3,)), 10), (((3,), (2,), (0, 1)), 20), (((0, 1, 2, 3),), 60)):
        make_ranking(project=project, order=order, seconds=seconds)
    text = card(project)
    # Earlier shown: wins 6 of 6, then 0 of 5, then no ordered pair.
    assert "shown earlier won 54.5% of 11" in text
    assert "Position of the best in shown order: 1: 1, 4: 1." in text
    assert "Ties: 38.9% of all pairs." in text  # 1 + 6 of 18
    assert "Time: known of 3 of 3 rankings; half of these took between 10 and 60 seconds, median 20" in text


def test_agreement_is_between_trainers_of_one_comparison(project: Project) -> None:
    alice, bob = (make_user(username=name, projects=[project]) for name in ("alice", "bob"))
    comparison = make_comparison(project=project, rankings_wanted=2)
    make_ranking(project=project, comparison=comparison, trainer=alice, order=((0,), (1,), (2,), (3,)))
    make_ranking(project=project, comparison=comparison, trainer=bob, order=((1,), (0,), (2,), (3,)))
    make_ranking(project=project, order=((3,), (2,), (1,), (0,)))
    assert "alike in 83.3% of 6 pairs" in card(project)


def test_simulated_trainers_are_called_so(project: Project) -> None:
    robot = make_user(username="robot")
    User.objects.filter(id=robot.id).update(is_simulated=True)
    robot.refresh_from_db()
    make_ranking(project=project, trainer=robot)
    text = card(project)
    assert "Simulated: 1 of 1 rankings were made by a program" in text
    assert f"Whose judgement: 1 trainer, {robot.pseudonym}, made 1 of 1 (100.0%)." in text


@pytest.mark.parametrize(
    ("made", "num", "said"),
    [
        ({"ann": 3, "bea": 1}, 4, "2 trainers; the most active, ann, made 3 of 4 (75.0%)"),
        ({"ann": 2, "bea": 2}, 4, "2 trainers; none made more than 2 of 4 (50.0%)"),
        ({"1": 3, "2": 1}, 9_999, "the most active, 1, made 3 of 9,999 (less than 0.1%); of 9,995 nobody knows"),
        ({"1": 1, "2": 9_999}, 10_000, "the most active, 2, made 9,999 of 10,000 (more than 99.9%)"),
        ({"ann": 1}, 1_000, "1 trainer, ann, made 1 of 1,000 (0.1%); of 999 nobody knows who made them"),
        ({"*a*|<b>": 5}, 5, r"1 trainer, \*a\*\|\<b\>, made 5 of 5 (100.0%)"),
    ],
)
def test_the_share_of_the_most_active_is_true_and_never_nothing(made: dict[str, int], num: int, said: str) -> None:
    statistics = DemonstrationStatistics(num=num, trainers=Counter(made))
    card = card_text("demonstrations", project=Project(name="x"), filters=Filters(), statistics=statistics, left_out={})
    assert f"{said}" in card


def test_a_share_that_is_not_nothing_does_not_read_as_nothing() -> None:
    statistics = RankingStatistics(num=10_000, num_abstained=1, pairs=9_999, tied_pairs=1)
    statistics.longer_won, statistics.length_differs = 9_999, 10_000
    card = card_text("rankings", project=Project(name="x"), filters=Filters(), statistics=statistics, left_out={})
    assert "Ties: less than 0.1% of all pairs." in card
    assert "Abstentions: less than 0.1% of all rankings" in card
    assert "the longer won more than 99.9% of 10,000" in card
    assert " 0.0%" not in card


def test_text_of_people_is_no_markup_in_the_card(project: Project) -> None:
    make_ranking(project=project, comparison=make_comparison(project=project, topic="a|b\n<img src=x>"))
    assert "| a\\|b \\<img src=x\\> | 1 |" in card(project)


def test_demonstrations_and_prompts_have_cards_too(project: Project) -> None:
    assert "| records | 0 |" in card(project, "demonstrations")
    assert "## Known biases" not in card(project, "prompts")


def test_quantiles_of_counts() -> None:
    assert quantile_of(Counter(), 0.5) is None
    assert quantile_of(Counter({7: 1}), 0.25) == 7
    assert [quantile_of(Counter({1: 2, 5: 1, 9: 1}), share) for share in (0.25, 0.5, 0.75, 1.0)] == [1, 1, 5, 9]


def test_a_choice_among_drafts_is_no_tie(project: Project) -> None:
    make_ranking(project=project, order=((0,), (1, 2, 3)), is_choice=True)
    assert "Ties: 0.0% of all pairs." in card(project)
    make_ranking(project=project, order=((0,), (1, 2, 3)))
    assert "Ties: 33.3% of all pairs." in card(project)


def test_two_choices_among_drafts_are_no_agreement(project: Project) -> None:
    comparison = make_comparison(project=project)
    for _ in range(2):
        make_ranking(project=project, comparison=comparison, order=((0,), (1, 2, 3)), is_choice=True)
    assert "Agreement:" not in card(project)
