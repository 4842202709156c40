"""That the completions of a comparison differ: the same text is sampled again, and much the same is flagged.

What this does to the distribution. K completions are K independent draws of the policy. A text that came
before is drawn again, at most three times, under seeds that follow the request's own and are on record; so
the set is a sample of the policy given that its texts differ, and a text that the policy gives with
probability p stands in it at most once, where independent draws would hold it K p times on average. The
first completion, and any that was no duplicate, is exactly what its seed gives alone. Pairs of a ranking
lose nothing: a pair of equal texts teaches nothing. But whatever measures the policy itself (win rates,
scores, lengths) must draw without this: evaluations, suggestions and chats do, and are left alone here.
Near-duplicates are only flagged; to throw them away would change the policy that is ranked.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache

from language.embedding import EmbeddingError
from records import Completion, Resemblance, SampleRequest
from sampler.embedding import embedder

MOST_TRIES = 3
NEAR = 0.95

logger = logging.getLogger(__name__)

Completions = tuple[Completion, ...]


def wants_distinct(request: SampleRequest) -> bool:
    """Whether a request's completions are to be ranked against each other, and can come out otherwise at all."""
    return request.purpose == "comparison" and request.num_completions > 1 and request.sampling.temperature > 0


def sample_distinct(request: SampleRequest, sample: Callable[[SampleRequest], Completions]) -> Completions:
    """Sample a request, and again what has the text of an earlier completion; `sample` answers any request.

    A completion keeps its place and id; its `sampling.seed` is the one that gave it. What was cancelled
    is not sampled again.
    """
    completions = list(sample(request))
    places = [index for index, earlier in _same(completions).items() if earlier is not None]
    known = {_text(completion) for completion in completions}
    next_seed = request.sampling.seed + request.num_completions
    for _ in range(MOST_TRIES):
        if not places or any(completion.finish_reason == "cancelled" for completion in completions):
            break
        sampling = replace(request.sampling, seed=next_seed)
        fresh = sample(replace(request, num_completions=len(places), sampling=sampling))
        next_seed += len(places)
        places = list(_put(completions, places, fresh, known))
    return tuple(completions)


def resemblances(completions: Completions) -> tuple[Resemblance, ...]:
    """What is still the same as an earlier completion, or nearly: each with the earlier one that it is most like."""
    same = _same(completions)
    found = {
        index: Resemblance(index=index, earlier=earlier, similarity=1.0)
        for index, earlier in same.items()
        if earlier is not None
    }
    try:
        vectors = embedder().vectors([completion.content for completion in completions])
    except EmbeddingError as error:
        _warn_once(f"near-duplicates among completions are not looked for: {error}")
        return tuple(found.values())
    for index in range(1, len(completions)):
        similarity, earlier = (vectors[:index] @ vectors[index]).max(dim=0)
        if index not in found and similarity >= NEAR:
            rounded = min(round(float(similarity), 4), 1.0)
            found[index] = Resemblance(index=index, earlier=int(earlier), similarity=rounded)
    return tuple(found[index] for index in sorted(found))


@cache
def _warn_once(sentence: str) -> None:
    logger.warning(sentence)


def _put(completions: list[Completion], places: list[int], fresh: Completions, known: set[str]) -> Iterator[int]:
    """Put fresh completions into their places; yields the places whose text is still known."""
    for place, completion in zip(places, fresh, strict=True):
        completions[place] = replace(completion, id=completions[place].id)
        if _text(completion) in known:
            yield place
        known.add(_text(completion))


def _same(completions: Sequence[Completion]) -> dict[int, int | None]:
    """For each completion the first earlier one with its text; None where it is new."""
    first: dict[str, int] = {}
    same: dict[int, int | None] = {}
    for index, completion in enumerate(completions):
        same[index] = first.get(_text(completion))
        first.setdefault(_text(completion), index)
    return same


def _text(completion: Completion) -> str:
    """What a reader sees of it: white space at the ends shows on no screen."""
    return completion.content.strip()
