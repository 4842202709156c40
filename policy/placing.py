"""A network laid out for its run: what is to be known of it is asked while it is whole, and then it is placed.

Whether a network takes packed rows, and what it does after its trunk, is told by probes. Of a network that is shared
out, a probe is a pass of all processes, and only one of them may have met what asks for it.
"""

from torch import nn

from language.chunked_logprobs import known_unembedding
from language.parallel import Sharing
from policy.packing import packs
from rewardmodel.model import RewardModel
from rewardmodel.placing import place_reward_model, require_steady


def place(sharing: Sharing, network: nn.Module) -> None:
    """Lay out a network that was loaded whole. OptionError where it cannot be shared out."""
    if sharing.is_sharded:
        require_steady(network)
        packs(network, longest=1)
        if unembedding := known_unembedding(network):
            packs(unembedding.trunk, longest=1)
    sharing.place(network)


def place_scorer(sharing: Sharing, model: RewardModel) -> None:
    """The same of a reward model that reads rollouts, or of a value model."""
    if sharing.is_sharded:
        packs(model.backbone, longest=1)
    place_reward_model(sharing, model)
