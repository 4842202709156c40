"""The gold preference: a fixed scoring function by which simulated trainers rank.

It replaces people where the loop must run unattended, and where a reward model is measured against the
true preference (Gao et al. 2022, section 2: a fixed gold scorer labels the comparisons). The score is the
weighted geometric mean of features in [0, 1], so that one bad feature cannot be offset by the others.
It sees English words and surface form only, no facts; docs/gold_preference.md lists where it is wrong.
"""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from labeling.gold.english import content_words, is_plain, sentences_of, words_of
from records import Completion, Message

TIE_MARGIN = 0.03  # a completion that scores at most this much below the best of a tier is tied with it
ACCEPTABLE_SCORE = 0.5  # completions below this score are unacceptable
FEATURE_FLOOR = 0.1  # lower bound of a feature's value, so that no single feature makes the score zero

# Exponents of the geometric mean; they sum to 1.
WEIGHTS = {
    "ends_finished": 0.12,
    "keeps_to_topic": 0.22,
    "hangs_together": 0.14,
    "says_enough": 0.14,
    "avoids_repetition": 0.12,
    "avoids_echo": 0.04,
    "has_clean_form": 0.06,
    "uses_plain_words": 0.12,
    "comes_to_the_point": 0.04,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Judgement:
    """The scores and the resulting ranking of K completions; `tiers` and `unacceptable_from` as in records.Ranking.

    `unacceptable_from` is the index of the first unacceptable tier, None if all are acceptable.
    """

    scores: dict[str, float]
    tiers: tuple[tuple[str, ...], ...]
    unacceptable_from: int | None


def judge(messages: Sequence[Message], completions: Iterable[Completion]) -> Judgement:
    """Score and rank the completions of one prompt. The result does not depend on the order of the input."""
    scores = {completion.id: score(messages, completion.content) for completion in completions}
    tiers = tiers_of(scores)
    below = [index for index, tier in enumerate(tiers) if scores[tier[0]] < ACCEPTABLE_SCORE]
    return Judgement(scores=scores, tiers=tiers, unacceptable_from=below[0] if below else None)


def tiers_of(scores: dict[str, float], *, margin: float = TIE_MARGIN) -> tuple[tuple[str, ...], ...]:
    """Group ids into tiers, best first; a tier holds the ids whose score is within `margin` of its best one's."""
    tiers: list[list[str]] = []
    for identifier in sorted(scores, key=lambda key: (-scores[key], key)):
        if tiers and scores[tiers[-1][0]] - scores[identifier] <= margin:
            tiers[-1].append(identifier)
        else:
            tiers.append([identifier])
    return tuple(tuple(tier) for tier in tiers)


def score(messages: Sequence[Message], text: str) -> float:
    """Score `text` as an answer to `messages`: 0 to 1, rounded to 6 digits. A text without any word scores 0."""
    if not words_of(text):
        return 0.0
    values = features(messages, text)
    return round(math.prod(math.pow(max(values[name], FEATURE_FLOOR), weight) for name, weight in WEIGHTS.items()), 6)


def features(messages: Sequence[Message], text: str) -> dict[str, float]:
    """The value of every feature by name. `messages` must end with the user's message, which is the question."""
    question = messages[-1].content
    context = "\n".join(message.content for message in messages)
    return {
        "ends_finished": ends_finished(text),
        "keeps_to_topic": keeps_to_topic(question, context, text),
        "hangs_together": hangs_together(question, text),
        "says_enough": says_enough(question, text),
        "avoids_repetition": avoids_repetition(text),
        "avoids_echo": avoids_echo(context, text),
        "has_clean_form": has_clean_form(text),
        "uses_plain_words": uses_plain_words(context, text),
        "comes_to_the_point": comes_to_the_point(text),
    }


def ends_finished(text: str) -> float:
    """1 if the text ends with a finished sentence or code block, or is a label of at most three words.

    0.5 if its last line is a list item, which may end without a full stop; 0 if it breaks off.
    """
    text = text.rstrip()
    ends = text.rstrip("\"'”’»)]*_").endswith(_SENTENCE_ENDS) or text.endswith("```")
    if ends or len(words_of(text)) <= 3:
        return 1.0
    return 0.5 if _LIST_ITEM.match(text.rpartition("\n")[2]) else 0.0


def keeps_to_topic(question: str, context: str, text: str) -> float:
    """Share of the question's content words that occur in the text; three of them are enough for 1.

    If the question has fewer than two content words ("And in winter?"), those of the whole dialogue are used.
    If there are none at all ("How are you?"), nothing can be measured and the value is 1.
    """
    asked = content_words(question)
    if len(asked) < 2:
        asked = content_words(context)
    if not asked:
        return 1.0
    return min(1.0, len(asked & content_words(text)) / min(3, len(asked)))


def hangs_together(question: str, text: str) -> float:
    """Coherence: share of sentences that repeat a content word of the question or of the two sentences before.

    A share of one half is enough for 1. Sentences without a content word are ignored; with fewer than three
    other sentences the value is 1, since so few cannot drift off the topic.
    """
    asked = content_words(question)
    sentences = [words for sentence in sentences_of(text) if (words := content_words(sentence))]
    if len(sentences) < 3:
        return 1.0
    linked = 0
    for index, words in enumerate(sentences):
        linked += bool(words & asked.union(*sentences[max(0, index - 2) : index]))
    return min(1.0, 2 * linked / len(sentences))


def says_enough(question: str, text: str) -> float:
    """1 for a length between `start` and `end` words; falls linearly to 0 at no words and at three times `end`.

    `start` is the length of the question, but at least 4 and at most 12; `end` is 150. For a question
    that asks for brevity they are 1 and 30.
    """
    brief = _ASKS_FOR_BREVITY.search(question) is not None
    start, end = (1, 30) if brief else (min(12, max(4, len(words_of(question)))), 150)
    length = len(words_of(text))
    if length < start:
        return length / start
    return max(0.0, 1.0 - max(0, length - end) / (2 * end))


def avoids_repetition(text: str) -> float:
    """Share of distinct word trigrams, rescaled so that 0.5 gives 0 and 0.9 gives 1."""
    words = words_of(text)
    triples = list(zip(words, words[1:], words[2:], strict=False))
    if not triples:
        return 1.0
    return min(1.0, max(0.0, (len(set(triples)) / len(triples) - 0.5) / 0.4))


def avoids_echo(context: str, text: str) -> float:
    """1 if at most a third of the word 4-grams is copied from the dialogue (quotation); falls linearly to 0 at all."""
    copied = _quadruples(text) & _quadruples(context)
    share = len(copied) / max(1, len(_quadruples(text)))
    return 1.0 - max(0.0, share - 1 / 3) * 1.5


def has_clean_form(text: str) -> float:
    """1, halved for each kind of defect: role marker, special token, unclosed Markdown, control or repeated marks."""
    defects = sum(pattern.search(text) is not None for pattern in _DEFECTS)
    defects += text.count("```") % 2 + text.replace("```", "").count("**") % 2
    return math.pow(0.5, defects)


def uses_plain_words(context: str, text: str) -> float:
    """Share of words that are common or occur in the dialogue, rescaled so that 0.7 gives 0 and 0.92 gives 1.

    Names and technical terms are rarely a tenth of a plain answer; invented words are often more than that.
    Code blocks are ignored.
    """
    words = words_of(_CODE_BLOCK.sub(" ", text))
    if not words:
        return 1.0
    before = set(words_of(context))
    plain = sum(is_plain(word) or word in before for word in words)
    return min(1.0, max(0.0, (plain / len(words) - 0.7) / 0.22))


def comes_to_the_point(text: str) -> float:
    """0 if the text opens with a pleasantry ("Sure, I'd be happy to help!") instead of the answer, else 1."""
    return 0.0 if _PLEASANTRY.match(text.lstrip().replace("’", "'")) else 1.0


def _quadruples(text: str) -> set[tuple[str, ...]]:
    words = words_of(text)
    return set(zip(words, words[1:], words[2:], words[3:], strict=False))


_SENTENCE_ENDS = (".", "!", "?", "…", "。", "！", "？", "।", "؟")
_LIST_ITEM = re.compile(r"\s*(?:[-*•+]|\d{1,3}[.)])\s+\S")
_CODE_BLOCK = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_ASKS_FOR_BREVITY = re.compile(
    r"\b(?:one|a single|a few) (?:word|line|sentence)s?\b|\byes or no\b|\bbriefly\b|\bin short\b|\bshort(?:en| list)\b",
    re.IGNORECASE,
)
_DEFECTS = (
    re.compile(r"^[^\w\n]{0,4}(?:user|human|assistant|system|ai|bot)[^\w\n]{0,4}:", re.IGNORECASE | re.MULTILINE),
    re.compile(r"<\|[^|<>]{0,40}\|>|<\\?/?s>|\[/?INST\]"),
    re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ufffd\ue000-\uf8ff]"),
    re.compile(r"([^\w\s])\1{5,}"),
)
_PLEASANTRY = re.compile(
    r"(?:sure|certainly|of course|absolutely|definitely)[,!]"
    r"|(?:what an? )?(?:great|good|excellent|interesting) question"
    r"|as an? (?:ai|language model)"
    r"|i(?:'m| am) (?:an? (?:ai|language model)|sorry, but|happy to|glad (?:to|you)|here to)"
    r"|i(?:'d| would) be (?:happy|glad|delighted) to"
    r"|thank(?:s| you) for (?:your|asking|reaching|the question)"
    r"|i apologi[sz]e",
    re.IGNORECASE,
)
