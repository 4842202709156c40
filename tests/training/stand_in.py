"""A trainer that learns nothing and does at once what its data says, in place of one that would have to load torch."""

import json
import os
import signal
import sys
from itertools import pairwise
from pathlib import Path

from records import publish_directory


def main(arguments: list[str]) -> int:
    """`publish`, `publish nothing`, `refuse`, `lack memory`, `wait` to be ended, or of several `die` as the last."""
    given = dict(pairwise(arguments))
    out = Path(given["--out"])
    said = Path(given.get("--data") or given["--prompts"]).read_text()
    if said == "die" and int(os.environ["RANK"]) == int(os.environ["WORLD_SIZE"]) - 1:
        os.kill(os.getpid(), signal.SIGKILL)
    if said in ("wait", "die"):
        signal.pause()
    if os.environ.get("RANK", "0") != "0":
        return 0 if said.startswith("publish") else signal.pause() or 0
    if said == "refuse":
        print("error: this data cannot be learnt from")
        return 2
    if said == "lack memory":
        print("error: out of memory")
        return 75
    if said == "publish":
        staging = out.with_name("staging")
        staging.mkdir(parents=True)
        (staging / "metrics.json").write_text(json.dumps({"loss": 0.5, "steps": 3, "ended": True, "name": "m"}))
        publish_directory(staging, out)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
