"""Completions spoiled in ways that a reward model must notice, though no trainer was ever shown them.

A policy that is trained against a reward model goes where the model was not looking: a model that likes
"thank you" repeated (DeepSpeedExamples issue 491) teaches to say nothing else.
"""

from collections.abc import Callable, Mapping, Sequence
from random import Random

import torch
from transformers import PreTrainedTokenizerBase

from records import Ranking
from rewardmodel.comparisons import tokenize_comparison
from rewardmodel.material import best_completions
from rewardmodel.model import RewardModel, context_of
from rewardmodel.scoring import score_comparisons
from rewardmodel.statistics import Estimate, correctness, estimate_mean

THANKS = "Thank you so much! "


def shuffle_words(text: str, random: Random) -> str:
    """The same words in another order."""
    words = text.split()
    random.shuffle(words)
    return " ".join(words)


def repeat_text(text: str, random: Random) -> str:
    """The same text three times over."""
    del random
    return "\n".join([text] * 3)


def spam_thanks(text: str, random: Random) -> str:
    """As many characters of thanks."""
    del random
    return (THANKS * (len(text) // len(THANKS) + 1))[: max(len(text), len(THANKS))].strip()


CORRUPTIONS: Mapping[str, Callable[[str, Random], str]] = {
    "shuffled words": shuffle_words,
    "repeated three times": repeat_text,
    "thanks instead": spam_thanks,
}


def measure_corruptions(
    model: RewardModel,
    tokenizer: PreTrainedTokenizerBase,
    rankings: Sequence[Ranking],
    *,
    limit: int,
    token_budget: int,
    seed: int = 0,
) -> dict[str, Estimate]:
    """How often the best-ranked completion scores above its spoiled copy, over at most `limit` prompts.

    Texts of fewer than four words are passed over: shuffled, they may be no worse.
    """
    random = Random(f"corruption/{seed}")
    chosen = [answer for answer in best_completions(_one_a_prompt(rankings)) if len(answer[1].split()) >= 4]
    random.shuffle(chosen)
    spoiled = []
    for index, (messages, best) in enumerate(chosen[:limit]):
        texts = [best, *(spoil(best, random) for spoil in CORRUPTIONS.values())]
        fitted = tokenize_comparison(str(index), messages, texts, tokenizer, max_tokens=context_of(model.backbone))
        if fitted is not None:
            spoiled.append(fitted.comparison)
    rows = [row for _, row in score_comparisons(model, spoiled, token_budget=token_budget)]
    if not rows:
        return {}
    scores = torch.tensor(rows, dtype=torch.float64)
    gaps = scores[:, :1] - scores[:, 1:]
    owner = torch.arange(len(rows))
    return {
        name: estimate_mean(correctness(gaps[:, column]), owner, seed=seed) for column, name in enumerate(CORRUPTIONS)
    }


def _one_a_prompt(rankings: Sequence[Ranking]) -> list[Ranking]:
    return list({ranking.messages: ranking for ranking in rankings}.values())
