"""Output formats for other tools, written record by record; each says what it cannot hold.

The records format loses nothing and is what Parley trains on. A line of another format is made from one record, so no
format needs to see two records at once.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

from labeling.exports.formats import dialogues, hh, k_way, kto, oasst, pairs
from labeling.exports.formats.losses import AUTHORSHIP, REASONING, RECORD_IDS, SOURCES, TOPICS, Loss
from labeling.exports.formats.parquet import row_of
from labeling.models import Export
from records import Prompt

Lines = Iterator[dict[str, Any]]
RECORDS = "records"


@dataclass(frozen=True, kw_only=True)
class OutputFormat:
    """How a record becomes lines, in which kind of file, and what is lost."""

    name: str
    label: Any
    kind: str
    lines: Callable[[Any], Lines]
    losses: tuple[Loss, ...] = ()
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


def prompt_lines(prompt: Prompt) -> Lines:
    """trl's prompt-only format, conversational; for its online trainers."""
    yield {"prompt": pairs.message_dicts(prompt.messages)}


def row_lines(record: Any) -> Lines:
    """The record itself, as a row of a table."""
    yield row_of(record)


def _of_rankings(name: str, label: Any, lines: Callable[[Any], Lines], losses: tuple[Loss, ...]) -> OutputFormat:
    return OutputFormat(name=name, label=label, kind=Export.Kind.RANKINGS, lines=lines, losses=losses)


def _of_demonstrations(name: str, label: Any, lines: Callable[[Any], Lines], losses: tuple[Loss, ...]) -> OutputFormat:
    return OutputFormat(name=name, label=label, kind=Export.Kind.DEMONSTRATIONS, lines=lines, losses=losses)


FORMATS = (
    _of_rankings("trl", _("trl preference, explicit prompt"), pairs.trl_lines, pairs.OF_PAIRS),
    _of_rankings("trl-implicit", _("trl preference, implicit prompt"), pairs.trl_implicit_lines, pairs.OF_PAIRS),
    _of_rankings("trl-margin", _("trl preference, with margin"), pairs.margin_lines, pairs.OF_MARGINS),
    _of_rankings("openrlhf", _("OpenRLHF with margin"), pairs.margin_lines, pairs.OF_MARGINS),
    _of_rankings("openai-dpo", _("OpenAI preference fine-tuning"), pairs.openai_dpo_lines, pairs.OF_OPENAI_DPO),
    _of_rankings("hh", _("Anthropic HH"), hh.hh_lines, hh.LOST),
    _of_rankings("k-way", _("K completions a line"), k_way.k_way_lines, k_way.LOST),
    OutputFormat(
        name="oasst",
        label=_("Open-Assistant trees"),
        kind=Export.Kind.RANKINGS,
        lines=oasst.tree_lines,
        losses=oasst.LOST,
        ending=".jsonl.gz",
    ),
    _of_demonstrations("openai", _("OpenAI chat messages"), dialogues.openai_chat_lines, dialogues.LOST_IN_OPENAI),
    _of_demonstrations(
        "prompt-completion",
        _("trl prompt and completion"),
        dialogues.prompt_completion_lines,
        dialogues.LOST_IN_PROMPT_COMPLETION,
    ),
    OutputFormat(
        name="prompt-only",
        label=_("trl prompts alone"),
        kind=Export.Kind.PROMPTS,
        lines=prompt_lines,
        losses=(TOPICS, SOURCES, AUTHORSHIP, REASONING, RECORD_IDS),
    ),
    OutputFormat(
        name="kto",
        label=_("trl unpaired preference, for KTO"),
        kind=Export.Kind.THUMBS,
        lines=kto.kto_lines,
        losses=kto.LOST,
    ),
    *(
        OutputFormat(
            name="parquet", label=_("Parquet, which loses nothing"), kind=kind, lines=row_lines, ending=".parquet"
        )
        for kind in Export.Kind.values
    ),
)
