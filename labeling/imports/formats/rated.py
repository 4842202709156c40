"""Lists of rated answers to one prompt, as in UltraFeedback, and lists with the tier of each answer.

UltraFeedback {"instruction", "completions": [{"response", "model", "annotations": {aspect: {"Rating"}}}]}: the mean of
the aspects counts, as in its binarised versions ("overall_score" is known to be wrong and is a last resort). Other
lists {"prompt", "completions" or "responses": [{"text", "score"}]}, or texts beside a list of "scores" or of "tiers", 0
the best, or of "ranks", 1 the best, which Nectar has in each answer. Equal ratings are a tie; unrated answers are left
out; an empty answer that was rated is one.
"""

from collections.abc import Iterator
from statistics import fmean
from typing import Any

from labeling.imports.formats import DialogueOrPrompt, Format, has_keys
from labeling.imports.formats.keys import keys
from labeling.imports.formats.prompts import KEPT, prompt_of
from labeling.imports.formats.ranking_tiers import Placed, number_of, ranking_of
from labeling.imports.messages import FormatError, json_type_of, label_of, list_of, optional_text, text_of
from labeling.imports.reader import Entry
from records import Completion, Demonstration, Message, Ranking

_LISTS = ("completions", "responses", "answers", "candidates")
_NUMBERS = ("scores", "ratings", "tiers", "ranks")  # beside a list of texts
_TEXTS = ("response", "completion", "content", "text", "output", "answer")
_MEAN = "fine-grained_score"  # the mean of the aspects, where the file has it
_SCORES = ("score", "rating", "overall_score")
_RANK = "rank"  # 1 the best, as in Nectar
_SMALLER_IS_BETTER = ("tiers", "ranks")
_UNRATED = (None, "", "N/A")

_ANSWER = keys(
    " ".join((*_TEXTS, _MEAN, _RANK, *_SCORES, "model annotations")),
    passed_over="critique principle custom_system_prompt",
)
KEYS = keys(
    f"{' '.join(_NUMBERS)} {KEPT} source topic category",
    passed_over="models correct_answers incorrect_answers",
    inside=dict.fromkeys(_LISTS, _ANSWER),
)


def rankings(entry: Entry) -> Iterator[Ranking]:
    value = entry.value
    placed = [one for one in _placed(value) if one is not None]
    if len(placed) >= 2:
        yield ranking_of(prompt_of(value), placed, source=label_of(value.get("source"), "source"))


def dialogues(entry: Entry) -> Iterator[DialogueOrPrompt]:
    """The prompt with the best-rated answer; the first of them where several tie."""
    for ranking in rankings(entry):
        if len(ranking.tiers) == 1:
            raise FormatError("all its answers are rated alike, so none is the best; import it as a ranking")
        contents = {completion.id: completion.content for completion in ranking.completions}
        best = Message(role="assistant", content=text_of(contents[ranking.tiers[0][0]], "the best answer"))
        yield Demonstration(id="", messages=(*ranking.messages, best))


def _placed(value: dict[str, Any]) -> Iterator[Placed | None]:
    name = next(name for name in _LISTS if name in value)
    answers = list_of(value[name], name)
    beside = next((numbers for numbers in _NUMBERS if isinstance(value.get(numbers), list)), None)
    if beside is not None and len(value[beside]) != len(answers):
        raise FormatError(f'"{beside}" has {len(value[beside])} numbers for {len(answers)} {name}')
    for index, answer in enumerate(answers):
        where = f"{name}[{index}]"
        number = _order(value[beside][index], beside) if beside else _rating(answer, where)
        yield None if number is None else (_completion(answer, index, where), number)


def _order(given: Any, name: str) -> float | None:
    """A number that is smaller for the better: a tier as it is, a rating negated."""
    if given in _UNRATED:
        return None
    return number_of(given, name) if name in _SMALLER_IS_BETTER else -number_of(given, name)


def _rating(answer: Any, where: str) -> float | None:
    if not isinstance(answer, dict):
        raise FormatError(f'"{where}" has no rating')
    if answer.get(_RANK) not in _UNRATED:
        return number_of(answer[_RANK], f"{where}.{_RANK}")
    if answer.get(_MEAN) not in _UNRATED:
        return -number_of(answer[_MEAN], f"{where}.{_MEAN}")
    aspects = answer.get("annotations")
    if isinstance(aspects, dict):
        given = [aspect["Rating"] for aspect in aspects.values() if has_keys(aspect, "Rating")]
        rated = [number_of(one, f"{where}.Rating") for one in given if one not in _UNRATED]
        if rated:
            return -fmean(rated)
    for name in _SCORES:
        if answer.get(name) not in _UNRATED:
            return -number_of(answer[name], f"{where}.{name}")
    return None


def _completion(answer: Any, index: int, where: str) -> Completion:
    if isinstance(answer, str):
        return Completion(id=str(index), content=text_of(answer, where, may_be_empty=True))
    if not isinstance(answer, dict):
        raise FormatError(f'"{where}" must be text or an object, not {json_type_of(answer)}')
    name = next((name for name in _TEXTS if name in answer), None)
    if name is None:
        raise FormatError(f'"{where}" has no text; it may be called {", ".join(_TEXTS)}')
    policy = optional_text(answer.get("model"), f"{where}.model")
    return Completion(id=str(index), content=text_of(answer[name], f"{where}.{name}", may_be_empty=True), policy=policy)


def _recognises(entry: Entry) -> bool:
    value = entry.value
    if not isinstance(value, dict):
        return False
    answers = next((value[name] for name in _LISTS if isinstance(value.get(name), list)), None)
    if not answers:
        return False
    if any(isinstance(value.get(name), list) for name in _NUMBERS):
        return True
    return any(
        isinstance(one, dict) and ("annotations" in one or any(name in one for name in (_MEAN, _RANK, *_SCORES)))
        for one in answers
    )


FORMAT = Format(
    name="rated",
    label="lists of rated answers, as UltraFeedback's",
    recognises=_recognises,
    keys=KEYS,
    dialogues=dialogues,
    rankings=rankings,
)
