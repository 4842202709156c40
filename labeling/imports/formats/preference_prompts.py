"""The prompt of a preference pair: its "prompt", or the columns that other tools use, as messages not yet checked.

Nothing is guessed: a row without any of these has no prompt, and a column that would be lost is refused by name.
"""

from typing import Any

from labeling.imports.formats.prompts import read_prompt
from labeling.imports.messages import FormatError, json_type_of, system_of, text_of

_INSTRUCTION_KEYS = ("instruction", "question", "query")
_INPUT_KEYS = ("input", "context")  # appended to the instruction after a blank line, as in Alpaca and Dolly
_HISTORY_KEY = "history"  # earlier turns, in a form that is not read
NO_PROMPT = (
    'nothing says what was asked: there must be a "prompt" (or one of instruction, question, query, input), '
    'turns of "\\n\\nHuman:" and "\\n\\nAssistant:" in both texts, or both as lists of messages'
)


def prompt_messages_of(value: dict[str, Any]) -> list[Any]:
    """The messages before the answers, a system message first; empty where only the answers could contain them."""
    if value.get(_HISTORY_KEY):
        raise FormatError(f'"{_HISTORY_KEY}" would be lost; write the earlier turns into "prompt", as messages')
    prompt = value.get("prompt")
    asked = _prompt_in_columns(value) if prompt is None else _messages_of(prompt, "prompt")
    if prompt is not None:
        _require_repeated(value, asked)
    return _with_system(value, asked)


def _prompt_in_columns(value: dict[str, Any]) -> list[Any]:
    asks, below = ([name for name in names if value.get(name)] for names in (_INSTRUCTION_KEYS, _INPUT_KEYS))
    if not asks and below == ["input"]:
        asks, below = below, []
    if not asks and not below:
        return []
    if len(asks) != 1 or len(below) > 1:
        names = ", ".join(f'"{name}"' for name in (*asks, *below))
        raise FormatError(f'{names} do not say which is the prompt and in what order; write the whole as "prompt"')
    if not below:
        return _messages_of(value[asks[0]], asks[0])
    texts = (text_of(value[name], name) for name in (asks[0], below[0]))
    return [{"role": "user", "content": "\n\n".join(texts)}]


def _messages_of(prompt: Any, name: str) -> list[Any]:
    if isinstance(prompt, list):
        return prompt  # checked together with the answers: alone it may be no valid dialogue
    return [{"role": message.role, "content": message.content} for message in read_prompt(prompt, name)]


def _require_repeated(value: dict[str, Any], asked: list[Any]) -> None:
    """Beside a prompt, the other columns may repeat parts of it and contain nothing else."""
    said = [message.get("content") for message in asked if isinstance(message, dict)]
    for name in (*_INSTRUCTION_KEYS, *_INPUT_KEYS):
        more = value.get(name)
        if not more or more == value["prompt"]:
            continue
        if not isinstance(more, str):
            raise FormatError(
                f'"{name}" stands beside "prompt" and is {json_type_of(more)}; write all that was asked there'
            )
        if not any(isinstance(content, str) and more.strip() in content for content in said):
            raise FormatError(f'"{name}" is not part of "prompt" and would be lost; write all that was asked there')


def _with_system(value: dict[str, Any], asked: list[Any]) -> list[Any]:
    system = [{"role": message.role, "content": message.content} for message in system_of(value)]
    if system and asked and isinstance(asked[0], dict) and asked[0].get("role") == "system":
        if asked[0].get("content") != system[0]["content"]:
            raise FormatError('"system" and the first message of "prompt" are two system messages; leave one')
        return asked
    return [*system, *asked]
