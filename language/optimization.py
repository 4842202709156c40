"""AdamW and the learning-rate schedules of the papers, every constant an argument.

Schedules are pure: step -> factor of the peak rate. Step 0 is the first optimizer step.
"""

import math
from collections.abc import Iterable
from typing import Literal

import torch
from torch import nn
from torch.distributed.tensor import DTensor
from torch.optim import AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR

ScheduleKind = Literal["constant", "linear", "cosine"]


def build_adamw(
    modules: nn.Module | Iterable[nn.Module],
    *,
    lr: float,
    betas: tuple[float, float] = (0.9, 0.95),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
) -> AdamW:
    """AdamW over the trained parameters; weight decay on matrices only.

    betas (0.9, 0.95): InstructGPT App. C. eps 1e-5 is lm-human-preferences' (its TensorFlow form is
    another update: method reference §9 C12). Raises ValueError where nothing is trained.
    """
    modules = [modules] if isinstance(modules, nn.Module) else list(modules)
    trained = {p: None for module in modules for p in module.parameters() if p.requires_grad}
    if not trained:
        raise ValueError("no parameter is to be trained: all are frozen")
    groups = [
        {"params": [p for p in trained if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in trained if p.ndim < 2], "weight_decay": 0.0},
    ]
    return AdamW([group for group in groups if group["params"]], lr=lr, betas=betas, eps=eps, fused=True)


def build_schedule(optimizer: Optimizer, *, kind: ScheduleKind, total_steps: int, warmup_steps: int = 0) -> LambdaLR:
    """The learning-rate schedule `kind` over `total_steps` optimizer steps."""
    return LambdaLR(optimizer, lambda step: rate_factor(step, kind, total_steps, warmup_steps))


def rate_factor(step: int, kind: ScheduleKind, total_steps: int, warmup_steps: int = 0) -> float:
    """Warm-up for the first `warmup_steps`, then `kind` over what is left."""
    if step < warmup_steps:
        return warmup_from_tenth(step, warmup_steps)
    fraction = min((step - warmup_steps) / max(total_steps - warmup_steps, 1), 1.0)
    return {"constant": 1.0, "linear": linear_to_zero(fraction), "cosine": cosine_to_tenth(fraction)}[kind]


def linear_to_zero(fraction: float) -> float:
    """1 at the start, 0 at the end (Stiennon et al. B.1; lm-human-preferences train_policy.py)."""
    return 1.0 - fraction


def cosine_to_tenth(fraction: float) -> float:
    """1 at the start, 0.1 at the end along a half cosine (InstructGPT App. C; method reference §9 B5)."""
    return 0.1 + 0.9 * 0.5 * (1.0 + math.cos(math.pi * fraction))


def warmup_from_tenth(step: int, warmup_steps: int) -> float:
    """Linear from 0.1 at step 0 towards 1 at `warmup_steps` (InstructGPT C.4; method reference §9 C23)."""
    return 0.1 + 0.9 * step / warmup_steps


def clip_gradients(modules: nn.Module | Iterable[nn.Module], *, max_norm: float) -> float:
    """Clip the gradients of the trained parameters to `max_norm` together; returns the norm before."""
    modules = [modules] if isinstance(modules, nn.Module) else list(modules)
    trained = {p: None for module in modules for p in module.parameters() if p.grad is not None}
    norm = torch.nn.utils.get_total_norm([p.grad for p in trained if p.grad is not None])
    if isinstance(norm, DTensor):  # of gradients that are shared out among processes: a part until it is asked for
        norm = norm.full_tensor()
    torch.nn.utils.clip_grads_with_norm_(list(trained), max_norm, norm)
    return float(norm)
