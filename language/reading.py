"""What a program says of each of its inputs at its start: how many of what it read, what it leaves out, and why.

One plain sentence an input, the same in every program. Where more than a tenth is left out that nobody asked to be, it
is a warning, which a job's page shows as well, and names the option that would keep it.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from language.progress import tell

# Reasons by which loaders count what they leave out, in words.
_REASONS = {
    "abstained": "abstentions",
    "all_tied": "in one tier, without a pair",
    "leaking": "with a prompt that is held out, or nearly so",
    "held_out": "that begin as a held-out one does",
    "nothing_by_a_person": "without an answer by a person",
    "other_split": "of other splits",
    "beyond_max_records": "beyond --max-records",
    "beyond_most_prompts": "beyond the first that were asked for",
    "none_ended": "none of whose completions ended",
}
# Left out because somebody asked for it.
_AS_ASKED = frozenset({"other_split", "beyond_max_records", "beyond_most_prompts"})
_LOUD_FROM = 0.1


def say_read(
    path: Path, counted: str, used: Mapping[str, int], left_out: Mapping[str, int] | None = None, *, limit: str = ""
) -> None:
    """Say on stderr what was read of `path`: how many of `counted` ("rankings") by use, and left out by reason.

    `limit` is what "too_long" was measured by, an option with its value ("--max-tokens 40") or words. Of several
    processes the first speaks.
    """
    if os.environ.get("RANK", "0") == "0":
        for sentence, is_loud in sentences(path, counted, used, left_out or {}, limit=limit):
            if is_loud:
                tell(sentence)
            else:
                print(sentence, file=sys.stderr, flush=True)


def sentences(
    path: Path, counted: str, used: Mapping[str, int], left_out: Mapping[str, int], *, limit: str = ""
) -> list[tuple[str, bool]]:
    """The sentences that `say_read` says, each with whether it is a warning."""
    total = sum(used.values()) + sum(left_out.values())
    uses = ", ".join(f"{number} {use}" for use, number in used.items())
    reasons = [f"{number} {_words(reason, limit)}" for reason, number in left_out.items() if number]
    said = [(f"read {path}: {total} {counted}, {uses}; left out: {', '.join(reasons) or 'none'}", False)]
    missing = {reason: number for reason, number in left_out.items() if number and reason not in _AS_ASKED}
    considered = total - sum(number for reason, number in left_out.items() if reason in _AS_ASKED)
    if sum(missing.values()) > _LOUD_FROM * considered:
        why = ", ".join(f"{number} {_words(reason, limit)}" for reason, number in missing.items())
        option = limit.partition(" ")[0]
        remedy = f"; a higher {option} keeps them" if "too_long" in missing and option.startswith("--") else ""
        said.append((f"WARNING: {sum(missing.values())} of {considered} {counted} are left out: {why}{remedy}", True))
    return said


def _words(reason: str, limit: str) -> str:
    if reason == "too_long":
        return f"longer than {limit}" if limit else "too long"
    return _REASONS.get(reason, reason.replace("_", " "))
