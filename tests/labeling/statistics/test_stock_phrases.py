"""Stock phrases: shared by different topics, not by one; not the question repeated; linear in the text."""

import pytest

from labeling.statistics.stock_phrases import MOST_WORDS, MOST_WORDS_IN_ALL, Answer, stock_phrases

HABIT = "as an assistant I can say"


def answers(*, with_habit: int, without: int, prompt: str = "") -> list[Answer]:
    plain = [Answer(topic=f"t{n}", prompt=prompt, text=f"w{n}a w{n}b w{n}c w{n}d w{n}e w{n}f") for n in range(without)]
    habit = [Answer(topic=f"h{n}", prompt=prompt, text=f"{HABIT} that x{n} y{n}") for n in range(with_habit)]
    return habit + plain


def test_the_share_by_hand() -> None:
    found = stock_phrases(answers(with_habit=4, without=6))
    assert found is not None
    assert found.share.value == pytest.approx(0.4)
    assert found.share.low < 0.4 < found.share.high
    assert [phrase for phrase, _ in found.phrases] == [
        "an assistant i can say",
        "as an assistant i can",
        "assistant i can say that",
    ]
    assert {topics for _, topics in found.phrases} == {4}


def test_a_phrase_of_one_topic_is_no_habit() -> None:
    of_one = [Answer(topic="same", prompt="", text=f"{HABIT} {n}") for n in range(10)]
    found = stock_phrases([*of_one, *answers(with_habit=1, without=9)])
    assert found is not None
    assert found.phrases == ()
    assert found.share.value == 0.0


def test_it_must_occur_in_more_than_two_percent_of_topics() -> None:
    common, rare = stock_phrases(answers(with_habit=4, without=150)), stock_phrases(answers(with_habit=4, without=196))
    assert common is not None
    assert rare is not None
    assert common.share.value == pytest.approx(4 / 154)
    assert rare.phrases == ()  # 4 of 200 are 2 %, not more


def test_repeating_the_question_is_no_habit() -> None:
    found = stock_phrases(answers(with_habit=5, without=5, prompt=f"Please begin: {HABIT} that"))
    assert found is not None
    assert found.phrases == ()


def test_case_and_punctuation_do_not_hide_a_habit() -> None:
    texts = [
        "It's a great question, you know!",
        "it's a GREAT question; you see",
        "Well, it’s: it's a great question you",
    ]
    found = stock_phrases([Answer(topic=str(n), prompt="", text=text) for n, text in enumerate(texts)])
    assert found is not None
    assert found.phrases == (("it's a great question you", 3),)


def test_each_answer_of_a_topic_counts_in_the_share() -> None:
    twice = [*answers(with_habit=3, without=0), Answer(topic="h0", prompt="", text="nothing of the kind at all")]
    found = stock_phrases(twice)
    assert found is not None
    assert found.share.value == pytest.approx(3 / 4)
    assert found.share.n == 3


def test_bounds() -> None:
    assert stock_phrases([]) is None
    with pytest.raises(ValueError, match="at least 4 words, not 3"):
        stock_phrases(answers(with_habit=3, without=0), num_words=3)
    long = " ".join(map(str, range(MOST_WORDS)))
    late = [Answer(topic=str(n), prompt="", text=f"{long.replace(' ', f' {n}x')} {HABIT}") for n in range(4)]
    found = stock_phrases(late)
    assert found is not None
    assert found.phrases == ()
    many = [Answer(topic=str(n), prompt="", text=long) for n in range(MOST_WORDS_IN_ALL // MOST_WORDS + 2)]
    with pytest.raises(ValueError, match="give fewer answers"):
        stock_phrases(many)
