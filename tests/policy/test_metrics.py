"""The numbers of an update, worked by hand on two rollouts of unlike length."""

import pytest
import torch

from language.generation import Sampled
from policy.metrics import join_pieces, mean_of_steps, piece_metrics, rollout_metrics
from policy.prompts import TokenizedPrompt
from policy.rollout import MeasuredRollouts, arrange
from tests.policy.factories import make_prompt

END = 2
GARBAGE = 99.0  # in the padding


def test_the_numbers_of_rollouts_are_sums_over_tokens_and_means_over_rollouts() -> None:
    sampled = [Sampled([5, END], [-1.0, -0.5], "stop"), Sampled([6, 7, 8], [-1.0, -1.0, -1.0], "length")]
    rollouts = arrange([TokenizedPrompt(make_prompt(), (1,))], [sampled], end_token_id=END, hidden_ids=frozenset())
    measured = MeasuredRollouts(
        rollouts,
        logprobs=torch.tensor([[-1.0, -0.5, GARBAGE], [-1.0, -1.0, -0.75]]),
        entropies=torch.tensor([[1.0, 2.0, GARBAGE], [3.0, 4.0, 5.0]]),
        ref_logprobs=torch.tensor([[-1.5, -1.0, -GARBAGE], [-1.0, -1.0, -0.75]]),
        values=torch.tensor([[1.0, 2.0, GARBAGE], [3.0, 4.0, 5.0]]),
        scores=torch.tensor([2.0, 4.0]),
    )
    found = rollout_metrics(
        measured,
        rewards=torch.tensor([[0.0, 1.0, 0.0], [0.5, 0.5, 1.0]]),
        returns=torch.tensor([[1.0, 2.0, -GARBAGE], [3.0, 4.0, 5.0]]),
    )
    assert found == pytest.approx(
        {
            "score": 3.0,
            "reward": 1.5,
            "kl": 0.5,  # 0.5 + 0.5 nats of the one, none of the other
            "kl_k3": 0.106531,  # e^-0.5 - 1 + 0.5, twice, of the one
            "entropy": 3.0,
            "completion_tokens": 2.5,
            "unended_share": 0.5,
            "explained_variance": 1.0,
            "sampler_gap": 0.25,
            "sampler_gap_mean": 0.05,  # of one token in five
            "sampler_kl": 0.006805,  # (e^0.25 - 1 - 0.25) / 5
        },
        abs=1e-6,
    )


def test_one_of_four_rollouts_without_an_end_token_is_a_quarter() -> None:
    sampled = [Sampled([5, END], [-1.0, -1.0], "stop")] * 3 + [Sampled([6, 7], [-1.0, -1.0], "length")]
    rollouts = arrange([TokenizedPrompt(make_prompt(), (1,))], [sampled], end_token_id=END, hidden_ids=frozenset())
    tokens = torch.zeros(4, 2)
    measured = MeasuredRollouts(rollouts, tokens, tokens, tokens, torch.zeros(4), values=tokens)
    assert rollout_metrics(measured, rewards=tokens, returns=tokens)["unended_share"] == 0.25


def test_pieces_of_a_minibatch_add_up_to_shares_of_all_its_tokens() -> None:
    mask = torch.tensor([[True, False], [True, True]])
    new, old = torch.tensor([[0.1, GARBAGE], [0.0, 0.0]]), torch.zeros(2, 2)
    clipped = torch.tensor([[True, True], [False, True]])
    loss = torch.tensor(0.5)
    parts = [piece_metrics(loss, loss, new[[i]], old[[i]], clipped[[i]], mask[[i]], total=3) for i in range(2)]
    whole = join_pieces(parts)
    assert whole["clip_fraction"] == pytest.approx(2 / 3)
    assert whole["policy_loss"] == pytest.approx(1.0)
    assert whole["ratio_gap"] == pytest.approx(0.105171, abs=1e-6)  # e^0.1 - 1, the larger of both
    assert whole["update_kl"] == pytest.approx(0.005171 / 3, abs=1e-6)  # e^0.1 - 1 - 0.1, of the policy that sampled


def test_of_the_steps_of_an_update_the_first_one_tells_the_ratio_and_all_tell_the_rest() -> None:
    steps = [{"policy_loss": 1.0, "ratio_gap": 0.0}, {"policy_loss": 2.0, "ratio_gap": 0.5}]
    assert mean_of_steps(steps) == {"policy_loss": 1.5, "first_ratio_gap": 0.0}
