"""Output formats for other tools, written record by record; each says what it cannot hold.

The records format loses nothing and is what Parley trains on. A line of another format is made from one record, so no
format needs to see two records at once.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

from labeling.exports.formats.choices import as_pairwise_rankings
from labeling.exports.formats.oasst import lost_in_tree, tree_lines
from labeling.exports.formats.parquet import row_of
from labeling.models import Export
from labeling.statistics.agreement import ordered_pairs, places_of, tied_pairs
from records import Completion, Demonstration, Message, Prompt, Ranking, Thumb

Lines = Iterator[dict[str, Any]]
RECORDS = "records"
_HUMAN, _ASSISTANT = "\n\nHuman:", "\n\nAssistant:"
_LOST_IN_PAIRS = _(
    "Ties, abstentions, the line of acceptability, ratings, the shown order, who ranked, when and how long, and "
    "where each completion came from; one ranking becomes many lines that no longer know of each other."
)
_LOST_IN_DIALOGUES = _("Who wrote what and under which guidelines, topics and sources.")


@dataclass(frozen=True, kw_only=True)
class OutputFormat:
    """How a record becomes lines, in which kind of file, and what is lost: `loses` says it, `count_lost` counts it."""

    name: str
    label: Any
    kind: str
    lines: Callable[[Any], Lines]
    loses: Any = ""
    count_lost: Callable[[Any], Counter[str]] = lambda _record: Counter()
    ending: str = ".jsonl"  # or .jsonl.gz, .parquet


def find_format(name: str, kind: str) -> OutputFormat | None:
    """The format of this name for this kind of export; None for the records format. Raises ValueError."""
    if name == RECORDS:
        return None
    for known in FORMATS:
        if known.name == name and known.kind == kind:
            return known
    raise ValueError(f'no format "{name}" for {kind}; there are: {", ".join(names_for(kind))}')


def names_for(kind: str) -> list[str]:
    return [RECORDS, *(known.name for known in FORMATS if known.kind == kind)]


# Rankings as pairs.


def trl_lines(ranking: Ranking) -> Lines:
    """trl's preference format, conversational, explicit prompt; for DPOTrainer and RewardTrainer."""
    for chosen, rejected, _margin in _pairs(ranking):
        yield {
            "prompt": _message_dicts(ranking.messages),
            "chosen": [_assistant_message(chosen)],
            "rejected": [_assistant_message(rejected)],
        }


def trl_implicit_lines(ranking: Ranking) -> Lines:
    """trl's preference format with the prompt inside both answers, as RewardTrainer prefers it."""
    for chosen, rejected, _margin in _pairs(ranking):
        prompt = _message_dicts(ranking.messages)
        yield {"chosen": [*prompt, _assistant_message(chosen)], "rejected": [*prompt, _assistant_message(rejected)]}


def openrlhf_lines(ranking: Ranking) -> Lines:
    """OpenRLHF's reward-model data: pairs with a margin, here the number of tiers between the two."""
    for line, (_chosen, _rejected, margin) in zip(trl_implicit_lines(ranking), _pairs(ranking), strict=True):
        yield {**line, "margin": margin}


def openai_dpo_lines(ranking: Ranking) -> Lines:
    """OpenAI's preference fine-tuning."""
    for chosen, rejected, _margin in _pairs(ranking):
        yield {
            "input": {"messages": _message_dicts(ranking.messages)},
            "preferred_output": [_assistant_message(chosen)],
            "non_preferred_output": [_assistant_message(rejected)],
        }


def hh_lines(ranking: Ranking) -> Lines:
    """Anthropic HH: two whole transcripts. A text that contains a role marker would read as two turns, so its pairs are
    left out.
    """
    for chosen, rejected, _margin in _pairs(ranking):
        if not any(_has_role_marker(text) for text in (chosen.content, rejected.content, *_contents(ranking.messages))):
            yield {"chosen": _transcript(ranking, chosen), "rejected": _transcript(ranking, rejected)}


def k_way_lines(ranking: Ranking) -> Lines:
    """One line per ranking: all completions and the tier of each, 0 the best. An abstention gives no line.

    A choice does not order the others among themselves, so it gives one line for each pair that it orders.
    """
    for one in as_pairwise_rankings(ranking):
        if one.abstained is None:
            tier = places_of(one.tiers)
            yield {
                "prompt": _message_dicts(one.messages),
                "completions": [completion.content for completion in one.completions],
                "tiers": [tier[completion.id] for completion in one.completions],
            }


# Demonstrations.


def openai_chat_lines(demonstration: Demonstration) -> Lines:
    """OpenAI's chat fine-tuning; trl's SFTTrainer reads it too."""
    yield {"messages": _message_dicts(demonstration.messages)}


def prompt_completion_lines(demonstration: Demonstration) -> Lines:
    """trl's prompt-completion format, conversational: one line per answer, the loss on the answer only.

    Answers that are wholly a policy's are context and not learnt from, as in policy.sft.
    """
    for place, message in enumerate(demonstration.messages):
        if message.role == "assistant" and message.authorship != "policy":
            yield {"prompt": _message_dicts(demonstration.messages[:place]), "completion": _message_dicts((message,))}


# Prompts, thumbs, and every kind.


def prompt_lines(prompt: Prompt) -> Lines:
    """trl's prompt-only format, conversational; for its online trainers."""
    yield {"prompt": _message_dicts(prompt.messages)}


def kto_lines(thumb: Thumb) -> Lines:
    """trl's unpaired preference format, conversational; for KTOTrainer."""
    completion = [_assistant_message(thumb.completion)]
    yield {"prompt": _message_dicts(thumb.messages), "completion": completion, "label": thumb.up}


def row_lines(record: Any) -> Lines:
    """The record itself, as a row of a table."""
    yield row_of(record)


def _pairs(ranking: Ranking) -> Iterator[tuple[Completion, Completion, int]]:
    """(better, worse, number of tiers between) of every two completions that are not tied."""
    by_id = {completion.id: completion for completion in ranking.completions}
    tier = places_of(ranking.tiers)
    for better, worse in ordered_pairs(ranking.tiers):
        yield by_id[better], by_id[worse], tier[worse] - tier[better]


def _lost_in_pairs(ranking: Ranking) -> Counter[str]:
    return +Counter(
        {
            "abstentions": int(ranking.abstained is not None),
            "tied pairs": 0 if ranking.choice else sum(1 for _pair in tied_pairs(ranking.tiers)),
            "lines of acceptability": int(ranking.unacceptable_from is not None),
            "ratings": len(ranking.ratings),
        }
    )


def _lost_in_hh(ranking: Ranking) -> Counter[str]:
    marked = sum(1 for _pair in _pairs(ranking)) - sum(1 for _line in hh_lines(ranking))
    system = sum(message.role == "system" for message in ranking.messages)
    return _lost_in_pairs(ranking) + Counter({"pairs that hold a speaker's mark": marked, "system messages": system})


def _lost_in_k_way(ranking: Ranking) -> Counter[str]:
    lost = _lost_in_pairs(ranking)
    del lost["tied pairs"]
    return lost


def _lost_in_dialogue(demonstration: Demonstration) -> Counter[str]:
    taken = sum(message.authorship in ("taken", "edited", "policy") for message in demonstration.messages)
    return +Counter({"messages that a policy had a part in": taken})


def _message_dicts(messages: tuple[Message, ...]) -> list[dict[str, str]]:
    return [{"role": message.role, "content": message.content} for message in messages]


def _assistant_message(completion: Completion) -> dict[str, str]:
    return {"role": "assistant", "content": completion.content}


def _contents(messages: tuple[Message, ...]) -> Iterator[str]:
    return (message.content for message in messages if message.role != "system")


def _transcript(ranking: Ranking, completion: Completion) -> str:
    marks = {"user": _HUMAN, "assistant": _ASSISTANT}
    spoken = [f"{marks[one.role]} {one.content}" for one in ranking.messages if one.role != "system"]
    return "".join([*spoken, f"{_ASSISTANT} {completion.content}"])


def _has_role_marker(text: str) -> bool:
    return _HUMAN in f"\n\n{text}" or _ASSISTANT in f"\n\n{text}"


def _of_rankings(name: str, label: Any, lines: Callable[[Ranking], Lines], **more: Any) -> OutputFormat:
    values = {"loses": _LOST_IN_PAIRS, "count_lost": _lost_in_pairs, **more}
    return OutputFormat(name=name, label=label, kind=Export.Kind.RANKINGS, lines=lines, **values)


def _of_demonstrations(name: str, label: Any, lines: Callable[[Demonstration], Lines]) -> OutputFormat:
    return OutputFormat(
        name=name,
        label=label,
        kind=Export.Kind.DEMONSTRATIONS,
        loses=_LOST_IN_DIALOGUES,
        lines=lines,
        count_lost=_lost_in_dialogue,
    )


FORMATS = (
    _of_rankings("trl", _("trl preference, explicit prompt"), trl_lines),
    _of_rankings("trl-implicit", _("trl preference, implicit prompt"), trl_implicit_lines),
    _of_rankings("openrlhf", _("OpenRLHF with margin"), openrlhf_lines),
    _of_rankings("openai-dpo", _("OpenAI preference fine-tuning"), openai_dpo_lines),
    _of_rankings("hh", _("Anthropic HH"), hh_lines, count_lost=_lost_in_hh),
    _of_rankings(
        "k-way",
        _("K completions a line"),
        k_way_lines,
        count_lost=_lost_in_k_way,
        loses=_(
            "Abstentions, the line of acceptability, ratings, the shown order, who ranked, when and how long, and "
            "where each completion came from."
        ),
    ),
    _of_rankings(
        "oasst",
        _("Open-Assistant trees"),
        tree_lines,
        count_lost=lost_in_tree,
        ending=".jsonl.gz",
        loses=_(
            "Abstentions, the line of acceptability, ratings, system messages, the shown order, who ranked, when and "
            "how long, and how each completion was sampled; of where it came from the policy's name stays."
        ),
    ),
    _of_demonstrations("openai", _("OpenAI chat messages"), openai_chat_lines),
    _of_demonstrations("prompt-completion", _("trl prompt and completion"), prompt_completion_lines),
    OutputFormat(
        name="prompt-only",
        label=_("trl prompts alone"),
        kind=Export.Kind.PROMPTS,
        lines=prompt_lines,
        loses=_("Topics and sources."),
    ),
    OutputFormat(
        name="kto",
        label=_("trl unpaired preference, for KTO"),
        kind=Export.Kind.THUMBS,
        lines=kto_lines,
        count_lost=lambda thumb: Counter({"reasons": 1} if thumb.reason else {}),
        loses=_("The reason, who gave the thumb and when, where the completion came from, topics and sources."),
    ),
    *(
        OutputFormat(
            name="parquet", label=_("Parquet, which loses nothing"), kind=kind, lines=row_lines, ending=".parquet"
        )
        for kind in Export.Kind.values
    ),
)
