"""Krippendorff's alpha against the published example, its edges, and its interval against resampling."""

import random

import pytest

from labeling.statistics.alpha import Level, alpha_with_interval, krippendorff_alpha, pair_units
from labeling.statistics.intervals import bootstrap

# Four trainers, twelve units, dots are missing values (Krippendorff 2011, example C).
A = "1 2 3 3 2 1 4 1 2 . . ."
B = "1 2 3 3 2 2 4 1 2 5 . 3"
C = ". 3 3 3 2 3 4 2 2 5 1 ."
D = "1 2 3 3 2 4 4 1 2 5 1 ."


def units(*rows: str) -> list[list[float | None]]:
    columns = zip(*(row.split() for row in rows), strict=True)
    return [[None if value == "." else float(value) for value in column] for column in columns]


@pytest.mark.parametrize(
    ("level", "expected"), [("nominal", 0.7434), ("ordinal", 0.8154), ("interval", 0.8491), ("ratio", 0.7974)]
)
def test_krippendorff_alpha_of_the_published_example(level: Level, expected: float) -> None:
    assert krippendorff_alpha(units(A, B, C, D), level=level) == pytest.approx(expected, abs=5e-5)


def test_alpha_is_one_for_full_agreement_and_about_zero_for_chance() -> None:
    assert krippendorff_alpha([[1, 1], [2, 2], [5, 5]], level="ordinal") == 1.0
    generator = random.Random(0)
    noise = [[generator.randint(1, 7), generator.randint(1, 7)] for _ in range(3000)]
    assert krippendorff_alpha(noise, level="ordinal") == pytest.approx(0.0, abs=0.06)


def test_alpha_is_the_same_whoever_is_named_first_and_ignores_units_with_one_value() -> None:
    assert krippendorff_alpha(units(D, C, B, A), level="interval") == pytest.approx(
        krippendorff_alpha(units(A, B, C, D), level="interval")
    )
    lonely = [*units(A, B, C, D), [3.0, None, None, None]]
    assert krippendorff_alpha(lonely, level="ordinal") == pytest.approx(0.8154, abs=5e-5)


def test_alpha_has_no_value_without_variation() -> None:
    assert krippendorff_alpha([[1, 1], [1, 1]], level="nominal") is None
    assert krippendorff_alpha([], level="nominal") is None


def noisy_ratings(num: int, *, seed: int) -> list[list[list[float | None]]]:
    """Comparisons of three completions, each rated 1 to 7 by two trainers who err by at most one."""
    generator = random.Random(seed)
    clusters: list[list[list[float | None]]] = []
    for _ in range(num):
        truths = [generator.randint(2, 6) for _ in range(3)]
        clusters.append([[float(truth + generator.randint(-1, 1)) for _ in range(2)] for truth in truths])
    return clusters


def test_the_interval_is_that_of_resampling_comparisons() -> None:
    clusters = noisy_ratings(60, seed=1)
    found = alpha_with_interval(clusters, level="ordinal")
    assert found is not None
    assert found.n == 60
    assert found.value == krippendorff_alpha([unit for units in clusters for unit in units], level="ordinal")
    drawn = bootstrap(
        clusters, lambda chosen: krippendorff_alpha([unit for units in chosen for unit in units], level="ordinal")
    )
    assert found.high - found.low == pytest.approx(drawn.high - drawn.low, rel=0.15)
    assert found.low < found.value < found.high


def test_four_comparisons_have_no_interval_and_lonely_trainers_are_no_comparisons() -> None:
    assert alpha_with_interval(noisy_ratings(4, seed=2), level="ordinal") is None
    five = alpha_with_interval([*noisy_ratings(5, seed=2), [[3.0, None]]], level="ordinal")
    assert five is not None
    assert five.n == 5


def test_more_comparisons_than_groups_give_the_same_interval_to_a_few_percent() -> None:
    clusters = noisy_ratings(600, seed=3)
    grouped, whole = (alpha_with_interval(part, level="ordinal") for part in (clusters, clusters[:500]))
    assert grouped is not None
    assert whole is not None
    assert grouped.high - grouped.low == pytest.approx((whole.high - whole.low) * (500 / 600) ** 0.5, rel=0.15)


def test_alpha_of_pairs_is_one_where_all_agree_and_below_zero_where_all_turn_round() -> None:
    def of(*orders: list[list[str]]) -> float | None:
        return krippendorff_alpha(pair_units(orders), level="interval")

    alike, turned = [["A"], ["B"], ["C"]], [["C"], ["B"], ["A"]]
    assert of(alike, alike) == 1.0
    # Six units of (1, -1): D_o = 4; D_e from six values of each sign, 2 · 36 · 4 / (12 · 11); 1 - 11/6.
    assert of(alike, turned) == pytest.approx(1 - 11 / 6)
    one_tie = of(alike, [["A"], ["B", "C"]])
    assert one_tie is not None
    assert 0 < one_tie < 1


def test_alpha_of_pairs_does_not_depend_on_the_names_of_completions() -> None:
    first, second = [["A"], ["B", "C"], ["D"]], [["B"], ["A"], ["D", "C"]]
    renamed = str.maketrans("ABCD", "DBAC")
    other_names = [[[name.translate(renamed) for name in tier] for tier in tiers] for tiers in (first, second)]
    given = krippendorff_alpha(pair_units([first, second]), level="interval")
    assert given == pytest.approx(krippendorff_alpha(pair_units(other_names), level="interval"))
