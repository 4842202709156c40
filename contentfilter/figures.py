"""A filter's figures on labelled texts: AUPRC, calibration, and what it would warn of and block, with intervals."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from contentfilter.categories import CATEGORIES
from contentfilter.content_filter import Thresholds, any_of
from contentfilter.statistics import Estimate, Numbers, average_precision, calibration_error, resampled, share


@dataclass(frozen=True)
class CategoryFigures:
    """`chance` is the share of positives: the AUPRC of guessing. Precision and recall are at the thresholds."""

    auprc: Estimate
    chance: float | None
    num_positive: int
    ece: Estimate
    warn_precision: Estimate
    warn_recall: Estimate
    block_precision: Estimate
    block_recall: Estimate


@dataclass(frozen=True)
class AnyFigures:
    """Any category at all; a label that nobody gave counts as "no" here, as in the published figures."""

    auprc: Estimate
    chance: float | None
    num_positive: int


@dataclass(frozen=True)
class MacroFigures:
    """The mean over the categories that have a positive."""

    auprc: Estimate


@dataclass(frozen=True)
class Figures:
    """`ece` is over all texts and all categories that were judged."""

    any: AnyFigures
    macro: MacroFigures
    categories: dict[str, CategoryFigures]
    ece: Estimate
    warned: Estimate
    blocked: Estimate


def figures_of(
    probabilities: Float[Tensor, "texts categories"],
    labels: Float[Tensor, "texts categories"],
    thresholds: dict[str, Thresholds],
    *,
    seed: int = 0,
) -> Figures:
    """All figures; intervals draw texts anew. NaN labels are unknown."""
    found, truths = probabilities.numpy(), labels.numpy()
    anywhere, some = any_of(probabilities).numpy(), np.nan_to_num(truths).max(axis=1, initial=0.0)
    known = ~np.isnan(truths)
    warned = torch.stack(
        [probabilities[:, i] >= thresholds[name].warn_at for i, name in enumerate(CATEGORIES)]
    ).double()
    blocked = torch.stack(
        [
            probabilities[:, i] >= (2.0 if (bound := thresholds[name].block_at) is None else bound)
            for i, name in enumerate(CATEGORIES)
        ]
    ).double()

    def macro(rows: np.ndarray) -> float | None:
        each = [_auprc(found, truths, rows, column) for column in range(len(CATEGORIES))]
        values = [one for one in each if one is not None]
        return sum(values) / len(values) if values else None

    def ece(rows: np.ndarray) -> float | None:
        return calibration_error(found[rows][known[rows]], truths[rows][known[rows]])

    return Figures(
        any=AnyFigures(
            auprc=resampled(len(some), lambda rows: average_precision(anywhere[rows], some[rows]), seed=seed),
            chance=float(some.mean()) if len(some) else None,
            num_positive=int(some.sum()),
        ),
        macro=MacroFigures(auprc=resampled(len(some), macro, seed=seed)),
        categories={
            name: _category(
                found[:, i], truths[:, i], warned[i].double().numpy(), blocked[i].double().numpy(), seed=seed
            )
            for i, name in enumerate(CATEGORIES)
        },
        ece=resampled(len(some), ece, seed=seed),
        warned=share(int((warned + blocked).any(dim=0).sum()), len(some)),
        blocked=share(int(blocked.any(dim=0).sum()), len(some)),
    )


def _auprc(found: Numbers, truths: Numbers, rows: np.ndarray, column: int) -> float | None:
    drawn, labels = found[rows, column], truths[rows, column]
    known = ~np.isnan(labels)
    return average_precision(drawn[known], labels[known])


def _category(found: Numbers, truths: Numbers, warned: Numbers, blocked: Numbers, *, seed: int) -> CategoryFigures:
    known = ~np.isnan(truths)
    found, truths, warned, blocked = found[known], truths[known], warned[known], blocked[known]
    num_positive = int(truths.sum())

    def right(acted: Numbers) -> int:
        return int((acted * truths).sum())

    return CategoryFigures(
        auprc=resampled(len(found), lambda rows: average_precision(found[rows], truths[rows]), seed=seed),
        chance=num_positive / len(found) if len(found) else None,
        num_positive=num_positive,
        ece=resampled(len(found), lambda rows: calibration_error(found[rows], truths[rows]), seed=seed),
        warn_precision=share(right(warned), int(warned.sum())),
        warn_recall=share(right(warned), num_positive),
        block_precision=share(right(blocked), int(blocked.sum())),
        block_recall=share(right(blocked), num_positive),
    )
