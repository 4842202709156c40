"""Several processes on one training run: which this is, what of the work is its own, where the networks lie.

`sharing` has the three ways: alone, whole networks in every process (replicate), networks shared out among them (full).
`layers` cuts a network among processes, `whole` puts one together again, `stored` writes and reads tensors that no
process has whole. The loops know `Sharing` alone; nothing here knows what is trained.
"""

from language.parallel.idle import Idle, weight_of
from language.parallel.layers import is_sharded, within
from language.parallel.sharing import ALONE, Replicated, Sharded, ShardingKind, Sharing, begin_sharing

__all__ = [
    "ALONE",
    "Idle",
    "Replicated",
    "Sharded",
    "ShardingKind",
    "Sharing",
    "begin_sharing",
    "is_sharded",
    "weight_of",
    "within",
]
