"""Where two reward models differ most, and the file that says so."""

import json
from pathlib import Path

import pytest
import torch

from policy.disagreements import (
    DISAGREEMENTS_FILE,
    largest_disagreements,
    standardised_differences,
    write_disagreements,
)
from policy.prompts import TokenizedPrompt
from records import Completion
from tests.policy.factories import make_prompt


def test_differences_are_of_standings_and_the_largest_comes_first() -> None:
    """Scores 1, 2, 3 stand at −√1.5, 0 and √1.5; a scale or an offset of one side changes nothing."""
    scores, held_out = [1.0, 2.0, 3.0], [30.0, 20.0, 10.0]
    found = standardised_differences(torch.tensor(scores).double(), torch.tensor(held_out).double())
    assert found.tolist() == pytest.approx([-2 * 1.5**0.5, 0.0, 2 * 1.5**0.5])
    asked = [
        (TokenizedPrompt(make_prompt(id=f"p-{i}"), (1,)), [Completion(id="c", content=text, finish_reason="stop")])
        for i, text in enumerate("abc")
    ]
    first, second = largest_disagreements(asked, [1, 2, 3], scores, held_out, most=2)
    assert (first.answer, first.difference) == ("a", pytest.approx(-2 * 1.5**0.5))
    assert (second.prompt_id, second.tokens, second.ended, second.score) == ("p-2", 3, True, 3.0)
    assert first.messages == [{"role": "user", "content": "Hello!"}]


def test_a_model_that_scores_all_alike_stands_at_nothing() -> None:
    same, other = torch.full((2,), 0.1).double(), torch.tensor([0.0, 1.0]).double()
    assert standardised_differences(same, other).tolist() == pytest.approx([1.0, -1.0])


def test_the_file_has_a_line_for_each_with_its_update(tmp_path: Path) -> None:
    asked = [(TokenizedPrompt(make_prompt(), (1,)), [Completion(id="c", content="é\n", finish_reason="length")])]
    own = largest_disagreements(asked, [2], [1.0], [0.5])
    write_disagreements(tmp_path, [(0, own), (4, own)])
    lines = [json.loads(line) for line in (tmp_path / DISAGREEMENTS_FILE).read_text().splitlines()]
    assert [(line["update"], line["answer"], line["ended"]) for line in lines] == [(0, "é\n", False), (4, "é\n", False)]
    assert [path.name for path in tmp_path.iterdir()] == [DISAGREEMENTS_FILE]
