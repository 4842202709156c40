"""Logistic heads, one a category, and their calibration. Pure functions on tensors, in float64."""

import warnings
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

_STEPS = 100  # of L-BFGS; the loss is convex, and after these it stands still to six digits


@dataclass(frozen=True)
class Heads:
    """logits = features @ weights + bias, for every category."""

    weights: Float[Tensor, "features categories"]
    bias: Float[Tensor, " categories"]

    def logits(self, features: Tensor) -> Float[Tensor, "texts categories"]:
        """`features` is [texts, features], dense or sparse."""
        return (
            torch.sparse.mm(features, self.weights) + self.bias
            if features.is_sparse
            else (features @ self.weights + self.bias)
        )


def fit_heads(
    features: Tensor, labels: Float[Tensor, "texts categories"], *, strength: float, weight: Float[Tensor, " texts"]
) -> Heads:
    """Minimise the logistic loss of all heads at once by L-BFGS, plus |w|² / (2 · strength) of each.

    `labels` are 0, 1 or NaN where nobody has said; those take no part. The loss is the sum over texts, each counting
    `weight`. Raises ValueError where a category has no label of one kind, since nothing can be learned of it.
    """
    known = ~labels.isnan()
    for column in range(labels.shape[1]):
        if len(set(labels[known[:, column], column].tolist())) < 2:
            raise ValueError(f"category {column} has only labels of one kind")
    targets, counts = labels.nan_to_num(0.0), known * weight[:, None]
    forward, backward = _both_ways(features)
    weights = torch.zeros(features.shape[1], labels.shape[1], dtype=torch.float64)
    bias = torch.zeros(labels.shape[1], dtype=torch.float64)
    optimizer = torch.optim.LBFGS(
        [weights, bias], max_iter=_STEPS, history_size=10, tolerance_grad=1e-6, line_search_fn="strong_wolfe"
    )

    def loss() -> Tensor:
        logits = forward @ weights + bias
        residuals = (logits.sigmoid() - targets) * counts
        weights.grad, bias.grad = backward @ residuals + weights / strength, residuals.sum(dim=0)
        losses = torch.nn.functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
        return (losses * counts).sum() + weights.square().sum() / (2 * strength)

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    return Heads(weights, bias)


def _both_ways(features: Tensor) -> tuple[Tensor, Tensor]:
    """The matrix and its transpose, both by rows where they are sparse: seven times as quick as autograd's product."""
    if not features.is_sparse:
        return features, features.T
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
        return features.to_sparse_csr(), features.t().coalesce().to_sparse_csr()


@dataclass(frozen=True)
class Scaling:
    """Calibrated logit = slope · logit + offset, for every category."""

    slope: Float[Tensor, " categories"]
    offset: Float[Tensor, " categories"]

    def __call__(self, logits: Float[Tensor, "texts categories"]) -> Float[Tensor, "texts categories"]:
        return logits * self.slope + self.offset


def fit_scaling(logits: Float[Tensor, "texts categories"], labels: Float[Tensor, "texts categories"]) -> Scaling:
    """Platt's scaling (Platt 1999) of logits that were made out of fold, with his targets for few examples.

    Positives aim at (n₊ + 1) / (n₊ + 2), negatives at 1 / (n₋ + 2), so that a category with few never becomes sure.
    """
    slopes, offsets = [], []
    for column in range(logits.shape[1]):
        known = ~labels[:, column].isnan()
        scores, truths = logits[known, column], labels[known, column]
        positive = truths.sum()
        targets = torch.where(truths == 1, (positive + 1) / (positive + 2), 1 / (len(truths) - positive + 2))
        slope, offset = _fit_line(scores, targets)
        slopes.append(slope)
        offsets.append(offset)
    return Scaling(torch.stack(slopes), torch.stack(offsets))


def _fit_line(scores: Float[Tensor, " texts"], targets: Float[Tensor, " texts"]) -> tuple[Tensor, Tensor]:
    line = torch.tensor([1.0, 0.0], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([line], max_iter=_STEPS, tolerance_grad=1e-9, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        total = torch.nn.functional.binary_cross_entropy_with_logits(scores * line[0] + line[1], targets)
        total.backward()  # type: ignore[no-untyped-call]
        return total

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    slope, offset = line.detach()
    return slope.clamp(min=0.0), offset  # a head that is worse than chance out of fold says nothing, not the opposite
