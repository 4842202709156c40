"""Rankings for tests: small, typed factories."""

from collections.abc import Sequence

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
