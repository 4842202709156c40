"""At most so many records: which, by what, and what is never cut."""

from pathlib import Path
from random import Random

import pytest

from language.checkpoints import load_tokenizer
from records import write_jsonl
from rewardmodel.limits import at_most, set_limits
from rewardmodel.material import load_material
from tests.rewardmodel.factories import make_ranking, make_toy_rankings
from tests.tiny import build_tiny_policy

IDS = [f"r-{number}" for number in range(100)]


def chosen(ids: list[str], most: int) -> tuple[str, ...]:
    return at_most(ids, most, id_of=str)


def test_the_choice_is_of_the_ids_alone_and_a_smaller_one_is_part_of_a_larger() -> None:
    shuffled = Random(3).sample(IDS, 100)
    assert set(chosen(IDS, 20)) == set(chosen(shuffled, 20))
    assert set(chosen(IDS, 20)) < set(chosen(IDS, 21))
    assert list(chosen(shuffled, 20)) == [one for one in shuffled if one in chosen(IDS, 20)], "in their order"
    assert chosen(IDS, 20) != tuple(IDS[:20])


def test_no_limit_and_more_than_there_are_is_all() -> None:
    assert chosen(IDS, 0) == chosen(IDS, 100) == chosen(IDS, 1000) == tuple(IDS)


def test_a_limit_that_is_not_set_makes_no_other_run() -> None:
    assert set_limits({"lr": 0, "max_records": 0, "max_steps": 3}.items()) == {"lr": 0, "max_steps": 3}


@pytest.mark.parametrize("most", [0, 5])
def test_what_is_held_out_is_not_cut(tmp_path: Path, most: int) -> None:
    held_out = [
        make_ranking(id=f"v-{number}", prompt=f"A held-out question {number}, of other words", split="validation")
        for number in range(8)
    ]
    write_jsonl(tmp_path / "rankings.jsonl", [*make_toy_rankings(20, split="train"), *held_out])
    found = load_material(
        tmp_path / "rankings.jsonl",
        load_tokenizer(build_tiny_policy(tmp_path / "policy")),
        max_tokens=400,
        demonstrations=None,
        validation_fraction=0.1,
        seed=0,
        max_records=most,
    )
    assert len(found.training) == (most or 20)
    assert found.left_out["beyond_max_records"] == (15 if most else 0)
    assert len(found.validation) == 8
