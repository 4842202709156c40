"""Thumbs as KTO learns from them: a prompt with the completion that was judged, and one that answers another prompt.

The other one is what the reference point is estimated from (Ethayarajh et al. 2024, §4.1). Which thumb lends its
completion to which is drawn once for the whole run, so that the reference policy speaks of each but once.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from transformers import PreTrainedTokenizerBase

from language.batching import seeded_order
from language.chat import render_completion, render_prompt
from language.seeds import derived_seed
from records import RecordError, Thumb, read_jsonl
from records.names import THUMBS_FILE
from records.sides import drawn
from rewardmodel.data import DataError, Source, find_source
from rewardmodel.limits import BEYOND, at_most
from rewardmodel.splits import dialogue_key, find_leaks


@dataclass(frozen=True)
class TokenizedThumb:
    """One verdict as tokens; `mismatched` is the completion of a thumb on another prompt."""

    id: str
    prompt_ids: tuple[int, ...]
    judged: tuple[int, ...]
    up: bool
    mismatched: tuple[int, ...] = ()

    @property
    def completion_ids(self) -> tuple[tuple[int, ...], ...]:
        """What was judged, and what answers another prompt: the reference policy is asked of both."""
        return (self.judged, self.mismatched)

    @property
    def num_tokens(self) -> int:
        """Tokens to be forwarded where both completions share the prompt."""
        return len(self.prompt_ids) + len(self.judged) + len(self.mismatched)


@dataclass(frozen=True)
class ThumbSet:
    """Thumbs to learn from and to be judged by, and how many were left out for which reason."""

    source: Source
    train: tuple[TokenizedThumb, ...]
    validation: tuple[TokenizedThumb, ...]
    left_out: dict[str, int]

    @property
    def num_up(self) -> int:
        """Thumbs up that are learnt from."""
        return sum(thumb.up for thumb in self.train)


def load_thumbs(
    path: Path,
    tokenizer: PreTrainedTokenizerBase,
    *,
    max_tokens: int,
    validation_fraction: float,
    seed: int,
    max_records: int = 0,
) -> ThumbSet:
    """The thumbs of an export directory or a .jsonl file, as tokens, each with a mismatched completion.

    A thumb without a split gets one by its dialogue's first message. `left_out` counts: too_long; leaking (in train,
    though the same prompt or one nearly the same is held out); other_split; beyond_max_records.
    Raises DataError or RecordError, naming file, record and field, where nothing can be learnt.
    """
    source = find_source(path, THUMBS_FILE)
    thumbs = _read(source, validation_fraction)
    reasons: Counter[str] = Counter()
    kept: dict[str, list[TokenizedThumb]] = {"train": [], "validation": [], "test": []}
    for thumb in thumbs:
        prompt = tuple(render_prompt(tokenizer, thumb.messages))
        judged = tuple(render_completion(tokenizer, thumb.completion.content))
        if len(prompt) + len(judged) > max_tokens:
            reasons["too_long"] += 1
        else:
            kept[str(thumb.split)].append(TokenizedThumb(thumb.id, prompt, judged, thumb.up))
    leaking = {leak.record_id for leak in find_leaks(thumbs)}
    found = [thumb for thumb in kept["train"] if thumb.id not in leaking]
    train = at_most(found, max_records, id_of=lambda thumb: thumb.id)
    left_out = {
        **reasons,
        "leaking": len(kept["train"]) - len(found),
        "other_split": len(kept["test"]),
        BEYOND: len(found) - len(train),
    }
    if not train:
        raise DataError(f"{source.path}: no thumb of split train fits {max_tokens} tokens; left out: {left_out}")
    _require_both_kinds(train, source.path)
    return ThumbSet(
        source,
        mismatch(train, seed=derived_seed(seed, "mismatch", "train"), where=source.path),
        mismatch(kept["validation"], among=train, seed=derived_seed(seed, "mismatch", "held-out"), where=source.path),
        left_out,
    )


def mismatch(
    thumbs: Sequence[TokenizedThumb], *, among: Sequence[TokenizedThumb] = (), seed: int, where: Path
) -> tuple[TokenizedThumb, ...]:
    """Each with the completion of the next one, in seeded order, that answers another prompt.

    Where all are of one prompt the completion comes from `among`. Raises DataError where those are of that prompt too.
    """
    order = [thumbs[index] for index in seeded_order(len(thumbs), seed=seed, epoch=0)]
    lent: dict[str, tuple[int, ...]] = {}
    for place, thumb in enumerate(order):
        following = (order[(place + step) % len(order)] for step in range(1, len(order)))
        other = next((one for one in chain(following, among) if one.prompt_ids != thumb.prompt_ids), None)
        if other is None:
            raise DataError(
                f"{where}: all thumbs are on one prompt; KTO measures what the policy says of other prompts' answers, "
                "so it needs two prompts at least"
            )
        lent[thumb.id] = other.judged
    return tuple(replace(thumb, mismatched=lent[thumb.id]) for thumb in thumbs)


def _read(source: Source, validation_fraction: float) -> list[Thumb]:
    """Every thumb, each with a split. RecordError for an id that is used twice or a text without words."""
    seen: set[str] = set()
    thumbs = []
    for thumb in read_jsonl(source.path, Thumb):
        if thumb.id in seen:
            raise RecordError(f'{source.path.name}: thumb {thumb.id}: "id" is used twice in this file')
        seen.add(thumb.id)
        for index, message in enumerate(thumb.messages):
            if not message.content.strip():
                raise RecordError(f'{source.path.name}: thumb {thumb.id}: "messages[{index}].content" is empty')
        if thumb.split is None:
            held_out = drawn(dialogue_key(thumb.messages)) / 2**64 < validation_fraction
            thumb = replace(thumb, split="validation" if held_out else "train")
        thumbs.append(thumb)
    if not thumbs:
        raise DataError(f"{source.path}: holds no thumbs")
    return thumbs


def _require_both_kinds(thumbs: Sequence[TokenizedThumb], path: Path) -> None:
    num_up = sum(thumb.up for thumb in thumbs)
    if num_up in (0, len(thumbs)):
        kind = "up" if num_up else "down"
        raise DataError(
            f"{path}: all {len(thumbs)} thumbs to learn from are {kind}; KTO needs both kinds, "
            "since no weight makes up for one that is not there"
        )
