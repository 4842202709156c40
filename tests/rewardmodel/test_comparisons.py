"""Rankings as batch elements: one element a comparison, nothing cut silently, an order that repeats."""

from dataclasses import replace

import pytest
import torch

from language.chat import end_token_id, render_prompt
from records import Message
from rewardmodel.comparisons import (
    Comparison,
    FittedPrompt,
    batches,
    fit_prompt,
    microbatches,
    pairs_of,
    tokenize_rankings,
)
from tests.rewardmodel.factories import make_ranking
from tests.tiny import build_tiny_tokenizer


@pytest.fixture(scope="module")
def tokenizer():
    return build_tiny_tokenizer()


def comparison(name: str, *, prompt: int = 10, completions: tuple[int, ...] = (5, 5), rankings: int = 1) -> Comparison:
    return Comparison(
        id=name,
        prompt_ids=tuple(range(prompt)),
        completion_ids=tuple(tuple(range(length)) for length in completions),
        num_characters=completions,
        ranking_ids=tuple(f"{name}-{i}" for i in range(rankings)),
        tiers=tuple(tuple(range(len(completions))) for _ in range(rankings)),
    )


def test_a12_rankings_of_one_comparison_share_one_element(tokenizer) -> None:
    rankings = [
        make_ranking(id="r-1", comparison_id="c-1"),
        make_ranking(id="r-2", comparison_id="c-2", prompt="Another question?"),
        make_ranking(id="r-3", comparison_id="c-1", tiers=[[2], [0, 1]]),
    ]
    first, second = tokenize_rankings(rankings, tokenizer, max_tokens=512).comparisons
    assert first.ranking_ids == ("r-1", "r-3")
    assert first.tiers == ((0, 1, 2), (1, 1, 0))
    assert len(first.completion_ids) == 3
    assert second.ranking_ids == ("r-2",)
    pairs = pairs_of([first, second])
    assert pairs.num_rankings == 3
    assert pairs.pairs.tolist() == [[0, 1], [0, 2], [1, 2], [2, 0], [2, 1], [3, 4], [3, 5], [4, 5]]
    assert pairs.ranking_of_pair.tolist() == [0, 0, 0, 1, 1, 2, 2, 2]
    assert pairs.tier_gaps.tolist() == [1, 2, 1, 1, 1, 1, 2, 1]


def test_a_ranking_that_lists_the_completions_otherwise_says_the_same(tokenizer) -> None:
    first = make_ranking(id="r-1", comparison_id="c-1")
    second = replace(first, id="r-2", completions=first.completions[::-1])
    (only,) = tokenize_rankings([first, second], tokenizer, max_tokens=512).comparisons
    assert only.tiers == ((0, 1, 2), (0, 1, 2))


def test_the_line_of_acceptability_makes_and_takes_no_pair(tokenizer) -> None:
    order = [[0], [1, 2], [3]]
    texts = ("Paris.", "The sea.", "The sky.", "I do not know.")
    found = []
    for line in (None, 0, 1, 2, 3):
        ranking = make_ranking(completions=texts, tiers=order, unacceptable_from=line)
        found.append(tokenize_rankings([ranking], tokenizer, max_tokens=512).comparisons)
    assert all(comparisons == found[0] for comparisons in found)
    assert pairs_of(found[0]).pairs.tolist() == [[0, 1], [0, 2], [0, 3], [1, 3], [2, 3]]


def test_every_completion_ends_with_the_end_token_and_the_prompt_with_the_header(tokenizer) -> None:
    ranking = make_ranking()
    (only,) = tokenize_rankings([ranking], tokenizer, max_tokens=512).comparisons
    assert {ids[-1] for ids in only.completion_ids} == {end_token_id(tokenizer)}
    assert list(only.prompt_ids) == render_prompt(tokenizer, ranking.messages)


def say(*texts: str) -> list[Message]:
    """A system message, then user and assistant in turn."""
    roles = ("user", "assistant")
    said = [Message(role=roles[i % 2], content=text) for i, text in enumerate(texts)]  # type: ignore[arg-type]
    return [Message(role="system", content="Be kind."), *said]


def test_a_long_question_loses_its_beginning_alike_for_all_and_is_counted(tokenizer) -> None:
    ranking = make_ranking(prompt="Tell me more, please. " * 40)
    (whole,) = tokenize_rankings([ranking], tokenizer, max_tokens=10_000).comparisons
    result = tokenize_rankings([ranking], tokenizer, max_tokens=100)
    (cut,) = result.comparisons
    assert result.num_prompts_cut == 1
    assert cut.completion_ids == whole.completion_ids
    assert len(cut.prompt_ids) + max(map(len, cut.completion_ids)) == 100
    assert cut.prompt_ids[:8] == whole.prompt_ids[:8]  # the header that opens the user's message
    assert cut.prompt_ids[-60:] == whole.prompt_ids[-60:]


def test_whole_turns_go_the_oldest_first_and_the_system_message_stays(tokenizer) -> None:
    messages = say("How are you today? " * 3, "I am well. " * 3, "What is the sea?", "It is blue.", "And the sky?")
    whole = render_prompt(tokenizer, messages)
    later = render_prompt(tokenizer, [messages[0], *messages[3:]])
    fitted = fit_prompt(messages, tokenizer, num_completion=10, max_tokens=10 + len(whole) - 1)
    assert fitted == FittedPrompt(later, 2, len(whole) - len(later))
    last = render_prompt(tokenizer, [messages[0], messages[-1]])
    fitted = fit_prompt(messages, tokenizer, num_completion=10, max_tokens=10 + len(later) - 1)
    assert fitted == FittedPrompt(last, 4, len(whole) - len(last))


def test_a_completion_that_leaves_no_room_for_its_prompt_is_left_out_by_name(tokenizer) -> None:
    rankings = [make_ranking(id="long", completions=("Yes.", "No, no. " * 100)), make_ranking(id="short")]
    result = tokenize_rankings(rankings, tokenizer, max_tokens=100)
    assert result.too_long == ("long",)
    assert [member.ranking_ids for member in result.comparisons] == [("short",)]


def test_a_short_question_may_be_shorter_than_what_must_be_left_of_a_long_one(tokenizer) -> None:
    short = render_prompt(tokenizer, say("Hi"))
    assert fit_prompt(say("Hi"), tokenizer, num_completion=7, max_tokens=7 + len(short)) == FittedPrompt(short)
    assert fit_prompt(say("Hi"), tokenizer, num_completion=8, max_tokens=7 + len(short)) is None
    long = say("What is the sea? " * 40)
    around = len(render_prompt(tokenizer, long, last_tokens=0))
    fitted = fit_prompt(long, tokenizer, num_completion=0, max_tokens=around + 16)
    assert fitted is not None
    assert fitted.token_ids == render_prompt(tokenizer, long, last_tokens=16)
    assert fit_prompt(long, tokenizer, num_completion=0, max_tokens=around + 15) is None


def test_batches_count_rankings_and_hold_every_comparison_once() -> None:
    members = [comparison(f"c-{i}", rankings=1 + i % 3) for i in range(20)]
    epoch = batches(members, batch_size=4, seed=1, epoch=0)
    assert sorted(member.id for batch in epoch for member in batch) == sorted(member.id for member in members)
    sizes = [sum(len(member.tiers) for member in batch) for batch in epoch]
    assert len(sizes) > 5
    assert all(4 <= size <= 6 for size in sizes[:-1])


def test_the_order_is_a_pure_function_of_seed_and_epoch() -> None:
    members = [comparison(f"c-{i}") for i in range(20)]
    assert batches(members, batch_size=4, seed=1, epoch=0) == batches(members, batch_size=4, seed=1, epoch=0)
    assert batches(members, batch_size=4, seed=1, epoch=0) != batches(members, batch_size=4, seed=1, epoch=1)
    assert batches(members, batch_size=4, seed=1, epoch=0) != batches(members, batch_size=4, seed=2, epoch=0)


def test_microbatches_keep_to_the_token_budget_and_never_split_a_comparison() -> None:
    members = [comparison(f"c-{i}", prompt=5 + i, completions=(i + 1, 3)) for i in range(12)]
    members.append(comparison("huge", prompt=500))
    pieces = microbatches(members, token_budget=60)
    assert sorted(member.id for piece in pieces for member in piece) == sorted(member.id for member in members)
    assert all(len(piece) == 1 or sum(member.num_tokens for member in piece) <= 60 for piece in pieces)
    assert len(pieces) < len(members)


def test_pairs_of_nothing_but_ties_are_an_empty_table() -> None:
    tied = Comparison("c", (1,), ((2,), (3,)), (1, 1), ("r",), ((0, 0),))
    assert pairs_of([tied]).pairs.shape == torch.Size([0, 2])
