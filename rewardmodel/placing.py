"""A reward model laid out for its run, and put together again: trunk and head, which are called apart."""

from torch import nn

from language.options import OptionError
from language.parallel import Sharing
from rewardmodel.model import RewardModel
from rewardmodel.packing import shares_prompts
from rewardmodel.reach import positions_move


def place_reward_model(sharing: Sharing, model: RewardModel) -> None:
    """Lay out a reward model that was loaded whole. OptionError where it cannot be shared out.

    Whether it takes packed rows is asked while it is whole: of a network that is shared out a probe is a pass of all
    processes, and only one of them may have met what asks for it.
    """
    if sharing.is_sharded:
        require_steady(model.backbone)
        shares_prompts(model, ())
    sharing.place(model.backbone)
    sharing.place(model.head)


def whole_reward_model(sharing: Sharing, model: RewardModel) -> RewardModel | None:
    """The reward model as the main process may publish it; None in the others. All must call it."""
    backbone, head = sharing.whole_on_main(model.backbone), sharing.whole_on_main(model.head)
    if backbone is None or head is None:
        return None
    if backbone is model.backbone:
        return model
    whole = RewardModel(backbone, head, model.facts)
    whole.shares_prompts = model.shares_prompts
    return whole


def require_steady(network: nn.Module) -> None:
    """Raise OptionError where one process may have to forward in two parts what another forwards in one."""
    if positions_move(network):
        raise OptionError(
            "--sharding full: this network's rotary positions change with the longest sequence (longrope or dynamic "
            "scaling), so that processes would forward unequally often; give --sharding replicate"
        )
