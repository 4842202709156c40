"""Command that reads records from stdin, one JSON line each, and prints their gold scores in the same order.

Its input and output are those of `python -m rewardmodel.score`, so it works wherever a scoring command is
expected: `python -m policy.overoptimisation --gold-command "python -m labeling.gold.score"`. Needs no database.
"""

import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from labeling.gold import preference
from records import Completion, Message, Ranking, RecordError, decode


@dataclass(frozen=True)
class Candidates:
    """A prompt with completions that nobody has ranked."""

    id: str
    messages: tuple[Message, ...]
    completions: tuple[Completion, ...]


def gold_scores(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Yield {"id", "scores": {completion id: score}} for every line that is not blank.

    Raises RecordError, which names the line and the field.
    """
    for number, line in enumerate(lines, start=1):
        if line.strip():
            asked = _read(line, f"stdin:{number}")
            yield {"id": asked.id, "scores": preference.judge(asked.messages, asked.completions).scores}


def _read(line: str, where: str) -> Candidates | Ranking:
    try:
        values = json.loads(line)
    except json.JSONDecodeError as error:
        raise RecordError(f"{where}: not JSON at column {error.colno}: {error.msg}") from error
    if isinstance(values, dict) and "comparison_id" in values:
        return decode(Ranking, values, where=where)
    asked = decode(Candidates, values, where=where)
    if not asked.messages or asked.messages[-1].role != "user":
        raise RecordError(f'{where}: "messages" must end with a user message')
    return asked


def main() -> None:
    """Answer each line as it arrives. An invalid line ends the program: exit status 2, one line on stderr."""
    if len(sys.argv) > 1:
        sys.exit("usage: python -m labeling.gold.score < lines.jsonl")
    try:
        for answer in gold_scores(sys.stdin):
            print(json.dumps(answer, ensure_ascii=False), flush=True)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
