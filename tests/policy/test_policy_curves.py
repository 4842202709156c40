"""Score at equal KL: what the comparison with trl makes of two curves. The sides themselves are run by `make bench`."""

import pytest

from benchmarks.policy_curves import difference_at_equal_kl, score_at, smooth


def test_a_point_is_the_mean_of_neighbouring_updates() -> None:
    kls, scores = [0.0, 1.0, 2.0, 3.0, 4.0, 10.0], [0.0, 0.0, 0.0, 0.0, 5.0, 5.0]
    assert smooth(kls, scores) == [(2.0, 1.0), (4.0, 2.0)]


def test_scores_between_points_are_interpolated() -> None:
    curve = [(0.0, 0.0), (2.0, 1.0), (2.0, 3.0), (4.0, 5.0)]
    assert [score_at(curve, kl) for kl in (0.0, 1.0, 3.0, 4.0)] == [0.0, 0.5, 4.0, 5.0]


def test_curves_are_compared_at_equal_kl_not_at_equal_updates() -> None:
    """Both gain a point a nat and ours is half a point ahead; it also goes twice as far, which must not matter."""
    ours = [(kl / 2, kl / 2 + 0.5) for kl in range(17)]
    theirs = [(kl / 4, kl / 4) for kl in range(17)]
    assert difference_at_equal_kl(ours, theirs) == pytest.approx(0.5)
    assert difference_at_equal_kl(theirs, ours) == pytest.approx(-0.5)


def test_curves_that_share_no_distance_are_refused() -> None:
    with pytest.raises(ValueError, match="share no KL"):
        difference_at_equal_kl([(0.0, 0.0), (1.0, 1.0)], [(2.0, 0.0), (3.0, 1.0)])
