"""Kahneman–Tversky optimisation: a policy learns from thumbs, verdicts on single completions with nothing beside them.

Ethayarajh et al. 2024, told in order: the start says once how likely it holds every completion; then batches of thumbs
in seeded order; of each batch as a whole, and without gradient, how much likelier completions of other prompts have
become (the reference point); then λ_y − v of each thumb, whose completion was liked or not. The epoch of the lowest
held-out loss is published.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from language.batching import seeded_order
from language.checkpoints import load_tokenizer
from language.commandline import run
from language.parallel import Sharing, weight_of
from language.progress import begin_stage
from policy.kto_config import KtoConfig, require_options
from policy.preference_loop import Figures, Network, Sums
from policy.preference_objective import drift, kto_losses, reference_point, weights_by_numbers
from policy.preference_program import Lesson, learn
from policy.sequence_logprobs import ReferenceLogprobs, sequence_logprobs
from policy.stopping import in_smaller_pieces
from policy.thumbs import ThumbSet, TokenizedThumb, load_thumbs
from rewardmodel.comparisons import microbatches
from rewardmodel.statistics import correctness


def main(config: KtoConfig) -> None:
    """Read everything and refuse what is wrong; ask the reference policy; only then train and publish."""
    require_options(config)
    begin_stage("loading")
    torch.manual_seed(config.seed)
    tokenizer = load_tokenizer(config.model)
    data = load_thumbs(
        config.data,
        tokenizer,
        max_tokens=config.max_tokens,
        validation_fraction=config.validation_fraction,
        seed=config.seed,
        max_records=config.max_records,
    )
    lesson = Lesson("kto", "thumbs", len(data.train), len(data.validation), data.source, data.left_out)
    learn(config, tokenizer, lesson, (*data.train, *data.validation), lambda references: Kto(data, references, config))


@dataclass(frozen=True)
class Kto:
    """What KTO says of thumbs, in the terms of the loop."""

    data: ThumbSet
    references: ReferenceLogprobs
    config: KtoConfig

    @property
    def validation(self) -> Sequence[TokenizedThumb]:
        """What is held out."""
        return self.data.validation

    @property
    def weights(self) -> tuple[float, float]:
        """(λ_D, λ_U): as given, or by the numbers of thumbs that are learnt from."""
        if self.config.desirable_weight:
            return self.config.desirable_weight, self.config.undesirable_weight
        return weights_by_numbers(self.data.num_up, len(self.data.train) - self.data.num_up)

    def batches(self, epoch: int) -> list[list[TokenizedThumb]]:
        """Thumbs in seeded order, so many at a time."""
        order = seeded_order(len(self.data.train), seed=self.config.seed, epoch=epoch)
        size = self.config.batch_size
        return [[self.data.train[index] for index in order[at : at + size]] for at in range(0, len(order), size)]

    def count(self, batch: Sequence[TokenizedThumb]) -> int:
        """Thumbs."""
        return len(batch)

    @torch.no_grad()
    def begin(self, model: Network, batch: Sequence[TokenizedThumb], sharing: Sharing) -> float:
        """The reference point z₀ of the batch, whatever pieces it is forwarded in."""

        def ratios_of(pieces: list[list[TokenizedThumb]]) -> list[Tensor]:
            found = []
            for piece in pieces:
                asked = [Side(thumb, thumb.mismatched) for thumb in piece]
                logprobs = sequence_logprobs(model, asked, precision=self.config.precision)
                if weight_of(piece):
                    found.append((logprobs - self.references.of(piece, logprobs.device)[1::2]).cpu())
            return found

        budget = sharing.budget(self.config.microbatch_tokens, sum(thumb.num_tokens for thumb in batch))
        pieces = sharing.pieces_of(microbatches(batch, token_budget=budget))
        found = in_smaller_pieces(ratios_of, pieces, sharing=sharing)
        return reference_point(torch.cat(sharing.rejoin(found)))

    def losses(self, model: Network, piece: Sequence[TokenizedThumb], begun: float) -> tuple[Tensor, Sums]:
        """The sum of the thumbs' losses, and sums over those that are up and those that are down."""
        asked = [Side(thumb, thumb.judged) for thumb in piece]
        logprobs = sequence_logprobs(model, asked, precision=self.config.precision)
        ratios = logprobs - self.references.of(piece, logprobs.device)[::2]
        is_up = torch.tensor([thumb.up for thumb in piece], device=ratios.device)
        desirable, undesirable = self.weights
        losses = kto_losses(
            ratios, is_up, begun, beta=self.config.beta, desirable_weight=desirable, undesirable_weight=undesirable
        )
        num_tokens = sum(len(thumb.judged) for thumb in piece)
        found = ratios.detach().double()
        return losses.sum(), {
            "up": float(is_up.sum()),
            "down": float((~is_up).sum()),
            "right": float(correctness(torch.where(is_up, found - begun, begun - found)).sum()),
            "gain_up": self.config.beta * float(found[is_up].sum()),
            "gain_down": self.config.beta * float(found[~is_up].sum()),
            "logprob_up": float(logprobs.detach()[is_up].double().sum()),
            "logprob_down": float(logprobs.detach()[~is_up].double().sum()),
            "drift": drift(ratios, num_tokens) * num_tokens,
            "tokens": float(num_tokens),
        }

    def figures(self, sums: Mapping[str, float], begun: float) -> Figures:
        """Means over the thumbs of a kind, where there are any; the drift over tokens."""
        figures: Figures = {
            "accuracy": sums["right"] / (sums["up"] + sums["down"]),
            "reference_point": begun,
            "drift": sums["drift"] / sums["tokens"],
        }
        for kind in ("up", "down"):
            if sums[kind]:
                figures[f"reward_{kind}"] = sums[f"gain_{kind}"] / sums[kind]
                figures[f"logprob_{kind}"] = sums[f"logprob_{kind}"] / sums[kind]
        return figures


@dataclass(frozen=True)
class Side:
    """A thumb's prompt with one of its two completions."""

    thumb: TokenizedThumb
    completion: tuple[int, ...]

    @property
    def id(self) -> str:
        """The thumb's."""
        return self.thumb.id

    @property
    def prompt_ids(self) -> tuple[int, ...]:
        """The thumb's."""
        return self.thumb.prompt_ids

    @property
    def completion_ids(self) -> tuple[tuple[int, ...], ...]:
        """The one."""
        return (self.completion,)

    @property
    def num_tokens(self) -> int:
        """To be forwarded."""
        return len(self.prompt_ids) + len(self.completion)


if __name__ == "__main__":
    run(main, KtoConfig, shares_work=True)
