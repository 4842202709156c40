"""Completions of a comparison differ where the policy lets them; what does not is flagged, and all is on record."""

from dataclasses import replace
from pathlib import Path

import pytest

from records import Completion, SampleRequest, SamplingParams
from sampler.backends.local import LocalBackend
from sampler.configuration import configuration
from sampler.distinctness import MOST_TRIES, resemblances, sample_distinct, wants_distinct
from sampler.runs import Run
from tests.sampler.conftest import make_request


class Sampler:
    """A real backend, and what was asked of it."""

    def __init__(self, store: Path) -> None:
        self._backend = LocalBackend(replace(configuration(), store=store))
        self.asked: list[SampleRequest] = []
        self.run = Run("run-1", 1)

    def __call__(self, request: SampleRequest) -> tuple[Completion, ...]:
        self.asked.append(request)
        return self._backend.sample(request, self.run, on_text=None)


@pytest.fixture
def sampler(store: Path) -> Sampler:
    return Sampler(store)


def narrow(*, choices: int, tokens: int = 1, completions: int = 9, seed: int = 5) -> SampleRequest:
    """A request with few possible texts: `choices` for each of `tokens` tokens."""
    sampling = SamplingParams(top_k=choices, max_new_tokens=tokens, seed=seed)
    return replace(make_request(num_completions=completions), sampling=sampling)


def texts(completions: tuple[Completion, ...]) -> list[str]:
    return [completion.content.strip() for completion in completions]


def test_duplicates_are_sampled_again_until_all_differ(sampler: Sampler) -> None:
    request = narrow(choices=4, tokens=2)
    plain = sampler(request)
    assert len(set(texts(plain))) < 9
    assert len(set(texts(sample_distinct(request, sampler)))) > len(set(texts(plain)))


def test_what_was_no_duplicate_stays_as_its_seed_gave_it(sampler: Sampler) -> None:
    request = narrow(choices=4, tokens=2)
    plain, distinct = sampler(request), sample_distinct(request, sampler)
    assert plain != distinct
    for index, completion in enumerate(plain):
        if texts(plain).index(completion.content.strip()) == index:
            assert distinct[index] == completion


def test_the_seed_on_record_gives_the_completion(sampler: Sampler) -> None:
    distinct = sample_distinct(narrow(choices=4, tokens=2), sampler)
    seeds = [completion.sampling.seed for completion in distinct]
    assert len(set(seeds)) == 9
    assert max(seeds) >= 5 + 9  # some were drawn again
    for completion in distinct:
        (alone,) = sampler(narrow(choices=4, tokens=2, completions=1, seed=completion.sampling.seed))
        assert alone.content == completion.content
    assert [completion.id for completion in distinct] == [f"run-1-{index}" for index in range(9)]


def test_a_policy_with_fewer_texts_than_asked_for_is_asked_a_few_times_only(sampler: Sampler) -> None:
    completions = sample_distinct(narrow(choices=2), sampler)
    assert len(sampler.asked) == 1 + MOST_TRIES
    flagged = resemblances(completions)
    assert len(flagged) >= 9 - 2
    for found in flagged:
        if found.similarity == 1.0 and texts(completions)[found.index] == texts(completions)[found.earlier]:
            assert texts(completions).index(texts(completions)[found.index]) == found.earlier


def test_texts_that_were_drawn_again_must_differ_from_one_another_too() -> None:
    """By a sampler that gives texts in a known order; what it was asked for is kept."""
    lines, seeds = iter(["a", "a", "a", "b", "b", "c"]), []

    def give(request: SampleRequest) -> tuple[Completion, ...]:
        seeds.append((request.sampling.seed, request.num_completions))
        return said(*(next(lines) for _ in range(request.num_completions)))

    distinct = sample_distinct(narrow(choices=4, completions=3, seed=5), give)
    assert texts(distinct) == ["a", "b", "c"]
    assert [completion.id for completion in distinct] == ["c0", "c1", "c2"]
    assert seeds == [(5, 3), (8, 2), (10, 1)]  # none is drawn by twice


def test_nothing_is_sampled_again_where_all_differ(sampler: Sampler) -> None:
    request = make_request(num_completions=4)
    assert sample_distinct(request, sampler) == sampler(request)
    assert len(sampler.asked) == 2


def test_what_a_person_stopped_is_not_sampled_again(sampler: Sampler) -> None:
    sampler.run.cancel()
    completions = sample_distinct(make_request(num_completions=4), sampler)
    assert {completion.finish_reason for completion in completions} == {"cancelled"}
    assert len(sampler.asked) == 1


@pytest.mark.parametrize("purpose", ["evaluation", "suggestion", "chat"])
def test_what_measures_a_policy_or_serves_a_person_is_left_alone(purpose: str) -> None:
    assert not wants_distinct(make_request(purpose=purpose))


def test_greedy_completions_are_left_alone() -> None:
    assert not wants_distinct(replace(make_request(), sampling=SamplingParams(temperature=0.0)))


def said(*contents: str) -> tuple[Completion, ...]:
    return tuple(Completion(id=f"c{index}", content=content) for index, content in enumerate(contents))


def test_the_same_text_and_nearly_the_same_are_flagged_with_what_they_are_like() -> None:
    flagged = resemblances(
        said(
            "I like cheese.",
            "The capital of France is Paris.",
            "I like cheese.\n",
            "Paris is the capital of France.",
            "The capital of France is Lyon.",
        )
    )
    assert [(found.index, found.earlier) for found in flagged] == [(2, 0), (3, 1)]
    assert flagged[0].similarity == 1.0
    assert 0.95 <= flagged[1].similarity < 1.0


def test_different_answers_are_not_flagged() -> None:
    assert resemblances(said("Yes.", "No, not at all.", "I do not know.")) == ()
    assert resemblances(said("Alone.")) == ()
