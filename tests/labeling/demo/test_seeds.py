"""Two rounds of a demo, and two demos of different seeds, draw nothing alike."""

from itertools import product

import pytest

from labeling.demo.options import DemoOptions
from labeling.demo.sampling import request_answers
from labeling.demo.seeds import derived_seed
from labeling.demo.state import Loop
from labeling.models import Project
from tests.labeling.factories import make_prompt


def test_other_names_are_other_seeds_of_31_bits() -> None:
    names = list(product(range(10), ("prompts", "answer"), (1, 2), range(25)))
    seeds = {derived_seed(seed, stream, *places) for seed, stream, *places in names}
    assert len(seeds) == len(names)
    assert all(0 <= seed < 2**31 for seed in seeds)
    assert derived_seed(1, "answer", 2, 3) == derived_seed(1, "answer", 2, 3)


@pytest.mark.django_db
def test_the_next_round_does_not_repeat_the_first_round_of_the_next_seed(project: Project) -> None:
    for number in range(12):
        make_prompt(project=project, content=f"What is the square of {number}?")

    def drawn(seed: int, round_number: int) -> list[tuple[str, int]]:
        loop = Loop(options=DemoOptions(seed=seed))
        loop.project = project
        runs = request_answers(loop, num=6, round_number=round_number)
        return [(run.messages[-1]["content"], run.sampling["seed"]) for run in runs]

    rounds = [drawn(seed, round_number) for seed in (0, 1) for round_number in (1, 2)]
    assert len({seed for one in rounds for _, seed in one}) == 24
    assert len({frozenset(content for content, _ in one) for one in rounds}) == 4
