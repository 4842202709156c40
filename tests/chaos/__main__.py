"""`make chaos`: a long storm over a platform of its own; prints what was acknowledged, what was lost, and the silences.

Exit 0 only if every fault fell, as much was acknowledged as was asked for, and nothing was lost, doubled or untrue.
"""

import argparse
import sys

from tests.chaos.services import services
from tests.chaos.storm import drawn_faults, storm


def main() -> int:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--faults", type=int, default=60)
    parser.add_argument("--acknowledged", type=int, default=10_000, help="submissions to be acknowledged")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=2400.0, help="bound on the storm; it ends unfinished then")
    parser.add_argument("--seed", type=int, default=1, help="of the order of the faults")
    options = parser.parse_args()
    comparisons = 2 * options.acknowledged  # each wants two rankings, so that the clients meet on them
    with services(projects=[("storm", comparisons, 2)], trainers=options.clients) as platform:
        report = storm(
            platform,
            "storm",
            kinds=drawn_faults(options.faults, seed=options.seed),
            acknowledged=options.acknowledged,
            clients=options.clients,
            seconds=options.seconds,
            say=lambda line: print(line, file=sys.stderr, flush=True),
        )
    print(report.to_line())
    is_whole = len(report.faults) == options.faults and report.num_acknowledged >= options.acknowledged
    return 0 if is_whole and report.is_sound else 1


if __name__ == "__main__":
    sys.exit(main())
