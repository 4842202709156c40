"""What of a score is more than length, by hand."""

import pytest
import torch

from policy.beyond_length import expected_by_length


def expected(
    start: list[tuple[float, int, bool]],
    answers: list[tuple[int, bool]],
) -> float:
    scores, lengths, ended = (torch.tensor(column) for column in zip(*start, strict=True))
    return float(expected_by_length(scores, lengths.float(), ended, *_columns(answers)))


def _columns(answers: list[tuple[int, bool]]) -> tuple[torch.Tensor, torch.Tensor]:
    lengths, ended = (torch.tensor(column) for column in zip(*answers, strict=True))
    return lengths.float(), ended


SHORT = [(0.0, 1, True), (0.2, 2, True), (0.4, 3, True), (0.6, 4, True)]  # mean 0.3
LONG = [(1.0, 11, True), (1.0, 12, True), (2.0, 13, True), (2.0, 14, True)]  # mean 1.5
CUT = [(-1.0, 20, False)] * 4


def test_an_answer_counts_as_the_starts_mean_of_its_stratum() -> None:
    assert expected(SHORT + LONG, [(2, True)]) == pytest.approx(0.3)
    assert expected(SHORT + LONG, [(12, True), (4, True)]) == pytest.approx((1.5 + 0.3) / 2)


def test_the_starts_own_answers_count_as_their_mean() -> None:
    start = SHORT + LONG + CUT
    own = [(length, ended) for _, length, ended in start]
    assert expected(start, own) == pytest.approx(sum(score for score, _, _ in start) / len(start))


def test_lengths_beyond_the_starts_count_as_the_outermost_stratum() -> None:
    assert expected(SHORT + LONG, [(99, True), (0, True)]) == pytest.approx((1.5 + 0.3) / 2)


def test_answers_that_ended_are_not_held_against_those_that_did_not() -> None:
    assert expected(SHORT + CUT, [(20, False)]) == pytest.approx(-1.0)
    assert expected(SHORT + CUT, [(20, True)]) == pytest.approx(0.3)
    assert expected(SHORT + LONG, [(20, False)]) == pytest.approx(0.9)  # no answer of the start was cut


def test_answers_of_one_length_are_one_stratum() -> None:
    assert expected([(float(i), 7, True) for i in range(40)], [(7, True), (8, True)]) == pytest.approx(19.5)
