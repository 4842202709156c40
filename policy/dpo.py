"""Direct preference optimisation: a policy learns from rankings, without a reward model and without sampling.

Rafailov et al. 2023, told in order: the start says once how likely it holds every completion; then batches of whole
rankings in seeded order, every completion forwarded once beside the others of its prompt, and the reward model's loss
over the pairs of each ranking, of the implicit rewards β log π/π₀. The epoch of the lowest held-out loss is published.

Ties make no pair, and the line of acceptability adds and removes none (rewardmodel.loss). Options: the strength of
a preference as a margin, and Plackett–Luce over whole tiers instead of pairs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from language.checkpoints import load_tokenizer
from language.commandline import run
from language.parallel import Sharing
from language.progress import begin_stage
from policy.dpo_config import DpoConfig, require_options
from policy.preference_loop import Figures, Network, Sums
from policy.preference_objective import drift, implicit_rewards, plackett_luce_loss
from policy.preference_program import Lesson, learn
from policy.preferences import PreferenceSet, load_preferences
from policy.sequence_logprobs import ReferenceLogprobs, sequence_logprobs
from rewardmodel.comparisons import Comparison, RankingPairs, batches, pairs_of
from rewardmodel.loss import ranking_losses
from rewardmodel.statistics import correctness


def main(config: DpoConfig) -> None:
    """Read everything and refuse what is wrong; ask the reference policy; only then train and publish."""
    require_options(config)
    begin_stage("loading")
    torch.manual_seed(config.seed)
    tokenizer = load_tokenizer(config.model)
    data = load_preferences(
        config.data,
        tokenizer,
        max_tokens=config.max_tokens,
        validation_fraction=config.validation_fraction,
        max_records=config.max_records,
    )
    num_held_out = sum(len(comparison.tiers) for comparison in data.validation)
    lesson = Lesson("dpo", "rankings", data.num_rankings, num_held_out, data.source, data.left_out, data.num_tied_pairs)
    learn(config, tokenizer, lesson, (*data.train, *data.validation), lambda references: Dpo(data, references, config))


@dataclass(frozen=True)
class Dpo:
    """What DPO says of comparisons, in the terms of the loop."""

    data: PreferenceSet
    references: ReferenceLogprobs
    config: DpoConfig

    @property
    def validation(self) -> Sequence[Comparison]:
        """What is held out."""
        return self.data.validation

    def batches(self, epoch: int) -> list[list[Comparison]]:
        """Comparisons in seeded order, cut where a batch reaches the number of rankings."""
        return batches(self.data.train, batch_size=self.config.batch_size, seed=self.config.seed, epoch=epoch)

    def count(self, batch: Sequence[Comparison]) -> int:
        """Rankings: each weighs the same, whatever the number of its pairs."""
        return sum(len(comparison.tiers) for comparison in batch)

    def begin(self, model: Network, batch: Sequence[Comparison], sharing: Sharing) -> float:
        """Nothing: a ranking's loss hangs on its own completions alone."""
        del model, batch, sharing
        return 0.0

    def losses(self, model: Network, piece: Sequence[Comparison], begun: float) -> tuple[Tensor, Sums]:
        """The sum of the rankings' losses, and sums over the pairs and completions of the piece."""
        del begun
        logprobs = sequence_logprobs(model, piece, precision=self.config.precision)
        ref_logprobs = self.references.of(piece, logprobs.device)
        rewards = implicit_rewards(logprobs, ref_logprobs, beta=self.config.beta)
        pairs = pairs_of(piece, logprobs.device)
        losses = (
            self.losses_of_tiers(rewards, piece) if self.config.whole_tiers else self.losses_of_pairs(rewards, pairs)
        )
        return losses.sum(), pair_sums(logprobs.detach(), ref_logprobs, rewards.detach(), pairs, piece)

    def losses_of_pairs(
        self, rewards: Float[Tensor, " completions"], pairs: RankingPairs
    ) -> Float[Tensor, " rankings"]:
        """The mean of −log σ(r̂_w − r̂_l − margin) over each ranking's pairs (RF Eq. 7; ODPO, Eq. 3)."""
        margin = self.config.margin_per_strength * pairs.strengths.to(rewards)
        return ranking_losses(rewards, pairs.pairs, pairs.ranking_of_pair, pairs.num_rankings, margin)

    def losses_of_tiers(
        self, rewards: Float[Tensor, " completions"], piece: Sequence[Comparison]
    ) -> Float[Tensor, " rankings"]:
        """−log p of each ranking as a whole (RF App. A.3)."""
        parts = torch.split(rewards, [len(comparison.completion_ids) for comparison in piece])
        return torch.stack(
            [
                plackett_luce_loss(own, torch.tensor(tiers, device=rewards.device))
                for own, comparison in zip(parts, piece, strict=True)
                for tiers in comparison.tiers
            ]
        )

    def figures(self, sums: Mapping[str, float], begun: float) -> Figures:
        """Means over pairs; the drift over tokens."""
        del begun
        num_pairs = sums["pairs"]
        return {
            "accuracy": sums["right"] / num_pairs,
            "margin": sums["margin"] / num_pairs,
            "chosen_logprob": sums["chosen"] / num_pairs,
            "rejected_logprob": sums["rejected"] / num_pairs,
            "drift": sums["drift"] / sums["tokens"],
        }


def pair_sums(
    logprobs: Float[Tensor, " completions"],
    ref_logprobs: Float[Tensor, " completions"],
    rewards: Float[Tensor, " completions"],
    pairs: RankingPairs,
    piece: Sequence[Comparison],
) -> Sums:
    """Sums over pairs of what is logged of them, and over the tokens of completions of how far the policy has moved."""
    chosen, rejected = pairs.pairs[:, 0], pairs.pairs[:, 1]
    gaps = rewards[chosen] - rewards[rejected]
    num_tokens = sum(len(ids) for comparison in piece for ids in comparison.completion_ids)
    return {
        "pairs": float(len(gaps)),
        "right": float(correctness(gaps).sum()),
        "margin": float(gaps.double().sum()),
        "chosen": float(logprobs[chosen].double().sum()),
        "rejected": float(logprobs[rejected].double().sum()),
        "drift": drift(logprobs - ref_logprobs, num_tokens) * num_tokens,
        "tokens": float(num_tokens),
    }


if __name__ == "__main__":
    run(main, DpoConfig, shares_work=True)
