"""Prefixes kept between turns: nothing computed twice, nothing changed by it, memory bounded, policies apart."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from language.checkpoints import load_causal_lm
from language.decoding import RunningBatch
from language.engine import Engine
from language.generation import Sampled
from language.prefixes import PrefixCache
from records import SamplingParams
from tests.tiny import build_tiny_policy

NEVER = -1
PLENTY = 10**9
FIRST = list(range(5, 35))


@pytest.fixture
def model(tiny_policy: Path) -> PreTrainedModel:
    return load_causal_lm(tiny_policy)


@pytest.fixture
def computed(model: PreTrainedModel) -> list[int]:
    """How many tokens of a prompt each forward computed; a token that is sampled counts for none."""
    lengths: list[int] = []

    def note(_: object, __: object, kwargs: dict[str, Tensor]) -> None:
        if "attention_mask" not in kwargs:
            lengths.append(kwargs["input_ids"].shape[1])

    model.register_forward_pre_hook(note, with_kwargs=True)
    return lengths


@pytest.fixture
def engines() -> Iterator[list[Engine]]:
    started: list[Engine] = []
    yield started
    for engine in started:
        engine.close()


def say(engine: Engine, prompt: list[int], *, seed: int = 1, rows: int = 1, urgent: bool = True) -> list[Sampled]:
    how = SamplingParams(max_new_tokens=20, seed=seed)
    return engine.submit(prompt, num_completions=rows, params=how, end_token_id=NEVER, urgent=urgent).result()


def dialogue(engine: Engine, *, turns: int = 3) -> list[Sampled]:
    """A dialogue whose every prompt is the one before it, the answer to that, and a new question."""
    answers, prompt = [], FIRST
    for turn in range(turns):
        answers += say(engine, prompt, seed=turn)
        prompt = [*prompt, *answers[-1].token_ids, 40 + turn, 41, 42, 43]
    return answers


def test_a_dialogue_comes_out_the_same_with_and_without(model: PreTrainedModel, engines: list[Engine]) -> None:
    cache = PrefixCache(PLENTY)
    engines += [Engine(model), Engine(model, prefixes=cache.of("p"))]
    plain, reused = (dialogue(engine, turns=6) for engine in engines)
    assert cache.num_bytes > 0
    assert len(plain) == 6
    for one, other in zip(plain, reused, strict=True):
        assert one.token_ids == other.token_ids
        torch.testing.assert_close(torch.tensor(one.logprobs), torch.tensor(other.logprobs), atol=1e-4, rtol=0)


def test_a_turn_computes_only_what_is_new(model: PreTrainedModel, computed: list[int], engines: list[Engine]) -> None:
    engines.append(Engine(model, prefixes=PrefixCache(PLENTY).of("p")))
    dialogue(engines[0])
    # The answer's last token was sampled and never fed; then the four of the question.
    assert computed == [30, 5, 5]


def test_the_same_prompt_again_computes_its_last_token(
    model: PreTrainedModel, computed: list[int], engines: list[Engine]
) -> None:
    engines.append(Engine(model, prefixes=PrefixCache(PLENTY).of("p")))
    one = say(engines[0], FIRST, rows=3)
    assert [completion.token_ids for completion in say(engines[0], FIRST, rows=3)] == [
        completion.token_ids for completion in one
    ]
    assert computed == [30, 1]


def test_overnight_work_neither_uses_nor_fills_it(
    model: PreTrainedModel, computed: list[int], engines: list[Engine]
) -> None:
    cache = PrefixCache(PLENTY)
    engines.append(Engine(model, prefixes=cache.of("p")))
    say(engines[0], FIRST, urgent=False)
    assert cache.num_bytes == 0
    say(engines[0], FIRST)
    say(engines[0], FIRST, urgent=False)
    assert computed == [30, 30, 30]


def test_a_policy_does_not_see_what_another_computed(
    model: PreTrainedModel, computed: list[int], engines: list[Engine], tmp_path: Path
) -> None:
    cache = PrefixCache(PLENTY)
    other = load_causal_lm(build_tiny_policy(tmp_path / "other", seed=1))
    engines += [Engine(other, prefixes=cache.of("other")), Engine(model, prefixes=cache.of("p")), Engine(model)]
    say(engines[0], FIRST)
    assert say(engines[1], FIRST)[0].token_ids == say(engines[2], FIRST)[0].token_ids
    assert computed == [30, 30]


def layers(num_tokens: int) -> list[tuple[Tensor, Tensor]]:
    return [(torch.ones(2, num_tokens, 4), torch.ones(2, num_tokens, 4))]


BYTES = 2 * 2 * 4 * 4  # of one token in `layers`


def numbers(first: int, num: int) -> list[int]:
    return list(range(first, first + num))


def test_memory_is_bounded_and_the_least_recently_used_leaves() -> None:
    cache = PrefixCache(100 * BYTES)
    for first in (0, 1000, 2000):
        cache.keep("p", numbers(first, 33), layers(33))
    assert cache.num_bytes == 99 * BYTES
    assert cache.find("p", numbers(0, 33))[0] == 33  # used: now the youngest
    cache.keep("p", numbers(3000, 33), layers(33))
    assert cache.num_bytes == 99 * BYTES
    assert [cache.find("p", numbers(first, 33))[0] for first in (0, 1000, 2000, 3000)] == [33, 0, 33, 33]


def test_what_is_kept_is_a_copy_that_the_batch_does_not_write_over() -> None:
    cache = PrefixCache(PLENTY)
    mine = layers(20)
    cache.keep("p", numbers(0, 20), mine)
    for keys, values in mine:
        keys.zero_()
        values.zero_()
    (kept,) = cache.find("p", numbers(0, 20))[1]
    assert [float(tensor.min()) for tensor in kept] == [1.0, 1.0]


def test_what_is_larger_than_the_memory_is_not_kept() -> None:
    cache = PrefixCache(100 * BYTES)
    cache.keep("p", numbers(0, 33), layers(33))
    cache.keep("p", numbers(1000, 101), layers(101))
    assert cache.find("p", numbers(0, 33))[0] == 33
    assert cache.find("p", numbers(1000, 101))[0] == 0


def test_a_longer_prefix_takes_the_place_of_what_it_continues() -> None:
    cache = PrefixCache(PLENTY)
    cache.keep("p", numbers(0, 20), layers(20))
    cache.keep("p", numbers(0, 40), layers(40))
    assert cache.num_bytes == 40 * BYTES
    cache.keep("p", numbers(0, 30), layers(30))  # known already
    assert cache.num_bytes == 40 * BYTES


def test_dialogues_that_part_share_what_they_have_in_common() -> None:
    cache = PrefixCache(PLENTY)
    cache.keep("p", [*numbers(0, 20), 7, 7], layers(22))
    assert cache.find("p", [*numbers(0, 20), 8, 8])[0] == 20
    assert cache.find("p", [9, *numbers(0, 20)])[0] == 0
    assert cache.find("q", [*numbers(0, 20), 7, 7])[0] == 0


def test_a_policy_that_leaves_takes_its_prefixes_along() -> None:
    cache = PrefixCache(PLENTY)
    cache.keep("p", numbers(0, 20), layers(20))
    cache.keep("q", numbers(0, 20), layers(20))
    cache.forget("p")
    assert (cache.find("p", numbers(0, 20))[0], cache.find("q", numbers(0, 20))[0]) == (0, 20)
    assert cache.num_bytes == 20 * BYTES
    cache.clear()
    assert cache.num_bytes == 0


def test_what_is_put_back_in_line_is_not_kept_half_done(model: PreTrainedModel) -> None:
    cache = PrefixCache(PLENTY)
    batch = RunningBatch(model, prefixes=cache.of("p"))
    rows = batch.rows_for(FIRST, SamplingParams(max_new_tokens=20), num_completions=1, end_token_id=NEVER)
    batch.join([(FIRST, rows)], reuse=True)
    after_prompt = cache.num_bytes
    batch.step()
    batch.release(rows)
    assert cache.num_bytes == after_prompt
