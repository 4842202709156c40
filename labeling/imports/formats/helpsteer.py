"""HelpSteer 1 and 2: {"prompt", "response", "helpfulness", …}, one answer a row. Neighbouring rows with one prompt are
a comparison, ordered by helpfulness; equal ones are a tie. HelpSteer 3 is read by judged_pairs.py.
"""

import re
from collections.abc import Iterator
from typing import Any

from labeling.imports.formats import DialogueOrPrompt, Entries, Format, has_keys
from labeling.imports.formats.keys import keys
from labeling.imports.formats.prompts import read_prompt
from labeling.imports.formats.ranking_tiers import number_of, ranking_of
from labeling.imports.messages import FormatError, list_of, merge_consecutive, text_of
from labeling.imports.reader import Entry, Refusal
from records import Completion, Demonstration, Message, Ranking

_ROW = "prompt response helpfulness"
_OTHER = "correctness coherence complexity verbosity"  # rated too, and not part of the order
KEYS = keys("prompt", inside={"rows": keys(_ROW, passed_over=_OTHER)})
_ROWS = "rows"
_MOST_ANSWERS = 100  # of one prompt
_TURN = re.compile(r"\n<extra_id_1>(User|Assistant)\n")


def rankings(entry: Entry) -> Iterator[Ranking]:
    prompt, answers = _read(entry.value)
    if len(answers) >= 2:
        yield ranking_of(prompt, [(completion, -helpfulness) for completion, helpfulness in answers])


def dialogues(entry: Entry) -> Iterator[DialogueOrPrompt]:
    """The prompt with its most helpful answer. Raises FormatError where that is no help at all."""
    prompt, answers = _read(entry.value)
    best, helpfulness = max(answers, key=lambda answer: answer[1])
    if helpfulness <= 0:
        raise FormatError(f'"helpfulness" is {helpfulness:g}, which speaks against the answer')
    yield Demonstration(id="", messages=(*prompt, Message(role="assistant", content=best.content)))


def gather(entries: Entries) -> Entries:
    """One entry for neighbouring rows with the same prompt."""
    held: list[Entry] = []
    for entry in entries:
        if isinstance(entry, Refusal) or not _is_row(entry):
            yield entry
            continue
        if held and (held[0].value["prompt"] != entry.value["prompt"] or len(held) == _MOST_ANSWERS):
            yield _joined(held)
            held = []
        held.append(entry)
    if held:
        yield _joined(held)


def _joined(rows: list[Entry]) -> Entry:
    value = {"prompt": rows[0].value["prompt"], _ROWS: [entry.value for entry in rows]}
    return Entry(rows[0].line, value, size=sum(entry.size for entry in rows))


def _read(value: Any) -> tuple[tuple[Message, ...], list[tuple[Completion, float]]]:
    rows = list_of(value.get(_ROWS) or [value], _ROWS)
    answers = [
        (
            Completion(id=str(index), content=text_of(row.get("response"), "response")),
            number_of(row.get("helpfulness"), "helpfulness"),
        )
        for index, row in enumerate(rows)
    ]
    return _prompt(text_of(value["prompt"], "prompt")), answers


def _prompt(text: str) -> tuple[Message, ...]:
    """A prompt of several turns has them after "<extra_id_1>User" and "<extra_id_1>Assistant"."""
    first, *more = _TURN.split(text.removesuffix("\n<extra_id_1>Assistant\n"))
    if not more:
        return read_prompt(text, "prompt")
    said = [Message(role="user", content=first)]
    for speaker, content in zip(more[::2], more[1::2], strict=True):
        said.append(Message(role="user" if speaker == "User" else "assistant", content=content))
    return merge_consecutive(said)


def _is_row(entry: Entry) -> bool:
    return has_keys(entry.value, "prompt", "response", "helpfulness")


FORMAT = Format(
    name="helpsteer",
    label="HelpSteer's rated answers",
    recognises=lambda entry: _is_row(entry) or has_keys(entry.value, "prompt", _ROWS),
    keys=KEYS,
    dialogues=dialogues,
    rankings=rankings,
    gather=gather,
)
