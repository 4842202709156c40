"""Pieces that are forwarded only to keep step.

Where networks are shared out, every forward and backward pass gathers weights from all processes: one that had a pass
less than the others would leave them waiting for ever. So plans are filled up, and what fills them weighs nothing.
"""

from collections.abc import Sequence
from typing import Any, TypeVar

Member = TypeVar("Member")


class Idle(list[Member]):
    """A piece of another process's work, forwarded and backwarded here with weight 0."""


def weight_of(piece: Sequence[Any]) -> float:
    """By what the losses of a piece are multiplied: 1, or 0 where it only keeps step."""
    return 0.0 if isinstance(piece, Idle) else 1.0


def filled_up(pieces: Sequence[Sequence[Member]], *, rank: int, count: int) -> list[list[Member]]:
    """Of all processes' pieces those of `rank`, every count-th one, as many as any process has.

    What is missing is the first member of the last piece, which is of the shortest where pieces are sorted.
    """
    own = [list(piece) for piece in pieces[rank::count]]
    missing = -(-len(pieces) // count) - len(own)
    return own + [Idle(pieces[-1][:1]) for _ in range(missing)]
