"""The forms of over-optimisation: hand-computed peaks, planted coefficients found again, points held out."""

from math import log

import pytest
import torch

from policy.objective import length_scores
from policy.scaling import Fit, Method, fit_gains, fit_other_seeds, gain_of


def make_fit(method: Method, alpha: float, beta: float) -> Fit:
    return Fit(method, alpha, beta, 0.0, 0.0, 2, 0)


def test_the_peaks_are_the_worked_ones() -> None:
    picking, training = make_fit("best_of_n", 1.0, 0.25), make_fit("ppo", 1.0, 0.4)
    assert picking.peak == pytest.approx(2)
    assert picking.gain(2.0) == pytest.approx(1)
    assert picking.gain(4.0) == pytest.approx(0)
    assert training.peak == pytest.approx(4.48169, abs=1e-5)
    assert training.gain(4.48169) == pytest.approx(1.79268, abs=1e-5)
    assert training.gain(12.1825) == pytest.approx(0, abs=1e-4)
    assert gain_of("ppo", 1.0, 0.4, 0.0) == 0
    assert make_fit("ppo", 1.0, -0.1).peak is None


def test_splitting_a_distance_into_rounds_gains_what_is_printed() -> None:
    """k rounds of d/k each: d(α − β log d + β log k) (Gao et al. 2022, §4.3)."""
    assert gain_of("ppo", 1.0, 0.4, 5.0) == pytest.approx(1.78112, abs=1e-5)
    assert 4 * gain_of("ppo", 1.0, 0.4, 5 / 4) == pytest.approx(4.55371, abs=1e-5)
    assert 5 * (1 - 0.4 * log(5) + 0.4 * log(4)) == pytest.approx(4.55371, abs=1e-5)


@pytest.mark.parametrize("method", ["best_of_n", "ppo"])
def test_planted_coefficients_are_found_again_in_noise(method: Method) -> None:
    generator = torch.Generator().manual_seed(0)
    distances = [i / 10 for i in range(101)]
    noise = (0.02 * torch.randn(101, generator=generator)).tolist()
    gains = [gain_of(method, 1.0, 0.3, d) + one for d, one in zip(distances, noise, strict=True)]
    fit = fit_gains(method, distances, gains)
    assert fit is not None
    assert (fit.alpha, fit.beta) == (pytest.approx(1.0, abs=0.02), pytest.approx(0.3, abs=0.01))
    assert (fit.num_fitted, fit.num_held_out) == (69, 30)  # those at 0 and at 0.1 are too near
    assert fit.fitted_error == pytest.approx(0.02, abs=0.01)
    assert fit.held_out_error == pytest.approx(0.02, abs=0.05)


def test_held_out_points_tell_that_a_form_does_not_hold() -> None:
    distances = [i / 10 for i in range(2, 31)]
    gains = [d if d < 2.2 else -5.0 for d in distances]
    fit = fit_gains("best_of_n", distances, gains)
    assert fit is not None
    assert fit.fitted_error == pytest.approx(0, abs=1e-6)
    assert fit.held_out_error is not None
    assert fit.held_out_error > 5


def test_one_point_is_too_few() -> None:
    assert fit_gains("ppo", [0.0, 1.0, 2.0], [0.0, 1.0, 1.0], fitted_to=0.5) is None
    assert fit_gains("ppo", [0.0], [0.0]) is None


def test_the_control_knows_length_only() -> None:
    mask = torch.tensor([[True] * 4, [True, True, False, False], [True, False, False, False]])
    assert length_scores(mask, 2).tolist() == pytest.approx([0.0, 1.0, 0.5])


def test_a_form_of_other_seeds_is_judged_by_the_one_it_never_saw() -> None:
    """Two seeds on d(1 − 0.25d) and one on half of it: at d = 1 and 2 it gains 0.375 and 0.5 less."""
    distances = [[0.0, 1.0, 2.0]] * 3
    whole, half = [0.0, 0.75, 1.0], [0.0, 0.375, 0.5]
    found = fit_other_seeds("best_of_n", distances, [whole, whole, half])
    assert [one.held_out for one in found] == [0, 1, 2]
    last = found[2]
    assert (last.fit.alpha, last.fit.beta) == (pytest.approx(1.0), pytest.approx(0.25))
    assert last.error == pytest.approx(((0.375**2 + 0.5**2) / 2) ** 0.5)
    assert last.constant_error == pytest.approx(((0.5**2 + 0.375**2) / 2) ** 0.5)  # the mean of the others is 0.875
    assert found[0].error > 0
    assert fit_other_seeds("best_of_n", distances[:1], [whole]) == []
