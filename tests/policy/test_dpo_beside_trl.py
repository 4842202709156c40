"""trl's DPOTrainer and ours say the same loss of the same pairs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmarks.dpo import write_job
from benchmarks.platform import CHECKOUT
from language.checkpoints import load_causal_lm, load_tokenizer
from policy.preference_objective import implicit_rewards
from policy.preferences import load_preferences
from policy.sequence_logprobs import sequence_logprobs
from rewardmodel.loss import pair_loss
from tests.policy.verdicts import write_rankings
from tests.rewardmodel.factories import make_ranking


def test_pair_by_pair_the_loss_is_trls(toy_policy: Path, tiny_policy: Path, tmp_path: Path) -> None:
    """A policy that has moved far from its reference, answers of unequal length."""
    pytest.importorskip("trl", reason="trl is not installed")
    answers = ["a a a", "I do not know the answer to that.", "d", "b b b b b"]
    ranking = make_ranking(id="r", prompt="How are you?", completions=answers, tiers=[[1], [0, 3], [2]], split="train")
    path = write_rankings(tmp_path / "rankings.jsonl", [ranking])
    tokenizer = load_tokenizer(toy_policy)
    comparisons = load_preferences(path, tokenizer, max_tokens=1000, validation_fraction=0.0).train
    options = {"reference": str(tiny_policy), "pairs_per_step": 1, "lr": 0.0, "bf16": False, "num_pairs": 100}
    job = write_job(tmp_path / "job.json", toy_policy, comparisons, **options)
    ended = subprocess.run(
        [sys.executable, "-m", "benchmarks.dpo_trl", str(job)],
        cwd=CHECKOUT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    theirs = json.loads(ended.stdout.splitlines()[-1])["losses"]
    with torch.no_grad():
        logprobs, ref_logprobs = (
            sequence_logprobs(load_causal_lm(place), comparisons, precision="fp32")
            for place in (toy_policy, tiny_policy)
        )
    rewards = implicit_rewards(logprobs, ref_logprobs, beta=0.1)
    tiers = comparisons[0].tiers[0]
    pairs = [(i, j) for i in range(4) for j in range(4) if tiers[i] < tiers[j]]
    ours = [pair_loss(rewards[i], rewards[j]).item() for i, j in pairs]
    assert len(set(ours)) == len(pairs) == 5
    assert theirs == pytest.approx(ours, rel=1e-3)
