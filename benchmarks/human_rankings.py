"""People's rankings for benchmarks: Open-Assistant's trees and the pairs of HH harmless, as records, split by prompt.

Neither is part of the repository. Both have one ranking a comparison and do not say whose it is, so how far
trainers agree with one another is not to be known from them.
"""

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from transformers import PreTrainedTokenizerBase

from benchmarks.beside_trl import BenchmarkError, oasst_trees
from benchmarks.rewardmodel import ranked_groups
from records import Completion, Ranking
from rewardmodel.comparisons import tokenize_comparison
from rewardmodel.splits import HELD_OUT, assign_splits, find_leaks


@dataclass(frozen=True)
class Halves:
    """Rankings to learn from and to be judged by, and how many were left out for which reason."""

    train: list[Ranking]
    held_out: list[Ranking]
    left_out: dict[str, int]


def oasst_rankings(folder: Path) -> tuple[list[Ranking], dict[str, int]]:
    """All ranked replies of the trees, those that a review refused too: people ranked them."""
    rankings = []
    for number, (messages, replies) in enumerate(
        group for tree in oasst_trees(folder) for group in ranked_groups(tree, ())
    ):
        tiers: dict[int, list[str]] = {}
        for reply in replies:
            tiers.setdefault(reply["rank"], []).append(reply["message_id"])
        rankings.append(
            Ranking(
                id=f"oasst-{number}",
                comparison_id=f"oasst-{number}",
                messages=messages,
                completions=tuple(Completion(id=reply["message_id"], content=reply["text"]) for reply in replies),
                tiers=tuple(tuple(tiers[rank]) for rank in sorted(tiers)),
            )
        )
    return rankings, {}


def hh_rankings(folder: Path) -> tuple[list[Ranking], dict[str, int]]:
    """The pairs as the platform's importer reads them, and how many it refused."""
    path = folder / "hh_harmless.jsonl.gz"
    if not path.is_file():
        raise BenchmarkError(f"{path} is missing; give the folder of the data sets")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "labeling.settings")
    import django

    django.setup()  # the importer stands beside models; no database is asked
    from labeling.imports.formats import hh
    from labeling.imports.importer import read_records
    from labeling.imports.reader import EntryReader, Refusal

    rankings: list[Ranking] = []
    refused: Counter[str] = Counter()
    for read in read_records(EntryReader(path), hh.FORMAT, "rankings"):
        if isinstance(read, Refusal):
            refused["refused"] += 1
            continue
        for ranking in read.records:
            identifier = f"hh-{len(rankings)}"
            rankings.append(replace(ranking, id=identifier, comparison_id=identifier))
    return rankings, dict(refused)


Reader = Callable[[Path], tuple[list[Ranking], dict[str, int]]]
SOURCES: Mapping[str, Reader] = {"open-assistant": oasst_rankings, "hh-harmless": hh_rankings}


def halve(
    rankings: Sequence[Ranking],
    tokenizer: PreTrainedTokenizerBase,
    *,
    swaps: bool,
    max_tokens: int,
    held_out_fraction: float,
    most_train: int,
    most_held_out: int,
    seed: int,
) -> Halves:
    """Split by prompt what fits whole, leave out what would leak, and draw of each side at most so many.

    With `swaps` the two sides change places, so that every prompt is held out once.
    """
    fitting = [ranking for ranking in rankings if _fits(ranking, tokenizer, max_tokens)]
    assigned = assign_splits(fitting, validation_fraction=held_out_fraction)
    if swaps:
        assigned = [replace(one, split="train" if one.split in HELD_OUT else "validation") for one in assigned]
    leaking = {leak.record_id for leak in find_leaks(assigned)}
    held_out = [ranking for ranking in assigned if ranking.split in HELD_OUT]
    train = [ranking for ranking in assigned if ranking.split == "train" and ranking.id not in leaking]
    drawn = Random(seed)
    for side in (train, held_out):
        drawn.shuffle(side)
    left_out = {"too_long": len(rankings) - len(fitting), "leaking": len(leaking)}
    left_out |= {
        "not_drawn_train": len(train) - len(train[:most_train]),
        "not_drawn_held_out": len(held_out) - len(held_out[:most_held_out]),
    }
    return Halves(train[:most_train], held_out[:most_held_out], left_out)


def _fits(ranking: Ranking, tokenizer: PreTrainedTokenizerBase, max_tokens: int) -> bool:
    contents = [completion.content for completion in ranking.completions]
    fitted = tokenize_comparison(ranking.id, ranking.messages, contents, tokenizer, max_tokens=max_tokens)
    return fitted is not None and not fitted.num_cut
