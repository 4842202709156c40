"""Several reward models that score as one: further ones beside --reward, and the rule that makes one score of theirs.

Each is a network of its own, never trained here, so each costs its weights in memory and a forward pass over every
update's rollouts. All read the policy's own tokens. The rules are those of Coste et al. 2023, who studied reward
models that differ only in the seed of their training: `policy.objective.ensemble_scores`.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from language.checkpoints import load_tokenizer
from language.commandline import Precision
from language.cpu_linears import pack_linears
from language.options import OptionError, require_not_negative
from language.parallel import ALONE, Sharing
from policy.objective import Ensemble, ensemble_scores
from policy.placing import place_scorer
from policy.shared_prompt import PromptGroups
from policy.value import completion_scores, require_same_tokens
from rewardmodel.model import Backbone, RewardModel, load_reward_model
from rewardmodel.publishing import directory_sha256


@runtime_checkable
class EnsembleOptions(Protocol):
    """The options that say which reward models score, and how."""

    @property
    def reward(self) -> Path:
        """The first reward model."""

    @property
    def ensemble_rewards(self) -> tuple[Path, ...]:
        """The further ones."""

    @property
    def ensemble(self) -> Ensemble:
        """The rule that makes one score of theirs."""

    @property
    def ensemble_variance_coef(self) -> float:
        """λ of variance-penalised."""


@dataclass(frozen=True)
class RewardEnsemble:
    """The reward models beside the first, and the rule. Without any the first one's scores are the scores."""

    further: tuple[RewardModel, ...] = ()
    rule: Ensemble = "mean"
    variance_coef: float = 0.0

    @property
    def trunks(self) -> list[Backbone]:
        """The further reward models' trunks."""
        return [model.backbone for model in self.further]

    def member_scores(self, first: RewardModel, groups: PromptGroups) -> tuple[Float[Tensor, " rows"], ...]:
        """Each reward model's score of every completion, the first one's first."""
        return tuple(completion_scores(model, groups) for model in (first, *self.further))

    def combined(self, member_scores: Float[Tensor, "members rows"]) -> Float[Tensor, " rows"]:
        """One score of theirs for every completion."""
        return ensemble_scores(member_scores, self.rule, variance_coef=self.variance_coef)


@runtime_checkable
class RewardSource(Protocol):
    """Whoever holds the reward model that a run is trained on."""

    def as_reward_model(self) -> AbstractContextManager[RewardModel]:
        """Inside, the reward model."""


@dataclass(frozen=True)
class FrozenRewardModel:
    """A reward model that nothing starts from."""

    model: RewardModel

    @contextmanager
    def as_reward_model(self) -> Iterator[RewardModel]:
        """Inside, the reward model."""
        yield self.model


ONE_REWARD_MODEL = RewardEnsemble()


def require_ensemble(options: EnsembleOptions) -> None:
    """Refuse a rule for an ensemble of one, and a reward model that would count twice."""
    if options.ensemble != "mean" and not options.ensemble_rewards:
        raise OptionError(f"--ensemble {options.ensemble} needs --ensemble-rewards, the reward models beside --reward")
    members = [path.resolve() for path in (options.reward, *options.ensemble_rewards)]
    for path, place in zip(options.ensemble_rewards, members[1:], strict=True):
        if members.count(place) > 1:
            raise OptionError(f"--ensemble-rewards {path}: named twice, or --reward already; name each one once")
    require_not_negative(options, "ensemble_variance_coef")


def find_members(options: EnsembleOptions, tokenizer: PreTrainedTokenizerBase) -> dict[str, dict[str, str]]:
    """Name and hash of each further reward model, for the lineage, by the part it has in a run.

    Raises OptionError where one reads other tokens than the policy's `tokenizer`, CheckpointError or ManifestError.
    """
    found = {}
    for number, path in enumerate(options.ensemble_rewards, 2):
        require_same_tokens(tokenizer, load_tokenizer(path), where=path, reader="an ensemble's score")
        found[f"reward_model_{number}"] = {"name": path.name, "sha256": directory_sha256(path)}
    return found


def load_ensemble(
    options: EnsembleOptions,
    *,
    dtype: torch.dtype,
    device: torch.device,
    precision: Precision,
    sharing: Sharing = ALONE,
) -> RewardEnsemble:
    """The further reward models, frozen, and the rule."""
    further = tuple(
        load_frozen(path, dtype=dtype, device=device, precision=precision, sharing=sharing)
        for path in options.ensemble_rewards
    )
    return RewardEnsemble(further, options.ensemble, options.ensemble_variance_coef)


def load_frozen(
    directory: Path, *, dtype: torch.dtype, device: torch.device, precision: Precision, sharing: Sharing = ALONE
) -> RewardModel:
    """A reward model that only scores; in fp32 its linear layers are packed for the CPU where it is not shared out."""
    where = sharing.loading_device(device)
    model = load_reward_model(directory, dtype=dtype, device=where).requires_grad_(False)
    if precision == "fp32" and not sharing.is_sharded:
        pack_linears(model.backbone)
    place_scorer(sharing, model)
    return model
