"""Seeds of the demo as hashes of named things, as language.seeds derives those of training.

Arithmetic lets streams meet: with `seed + 1` for the next round, round two of seed 0 repeats round one of seed 1.
"""

import hashlib
import json


def derived_seed(run_seed: int, stream: str, *places: int) -> int:
    """The seed of one stream of a run, at these places of it (a round, a prompt): 31 bits, as all the platform's."""
    names = json.dumps([run_seed, stream, *places])
    return int.from_bytes(hashlib.sha256(names.encode()).digest()[:4]) >> 1
