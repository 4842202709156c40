"""Train a content filter on texts that people labelled, with harmless texts beside them.

Two logistic heads a category, one on MiniLM vectors and one on hashed n-grams, each scaled by predictions out of fold;
their mean is the filter. The same data, seed and machine give the same bytes. The bundled filter's command is in
contentfilter/bundled/card.md.
"""

import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from contentfilter.card import card
from contentfilter.categories import CATEGORIES
from contentfilter.content_filter import HEADS_FILE, save_heads
from contentfilter.data import DataError, labels_file, read_harmless, read_labelled
from contentfilter.figures import Figures, figures_of
from contentfilter.training import Learned, Learning, learn
from language.commandline import run
from language.embedding import load_embedder
from language.options import OptionError, require_positive
from language.reading import say_read
from records.manifest import publish_directory, sha256_of

CARD_FILE = "card.md"


@dataclass(frozen=True)
class TrainConfig:
    """What to learn from, and how."""

    data: Path
    """Labelled texts, .jsonl or .jsonl.gz: "prompt" or "text", and 0 or 1 under S, H, V, HR, SH, S3, H2, V2; or the
    directory of an export of labels, without its test split."""
    out: Path
    """Directory to publish the filter in; it must not exist."""
    harmless: tuple[Path, ...] = ()
    """Files of ordinary chat, .jsonl or .jsonl.gz, all of which counts as "no" for every category."""
    licences: tuple[str, ...] = ()
    """What the card says of where the data is from and under which licence, a line each."""
    seed: int = 0
    """Seed of the division into folds."""
    num_folds: int = 4
    """Parts of the cross-validation that calibrates and sets thresholds."""
    strength_vectors: float = 10.0
    """Inverse of the penalty of the heads on MiniLM vectors."""
    strength_ngrams: float = 30.0
    """Inverse of the penalty of the heads on n-grams."""
    harmless_weight: float = 1.0
    """What a harmless text counts in the loss, where a labelled one counts 1."""


def main(config: TrainConfig) -> None:
    """Read and refuse; learn; publish heads, card and manifest in one rename."""
    require_positive(config, "num_folds", "strength_vectors", "strength_ngrams", "harmless_weight")
    if config.num_folds < 2:
        raise OptionError("--num-folds must be at least 2: what is predicted must not have been seen")
    if config.out.exists():
        raise OptionError(f"{config.out} exists; name a directory that does not")
    torch.set_num_threads(1)  # sums in another order would be other bytes
    labelled, harmless = read_labelled(config.data), read_harmless(config.harmless)
    say_read(config.data, "labelled texts", {"to learn from, each once": len(labelled)})
    if config.harmless:
        files = Path(", ".join(map(str, config.harmless)))
        say_read(files, "harmless texts", {"to learn from, each once": len(harmless)})
    learning = Learning(
        num_folds=config.num_folds,
        seed=config.seed,
        strengths={"vectors": config.strength_vectors, "ngrams": config.strength_ngrams},
        harmless_weight=config.harmless_weight,
    )
    try:
        learned = learn(labelled, harmless, learning, load_embedder())
    except ValueError as error:
        raise error if isinstance(error, DataError) else DataError(f"{config.data}: {error}") from error
    num = len(labelled)
    figures = figures_of(learned.out_of_fold[:num], learned.labels[:num], learned.thresholds)
    on_harmless = figures_of(learned.out_of_fold[num:], learned.labels[num:], learned.thresholds)
    publish(config, learned, figures, on_harmless)
    print(f"{config.out}: any category AUPRC {figures.any.auprc.value:.3f} out of fold")


def publish(config: TrainConfig, learned: Learned, figures: Figures, on_harmless: Figures) -> None:
    """Write the directory. Nothing in it says when or where it was made."""
    facts: dict[str, Any] = {
        "kind": "content-filter",
        "categories": list(CATEGORIES),
        "thresholds": {name: asdict(one) for name, one in learned.thresholds.items()},
        "data": _data_facts(config),
        "options": {name: value for name, value in asdict(config).items() if not isinstance(value, Path | tuple)},
        "figures_out_of_fold": asdict(figures),
        "harmless_out_of_fold": {"warned": asdict(on_harmless.warned), "blocked": asdict(on_harmless.blocked)},
    }
    config.out.parent.mkdir(parents=True, exist_ok=True)
    staging = config.out.with_name(f"staging-{os.getpid()}-{config.out.name}")
    staging.mkdir()
    try:
        save_heads(staging / HEADS_FILE, learned.heads)
        (staging / CARD_FILE).write_text(card(facts, licences=config.licences), encoding="utf-8")
        publish_directory(staging, config.out, **facts)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _data_facts(config: TrainConfig) -> list[dict[str, str]]:
    return [
        {"name": path.name, "sha256": sha256_of(labels_file(path)), "as": use}
        for use, paths in (("labelled", (config.data,)), ("harmless", config.harmless))
        for path in paths
    ]


if __name__ == "__main__":
    run(main, TrainConfig)
