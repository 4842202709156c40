"""Schedules and AdamW: the papers' numbers."""

import pytest
import torch
from torch import nn

from language.optimization import build_adamw, build_schedule, clip_gradients, rate_factor


@pytest.mark.parametrize(("step", "rate"), [(0, 9.65e-6), (50, 5.3075e-6), (100, 9.65e-7), (101, 9.65e-7)])
def test_cosine_ends_at_a_tenth(step: int, rate: float) -> None:
    """Method reference §9 B5."""
    assert 9.65e-6 * rate_factor(step, "cosine", 100) == pytest.approx(rate, rel=1e-9)


def test_linear_ends_at_zero() -> None:
    assert [rate_factor(step, "linear", 4) for step in range(5)] == [1.0, 0.75, 0.5, 0.25, 0.0]


def test_warm_up_starts_at_a_tenth_of_the_peak() -> None:
    """Method reference §9 C23."""
    factors = [rate_factor(step, "constant", 100, warmup_steps=10) for step in (0, 5, 10, 99)]
    assert factors == pytest.approx([0.1, 0.55, 1.0, 1.0])


def test_decay_spans_what_warm_up_leaves() -> None:
    assert rate_factor(10, "linear", 20, warmup_steps=10) == 1.0
    assert rate_factor(15, "linear", 20, warmup_steps=10) == 0.5


def test_the_schedule_drives_the_optimizer() -> None:
    model = nn.Linear(2, 1)
    optimizer = build_adamw(model, lr=1.0)
    schedule = build_schedule(optimizer, kind="linear", total_steps=2)
    rates = []
    for _ in range(2):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert rates == [1.0, 0.5]


@pytest.mark.parametrize(("eps", "ratio"), [(1e-5, 0.090909), (1e-8, 0.990099)])
def test_adam_eps_is_torchs_form(eps: float, ratio: float) -> None:
    """Method reference §9 C12: gradient 1e-6, first step, update over learning rate."""
    model = nn.Linear(1, 1, bias=False, dtype=torch.float64)
    before = model.weight.item()
    model.weight.grad = torch.full_like(model.weight, 1e-6)
    build_adamw(model, lr=1e-3, eps=eps).step()
    assert (before - model.weight.item()) / 1e-3 == pytest.approx(ratio, abs=1e-6)


def test_weight_decay_spares_vectors_and_frozen_parameters_are_left_out() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model[0].requires_grad_(False)
    groups = build_adamw(model, lr=0.1, weight_decay=0.5).param_groups
    assert [(group["weight_decay"], [p.ndim for p in group["params"]]) for group in groups] == [(0.5, [2]), (0.0, [1])]


def test_adam_forgets_at_the_printed_rates() -> None:
    """InstructGPT, App. C: (0.9, 0.95)."""
    assert [group["betas"] for group in build_adamw(nn.Linear(2, 2), lr=0.1).param_groups] == [(0.9, 0.95)] * 2


def test_nothing_to_train_is_an_error() -> None:
    model = nn.Linear(2, 2).requires_grad_(False)
    with pytest.raises(ValueError, match="all are frozen"):
        build_adamw(model, lr=0.1)


def test_gradients_of_several_modules_are_clipped_together() -> None:
    modules = [nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)]
    for module, gradient in zip(modules, (3.0, 4.0), strict=True):
        module.weight.grad = torch.tensor([[gradient]])
    assert clip_gradients(modules, max_norm=1.0) == pytest.approx(5.0)
    assert [module.weight.grad.item() for module in modules] == pytest.approx([0.6, 0.8], abs=1e-5)
