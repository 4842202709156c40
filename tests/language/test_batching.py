"""Padding, positions, buckets and order."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from language.batching import length_buckets, pad_left, pad_prompts_and_responses, pad_right, position_ids, seeded_order


def test_left_padding_ends_every_sequence_in_the_last_column() -> None:
    batch = pad_left([[5], [6, 7, 8]], pad_token_id=0)
    assert batch.input_ids.tolist() == [[0, 0, 5], [6, 7, 8]]
    assert batch.attention_mask.tolist() == [[False, False, True], [True, True, True]]
    assert batch.position_ids.tolist() == [[0, 0, 0], [0, 1, 2]]


def test_right_padding_begins_every_sequence_in_the_first_column() -> None:
    batch = pad_right([[5], [6, 7, 8]], pad_token_id=0)
    assert batch.input_ids.tolist() == [[5, 0, 0], [6, 7, 8]]
    assert batch.attention_mask.tolist() == [[True, False, False], [True, True, True]]


def test_a_real_token_that_looks_like_padding_stays_real() -> None:
    assert pad_right([[0, 0], [1]], pad_token_id=0).attention_mask.tolist() == [[True, True], [True, False]]


def test_responses_begin_in_one_column() -> None:
    batch = pad_prompts_and_responses([[1], [2, 3]], [[4, 5], [6]], pad_token_id=0)
    assert batch.input_ids.tolist() == [[0, 1, 4, 5], [2, 3, 6, 0]]
    assert batch.attention_mask.tolist() == [[False, True, True, True], [True, True, True, False]]


def test_positions_do_not_count_padding_in_the_middle() -> None:
    mask = torch.tensor([[False, True, False, True, True]])
    assert position_ids(mask).tolist() == [[0, 0, 0, 1, 2]]


@given(st.lists(st.integers(1, 50), max_size=60), st.integers(1, 200), st.one_of(st.none(), st.integers(1, 8)))
def test_buckets_hold_everything_once_within_budget(lengths: list[int], budget: int, most: int | None) -> None:
    buckets = length_buckets(lengths, token_budget=budget, max_sequences=most)
    assert sorted(index for bucket in buckets for index in bucket) == list(range(len(lengths)))
    for bucket in buckets:
        if len(bucket) > 1:  # a longer one than the budget goes alone
            assert len(bucket) * max(lengths[i] for i in bucket) <= budget
        assert len(bucket) <= (most or len(lengths))


def test_buckets_join_like_lengths() -> None:
    assert length_buckets([9, 1, 10, 2], token_budget=20) == [[1, 3], [0, 2]]
    assert length_buckets([9, 1, 10, 2], token_budget=19) == [[1, 3], [0], [2]]


def test_order_is_a_pure_function_of_seed_and_epoch() -> None:
    torch.manual_seed(1)
    first = seeded_order(20, seed=7, epoch=0)
    torch.manual_seed(2)
    assert seeded_order(20, seed=7, epoch=0) == first
    assert sorted(first) == list(range(20))
    assert len({tuple(seeded_order(20, seed=s, epoch=e)) for s in (7, 8) for e in (0, 1)}) == 4
    assert seeded_order(20, seed=1, epoch=23) != seeded_order(20, seed=12, epoch=3)


def test_an_empty_batch_is_an_error() -> None:
    with pytest.raises(ValueError):
        pad_left([], pad_token_id=0)
