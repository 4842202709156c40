"""The card of a policy: where it comes from, how it was made, what it came to. Markdown from facts."""

from collections.abc import Mapping
from typing import Any

_METHODS = {
    "sft": "supervised fine-tuning on demonstrations",
    "ppo": "PPO against a reward model, with a KL penalty to its start",
}


def card_text(facts: Mapping[str, Any]) -> str:
    """The card. `facts` has name, method, start, made_from, run, metrics."""
    lines = [
        f"# {facts['name']}",
        "",
        f"A policy made from `{facts['start']['name']}` by {_METHODS[facts['method']]}.",
        "",
        "## Lineage",
        "",
        "| part | name | SHA-256 |",
        "|---|---|---|",
        *(_lineage_row(part, source) for part, source in {"start": facts["start"], **facts["made_from"]}.items()),
        "",
        "## Result",
        "",
        "| metric | value |",
        "|---|---|",
        *(f"| {name} | {value:.6g} |" for name, value in sorted(facts["metrics"].items())),
        "",
        "## Settings",
        "",
        *(f"- {name}: {value}" for name, value in sorted(facts["run"].items())),
    ]
    return "\n".join(lines) + "\n"


def _lineage_row(part: str, source: Mapping[str, Any]) -> str:
    return f"| {part.replace('_', ' ')} | {source['name']} | `{source['sha256']}` |"
