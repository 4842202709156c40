"""The card of a policy: where it comes from, how it was made, what it came to. Markdown from facts."""

from collections.abc import Mapping, Sequence
from typing import Any

from policy.disagreements import DISAGREEMENTS_FILE
from policy.selection import selection_sentence
from records.metrics import DATA, metric_of
from records.types import TrainingKind
from rewardmodel.limits import BEYOND

_METHODS = {
    "sft": "supervised fine-tuning on demonstrations",
    "rejection_sampling": "fine-tuning on the best of several samples of each prompt, by a reward model",
    "ppo": "PPO against a reward model, with a KL penalty to its start",
    "rloo": "RLOO or GRPO against a reward model, with a KL penalty to its start",
    "dpo": "DPO on rankings, with its start as the reference policy",
    "kto": "KTO on thumbs, with its start as the reference policy",
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
        *_data_lines(facts.get("num_records"), facts.get("left_out", {})),
        "",
        "## Result",
        "",
        "| metric | of | value |",
        "|---|---|---|",
        *_result_lines(facts["method"], facts["metrics"]),
        *_selection_lines(facts.get("selection")),
        *_watch_lines(facts.get("watch")),
        "",
        "## Settings",
        "",
        *(f"- {name}: {value}" for name, value in sorted(facts["run"].items())),
    ]
    return "\n".join(lines) + "\n"


def _data_lines(num_records: int | None, left_out: Mapping[str, int]) -> list[str]:
    """How much was learnt from, and what was not."""
    if num_records is None:
        return []
    beyond = left_out.get(BEYOND, 0)
    chosen = f" of {num_records + beyond}, chosen by the hashes of their ids" if beyond else ""
    others = [f"{num} {name.replace('_', ' ')}" for name, num in sorted(left_out.items()) if num and name != BEYOND]
    return ["", f"Learnt from {num_records} records{chosen}. Left out: {', '.join(others) or 'none'}."]


def _result_lines(method: TrainingKind, metrics: Mapping[str, int | float]) -> list[str]:
    """A row of each number, in the words that the pages have for it as well."""
    rows = []
    for name, value in sorted(metrics.items()):
        words = metric_of(method, name, is_result=True)
        label, data, unit = (words.label, DATA[words.data].lower(), words.unit) if words else (name, "", "")
        rows.append(f"| {label} (`{name}`) | {data} | {value:.6g} {unit}".rstrip() + " |")
    return rows


def _selection_lines(selection: Mapping[str, Any] | None) -> list[str]:
    """Which epoch is published and why, with the curves by epoch where there are any."""
    if selection is None:
        return []
    sentence = selection_sentence(selection)
    lines = ["", "## Selection", "", f"{sentence[0].upper()}{sentence[1:]}."]
    if selection["curve"]:
        lines += ["", "| epoch | score of its answers | validation loss |", "|---|---|---|"]
    for point in selection["curve"]:
        score, loss = (point.get(name, float("nan")) for name in ("selection_score", "validation_loss"))
        lines.append(f"| {point['epoch']} | {score:.4g} | {loss:.4g} |")
    return lines


def _watch_lines(looks: Sequence[Mapping[str, int | float]] | None) -> list[str]:
    """What a second reward model saw of every kept state, where one watched."""
    if not looks:
        return []
    return [
        "",
        "## Watch",
        "",
        "Mean scores of answers to held-out prompts by the reward model trained on and by one that only watched; how "
        "far the latter is above the start's answers of like length and ending; the share of answers without an end "
        f"token. The answers on which the two differ most are in {DISAGREEMENTS_FILE}.",
        "",
        "| update | score | watching score | beyond length | KL, nats | tokens | unended | repeated |",
        "|---|---|---|---|---|---|---|---|",
        *(
            f"| {look['update']} | {look['watch_score']:.3f} | {look['watch_held_out_score']:.3f} | "
            f"{look['watch_beyond_length']:.3f} | {look['watch_kl']:.3f} | {look['watch_tokens']:.1f} | "
            f"{look['watch_unended_share']:.3f} | {look['watch_repeated_share']:.3f} |"
            for look in looks
        ),
    ]


def _lineage_row(part: str, source: Mapping[str, Any]) -> str:
    return f"| {part.replace('_', ' ')} | {source['name']} | `{source['sha256']}` |"
