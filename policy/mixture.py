"""Instruction data mixed into fine-tuning as dialogues of one question and one answer, at a chosen ratio.

The post on ChatGPT mixes its dialogues with the InstructGPT data turned into dialogues; it prints no ratio.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerBase

from language.batching import seeded_order
from policy.dialogues import TokenizedDialogue, tokenize_dialogue
from policy.prompts import draw
from records import Demonstration, RecordError, decode
from records.lines import read_json_lines
from records.names import DEMONSTRATIONS_FILE
from rewardmodel.data import DataError, Source, find_source

# What others call the two sides of a pair; "input" is the text that an instruction of Alpaca's is about.
_QUESTIONS = ("instruction", "prompt")
_ANSWERS = ("output", "response", "completion")


@dataclass(frozen=True)
class Mixture:
    """Dialogues to mix in, so many per epoch, and how many records were left out for which reason."""

    source: Source
    dialogues: tuple[TokenizedDialogue, ...]
    per_epoch: int
    left_out: dict[str, int]


def load_mixture(
    path: Path,
    tokenizer: PreTrainedTokenizerBase,
    *,
    per_epoch: int,
    max_tokens: int,
    held_out: Sequence[Demonstration],
) -> Mixture:
    """The training records of an export or a .jsonl file, of demonstrations or of instruction and answer.

    Those that begin as a held-out dialogue does are left out: they would be learnt by heart and then judged.
    Raises DataError or RecordError where there is nothing to mix in.
    """
    source = find_source(path, DEMONSTRATIONS_FILE)
    reserved = {beginning_of(demonstration) for demonstration in held_out}
    reasons: Counter[str] = Counter()
    kept: list[TokenizedDialogue] = []
    for demonstration in read_dialogues(source.path):
        if demonstration.split in ("validation", "test"):
            reasons["other_split"] += 1
            continue
        if beginning_of(demonstration) in reserved:
            reasons["held_out"] += 1
            continue
        dialogue = tokenize_dialogue(demonstration, tokenizer, where=source.path.name)
        if len(dialogue.token_ids) > max_tokens:
            reasons["too_long"] += 1
        elif not any(dialogue.learnt):
            reasons["nothing_by_a_person"] += 1
        else:
            kept.append(dialogue)
    if not kept:
        raise DataError(f"{source.path}: nothing in it can be mixed in; left out: {dict(reasons) or 'none'}")
    return Mixture(source, tuple(kept), per_epoch, dict(reasons))


def read_dialogues(path: Path) -> Iterator[Demonstration]:
    """Demonstrations as they are; a pair of instruction and answer as one user and one assistant message."""
    for number, values in read_json_lines(path):
        where = f"{path.name}:{number}"
        if isinstance(values, dict) and "messages" not in values:
            values = _from_pair(values, f"i-{number}", where)
        yield decode(Demonstration, values, where=where)


def members_of_epoch(
    dialogues: Sequence[TokenizedDialogue], mixture: Mixture | None, *, seed: int, epoch: int
) -> list[TokenizedDialogue]:
    """An epoch's dialogues in their order: all of `dialogues`, and the next of the mixture's endless stream.

    A pure function of its arguments, so that a resumed run continues the same order.
    """
    mixed = (
        draw(mixture.dialogues, start=epoch * mixture.per_epoch, count=mixture.per_epoch, seed=seed) if mixture else []
    )
    members = [*dialogues, *mixed]
    return [members[index] for index in seeded_order(len(members), seed=seed, epoch=epoch)]


def beginning_of(demonstration: Demonstration) -> str:
    """What the first user says, by which two dialogues are taken for one."""
    said = [message.content for message in demonstration.messages if message.role == "user"]
    return (said or [demonstration.messages[0].content])[0].strip()


def _from_pair(values: dict[str, Any], record_id: str, where: str) -> dict[str, Any]:
    question = next((values[name] for name in _QUESTIONS if values.get(name)), None)
    answer = next((values[name] for name in _ANSWERS if values.get(name)), None)
    if not isinstance(question, str) or not isinstance(answer, str):
        raise RecordError(
            f'{where}: has neither "messages" nor an instruction ({", ".join(_QUESTIONS)}) with an answer '
            f"({', '.join(_ANSWERS)})"
        )
    about = values.get("input") or values.get("context") or ""
    asked = f"{question}\n\n{about}" if about else question
    return {
        "id": str(values.get("id", record_id)),
        "messages": [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}],
        "split": values.get("split"),
    }
