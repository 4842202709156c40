"""Run the groups and print one JSON line a figure, also to var/bench/."""

import argparse
import importlib
import sys
from datetime import UTC, datetime
from pathlib import Path

GROUPS = (
    "queue",
    "export",
    "imports",
    "rewardmodel",
    "policy",
    "chunked",
    "sampler",
    "evaluation",
    "day",
    "preview",
    "load",
    "screening",
    "scale",
)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--only", choices=GROUPS, action="append", help="run this group only; may be repeated")
    parser.add_argument("--out", type=Path, default=Path("var/bench"), help="directory of the result files")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / f"{datetime.now(UTC):%Y%m%d-%H%M%S}.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for group in options.only or GROUPS:
            module = importlib.import_module(f"benchmarks.{group}")
            for figure in module.figures():
                line = figure.to_line()
                print(line, flush=True)
                print(line, file=file, flush=True)
    print(f"written to {path}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
