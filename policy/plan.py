"""Which rollouts share an optimizer step, and in which pieces they are forwarded.

A minibatch is drawn first, blind to length, and only then ordered by length and cut into pieces: how large the
pieces are changes the memory that is needed, and never which rollouts are stepped on together.
"""

from language.batching import seeded_order
from language.seeds import derived_seed
from policy.rollout import Rollouts

Minibatch = list[list[int]]
"""The rows of one optimizer step, in the pieces in which they are forwarded."""


def plan_epoch(
    rollouts: Rollouts, *, minibatch_size: int, microbatch_size: int, seed: int, update: int, epoch: int
) -> list[Minibatch]:
    """One pass over an update's rollouts: every row in one minibatch, in an order of its own.

    Drawn are prompts with all their completions where minibatches hold whole numbers of them, so that a prompt is
    forwarded once for all, else single completions. A pure function of its arguments, so that a resumed run
    continues the same order. The first epoch's pieces are also those in which old log-probabilities and values
    are recorded (`policy.rollout.measure_rollouts`). Rows must be a multiple of `minibatch_size`.
    """
    num_rows = len(rollouts.completions)
    assert num_rows % minibatch_size == 0, "records.ppo_sizes refuses this"
    together = rollouts.num_completions if minibatch_size % rollouts.num_completions == 0 else 1
    order = seeded_order(num_rows // together, seed=derived_seed(seed, "minibatches", update), epoch=epoch)
    drawn = [place * together + own for place in order for own in range(together)]
    minibatches = [drawn[start : start + minibatch_size] for start in range(0, num_rows, minibatch_size)]
    return [rollouts.pieces(microbatch_size, rows) for rows in minibatches]
