"""The reward model's trainer beside trl's RewardTrainer: same rankings, weights, optimizer and precision, one run.

trl needs an environment of its own, under var/bench: trl and what it asks for besides, over the torch and
transformers of this one. Both sides are processes with one thread each, timed in CPU seconds, since other
work on the machine would move wall time more than anything measured here.
"""

import json
import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from transformers import PreTrainedTokenizerBase

from benchmarks.beside_trl import oasst_trees, run_side, trl_environment
from benchmarks.figures import Figure, summarise
from benchmarks.platform import CHECKOUT
from language.bundled import ensure_bundled_policy
from language.checkpoints import load_tokenizer
from records import Message
from records.store import model_store
from rewardmodel.comparisons import Comparison, tokenize_comparison
from rewardmodel.model import publish_reward_model, start_reward_model

TRL_VERSION = "1.16.0"
MAX_TOKENS = 512
NUM_COMPARISONS = 16
REPEATS = 2
LR = 9e-6
PAIRS_PER_STEP = 8  # trl's own default
TIMED_PAIRS = 16  # of all that trl would forward, drawn at random; the rest is scaled by tokens


def figures() -> Iterator[Figure]:
    """Speed on ragged real rankings, speed on long prompts with nine completions, and peak memory."""
    python = trl_environment(CHECKOUT / "var" / "bench" / "trl", version=TRL_VERSION, needs="import trl")
    policy = ensure_bundled_policy(model_store())[0]
    with tempfile.TemporaryDirectory(prefix="parley-bench-") as folder:
        start = Path(folder) / "start"
        tokenizer = load_tokenizer(policy)
        publish_reward_model(start, model=start_reward_model(policy, seed=0), tokenizer=tokenizer, facts={})
        ragged = real_comparisons(tokenizer, NUM_COMPARISONS)
        runs = [_both(python, start, ragged, folder, seed=seed) for seed in range(REPEATS)]
        yield _speedup("rewardmodel.speedup_oasst", runs, ragged)
        yield summarise(
            "rewardmodel.peak_memory_ratio",
            [ours["peak_bytes"] / theirs["peak_bytes"] for ours, theirs in runs],
            unit="times",
            ours_gb=[ours["peak_bytes"] / 1e9 for ours, _ in runs],
            trl_gb=[theirs["peak_bytes"] / 1e9 for _, theirs in runs],
            means="peak resident memory of the whole process, weights, gradients and optimizer included",
        )
        long = [nine_completions()]
        runs = [_both(python, start, long, folder, seed=0)]
        yield _speedup("rewardmodel.speedup_k9_long", runs, long)


def real_comparisons(tokenizer: PreTrainedTokenizerBase, count: int) -> list[Comparison]:
    """Ranked replies of Open-Assistant trees that fit MAX_TOKENS, drawn by a fixed seed."""
    found: list[Comparison] = []
    for messages, replies in (group for tree in oasst_trees() for group in ranked_groups(tree, ())):
        texts = [reply["text"] for reply in replies]
        fitted = tokenize_comparison(str(len(found)), messages, texts, tokenizer, max_tokens=MAX_TOKENS)
        if fitted is not None and not fitted.num_cut:
            found.append(_ranked(fitted.comparison, [reply["rank"] for reply in replies]))
    return random.Random(0).sample(found, count)


def nine_completions() -> Comparison:
    """A prompt of 400 tokens and nine completions of 60, all ids drawn."""
    drawn = random.Random(1)
    ids = [tuple(drawn.randrange(100, 40_000) for _ in range(length)) for length in (400, *[60] * 9)]
    return _ranked(Comparison("k9", ids[0], tuple(ids[1:]), (60,) * 9, (), ()), list(range(9)))


def ranked_groups(node: dict[str, Any], before: tuple[Message, ...]) -> Iterator[tuple[tuple[Message, ...], list[Any]]]:
    """Every prompt of a tree with two or more ranked replies that are not all level, and those replies."""
    role: Literal["user", "assistant"] = "user" if node["role"] == "prompter" else "assistant"
    path = (*before, Message(role=role, content=node["text"]))
    replies = [reply for reply in node["replies"] if reply.get("rank") is not None]
    if role == "user" and len(replies) >= 2 and len({reply["rank"] for reply in replies}) >= 2:
        yield path, replies
    for reply in node["replies"]:
        yield from ranked_groups(reply, path)


def _both(
    python: Path, model: Path, comparisons: Sequence[Comparison], folder: str, *, seed: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    job = Path(folder) / "job.json"
    asked = {
        "model": str(model),
        "comparisons": [[member.prompt_ids, member.completion_ids, member.tiers[0]] for member in comparisons],
        "pairs_per_step": PAIRS_PER_STEP,
        "lr": LR,
        "num_pairs": TIMED_PAIRS,
        "seed": seed,
    }
    job.write_text(json.dumps(asked), encoding="utf-8")
    ours = run_side([sys.executable, "-m", "benchmarks.rewardmodel_ours", str(job)])
    return ours, run_side([str(python), "-m", "benchmarks.rewardmodel_trl", str(job)])


def _speedup(
    name: str, runs: Sequence[tuple[dict[str, Any], dict[str, Any]]], comparisons: Sequence[Comparison]
) -> Figure:
    """Comparisons a CPU second, ours over trl's."""
    useful = sum(member.num_tokens for member in comparisons)
    detail = {
        side: {
            "comparisons_per_second": [len(comparisons) / run["cpu_seconds"] for run in found],
            "tokens_per_second": [run["tokens"] / run["timed_seconds"] for run in found],
            "wall_seconds": [run["wall_seconds"] for run in found],
            "loss": [run["loss"] for run in found],
        }
        for side, found in (("ours", [ours for ours, _ in runs]), ("trl", [theirs for _, theirs in runs]))
    }
    return summarise(
        name,
        [theirs["cpu_seconds"] / ours["cpu_seconds"] for ours, theirs in runs],
        unit="times",
        precision="bf16 autocast over fp32 weights, both",
        extrapolated="trl times some of its pairs, drawn at random, scaled by tokens to all of them",
        shared_tokens=useful,
        pairs_timed_of=[[theirs["pairs_timed"], theirs["pairs"]] for _, theirs in runs],
        **detail,
    )


def _ranked(comparison: Comparison, ranks: list[int]) -> Comparison:
    return Comparison(
        comparison.id,
        comparison.prompt_ids,
        comparison.completion_ids,
        comparison.num_characters,
        (f"r-{comparison.id}",),
        (tuple(ranks),),
    )
