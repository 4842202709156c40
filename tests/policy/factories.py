"""Demonstrations, prompts and toy models for tests: small, typed factories."""

from collections.abc import Sequence
from pathlib import Path

from records import Demonstration, Message, Prompt, write_jsonl

QUESTIONS = ["How are you?", "What is the capital of France?", "Who are you?", "Hello!", "What is the sea?"]


def make_messages(*texts: str) -> tuple[Message, ...]:
    """A dialogue: user, assistant, user …"""
    return tuple(
        Message(role="user" if index % 2 == 0 else "assistant", content=text) for index, text in enumerate(texts)
    )


def make_demonstration(*texts: str, id: str = "d-1", split: str | None = "train") -> Demonstration:
    return Demonstration(id=id, messages=make_messages(*(texts or ("Hello!", "Hi."))), split=split)  # type: ignore[arg-type]


def make_prompt(*texts: str, id: str = "p-1", split: str | None = "train") -> Prompt:
    return Prompt(id=id, messages=make_messages(*(texts or ("Hello!",))), split=split)  # type: ignore[arg-type]


def write_prompts(path: Path, texts: Sequence[str]) -> Path:
    write_jsonl(path, [make_prompt(text, id=f"p-{index}") for index, text in enumerate(texts)])
    return path


def write_demonstrations(path: Path, pairs: Sequence[tuple[str, str]], *, split: str | None = "train") -> Path:
    write_jsonl(path, [make_demonstration(*pair, id=f"d-{i}", split=split) for i, pair in enumerate(pairs)])
    return path
