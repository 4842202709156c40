"""What a published reward model says of itself: lineage, figures, and what speaks against trusting it."""

from collections.abc import Mapping
from typing import Any

# Gao et al. 2022, §3.3: with fewer comparisons than this, reward models of every size were near chance.
FEW_COMPARISONS = 2000

_HELD_OUT = {"prompt": "dialogues", "trainer": "trainers"}


def cautions(facts: Mapping[str, Any]) -> list[str]:
    """Every reason in the facts for not trusting the scores, in plain words; empty only where there is none."""
    data, evaluation = facts["data"], facts["validation"]
    found = []
    not_people = {kind: count for kind, count in data["trainer_kinds"].items() if kind == "simulated"}
    if not_people:
        found.append(
            f"{not_people['simulated']} of {data['num_rankings']} rankings are by a simulated trainer, not a person."
        )
    if data["num_comparisons"] < FEW_COMPARISONS:
        found.append(
            f"It saw {data['num_comparisons']} comparisons; below {FEW_COMPARISONS} such models were found near chance."
        )
    if facts["normalisation"]["over"] != "demonstrations":
        found.append(
            f"Scores are 0 for the average of {facts['normalisation']['over']}, not of people's demonstrations."
        )
    found += _cautions_of_evaluation(evaluation)
    if evaluation and (facts["normalisation"]["unevenness"] or 0.0) > 0.1 * evaluation["score_std"]:
        found.append(
            f"Moving the average to 0 moved differences of scores too, by {facts['normalisation']['unevenness']:.3f} "
            f"(their deviation is {evaluation['score_std']:.3f})."
        )
    if data["left_out"].get("leaking"):
        found.append(f"{data['left_out']['leaking']} rankings were left out because their prompts are also held out.")
    return found


def _cautions_of_evaluation(evaluation: Mapping[str, Any] | None) -> list[str]:
    if evaluation is None:
        return ["No held-out rankings: nobody knows how well it does."]
    found = []
    low = evaluation["over_longer"]["low"]
    if low is None or low <= 0:
        found.append("It is not shown to be better than preferring the longer completion.")
    chance = evaluation["accuracy"]["low"]
    if chance is None or chance <= 0.5:
        found.append("It is not shown to be better than chance.")
    if abs(evaluation["length_correlation"] or 0.0) > 0.5:
        found.append(f"Its scores follow length (r = {evaluation['length_correlation']:+.2f} within prompts).")
    return found


def card_text(facts: Mapping[str, Any]) -> str:
    """The card as Markdown, made from the facts alone."""
    data, base, normalisation = facts["data"], facts["base"], facts["normalisation"]
    lines = [
        f"# Reward model {facts['name']}",
        "",
        f"Scores a whole completion. Started from `{base['name']}` (sha256 `{base['sha256'][:16]}…`).",
        "",
        "## Read this first",
        "",
        *(f"- {caution}" for caution in facts["cautions"] or ["Nothing found that speaks against it."]),
        "",
        "## Data",
        "",
        f"`{data['name']}`, sha256 `{data['sha256']}`" + (f", export {data['export']}" if data["export"] else ""),
        "",
        f"{data['num_rankings']} rankings of {data['num_comparisons']} comparisons, {data['num_pairs']} pairs; by "
        + ", ".join(f"{count} {kind}" for kind, count in sorted(data["trainer_kinds"].items()))
        + ".",
        "Left out: "
        + (", ".join(f"{count} {name.replace('_', ' ')}" for name, count in sorted(data["left_out"].items())) or "none")
        + ".",
        f"Held out where records carried no split: {data['validation_fraction']:.0%} of all "
        f"{_HELD_OUT[data['split_by']]}.",
        f"Cut to fit the context, the oldest turns first: {data['num_prompts_cut']} prompts. No completion was cut.",
        "",
        "## Figures",
        "",
        *_figures(facts["validation"]),
        f"Scores average 0 over {normalisation['count']} {normalisation['over']}.",
        "",
    ]
    return "\n".join(lines)


def _figures(evaluation: Mapping[str, Any] | None) -> list[str]:
    if evaluation is None:
        return ["None: no validation split.", ""]
    rows = [("accuracy", "accuracy"), ("longer one wins", "longer_baseline"), ("difference", "over_longer")]
    table = ["| on the validation split | value | 95 % interval |", "|---|---|---|"]
    for title, name in rows:
        estimate = evaluation[name]
        interval = "none" if estimate["low"] is None else f"{estimate['low']:.3f} – {estimate['high']:.3f}"
        table.append(f"| {title} | {estimate['value']:.3f} | {interval} |")
    count = evaluation["accuracy"]
    return [*table, "", f"{count['num_pairs']} pairs over {count['num_prompts']} prompts.", ""]
