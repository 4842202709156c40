"""A trained filter: from texts to calibrated probabilities, and to what its rules would do by default."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from contentfilter.categories import CATEGORIES
from contentfilter.features import NUM_BUCKETS, WIDTH, ngrams, vectors
from contentfilter.heads import Heads, Scaling
from language.embedding import Embedder, load_embedder
from records.manifest import ManifestError, verify_directory

HEADS_FILE = "heads.safetensors"
BUNDLED = Path(__file__).parent / "bundled"
Verdict = Literal["pass", "warn", "block"]
WIDTHS = {"vectors": WIDTH, "ngrams": NUM_BUCKETS}  # of each kind of features, which has heads of its own
KINDS = tuple(WIDTHS)


class FilterError(ValueError):
    """A filter that cannot be used: where, what, what to do."""


@dataclass(frozen=True)
class Thresholds:
    """From which probability on a category warns, and blocks; None where nothing says that it would be right."""

    warn_at: float
    block_at: float | None


@dataclass(frozen=True)
class Screening:
    """One text: the probability of each category, what would be done, and for which category."""

    probabilities: dict[str, float]
    verdict: Verdict
    category: str | None


class ContentFilter:
    """Heads of both kinds of features, each scaled, their logits averaged."""

    def __init__(
        self,
        heads: dict[str, tuple[Heads, Scaling]],
        thresholds: dict[str, Thresholds],
        *,
        facts: dict[str, Any] | None = None,
        embedder: Embedder | None = None,
    ) -> None:
        self.heads, self.thresholds, self.facts = heads, thresholds, facts or {}
        self._embedder = embedder

    @property
    def embedder(self) -> Embedder:
        if self._embedder is None:
            self._embedder = load_embedder()
        return self._embedder

    def probabilities(self, texts: Sequence[str]) -> Float[Tensor, "texts categories"]:
        """Calibrated, in the order of CATEGORIES. A text without a letter or sign is 0 everywhere: nothing is said."""
        features = {"vectors": vectors(texts, self.embedder), "ngrams": ngrams(texts)}
        found = average([scale(heads.logits(features[kind])) for kind, (heads, scale) in self.heads.items()])
        says_nothing = torch.tensor(
            [not any(character.isprintable() and not character.isspace() for character in text) for text in texts],
            dtype=torch.bool,
        )
        found[says_nothing] = 0.0
        return found

    def screen(self, texts: Sequence[str]) -> list[Screening]:
        rows = self.probabilities(texts).tolist()
        return [self._screening(dict(zip(CATEGORIES, row, strict=True))) for row in rows]

    def _screening(self, probabilities: dict[str, float]) -> Screening:
        def over(name: str, bound: float | None) -> float:
            return -1.0 if bound is None else probabilities[name] - bound

        blocking = max(CATEGORIES, key=lambda name: over(name, self.thresholds[name].block_at))
        if over(blocking, self.thresholds[blocking].block_at) >= 0:
            return Screening(probabilities, "block", blocking)
        warning = max(CATEGORIES, key=lambda name: over(name, self.thresholds[name].warn_at))
        if over(warning, self.thresholds[warning].warn_at) >= 0:
            return Screening(probabilities, "warn", warning)
        return Screening(probabilities, "pass", None)


def average(logits: Sequence[Float[Tensor, "texts categories"]]) -> Float[Tensor, "texts categories"]:
    """The probabilities of the mean of several calibrated logits."""
    return torch.stack(list(logits)).mean(dim=0).sigmoid()


def any_of(probabilities: Float[Tensor, "texts categories"]) -> Float[Tensor, " texts"]:
    """The probability that a text is in any category, if they were independent: 1 − Π (1 − p) (noisy or)."""
    return 1 - (1 - probabilities).prod(dim=1)


def save_heads(path: Path, heads: dict[str, tuple[Heads, Scaling]]) -> None:
    """Half precision: 1.6 MB, and no probability moves by 0.001."""
    tensors = {}
    for kind, (one, scaling) in heads.items():
        tensors[f"{kind}.weights"] = one.weights.half().contiguous()
        tensors[f"{kind}.bias"] = one.bias.float()
        tensors[f"{kind}.slope"], tensors[f"{kind}.offset"] = scaling.slope.float(), scaling.offset.float()
    save_file(tensors, path)
    path.chmod(0o644)  # safetensors lets its owner alone read it; other users of the machine screen with it


def load_filter(
    directory: Path = BUNDLED, *, embedder: Embedder | None = None, expected_sha256: str | None = None
) -> ContentFilter:
    """The filter of a published directory, the bundled one by default. Raises FilterError where it is damaged, another
    than the one whose manifest has `expected_sha256`, or made by another version of the features."""
    try:
        facts = verify_directory(directory, expected_sha256=expected_sha256)
        tensors = {name: tensor.double() for name, tensor in load_file(directory / HEADS_FILE).items()}
        thresholds = {name: Thresholds(**facts["thresholds"][name]) for name in CATEGORIES}
        heads = {
            kind: (
                Heads(tensors[f"{kind}.weights"], tensors[f"{kind}.bias"]),
                Scaling(tensors[f"{kind}.slope"], tensors[f"{kind}.offset"]),
            )
            for kind in KINDS
        }
    except (ManifestError, OSError) as error:
        raise FilterError(str(error)) from error
    except (KeyError, TypeError, SafetensorError) as error:
        raise FilterError(f"{directory}: this is no content filter: {error!r} is missing or of another kind") from error
    for kind, (one, _) in heads.items():
        if one.weights.shape != (WIDTHS[kind], len(CATEGORIES)):
            raise FilterError(
                f"{directory}: its heads on {kind} are {tuple(one.weights.shape)} and should be "
                f"{(WIDTHS[kind], len(CATEGORIES))}: it was made by another version of the features; train it anew"
            )
    return ContentFilter(heads, thresholds, facts=facts, embedder=embedder)
