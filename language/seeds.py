"""Seeds as hashes of named things: which run, which stream of random numbers, and which place in it.

Arithmetic on seeds lets streams meet: a sum that equals another, or bits that a generator does not read. A hash
of all the names gives every stream numbers of its own. What draws by a seed is `language.token_sampling.Draws`.
"""

import json
from hashlib import blake2b


def derived_seed(run_seed: int, stream: str, *places: int | str) -> int:
    """The seed of one stream of a run, at these places of it (an update, a prompt, a split …): 0 to 2⁶² − 1.

    Completions that are sampled together have the seeds that follow it; with 62 bits these are signed 64-bit
    numbers too, and those of two streams meet by chance only.
    """
    names = json.dumps([run_seed, stream, *places])
    return int.from_bytes(blake2b(names.encode(), digest_size=8).digest()) >> 2
