"""What each of several processes takes of a batch."""

import pytest

from rewardmodel.comparisons import Comparison
from rewardmodel.processes import Processes


def comparison(number: int) -> Comparison:
    completions = ((1,) * (number % 5 + 1), (2, 3))
    return Comparison(f"c-{number}", (0,) * (number + 1), completions, (1, 1), ("r",), ((0, 1),))


@pytest.mark.parametrize("count", [1, 2, 3])
def test_shares_of_a_batch_are_the_batch_and_nothing_is_in_two(count: int) -> None:
    batch = [comparison(number) for number in range(12)]
    shares = []
    for rank in range(count):
        processes = Processes()
        processes.rank, processes.count = rank, count
        shares.append(processes.share(batch, token_budget=10_000))
    assert all(shares)
    taken = [member.id for share in shares for piece in share for member in piece]
    assert sorted(taken) == sorted(member.id for member in batch)
