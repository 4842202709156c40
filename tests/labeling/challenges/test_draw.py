"""Jurors are drawn by lot: so many each, never with a conflict, and the same again from the same seed."""

from collections import Counter

from labeling.challenges.draw import draw, seed_of

ENTRIES = [f"entry-{number}" for number in range(100)]
JURORS = [f"juror-{number}" for number in range(5)]


def test_each_entry_gets_three_jurors_and_each_juror_as_many_entries() -> None:
    pairs = draw(ENTRIES, JURORS, seed=7)
    assert set(Counter(entry for entry, _ in pairs).values()) == {3}
    assert len(set(pairs)) == 300
    assert set(Counter(juror for _, juror in pairs).values()) == {60}


def test_the_same_seed_draws_the_same_whatever_the_order_of_rows() -> None:
    first = draw(ENTRIES, JURORS, seed=7)
    assert draw(ENTRIES[::-1], JURORS[::-1], seed=7) == first
    assert set(draw(ENTRIES, JURORS, seed=8)) != set(first)
    panels = Counter(frozenset(juror for one, juror in first if one == entry) for entry in ENTRIES)
    assert len(panels) == 10, "each three of the five judge together"
    assert seed_of("ours", "first") == seed_of("ours", "first") != seed_of("ours", "second")


def test_nobody_is_drawn_with_a_conflict_even_where_too_few_are_left() -> None:
    conflicts = {(entry, "juror-0") for entry in ENTRIES} | {("entry-1", "juror-1"), ("entry-1", "juror-2")}
    pairs = draw(ENTRIES, JURORS, seed=7, conflicts=conflicts)
    assert not conflicts & set(pairs)
    assert Counter(entry for entry, _ in pairs)["entry-1"] == 2
    assert Counter(entry for entry, _ in pairs)["entry-2"] == 3


def test_only_what_is_missing_is_drawn_and_never_the_same_juror_twice() -> None:
    first = draw(ENTRIES[:10], JURORS, seed=7)
    already = {entry: [juror for one, juror in first if one == entry] for entry in ENTRIES[:10]}
    assert draw(ENTRIES[:10], JURORS, seed=7, already=already) == []
    more = draw(ENTRIES[:1], JURORS, seed=7, already=already, wanted={"entry-0": 9})
    assert {juror for _, juror in more} == set(JURORS) - set(already["entry-0"])
