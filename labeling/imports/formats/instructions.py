"""Instructions with answers, as dialogues of one turn, as OpenAI did with the InstructGPT data.

Reads Alpaca {"instruction", "input", "output"}, self-instruct seed tasks {"instruction", "instances": [{"input",
"output"}]}, Dolly {"instruction", "context", "response", "category"}, and trl's {"prompt", "completion"} as text or
messages. The user's message is the instruction and, after a blank line, the input; the answer is the output.
"""

from collections.abc import Iterator

from labeling.imports.formats import DialogueOrPrompt, Format, has_keys
from labeling.imports.formats.chat import MESSAGE, dialogue_or_prompt, read_messages
from labeling.imports.formats.keys import keys
from labeling.imports.formats.verdicts import require_learnable
from labeling.imports.messages import FormatError, list_of, merge_consecutive, optional_text, text_of
from labeling.imports.reader import Entry
from records import Demonstration, Message

ALPACA_KEYS = keys(
    "instruction input output text label",
    passed_over="name is_classification",
    inside={"instances": keys("input output"), "prompt": MESSAGE, "completion": MESSAGE},
)
DOLLY_KEYS = keys("instruction context response", passed_over="category")


def alpaca(entry: Entry) -> Iterator[DialogueOrPrompt]:
    value = entry.value
    is_trl = has_keys(value, "prompt", "completion")  # else "prompt" may be a filled-in template
    require_learnable(value, label_is_verdict=is_trl)
    if is_trl and isinstance(value["prompt"], list):
        whole = [*value["prompt"], *list_of(value["completion"], "completion")]
        yield dialogue_or_prompt(read_messages(whole, "prompt and completion"), row=value)
        return
    if is_trl:
        yield _turn(text_of(value["prompt"], "prompt"), None, text_of(value["completion"], "completion").strip())
        return
    instruction = text_of(value["instruction"], "instruction")
    instances = [value] if "output" in value else list_of(value["instances"], "instances")
    for index, instance in enumerate(instances):
        if not has_keys(instance, "output"):
            raise FormatError(f'"instances[{index}]" has no "output"')
        require_learnable(instance)
        given = optional_text(instance.get("input"), "input")
        yield _turn(instruction, given, text_of(instance["output"], "output"))


def dolly(entry: Entry) -> Iterator[DialogueOrPrompt]:
    value = entry.value
    require_learnable(value)
    given = optional_text(value.get("context"), "context")
    yield _turn(text_of(value["instruction"], "instruction"), given, text_of(value["response"], "response"))


def _turn(instruction: str, given: str | None, answer: str) -> DialogueOrPrompt:
    asked = f"{instruction}\n\n{given}" if given else instruction
    messages = (Message(role="user", content=asked), Message(role="assistant", content=answer))
    return Demonstration(id="", messages=merge_consecutive(messages))


def _is_alpaca(entry: Entry) -> bool:
    value = entry.value
    return (
        has_keys(value, "instruction", "output")
        or has_keys(value, "instruction", "instances")
        or has_keys(value, "prompt", "completion")
    )


ALPACA = Format(
    name="alpaca",
    label="Alpaca or self-instruct instructions",
    recognises=_is_alpaca,
    keys=ALPACA_KEYS,
    dialogues=alpaca,
)
DOLLY = Format(
    name="dolly",
    label="Dolly instructions",
    recognises=lambda entry: has_keys(entry.value, "instruction", "response"),
    keys=DOLLY_KEYS,
    dialogues=dolly,
)
