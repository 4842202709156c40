"""The first pass over an update's rollouts, forwarded once: what is recorded of it is what is trained from.

PPO records π_old and V_old and then, in its first minibatch, forwards the same weights over the same rows again. Where
that minibatch is the whole update in one piece, the training forward's own values are what is recorded: the same
bits, one forward less of each network. It costs the graphs of all networks at once, so memory decides as well.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from policy.shared_prompt import PromptGroups
from policy.stopping import is_out_of_memory


class FirstPass:
    """Results of an update's first forwards with the graphs behind them, by network; each is taken once."""

    def __init__(self) -> None:
        self._kept: dict[str, Tensor] = {}

    def forward(
        self, network: str, function: Callable[[PromptGroups], Tensor | tuple[Tensor, ...]], groups: PromptGroups
    ) -> tuple[Tensor, ...] | None:
        """What `function` says, without gradients; those of its first result are kept for `take`.

        None where memory does not hold the graph: then no network's is kept.
        """
        try:
            with torch.enable_grad():
                found = function(groups)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            self.clear()
            return None
        results = found if isinstance(found, tuple) else (found,)
        if results[0].requires_grad:
            self._kept[network] = results[0]
        return tuple(result.detach() for result in results)

    def clear(self) -> None:
        """Give the graphs back untrained."""
        self._kept.clear()

    def take(self, network: str) -> Tensor | None:
        """The first result of this network's forward, to be trained from; None if there is none, or it was taken."""
        return self._kept.pop(network, None)
