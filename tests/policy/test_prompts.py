"""Prompts: read strictly, counted where left out, drawn in an order that a resumed run repeats."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from transformers import PreTrainedTokenizerBase

from language.chat import render_prompt
from language.checkpoints import load_tokenizer
from policy.prompts import draw, load_prompts
from records import Message, RecordError, write_jsonl
from rewardmodel.data import DataError
from tests.policy.factories import make_prompt, write_prompts


def test_each_prompt_ends_with_the_header_of_the_answer(tiny_policy: Path, tmp_path: Path) -> None:
    tokenizer = load_tokenizer(tiny_policy)
    prompts = load_prompts(write_prompts(tmp_path / "p.jsonl", ["Hello!"]), tokenizer, max_tokens=100)
    assert str(tokenizer.decode(list(prompts.prompts[0].token_ids))).endswith(
        "Hello!<|im_end|>\n<|im_start|>assistant\n"
    )


def test_other_splits_and_long_prompts_are_left_out_and_counted(tiny_policy: Path, tmp_path: Path) -> None:
    records = [
        make_prompt("a", id="p-1"),
        make_prompt("b", id="p-2", split=None),
        make_prompt("c", id="p-3", split="test"),
        make_prompt("d" * 300, id="p-4"),
    ]
    write_jsonl(tmp_path / "p.jsonl", records)
    tokenizer = load_tokenizer(tiny_policy)
    train = load_prompts(tmp_path / "p.jsonl", tokenizer, max_tokens=100)
    assert [prompt.id for prompt in train.prompts] == ["p-1", "p-2"]
    assert train.left_out == {"other_split": 1, "too_long": 1}
    held_out = load_prompts(tmp_path / "p.jsonl", tokenizer, max_tokens=100, split="test")
    assert [prompt.id for prompt in held_out.prompts] == ["p-3"]


def test_only_the_prompts_of_the_split_are_tokenised(
    tiny_policy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_jsonl(
        tmp_path / "p.jsonl", [make_prompt(str(i), id=f"p-{i}", split="test" if i else "train") for i in range(9)]
    )
    tokenised: list[str] = []

    def render(tokenizer: PreTrainedTokenizerBase, messages: Sequence[Message]) -> list[int]:
        tokenised.append(messages[0].content)
        return render_prompt(tokenizer, messages)

    monkeypatch.setattr("policy.prompts.render_prompt", render)
    load_prompts(tmp_path / "p.jsonl", load_tokenizer(tiny_policy), max_tokens=100)
    assert tokenised == ["0"]


def test_an_empty_prompt_is_refused_by_name(tiny_policy: Path, tmp_path: Path) -> None:
    write_prompts(tmp_path / "p.jsonl", ["Hello!", "  "])
    with pytest.raises(RecordError, match=r'p\.jsonl: prompt p-1: "messages\[0\]\.content" is empty'):
        load_prompts(tmp_path / "p.jsonl", load_tokenizer(tiny_policy), max_tokens=100)


def test_an_id_that_is_used_twice_is_refused(tiny_policy: Path, tmp_path: Path) -> None:
    write_jsonl(tmp_path / "p.jsonl", [make_prompt("a"), make_prompt("b")])
    with pytest.raises(RecordError, match="used twice"):
        load_prompts(tmp_path / "p.jsonl", load_tokenizer(tiny_policy), max_tokens=100)


def test_no_prompt_that_fits_is_refused_with_the_counts(tiny_policy: Path, tmp_path: Path) -> None:
    write_prompts(tmp_path / "p.jsonl", ["Hello!"])
    with pytest.raises(DataError, match=r"no prompt of split train fits 5 tokens; left out: \{'too_long': 1\}"):
        load_prompts(tmp_path / "p.jsonl", load_tokenizer(tiny_policy), max_tokens=5)


def test_draws_go_through_everything_before_anything_comes_again() -> None:
    members = list("abcdefg")
    drawn = [member for start in range(0, 21, 3) for member in draw(members, start=start, count=3, seed=1)]
    assert Counter(drawn) == dict.fromkeys(members, 3)
    assert sorted(drawn[:7]) == members
    assert drawn[:7] != drawn[7:14]


def test_draws_depend_on_the_place_alone() -> None:
    members = list(range(10))
    assert draw(members, start=4, count=20, seed=1)[5:8] == draw(members, start=9, count=3, seed=1)
    assert draw(members, start=0, count=10, seed=1) != draw(members, start=0, count=10, seed=2)
