"""People's verdict on two policies: how often the test promotes one that is no better, how many verdicts it takes.

Simulated verdicts, drawn from seeds of their own: these figures say what the test promises, and nothing of people.
"""

import random
import time
from collections.abc import Iterator
from statistics import median

from benchmarks.figures import Figure, summarise
from labeling.statistics.bradley_terry import bradley_terry
from labeling.statistics.logistic_regression import sigmoid
from labeling.statistics.sequential import Design, Result, run_test

TESTS = 1000
TIED = 0.2  # the share of verdicts that are ties; they count half, so the others win by more
PER_PROMPT = 3  # verdicts on one prompt, in the tests in which several people see it
PROMPT_SPREAD = 0.3  # how far a prompt of those favours one side or the other
POLICIES, VOTES = 59, 8_931  # the size of the LLMFAO leaderboard
REPEATS = 5


def figures() -> Iterator[Figure]:
    """evaluation.false_promotion, evaluation.median_judgements, leaderboard.fit_seconds."""
    yield _false_promotion()
    yield _median_judgements()
    yield _fit_seconds()


def _false_promotion() -> Figure:
    shares = [_share_promoted(start=TESTS * repeat) for repeat in range(REPEATS)]
    together = _share_promoted(start=0, per_prompt=PER_PROMPT)
    return summarise(
        "evaluation.false_promotion",
        shares,
        unit="share of tests",
        tests=TESTS,
        allowed=Design().error,
        tied=TIED,
        with_three_verdicts_a_prompt=together,
    )


def _share_promoted(*, start: int, per_prompt: int = 1) -> float:
    results = [_test(0.5, seed=start + number, per_prompt=per_prompt) for number in range(TESTS)]
    return sum(result.verdict == "better" for result in results) / TESTS


def _median_judgements() -> Figure:
    medians, found = [], 0
    for repeat in range(REPEATS):
        results = [_test(0.6, seed=10_000_000 + TESTS * repeat + number) for number in range(TESTS)]
        medians.append(float(median(result.looks[-1].num_verdicts for result in results)))
        found += sum(result.verdict == "better" for result in results)
    return summarise(
        "evaluation.median_judgements",
        medians,
        unit="verdicts",
        win_rate=0.6,
        tied=TIED,
        tests=TESTS,
        called_better=found / (REPEATS * TESTS),
    )


def _test(win_rate: float, *, seed: int, per_prompt: int = 1) -> Result:
    """One test of the ordinary design on verdicts in which the candidate wins this share, ties half."""
    generator = random.Random(seed)
    design = Design()
    decided = 0.5 + (win_rate - 0.5) / (1 - TIED)  # the share won of the verdicts that are no ties
    verdicts: list[tuple[int, float]] = []
    while len(verdicts) < design.most:
        lean = generator.choice((-PROMPT_SPREAD, PROMPT_SPREAD)) if per_prompt > 1 else 0.0
        for _ in range(per_prompt):
            tied = generator.random() < TIED
            won = 0.5 if tied else float(generator.random() < decided + lean)
            verdicts.append((len(verdicts) // per_prompt, won))
    return run_test(verdicts, design)


def _fit_seconds() -> Figure:
    wins = _wins()
    seconds = []
    for _ in range(REPEATS):
        began = time.process_time()
        bradley_terry(wins)
        seconds.append(time.process_time() - began)
    return summarise("leaderboard.fit_seconds", seconds, unit="CPU s", policies=POLICIES, votes=VOTES)


def _wins() -> dict[tuple[str, str], float]:
    generator = random.Random(1)
    names = [f"policy {index:02d}" for index in range(POLICIES)]
    strengths = {name: generator.gauss(0, 1) for name in names}
    wins: dict[tuple[str, str], float] = {}
    for _ in range(VOTES):
        first, second = generator.sample(names, 2)
        better = generator.random() < sigmoid(strengths[first] - strengths[second])
        share = 0.5 if generator.random() < TIED else float(better)
        wins[first, second] = wins.get((first, second), 0.0) + share
        wins[second, first] = wins.get((second, first), 0.0) + 1 - share
    return wins
