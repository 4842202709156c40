"""Two that share an update of PPO beside one: the same prompts, samples, numbers. Their weights: test_shared_runs."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
import torch

from language.chat import end_token_id
from language.checkpoints import load_causal_lm
from language.options import OptionError
from language.parallel import ALONE, Sharing
from language.stop_ids import hidden_ids
from policy.inputs import require_processes
from policy.material import load_material
from policy.ppo_config import PpoConfig
from policy.rollout import Rollouts, collect_rollouts, over_rollouts
from policy.shared_prompt import completion_logprobs
from tests.policy.updates import CPU, begin


def test_a_share_of_nothing_is_refused(config: PpoConfig) -> None:
    require_processes(config, 2)
    with pytest.raises(OptionError, match="3 processes cannot share minibatches of 2 pieces"):
        require_processes(config, 3)
    with pytest.raises(OptionError, match="cannot share"):
        require_processes(replace(config, rollouts_per_update=4, minibatch_size=4, microbatch_size=1), 2)


class Seat(Sharing):
    """One of two threads that share a run as two processes would: what one gathers the other has laid on the table."""

    def __init__(self, rank: int, table: dict[tuple[int, int], Any], meeting: threading.Barrier) -> None:
        super().__init__(rank, 2)
        self.table, self.meeting, self.turn = table, meeting, 0

    def gather(self, value: Any) -> list[Any]:
        self.table[self.turn, self.rank] = value
        self.meeting.wait()
        self.turn += 1
        return [self.table[self.turn - 1, rank] for rank in range(2)]


def two_seats() -> list[Seat]:
    table: dict[tuple[int, int], Any] = {}
    meeting = threading.Barrier(2, timeout=60)
    return [Seat(rank, table, meeting) for rank in range(2)]


def test_two_sample_and_measure_what_one_would(config: PpoConfig) -> None:
    """Five prompts, so that one share is larger; the same completions, seed by seed, in the same order."""
    learners, alone, _ = begin(config)
    material = load_material(config, CPU)

    def share(sharing: Sharing) -> tuple[Rollouts, torch.Tensor]:
        rollouts = collect_rollouts(
            learners.policy.model,
            material.prompts.prompts,
            num_completions=4,
            params=config.sampling_params(0),
            end_token_id=end_token_id(material.tokenizer),
            hidden_ids=hidden_ids(material.tokenizer),
            precision="fp32",
            sharing=sharing,
        )
        (logprobs,) = over_rollouts(
            lambda groups: completion_logprobs(load_causal_lm(config.policy), groups, temperature=1.0),
            rollouts,
            pieces=rollouts.pieces(3),
            sharing=sharing,
        )
        return rollouts, logprobs

    with ThreadPoolExecutor(2) as pool:
        shares = list(pool.map(share, two_seats()))
    _, expected = share(ALONE)
    assert len(shares) == 2
    for rollouts, logprobs in shares:
        assert rollouts.prompt_ids(range(20)) == alone.prompt_ids(range(20))
        assert rollouts.completions == alone.completions
        assert torch.equal(rollouts.mask, alone.mask)
        torch.testing.assert_close(logprobs, expected, atol=1e-5, rtol=0)
