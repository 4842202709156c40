"""Rankings for tests: small, typed factories."""

from collections.abc import Sequence
from random import Random

from records import Completion, Message, Ranking


def make_ranking(
    *,
    id: str = "r-1",
    prompt: str | Sequence[str] = "What is the capital of France?",
    completions: Sequence[str] = ("Paris.", "I do not know.", "The sea is blue."),
    tiers: Sequence[Sequence[int]] | None = None,
    comparison_id: str | None = None,
    split: str | None = None,
    **fields: object,
) -> Ranking:
    """A ranking of `completions`, best first unless `tiers` (indices) says otherwise.

    A prompt given as several texts is a dialogue: user, assistant, user …
    """
    texts = [prompt] if isinstance(prompt, str) else list(prompt)
    comparison = comparison_id or f"c-{id}"
    ids = [f"{comparison}-{index}" for index in range(len(completions))]
    order = tiers if tiers is not None else [[index] for index in range(len(completions))]
    return Ranking(
        id=id,
        comparison_id=comparison,
        messages=tuple(
            Message(role="user" if index % 2 == 0 else "assistant", content=text) for index, text in enumerate(texts)
        ),
        completions=tuple(
            Completion(id=identifier, content=text, policy="tiny", finish_reason="stop")
            for identifier, text in zip(ids, completions, strict=True)
        ),
        tiers=tuple(tuple(ids[index] for index in tier) for tier in order),
        split=split,
        **fields,
    )


def make_toy_rankings(
    count: int, *, seed: int = 0, num_completions: int = 3, split: str | None = None
) -> list[Ranking]:
    """Rankings of a simulated trainer who likes completions that say "Paris", wherever, at whatever length."""
    random = Random(seed)
    rankings = []
    for index in range(count):
        texts = [_toy_text(random, likes=place == 0) for place in range(num_completions)]
        order = random.sample(range(num_completions), num_completions)
        shuffled = [texts[place] for place in order]
        rankings.append(
            make_ranking(
                id=f"toy-{seed}-{index}",
                prompt=f"{random.choice(_WORDS)} {random.choice(_WORDS)} {index}?",
                completions=shuffled,
                tiers=[[order.index(0)], [i for i in range(num_completions) if i != order.index(0)]],
                split=split,
                trainer_kind="simulated",
            )
        )
    return rankings


_WORDS = ("the", "sea", "is", "wide", "blue", "answer", "to", "that", "question", "poem", "sky", "try", "first")


def _toy_text(random: Random, *, likes: bool) -> str:
    words = [random.choice(_WORDS) for _ in range(random.randint(2, 9))]
    if likes:
        words[random.randrange(len(words))] = "Paris"
    return " ".join(words)
