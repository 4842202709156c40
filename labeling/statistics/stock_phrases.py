"""Phrases that a policy says whatever it is asked: word n-grams that answers to different topics share.

Pure functions on plain values; time and memory grow linearly with the text. Knows no policy and no language: words are
runs of letters and digits, in small letters.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from labeling.statistics.intervals import Estimate, bootstrap, ratio_of_sums

SHORTEST = 4  # words; three are grammar ("one of the"), not a habit
COMMON = 0.02  # share of topics above which a phrase is stock
FEWEST_TOPICS = 3  # two answers of a hundred share five words by chance
MOST_WORDS = 2_000  # of one answer that are read; what comes after adds nothing to a habit
MOST_WORDS_IN_ALL = 300_000  # bounds the memory: some 200 bytes for each n-gram, 60 MB

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")  # one quantifier in another, but its parts share no character: linear


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """One answer with its prompt; answers to one prompt, or about one matter, share a topic."""

    topic: str
    prompt: str
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class StockPhrases:
    """The share of answers with a stock phrase (bootstrap over topics), and the phrases with their number of topics."""

    share: Estimate
    phrases: tuple[tuple[str, int], ...]  # the most common first


def stock_phrases(
    answers: Sequence[Answer], *, num_words: int = 5, common: float = COMMON, seed: int = 0
) -> StockPhrases | None:
    """Find the phrases of `num_words` words in answers to more than `common` of all topics, and to three or more.

    What stands in the answer's own prompt does not count: repeating the question is no habit. The definition is ours;
    the unit, word n-grams across outputs, is that of diversity measures (Li et al. 2016, distinct-n). The interval
    holds the phrases found fixed. None without topics. Raises ValueError where `num_words` is below 4, or the answers
    have more words than MOST_WORDS_IN_ALL together.
    """
    if num_words < SHORTEST:
        raise ValueError(f"a phrase has at least {SHORTEST} words, not {num_words}")
    if not answers:
        return None
    answers = sorted(answers, key=lambda answer: answer.topic)
    counted = _topics_of_phrases(answers, num_words)
    num_topics = len({answer.topic for answer in answers})
    stock = {
        phrase: topics for phrase, topics in counted.items() if topics >= FEWEST_TOPICS and topics > common * num_topics
    }
    with_phrase: dict[str, list[float]] = {}
    for answer in answers:
        clusters = with_phrase.setdefault(answer.topic, [0.0, 0.0])
        clusters[0] += any(phrase in stock for phrase in _phrases(answer, num_words))
        clusters[1] += 1
    share = bootstrap([(hits, of) for hits, of in with_phrase.values()], ratio_of_sums, seed=seed)
    phrases = sorted(stock.items(), key=lambda found: (-found[1], found[0]))
    return StockPhrases(share=share, phrases=tuple(phrases))


def _topics_of_phrases(answers: Sequence[Answer], num_words: int) -> Counter[str]:
    """In how many topics each phrase occurs; one topic's phrases are held at a time."""
    counted: Counter[str] = Counter()
    topic, of_topic, num_read = answers[0].topic, set[str](), 0
    for answer in answers:
        if answer.topic != topic:
            counted.update(of_topic)
            topic, of_topic = answer.topic, set()
        found = list(_phrases(answer, num_words))
        num_read += len(found)
        if num_read > MOST_WORDS_IN_ALL:
            raise ValueError(f"the answers have more than {MOST_WORDS_IN_ALL} words together; give fewer answers")
        of_topic.update(found)
    counted.update(of_topic)
    return counted


def _phrases(answer: Answer, num_words: int) -> Iterator[str]:
    asked = set(_ngrams(answer.prompt, num_words))
    return (phrase for phrase in _ngrams(answer.text, num_words) if phrase not in asked)


def _ngrams(text: str, num_words: int) -> Iterator[str]:
    words = [found.group().lower() for _, found in zip(range(MOST_WORDS), _WORD.finditer(text), strict=False)]
    return (" ".join(words[place : place + num_words]) for place in range(len(words) - num_words + 1))
