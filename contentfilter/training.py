"""From labelled texts to a filter: heads on all, scaled and given thresholds by what was predicted out of fold."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from contentfilter.categories import CATEGORIES
from contentfilter.content_filter import KINDS, Thresholds, average
from contentfilter.data import DataError, LabelledText, fold_of, label_matrix
from contentfilter.features import ngrams, vectors
from contentfilter.heads import Heads, Scaling, fit_heads, fit_scaling
from contentfilter.statistics import best_f1, share
from language.embedding import Embedder

FEWEST = 10  # texts with "yes" that a category needs to be learned
MOST_HARMLESS_WARNED = 0.005  # of harmless texts, out of fold: half of what is promised of texts that nobody has seen
SUREST_BLOCK = 0.8  # that the lower bound of a block's precision must reach, or nothing is blocked


@dataclass(frozen=True)
class Learning:
    """What the fit depends on besides the texts; the values were chosen by cross-validation on the bundled data."""

    num_folds: int
    seed: int
    strengths: dict[str, float]  # inverse of the penalty, by kind of features
    harmless_weight: float  # of a harmless text in the loss; a labelled one counts 1


@dataclass(frozen=True)
class Learned:
    """`out_of_fold` are the probabilities of texts by heads that have not seen them."""

    heads: dict[str, tuple[Heads, Scaling]]
    thresholds: dict[str, Thresholds]
    out_of_fold: Float[Tensor, "texts categories"]
    labels: Float[Tensor, "texts categories"]


def learn(
    labelled: Sequence[LabelledText], harmless: Sequence[LabelledText], learning: Learning, embedder: Embedder
) -> Learned:
    """Fit and calibrate. Raises DataError where a category has too few texts with "yes"."""
    known = {one.key for one in labelled}
    texts = [*labelled, *(one for one in harmless if one.key not in known)]
    labels = label_matrix(texts)
    _require_enough(labels)
    written = [one.text for one in texts]
    features = {"vectors": vectors(written, embedder), "ngrams": ngrams(written)}
    is_harmless = torch.arange(len(texts)) >= len(labelled)
    weight = torch.where(is_harmless, learning.harmless_weight, 1.0).double()
    folds = torch.tensor([fold_of(one, num_folds=learning.num_folds, seed=learning.seed) for one in texts])
    heads, logits = {}, []
    for kind in KINDS:
        raw = _out_of_fold(features[kind], labels, weight, folds, strength=learning.strengths[kind])
        scaling = fit_scaling(raw, labels)
        logits.append(scaling(raw))
        whole = fit_heads(features[kind], labels, strength=learning.strengths[kind], weight=weight)
        heads[kind] = (whole, scaling)
    out_of_fold = average(logits)
    return Learned(heads, choose_thresholds(out_of_fold, labels, is_harmless), out_of_fold, labels)


def choose_thresholds(
    probabilities: Float[Tensor, "texts categories"],
    labels: Float[Tensor, "texts categories"],
    is_harmless: Bool[Tensor, " texts"],
) -> dict[str, Thresholds]:
    """Where each category warns and blocks, by predictions out of fold.

    It warns from the threshold of the best F1 on; all are raised together, in logits, until at most
    MOST_HARMLESS_WARNED of the harmless texts are warned of. It blocks from the lowest threshold on at which the lower
    bound of precision is SUREST_BLOCK, and not at all where there is none.
    """
    warn = torch.tensor(
        [
            best_f1(probabilities[known, column].tolist(), labels[known, column].tolist())
            for column in range(len(CATEGORIES))
            for known in [~labels[:, column].isnan()]
        ],
        dtype=torch.float64,
    )
    distance = (probabilities.logit() - warn.logit()).amax(dim=1)[is_harmless]
    num_allowed = int(MOST_HARMLESS_WARNED * len(distance))
    if len(distance):
        highest = distance.sort(descending=True).values
        raised = max(0.0, float(highest[min(num_allowed, len(highest) - 1)]) + 1e-6)
        warn = (warn.logit() + raised).sigmoid()
    return {
        name: Thresholds(
            warn_at=_rounded(float(warn[column])),
            block_at=_block_at(probabilities[:, column], labels[:, column], at_least=float(warn[column])),
        )
        for column, name in enumerate(CATEGORIES)
    }


def _block_at(probabilities: Tensor, labels: Tensor, *, at_least: float) -> float | None:
    known = ~labels.isnan()
    ranked = sorted(zip(probabilities[known].tolist(), labels[known].tolist(), strict=True), reverse=True)
    caught, lowest = 0, None
    for taken, (probability, label) in enumerate(ranked, 1):
        caught += int(label)
        bound = share(caught, taken).low
        if bound is not None and bound >= SUREST_BLOCK and probability >= at_least:
            lowest = probability
    return None if lowest is None else _rounded(lowest)


def _rounded(threshold: float) -> float:
    return round(threshold, 4)


def _out_of_fold(features: Tensor, labels: Tensor, weight: Tensor, folds: Tensor, *, strength: float) -> Tensor:
    raw = torch.zeros_like(labels)
    for fold in sorted(set(folds.tolist())):
        inside, outside = (folds == fold).nonzero().squeeze(1), (folds != fold).nonzero().squeeze(1)
        heads = fit_heads(features.index_select(0, outside), labels[outside], strength=strength, weight=weight[outside])
        raw[inside] = heads.logits(features.index_select(0, inside))
    return raw


def _require_enough(labels: Float[Tensor, "texts categories"]) -> None:
    for column, name in enumerate(CATEGORIES):
        num = int((labels[:, column] == 1).sum())
        if num < FEWEST:
            raise DataError(f"category {name} has {num} texts with “yes”; at least {FEWEST} are needed to learn it")
