"""The card of an export: its contents, how it was split, and its known biases, as Markdown.

A pure function of the statistics, so that equal data gives an equal card.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from labeling.exports.filters import Filters
from labeling.exports.formats.losses import Loss
from labeling.exports.statistics import (
    LENGTHS_DIFFER,
    DemonstrationStatistics,
    PromptStatistics,
    RankingStatistics,
    Statistics,
    ThumbStatistics,
    quantile_of,
)
from labeling.models import Project
from labeling.statistics.intervals import proportion

_DESCRIPTIONS = {
    "rankings": "Rankings: what trainers preferred among completions of one prompt, best first, ties kept.",
    "demonstrations": "Demonstrations: accepted dialogues with answers that people wrote or chose.",
    "prompts": "Prompts: openings that end with a user's message, to be answered.",
    "labels": "Labels: texts that the filter saw, with what people said of each by category; for the next filter.",
    "thumbs": "Thumbs: verdicts on one completion alone, up or down; nothing is set against it.",
}
_WHERE_THEY_DIFFER = {
    "all": "Where rankings differ, all are here, and adjudications beside them, which are marked.",
    "adjudicated": "Where a reviewer settled what trainers ranked differently, the adjudication stands in their place.",
    "consensus": (
        "Only rankings of comparisons on which trainers agree are here, in at least {agreement} % of the pairs that "
        "two of them ordered; adjudications are not."
    ),
}
_SCRUBBING = (
    "E-mail addresses, phone numbers in international form, card numbers, IBANs and public IP addresses were replaced "
    "by their names in brackets. Names of people, postal addresses and phone numbers without their country are not "
    "found: whoever passes this on looks at it first."
)


def card_text(
    kind: str,
    *,
    project: Project,
    filters: Filters,
    statistics: Statistics,
    left_out: Mapping[str, int],
    losses: Sequence[Loss] = (),
    lost: Mapping[str, Mapping[str, int]] | None = None,
) -> str:
    lines = [f"# {project.name}: {kind}", "", _DESCRIPTIONS[kind], ""]
    lines += _table("Contents", _contents(statistics))
    title = f"Splits, by {filters.split_by}"
    lines += _table(title, {name: f"{num:,}" for name, num in sorted(statistics.splits.items())})
    lines += [_how_split(filters), ""]
    lines += _table("Filters", {name: _shown(value) for name, value in filters.encoded().items()})
    if kind == "rankings":
        lines += [_WHERE_THEY_DIFFER[filters.disagreements].format(agreement=filters.wanted_agreement), ""]
    lines += _table("Left out", {name: f"{num:,}" for name, num in left_out.items()})
    lines += _losses_table(losses, lost or {})
    if filters.scrubs_personal_data:
        lines += ["## Personal data", "", _SCRUBBING, ""]
        lines += _table("Taken out", {name: f"{num:,}" for name, num in sorted(statistics.scrubbed.items())})
    for title, counts in _breakdowns(statistics):
        lines += _table(title, {name: f"{num:,}" for name, num in counts.items()})
    cautions = list(_cautions(statistics))
    if cautions:
        lines += ["## Known biases", "", *(f"- {caution}" for caution in cautions), ""]
    texts = "" if filters.scrubs_personal_data else " The texts are as people and models wrote them."
    lines += [f"Trainers stand here under pseudonyms.{texts}", ""]
    return "\n".join(lines)


def _how_split(filters: Filters) -> str:
    shares = f"{filters.validation_percent} % are in validation and {filters.test_percent} % in test"
    if filters.split_by == "trainer":
        return (
            f"Of all trainers {shares}, drawn by a hash of their pseudonyms: a person is on the same side in every "
            "export. A prompt may be on several, and so may a comparison that several people ranked: what is held out "
            "here are people, not prompts."
        )
    return (
        f"Of all prompts {shares}, drawn by a hash of what the user says first, letters and digits alone: a prompt is "
        "on the same side in every export, and prompts that begin alike are together."
    )


def _contents(statistics: Statistics) -> dict[str, str]:
    shown = {name.replace("_", " "): num for name, num in statistics.counts().items() if isinstance(num, int)}
    return {name: f"{num:,}" for name, num in shown.items()} | dict(_averages(statistics))


def _averages(statistics: Statistics) -> Iterator[tuple[str, str]]:
    if isinstance(statistics, DemonstrationStatistics) and statistics.num_answers:
        yield "characters per answer", f"{statistics.num_characters / statistics.num_answers:,.0f}"
    if isinstance(statistics, PromptStatistics) and statistics.num:
        yield "characters per prompt", f"{statistics.num_characters / statistics.num:,.0f}"


def _breakdowns(statistics: Statistics) -> Iterator[tuple[str, dict[str, int]]]:
    names = {
        "by_trainer_kind": "Who ranked",
        "by_round": "Rounds",
        "by_num_completions": "Completions per ranking",
        "by_policy": "Completions by policy",
        "by_authorship": "Answers by authorship",
        "by_way": "How the texts were drawn",
        "by_category": "Texts with “yes”",
        "by_topic": "Topics",
        "by_source": "Sources",
    }
    counts = statistics.counts()
    for name, title in names.items():
        if counts.get(name):
            yield title, counts[name]
    if statistics.guideline_versions:
        yield "Guideline versions", dict(sorted(statistics.guideline_versions.items()))


def _cautions(statistics: Statistics) -> Iterator[str]:
    if isinstance(statistics, RankingStatistics):
        yield from _cautions_of_rankings(statistics)
    if isinstance(statistics, ThumbStatistics):
        yield from _cautions_of_thumbs(statistics)
    if statistics.trainers:
        yield f"Whose judgement: {_by_whom(statistics)}."


def _by_whom(statistics: Statistics) -> str:
    """The share of the most active trainer, where there is one. Who made an imported record may be unknown."""
    named = statistics.trainers
    most = max(named.values())
    leaders = sorted(name for name, num in named.items() if num == most)
    share = f"{most:,} of {statistics.num:,} ({_percent(most / statistics.num)})"
    if len(named) == 1:
        text = f"1 trainer, {_cell(leaders[0])}, made {share}"
    elif len(leaders) == 1:
        text = f"{len(named):,} trainers; the most active, {_cell(leaders[0])}, made {share}"
    else:
        text = f"{len(named):,} trainers; none made more than {share}"
    nobodys = statistics.num - named.total()
    return f"{text}; of {nobodys:,} nobody knows who made them" if nobodys else text


def _cautions_of_thumbs(statistics: ThumbStatistics) -> Iterator[str]:
    num_down = statistics.num - statistics.num_up
    if statistics.num:
        yield f"Balance: up are {_share(statistics.num_up, statistics.num)}; KTO's weights of the two sides go by it."
        yield "Who gives a thumb chooses to: most answers get none, and those that do are not drawn at random."
    if statistics.num_up and num_down:
        up, down = statistics.characters_up / statistics.num_up, statistics.characters_down / num_down
        yield f"Length: with a thumb up {up:,.0f} characters on average, with a thumb down {down:,.0f}."


def _cautions_of_rankings(statistics: RankingStatistics) -> Iterator[str]:
    if statistics.trainer_kinds["simulated"]:
        yield (
            f"Simulated: {statistics.trainer_kinds['simulated']:,} of {statistics.num:,} rankings were made by a "
            "program with a fixed preference, not by people."
        )
    if statistics.length_differs:
        share = _share(statistics.longer_won, statistics.length_differs)
        yield (
            f"Length: of pairs whose lengths differ by more than {LENGTHS_DIFFER} characters the longer won {share}; "
            "people elsewhere: 64 % (AlpacaEval)."
        )
    if statistics.shown_pairs:
        share = _share(statistics.earlier_won, statistics.shown_pairs)
        yield f"Position: the completion shown earlier won {share}; without bias 50 %."
    if statistics.best_at:
        places = ", ".join(f"{place + 1}: {num:,}" for place, num in sorted(statistics.best_at.items()))
        yield f"Position of the best in shown order: {places}."
    all_pairs = statistics.pairs + statistics.tied_pairs
    if all_pairs:
        yield f"Ties: {_percent(statistics.tied_pairs / all_pairs)} of all pairs."
    if statistics.num:
        share = _percent(statistics.num_abstained / statistics.num)
        yield f"Abstentions: {share} of all rankings; they hold no order."
    if statistics.seconds:
        quarter, half, three_quarters = (quantile_of(statistics.seconds, share) for share in (0.25, 0.5, 0.75))
        num = f"{statistics.seconds.total():,} of {statistics.num:,}"
        yield (
            f"Time: known of {num} rankings; half of these took between {quarter} and {three_quarters} seconds, "
            f"median {half}."
        )
    rate = statistics.agreement.rate()
    if rate is not None:
        yield (
            f"Agreement: two trainers ordered a pair alike in {_percent(rate.value)} of {rate.n:,} pairs (ties left "
            "out); InstructGPT's: 73 %."
        )


def _share(successes: int, trials: int) -> str:
    estimate = proportion(successes, trials)
    interval = f"95 % interval {_percent(estimate.low)} to {_percent(estimate.high)}"
    return f"{_percent(estimate.value)} of {trials:,} ({interval})"


def _percent(share: float) -> str:
    """In percent with one digit; 0.0% and 100.0% are said of nothing and all alone."""
    if 0 < share < 0.001:
        return "less than 0.1%"
    return "more than 99.9%" if 0.999 < share < 1 else f"{share:.1%}"


def _table(title: str, rows: Mapping[str, str]) -> list[str]:
    if not rows:
        return []
    lines = [f"## {title}", "", "| | |", "|---|---:|"]
    return [*lines, *(f"| {_cell(name)} | {_cell(value)} |" for name, value in rows.items()), ""]


def _losses_table(losses: Sequence[Loss], lost: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Everything that the format cannot hold, how much of it there was, and in how many records."""
    if not losses:
        return []
    lines = ["## What this format cannot hold", "", "| | | lost here | in records |", "|---|---|---:|---:|"]
    for loss in losses:
        num, num_records = (lost.get(name, {}).get(loss.name, 0) for name in ("lost", "lost_in"))
        lines.append(f"| {loss.name} | {loss.meaning} | {num:,} | {num_records:,} |")
    return [*lines, ""]


def _cell(text: str) -> str:
    """A text for a table cell: no line ends, and Markdown's characters escaped, since people wrote it."""
    return " ".join(text.split()).translate({ord(mark): f"\\{mark}" for mark in "\\|`*_<>[]#"})[:120]


def _shown(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
