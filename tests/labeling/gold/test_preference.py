"""The gold preference: each feature points the right way, and the judgement is a function of the texts alone."""

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling.gold import preference
from records import Completion, Message, Ranking

QUESTION = "How should I plant tomatoes on a windy balcony?"
PROMPT = (Message(role="user", content=QUESTION),)
GOOD = (
    "Choose a small kind of tomato and a heavy pot, so that the wind can't tip it over. Plant them in May, "
    "tie each to a stick, and put the pots along the wall of the balcony. Water them every morning."
)


def completions(**texts: str) -> list[Completion]:
    return [Completion(id=identifier, content=text) for identifier, text in texts.items()]


def test_a_good_answer_scores_high_and_every_fault_lowers_it() -> None:
    faults = {
        "breaks off": GOOD[:-20],
        "rambles on": GOOD + " The weather is a thing that many people like to talk about at length." * 40,
        "repeats itself": GOOD + f" {GOOD}" * 3,
        "copies the question": f"{QUESTION} {QUESTION}",
        "speaks for the user": f"{GOOD}\nUser: And roses?",
        "shows a special token": f"{GOOD}<|im_end|>",
        "leaves a code block open": f"```\n{GOOD}",
        "opens with a flourish": f"Sure, I'd be happy to help! {GOOD}",
        "is about something else": "Trains to the coast leave at nine. Buy a ticket at the station. It costs ten.",
        "invents words": "Plant the tomatos glumpishly in vorbled skontzes, harn the balcony wizzle with drendic flum.",
        "says next to nothing": "Tomatoes.",
    }
    best = preference.score(PROMPT, GOOD)
    assert best > 0.95
    for fault, text in faults.items():
        assert preference.score(PROMPT, text) < best - preference.TIE_MARGIN, fault


def test_faults_add_up() -> None:
    one = preference.score(PROMPT, GOOD[:-20])
    two = preference.score(PROMPT, f"Sure, I'd be happy to help! {GOOD[:-20]}")
    assert two < one


def test_text_without_a_word_scores_zero() -> None:
    for text in ("", "   \n", "…", "🙂🙂", "---"):
        assert preference.score(PROMPT, text) == 0.0


def test_a_number_is_an_answer() -> None:
    assert preference.score((Message(role="user", content="What is 60 divided by 0.75?"),), "80") > 0.3


def test_longer_is_not_better_beyond_the_plateau() -> None:
    def answer(num_sentences: int) -> str:
        return "".join(f"Plant tomatoes on balcony {i}, away from wind {i}. " for i in range(num_sentences))

    assert (
        preference.score(PROMPT, answer(8))
        > preference.score(PROMPT, answer(60))
        > preference.score(PROMPT, answer(90))
    )


def test_ends_finished() -> None:
    for text in ("It is.", "Is it?", "He said: “Yes.”", "好。", "Complaint", "```\nx = 1\n```", "So *that* is *it.*"):
        assert preference.ends_finished(text) == 1.0, text
    assert preference.ends_finished("Buy these:\n- bread\n- milk and two eggs") == 0.5
    assert preference.ends_finished("This sentence was cut off in the") == 0.0


def test_keeps_to_topic_counts_what_is_taken_up_and_stops_at_three() -> None:
    question = "Which flowers grow in dry shade under trees?"
    assert preference.keeps_to_topic(question, question, "Yes, many do.") == 0.0
    assert preference.keeps_to_topic(question, question, "A few flowers do.") == pytest.approx(1 / 3)
    assert preference.keeps_to_topic(question, question, "Some flowers like the shade of a tree.") == 1.0


def test_keeps_to_topic_looks_back_where_the_question_says_little() -> None:
    context = "Where can we go swimming?\nIn the lake.\nAnd in winter?"
    assert preference.keeps_to_topic("And in winter?", context, "There is a swimming bath by the lake.") > 0.5
    assert preference.keeps_to_topic("How are you?", "How are you?", "Trains are late.") == 1.0


def test_hangs_together() -> None:
    linked = "Bees need flowers. Flowers need rain. The rain comes late. Late rain helps the bees."
    loose = "Bees hum. My car is red. Nine ships sank. Cheese costs money."
    assert preference.hangs_together("Why?", linked) == 1.0
    assert preference.hangs_together("Why?", loose) == 0.0
    assert preference.hangs_together("Why?", "Bees hum. My car is red. Nine ships sank. Bees cost money.") == 0.0


def test_says_enough_is_a_plateau() -> None:
    question = "How does a lock on a canal lift a boat from one level up to the next?"
    values = [preference.says_enough(question, "word " * n) for n in (0, 6, 12, 150, 300, 450, 2000)]
    assert values == [0.0, 0.5, 1.0, 1.0, 0.5, 0.0, 0.0]


def test_says_enough_heeds_a_wish_for_brevity_and_short_questions() -> None:
    assert preference.says_enough("Answer with one word: warm or cold?", "Cold") == 1.0
    assert preference.says_enough("Say in one sentence what tides are.", "word " * 60) == 0.5
    assert preference.says_enough("Hello!", "Hello, how are you?") == 1.0


def test_avoids_repetition() -> None:
    assert preference.avoids_repetition(GOOD) == 1.0
    assert preference.avoids_repetition("the sea is wide " * 10) == 0.0
    assert preference.avoids_repetition("yes") == 1.0


def test_avoids_echo_allows_quotation_but_not_copying() -> None:
    assert preference.avoids_echo(QUESTION, QUESTION) == 0.0
    assert preference.avoids_echo(QUESTION, GOOD) == 1.0
    # Of six runs of four words one is copied, then three: a third is quotation.
    assert preference.avoids_echo("one two three four", "one two three four five six seven eight nine") == 1.0
    assert preference.avoids_echo("one two three four five six", "one two three four five six seven eight nine") == 0.75


def test_has_clean_form_halves_for_each_kind_of_defect() -> None:
    assert preference.has_clean_form("A **bold** word and `code`.") == 1.0
    for text in ("Human: hi", "a<|im_start|>b", "what\x07", "no!!!!!!!", "```py", "**bold", "[INST] hi"):
        assert preference.has_clean_form(text) == 0.5, text
    assert preference.has_clean_form("User: **no!!!!!!!") == 0.125


def test_uses_plain_words_knows_common_words_the_words_of_the_prompt_and_passes_over_code() -> None:
    assert preference.uses_plain_words("", "The children are playing with stones near the river.") == 1.0
    assert preference.uses_plain_words("", "The blorvish crimple unduxed their snarvels frobly.") == 0.0
    assert preference.uses_plain_words("What is a blorvish crimple?", "A blorvish crimple is a kind of hat.") == 1.0
    assert preference.uses_plain_words("", "Use this:\n```\nqwx zzkl vbrt\n```") == 1.0


def test_comes_to_the_point() -> None:
    for text in ("Sure! Here it is.", "As an AI language model, I", "Great question. Well", "I’m sorry, but I can't"):
        assert preference.comes_to_the_point(text) == 0.0, text
    for text in ("I'm so sorry about your father.", "Surely not.", "Six minutes."):
        assert preference.comes_to_the_point(text) == 1.0, text


def test_the_question_is_the_last_message() -> None:
    messages = (
        Message(role="user", content="Which trains leave the station at nine?"),
        Message(role="assistant", content="None."),
        *PROMPT,
    )
    assert preference.features(messages, GOOD)["keeps_to_topic"] == 1.0


def test_weights_name_every_feature_and_sum_to_one() -> None:
    assert set(preference.WEIGHTS) == set(preference.features(PROMPT, GOOD))
    assert math.fsum(preference.WEIGHTS.values()) == pytest.approx(1.0)


def test_the_judgement_does_not_depend_on_the_order_of_presentation() -> None:
    offered = completions(a=GOOD, b=GOOD + " ", c=GOOD[:-20], d="Tomatoes.", e="", f="Cheese costs money.")
    expected = preference.judge(PROMPT, offered)
    for seed in range(20):
        shuffled = random.Random(seed).sample(offered, len(offered))
        judged = preference.judge(PROMPT, shuffled)
        assert (judged.tiers, judged.unacceptable_from) == (expected.tiers, expected.unacceptable_from)
    assert expected.tiers[0] == ("a", "b")
    assert expected.tiers[-1] == ("e",)


def test_the_judgement_makes_a_valid_ranking() -> None:
    offered = tuple(completions(a=GOOD, b=GOOD[:-20], c="", d="blorvish unduxed snarvels"))
    judged = preference.judge(PROMPT, offered)
    ranking = Ranking(
        id="r",
        comparison_id="c",
        messages=PROMPT,
        completions=offered,
        tiers=judged.tiers,
        unacceptable_from=judged.unacceptable_from,
        trainer_kind="simulated",
    )
    assert ranking.unacceptable_from is not None
    assert all(
        judged.scores[i] < preference.ACCEPTABLE_SCORE
        for tier in judged.tiers[ranking.unacceptable_from :]
        for i in tier
    )


def test_it_knows_no_facts_as_its_page_admits() -> None:
    question = (Message(role="user", content="In which year did Mozart compose the Moonlight Sonata?"),)
    assert preference.score(question, "Mozart wrote the Moonlight Sonata in 1799 in Weimar.") > 0.95


def test_no_line_is_drawn_where_all_are_acceptable() -> None:
    assert preference.judge(PROMPT, completions(a=GOOD, b=GOOD[:-20])).unacceptable_from is None


def test_the_line_is_drawn_above_the_first_tier_that_scores_below_it(monkeypatch: pytest.MonkeyPatch) -> None:
    offered = completions(a=GOOD, b=GOOD[:-20], c="Tomatoes.", d="Cheese costs money.", e="")
    scores = preference.judge(PROMPT, offered).scores
    assert len(set(scores.values())) == 5
    for name, line in (("b", 2), ("c", 3), ("e", None)):  # that one scores just enough
        monkeypatch.setattr(preference, "ACCEPTABLE_SCORE", scores[name])
        assert preference.judge(PROMPT, offered).unacceptable_from == line


def test_a_tie_reaches_to_the_margin_itself() -> None:
    assert preference.tiers_of({"a": 0.75, "b": 0.5, "c": 0.25}, margin=0.25) == (("a", "b"), ("c",))


def test_a_tier_reaches_one_margin_below_its_best_and_no_further() -> None:
    assert preference.tiers_of({"a": 0.9, "b": 0.88, "c": 0.86, "d": 0.84}, margin=0.03) == (("a", "b"), ("c", "d"))


def test_the_same_text_has_the_same_score_on_every_machine() -> None:
    assert preference.score(PROMPT, GOOD) == 1.0
    assert preference.score(PROMPT, GOOD[:-20]) == 0.758578  # 0.1 ** 0.12
    assert preference.score(PROMPT, "Tomatoes.") == 0.57735  # (1/3) ** 0.22 * (1/9) ** 0.14


@settings(max_examples=300)
@given(st.text(max_size=400), st.text(max_size=400))
def test_any_unicode_is_scored_between_zero_and_one(question: str, text: str) -> None:
    value = preference.score((Message(role="user", content=question),), text)
    assert 0.0 <= value <= 1.0
    assert all(
        0.0 <= feature <= 1.0
        for feature in preference.features((Message(role="user", content=question),), text).values()
    )


@settings(max_examples=100)
@given(st.lists(st.text(max_size=60), min_size=2, max_size=9))
def test_any_completions_are_placed_exactly_once(texts: list[str]) -> None:
    offered = [Completion(id=f"c{index}", content=text) for index, text in enumerate(texts)]
    tiers = preference.judge(PROMPT, offered).tiers
    assert sorted(identifier for tier in tiers for identifier in tier) == sorted(c.id for c in offered)


@pytest.mark.parametrize(
    "text", ["\n" * 100_000, "#" * 100_000, "a" * 100_000, "<|" * 50_000, "- " * 50_000, "``` " * 30_000]
)
def test_hostile_texts_are_scored_in_reasonable_time(text: str) -> None:
    assert preference.score(PROMPT, text + "x") < preference.ACCEPTABLE_SCORE


def test_a_lone_surrogate_is_scored() -> None:
    assert 0.0 <= preference.score(PROMPT, "tomatoes \ud800 grow") <= 1.0
