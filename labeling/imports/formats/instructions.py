"""Instructions with answers, as dialogues of one turn, as OpenAI did with the InstructGPT data.

Reads Alpaca {"instruction", "input", "output"}, self-instruct seed tasks {"instruction", "instances": [{"input",
"output"}]}, Dolly {"instruction", "context", "response", "category"}, trl's {"prompt", "completion"} as text or
messages, and {"question", "answer"} in its many spellings. The user's message is the instruction and, after a blank
line, the input; the answer is the output, exactly. LLaMA-Factory's "system" and "history" of turns go before them.
"""

from collections.abc import Iterator
from typing import Any

from labeling.imports.formats import DialogueOrPrompt, Format, has_keys
from labeling.imports.formats.chat import MESSAGE, dialogue_or_prompt, read_messages, with_system
from labeling.imports.formats.keys import Keys, keys
from labeling.imports.formats.prompts import read_prompt, turns_before
from labeling.imports.formats.verdicts import require_learnable
from labeling.imports.messages import FormatError, list_of, merge_consecutive, optional_text, text_of
from labeling.imports.reader import Entry
from records import Message

_BEFORE = "system system_prompt history"
_LABELS = "topic category source"
_ALPACA = keys(f"instruction input output {_BEFORE} {_LABELS}", passed_over="prompt text")  # both a filled-in template
_SELF_INSTRUCT = keys(
    f"instruction {_LABELS}", passed_over="name is_classification", inside={"instances": keys("input output")}
)
_COMPLETION = keys(f"label {_BEFORE} {_LABELS}", inside={"prompt": MESSAGE, "completion": MESSAGE})
_DOLLY = keys(f"instruction context response {_BEFORE} {_LABELS}")

_ASKED = ("question", "query", "prompt", "input", "instruction")
_GIVEN = ("context", "input")  # below what is asked
_ANSWERED = ("answer", "response", "output", "completion")
_QUESTION = keys(f"{' '.join((*_ASKED, *_GIVEN, *_ANSWERED))} {_BEFORE} {_LABELS}")


def alpaca(entry: Entry) -> Iterator[DialogueOrPrompt]:
    value = entry.value
    if has_keys(value, "prompt", "completion"):
        yield _completed(value)
        return
    require_learnable(value)
    instruction = text_of(value["instruction"], "instruction")
    instances = [value] if "output" in value else list_of(value["instances"], "instances")
    for index, instance in enumerate(instances):
        if not has_keys(instance, "output"):
            raise FormatError(f'"instances[{index}]" has no "output"')
        require_learnable(instance)
        given = optional_text(instance.get("input"), "input")
        yield _turn(value, instruction, given, text_of(instance["output"], "output"))


def dolly(entry: Entry) -> Iterator[DialogueOrPrompt]:
    value = entry.value
    given = optional_text(value.get("context"), "context")
    yield _turn(value, text_of(value["instruction"], "instruction"), given, text_of(value["response"], "response"))


def questions_and_answers(entry: Entry) -> Iterator[DialogueOrPrompt]:
    value = entry.value
    asked, answered = _names_in(value)
    given = [name for name in _GIVEN if name != asked and optional_text(value.get(name), name)]
    if len(given) > 1:
        raise FormatError(f'"{given[0]}" and "{given[1]}" both stand beside "{asked}"; write all that was asked there')
    below = text_of(value[given[0]], given[0]) if given else None
    yield _turn(value, text_of(value[asked], asked), below, text_of(value[answered], answered))


def _completed(value: dict[str, Any]) -> DialogueOrPrompt:
    """trl's row. Both texts or both messages; a prompt of turns in a text is read as such."""
    require_learnable(value, label_is_verdict=True)
    if isinstance(value["prompt"], list):
        completion = value["completion"]
        if not isinstance(completion, list):
            completion = [{"role": "assistant", "content": text_of(completion, "completion")}]
        said = read_messages([*value["prompt"], *completion], "prompt and completion")
    else:
        answer = Message(role="assistant", content=text_of(value["completion"], "completion"))
        said = merge_consecutive((*read_prompt(value["prompt"], "prompt"), answer))
    return dialogue_or_prompt(_with_turns_before(value, said), row=value)


def _turn(row: dict[str, Any], instruction: str, given: str | None, answer: str) -> DialogueOrPrompt:
    asked = f"{instruction}\n\n{given}" if given else instruction
    (prompt,) = read_prompt([{"role": "user", "content": asked}], "instruction")
    said = merge_consecutive((prompt, Message(role="assistant", content=answer)))
    return dialogue_or_prompt(_with_turns_before(row, said), row=row)


def _with_turns_before(row: dict[str, Any], said: tuple[Message, ...]) -> tuple[Message, ...]:
    """The messages after the row's system message and its history."""
    earlier = turns_before(row)
    if earlier and said[0].role == "system":
        raise FormatError('"history" stands before a prompt with a system message; write all of it into the prompt')
    return with_system(row, (*earlier, *said))


def _names_in(value: dict[str, Any]) -> tuple[str, str]:
    """What the row calls the question and the answer, of which it has one each. Raises FormatError."""
    asked = next(name for name in _ASKED if name in value)
    answers = [name for name in _ANSWERED if value.get(name) is not None]
    if len(answers) != 1:
        raise FormatError(
            f"{' and '.join(answers) or 'nothing'} is the answer; there must be one of {', '.join(_ANSWERED)}"
        )
    return asked, answers[0]


def _is_alpaca(entry: Entry) -> bool:
    value = entry.value
    return (
        has_keys(value, "instruction", "output")
        or has_keys(value, "instruction", "instances")
        or has_keys(value, "prompt", "completion")
    )


def _alpaca_keys(row: dict[str, Any]) -> Keys:
    if has_keys(row, "prompt", "completion"):
        return _COMPLETION
    return _ALPACA if "output" in row else _SELF_INSTRUCT


def _is_question(entry: Entry) -> bool:
    value = entry.value
    if not isinstance(value, dict):
        return False
    asked = next((name for name in _ASKED if isinstance(value.get(name), str)), None)
    return asked is not None and any(isinstance(value.get(name), str) and name != asked for name in _ANSWERED)


ALPACA = Format(
    name="alpaca",
    label="Alpaca or self-instruct instructions, or prompts with completions",
    recognises=_is_alpaca,
    keys=_alpaca_keys,
    dialogues=alpaca,
)
DOLLY = Format(
    name="dolly",
    label="Dolly instructions",
    recognises=lambda entry: has_keys(entry.value, "instruction", "response"),
    keys=_DOLLY,
    dialogues=dolly,
)
ANSWERED = Format(
    name="answered",
    label="questions with an answer each",
    recognises=_is_question,
    keys=_QUESTION,
    dialogues=questions_and_answers,
)
