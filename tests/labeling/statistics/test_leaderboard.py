"""Standings from people's votes: what is too few to say, what makes an interval wide, and what a seed decides."""

import math
import random
from collections import Counter

import pytest

from labeling.statistics.bradley_terry import bradley_terry
from labeling.statistics.leaderboard import FEWEST_VOTES, Vote, pigeonhole_weights, standings


def test_the_best_policy_comes_first_with_the_strength_of_all_votes() -> None:
    votes = _votes({"good": 1.0, "middling": 0.0, "bad": -1.0}, num=600, seed=1)
    found = standings(votes, rounds=50)
    assert [one.policy for one in found] == ["good", "middling", "bad"]
    wins: Counter[tuple[str, str]] = Counter()
    for vote in votes:
        wins[(vote.first, vote.second) if vote.won else (vote.second, vote.first)] += 1
    strengths = {one.policy: one.strength.value for one in found if one.strength}
    assert strengths == pytest.approx(bradley_terry(wins))
    assert sum(one.num_votes for one in found) == 2 * 600


def test_a_policy_with_nineteen_votes_has_no_strength_and_takes_none_away() -> None:
    votes = _votes({"old": 0.3, "new": -0.3}, num=100, seed=2)
    rare = [
        Vote(first="rare", second="old", won=1.0, prompt=f"p{index}", trainer="t") for index in range(FEWEST_VOTES - 1)
    ]
    found = {one.policy: one for one in standings([*votes, *rare], rounds=20)}
    assert found["rare"].strength is None
    assert found["old"].strength is not None
    once_more = Vote(first="rare", second="new", won=0.0, prompt="p", trainer="t")
    assert all_ranked(standings([*votes, *rare, once_more], rounds=20))


def all_ranked(found: list) -> bool:
    return [one.strength is not None for one in found] == [True] * 3


def test_a_policy_that_won_all_votes_has_no_strength_but_a_share_with_an_interval() -> None:
    votes = [Vote(first="a", second="b", won=1.0, prompt=index, trainer=index % 3) for index in range(30)]
    first, second = standings(votes, rounds=20)
    assert (first.policy, first.strength, second.strength) == ("a", None, None)
    assert first.wins.value == 1
    assert first.wins.low == pytest.approx(0.8865, abs=1e-3)  # Wilson's: a bootstrap of what all agrees has no width


def test_one_person_behind_all_votes_makes_no_wider_interval_than_many_but_prompts_do() -> None:
    """Votes that hang together by their prompt make wider intervals than as many that do not."""
    generator = random.Random(4)
    apart = [Vote(first="a", second="b", won=float(generator.random() < 0.6), prompt=n, trainer=n) for n in range(300)]
    together = [Vote(first="a", second="b", won=apart[n // 10].won, prompt=n // 10, trainer=n) for n in range(300)]
    narrow, wide = (next(one.wins for one in standings(votes) if one.policy == "a") for votes in (apart, together))
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)


def test_votes_that_hang_together_by_their_trainer_make_wider_intervals() -> None:
    generator = random.Random(5)
    tastes = [generator.random() for _ in range(8)]
    shared = [
        Vote(first="a", second="b", won=float(generator.random() < tastes[n % 8]), prompt=n, trainer=n % 8)
        for n in range(400)
    ]
    own = [Vote(first="a", second="b", won=vote.won, prompt=vote.prompt, trainer=vote.prompt) for vote in shared]
    wide, narrow = (next(one.wins for one in standings(votes) if one.policy == "a") for votes in (shared, own))
    assert wide.high - wide.low > 1.5 * (narrow.high - narrow.low)


def test_a_vote_weighs_how_often_its_prompt_and_its_trainer_were_drawn() -> None:
    votes = [
        Vote(first="a", second="b", won=1.0, prompt=prompt, trainer=trainer)
        for prompt in range(6)
        for trainer in range(4)
    ]
    weights = pigeonhole_weights(votes, random.Random(7))
    table = [weights[row * 4 : row * 4 + 4] for row in range(6)]
    rows = [sum(row) for row in table]
    columns = [sum(row[index] for row in table) for index in range(4)]
    assert sum(weights) == 6 * 4  # every draw has as many prompts and as many trainers as there are
    assert [[row * column // 24 for column in columns] for row in rows] == table
    assert max(weights) > 1


def test_a_seed_gives_the_same_intervals_again_and_another_seed_others() -> None:
    votes = _votes({"a": 0.5, "b": -0.5}, num=80, seed=6)
    assert standings(votes, rounds=30, seed=1) == standings(votes, rounds=30, seed=1)
    assert standings(votes, rounds=30, seed=1) != standings(votes, rounds=30, seed=2)


def test_no_vote_makes_no_board() -> None:
    assert standings([]) == []


def test_the_interval_of_a_strength_holds_the_planted_one_about_as_often_as_it_says() -> None:
    held = 0
    for seed in range(60):
        votes = _votes({"a": 0.4, "b": -0.4}, num=150, seed=100 + seed)
        found = {one.policy: one.strength for one in standings(votes, rounds=60, seed=seed)}
        estimate = found["a"]
        assert estimate is not None
        held += estimate.low <= 0.4 <= estimate.high
    assert held >= 52


def _votes(strengths: dict[str, float], *, num: int, seed: int) -> list[Vote]:
    generator = random.Random(seed)
    votes = []
    for _ in range(num):
        first, second = generator.sample(sorted(strengths), 2)
        p = 1 / (1 + math.exp(strengths[second] - strengths[first]))
        votes.append(
            Vote(
                first=first,
                second=second,
                won=float(generator.random() < p),
                prompt=generator.randrange(num),
                trainer=generator.randrange(12),
            )
        )
    return votes
