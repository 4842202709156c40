"""Where the constant goes that lets references average 0, and what that costs."""

from pathlib import Path

import pytest
import torch

from language.checkpoints import load_tokenizer
from rewardmodel.comparisons import tokenize_rankings
from rewardmodel.model import start_reward_model
from rewardmodel.normalisation import constant_direction, normalise, spread_on_others
from rewardmodel.scoring import score_comparisons, states_of
from tests.rewardmodel.factories import make_toy_rankings


def test_the_direction_is_1_on_average_and_exact_where_the_states_share_one() -> None:
    generator = torch.Generator().manual_seed(0)
    states = torch.randn(400, 6, generator=generator, dtype=torch.float64)
    states[:, 4] = 3.0  # what all states have in common
    along = states @ constant_direction(states)
    assert along.mean().item() == pytest.approx(1.0, abs=1e-12)
    assert along.std().item() < 1e-3
    unseen = torch.randn(50, 6, generator=generator, dtype=torch.float64)
    unseen[:, 4] = 3.0
    assert (unseen @ constant_direction(states) - 1).abs().max().item() < 0.02


def test_no_other_direction_that_is_1_on_average_varies_less() -> None:
    generator = torch.Generator().manual_seed(1)
    states = torch.randn(300, 5, generator=generator, dtype=torch.float64) + torch.arange(5.0, dtype=torch.float64)
    best = constant_direction(states)
    for _ in range(20):
        other = best + 0.1 * torch.randn(5, generator=generator, dtype=torch.float64)
        other = other / (states.mean(dim=0) @ other)
        assert (states @ other).std() > 0.999 * (states @ best).std()


def test_references_average_0_and_what_moved_unevenly_is_told(tiny_policy: Path) -> None:
    model = start_reward_model(tiny_policy, seed=0)
    torch.nn.init.constant_(model.head.bias, 4.0)
    comparisons = tokenize_rankings(make_toy_rankings(40), load_tokenizer(tiny_policy), max_tokens=512).comparisons
    with torch.no_grad():
        states = states_of(model, comparisons)
        before = model.values_of(states)
        found = normalise(model, comparisons, token_budget=4096)
        after = model.values_of(states)
    scores = [score for _, row in score_comparisons(model, comparisons, token_budget=4096) for score in row]
    assert sum(scores) / len(scores) == pytest.approx(0.0, abs=1e-4)
    assert model.head.bias.item() == 0.0
    assert found.shift == pytest.approx(-before.mean().item(), abs=1e-4)
    uneven = (after - before - found.shift).std(correction=0).item()
    assert uneven < found.unevenness < 5 * uneven  # on others it is less even than on those it was fitted to


def test_what_strays_is_measured_on_states_that_were_not_fitted() -> None:
    generator = torch.Generator().manual_seed(2)
    states = torch.randn(20, 40, generator=generator, dtype=torch.float64) + 3.0  # fewer than dimensions
    assert (states @ constant_direction(states)).std().item() < 0.01
    fresh = torch.randn(500, 40, generator=generator, dtype=torch.float64) + 3.0
    truly = (fresh @ constant_direction(states) - 1).square().mean().sqrt().item()
    assert spread_on_others(states).item() == pytest.approx(truly, rel=0.6)
    assert spread_on_others(states[:2]).isnan()


@pytest.mark.real_model
def test_a_pretrained_trunk_hardly_feels_it(bundled_policy: Path) -> None:
    model = start_reward_model(bundled_policy, seed=0)
    comparisons = tokenize_rankings(make_toy_rankings(24), load_tokenizer(bundled_policy), max_tokens=512).comparisons
    with torch.no_grad():
        direction = constant_direction(states_of(model, comparisons[:16]).double())
        unseen = states_of(model, comparisons[16:]).double() @ direction
    assert unseen.mean().item() == pytest.approx(1.0, abs=0.05)
    assert unseen.std().item() < 0.05
