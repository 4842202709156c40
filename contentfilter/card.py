"""The card of a filter: what it was made of, how good it is out of fold, and what it is not."""

from collections.abc import Mapping, Sequence
from typing import Any

from contentfilter.categories import CATEGORIES, NAMES


def card(facts: Mapping[str, Any], *, licences: Sequence[str]) -> str:
    """The text of card.md, from the facts of the manifest."""
    figures, harmless = facts["figures_out_of_fold"], facts["harmless_out_of_fold"]
    lines = [
        "# Content filter",
        "",
        "Says how likely a text is of each category below. It knows content, not harm: a request for harm in harmless "
        "words passes it, a novel about a murder may not. It has false positives and false negatives; a person should "
        "decide on appeals. It has learned from English texts alone.",
        "",
        "Two logistic heads a category, on all-MiniLM-L6-v2 vectors and on hashed n-grams, each scaled by Platt's "
        "method on predictions out of fold; their mean in logits.",
        "",
        "## Data",
        "",
        *(f"- {row['name']} ({row['as']}), SHA-256 {row['sha256']}" for row in facts["data"]),
        *(f"- {line}" for line in licences),
        "",
        "Labels that nobody gave were left out of the loss. None of the texts is part of this directory.",
        "",
        "## Figures out of fold",
        "",
        "On texts that the heads had not seen, of the same data that chose the options: somewhat flattering.",
        "",
        "| category | yes | AUPRC | guessing | warns from | blocks from |",
        "|---|---|---|---|---|---|",
    ]
    for name in CATEGORIES:
        one, threshold = figures["categories"][name], facts["thresholds"][name]
        blocks = "never" if threshold["block_at"] is None else f"{threshold['block_at']:.3f}"
        lines.append(
            f"| {NAMES[name]} ({name}) | {one['num_positive']} | {_said(one['auprc'])} | {_plain(one['chance'])} "
            f"| {threshold['warn_at']:.3f} | {blocks} |"
        )
    lines += [
        f"| any | {figures['any']['num_positive']} | {_said(figures['any']['auprc'])} "
        f"| {_plain(figures['any']['chance'])} | | |",
        f"| mean of categories | | {_said(figures['macro']['auprc'])} | | | |",
        "",
        f"Expected calibration error {_said(figures['ece'])}. Of harmless texts out of fold it warns of "
        f"{_said(harmless['warned'])} and blocks {_said(harmless['blocked'])}.",
        "",
        "A category blocks only where the lower bound of the precision of its blocks is at least 0.8 out of fold.",
        "",
    ]
    return "\n".join(lines)


def _said(estimate: Mapping[str, Any]) -> str:
    if estimate["value"] is None:
        return "–"
    if estimate["low"] is None:
        return f"{estimate['value']:.3f}"
    return f"{estimate['value']:.3f} ({estimate['low']:.3f}–{estimate['high']:.3f})"


def _plain(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
