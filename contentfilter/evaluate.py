"""How well a content filter tells apart texts that people labelled, and what it would warn of and block.

Prints a table, or JSON with --json. Intervals are 95 % bootstraps over texts, and Wilson's for shares. Texts without
labels are only counted as warned of or blocked.
"""

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from contentfilter.categories import CATEGORIES, NAMES
from contentfilter.content_filter import BUNDLED, load_filter
from contentfilter.data import LabelledText, label_matrix, labels_file, read_harmless, read_labelled
from contentfilter.figures import Figures, figures_of
from contentfilter.statistics import Estimate
from language.commandline import run
from language.reading import say_read
from records.manifest import sha256_of


@dataclass(frozen=True)
class EvaluateConfig:
    """What to evaluate on what."""

    data: Path
    """Labelled texts as contentfilter.train reads them, of an export its test split; or texts of any shape with
    --harmless."""
    model: Path = BUNDLED
    """Directory of a filter; the bundled one by default."""
    harmless: bool = False
    """Take every text of the file as harmless, whatever shape its rows have."""
    json: bool = False
    """Print one JSON object."""
    seed: int = 0
    """Seed of the bootstrap."""


def main(config: EvaluateConfig) -> None:
    """Load, screen, report."""
    content_filter = load_filter(config.model)
    texts: list[LabelledText] = (
        read_harmless([config.data]) if config.harmless else read_labelled(config.data, is_held_out=True)
    )
    say_read(config.data, "texts", {"to evaluate on, each once": len(texts)})
    probabilities = content_filter.probabilities([one.text for one in texts])
    figures = figures_of(probabilities, label_matrix(texts), content_filter.thresholds, seed=config.seed)
    seen = {row["sha256"] for row in content_filter.facts.get("data", [])}
    was_trained_on = sha256_of(labels_file(config.data)) in seen and not config.data.is_dir()
    if was_trained_on:
        print(
            f"{config.data} is what this filter was trained on: these figures flatter it. "
            "Its own, out of fold, are in its manifest.json",
            file=sys.stderr,
        )
    if config.json:
        print(json.dumps({"num_texts": len(texts), "was_trained_on": was_trained_on, **asdict(figures)}, indent=1))
    else:
        print(table(figures, num_texts=len(texts)))


def table(figures: Figures, *, num_texts: int) -> str:
    """The figures for a terminal."""
    lines = [f"{num_texts} texts", f"{'':24}{'yes':>5}  {'AUPRC':<22}{'guessing':<10}{'warns: precision, recall'}"]
    for name in CATEGORIES:
        one = figures.categories[name]
        chance = "–" if one.chance is None else f"{one.chance:.3f}"
        told = f"{_said(one.warn_precision, 2)}, {_said(one.warn_recall, 2)}"
        lines.append(f"{NAMES[name]:<20}{name:<4}{one.num_positive:>5}  {_said(one.auprc):<22}{chance:<10}{told}")
    some = figures.any
    chance = "–" if some.chance is None else f"{some.chance:.3f}"
    lines.append(f"{'any':<24}{some.num_positive:>5}  {_said(some.auprc):<22}{chance}")
    lines.append(f"{'mean of categories':<24}{'':>5}  {_said(figures.macro.auprc)}")
    lines.append(f"expected calibration error {_said(figures.ece)}")
    lines.append(f"warned of {_said(figures.warned)}, blocked {_said(figures.blocked)} of all texts")
    return "\n".join(lines)


def _said(estimate: Estimate, digits: int = 3) -> str:
    if estimate.value is None:
        return "–"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.{digits}f}"
    return f"{estimate.value:.{digits}f} ({estimate.low:.{digits}f}–{estimate.high:.{digits}f})"


if __name__ == "__main__":
    run(main, EvaluateConfig)
