"""Seeds derived from names: the same for the same names, and none shared by others."""

from itertools import pairwise, product

from language.seeds import derived_seed


def test_the_same_names_give_the_same_seed_in_every_release() -> None:
    assert derived_seed(7, "rollouts", 3) == derived_seed(7, "rollouts", 3) == 337884850130852092


def test_no_two_names_share_a_seed_or_its_neighbourhood() -> None:
    names = list(product((-1, 0, 1, 2**32, 2**40, 2**64), ("rollouts", "watch", "best of n"), range(2000)))
    seeds = sorted(derived_seed(*name) for name in names)
    assert seeds[0] >= 0
    assert seeds[-1] < 2**62
    assert all(later - earlier > 512 for earlier, later in pairwise(seeds))


def test_names_are_not_run_together() -> None:
    found = [
        derived_seed(1, "a", 23),
        derived_seed(1, "a", 2, 3),
        derived_seed(1, "a", 2, 4),
        derived_seed(12, "a", 3),
        derived_seed(1, "a", "23"),
    ]
    found += [derived_seed(1, "a, 23"), derived_seed(1, 'a", 23'), derived_seed(1, "a")]
    assert len(set(found)) == len(found)
