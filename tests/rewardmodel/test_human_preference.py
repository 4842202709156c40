"""The benchmark on people's rankings: an honest split, arms that are kept, and figures counted by hand."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import human_preference_ours
from benchmarks.human_preference import Config, Study, done_arms, judge, run_missing
from benchmarks.human_preference_results import OURS, TRL_PASS, TRL_TIME, Judged, pool, table
from benchmarks.human_rankings import SOURCES, Halves, halve
from language.checkpoints import load_tokenizer
from rewardmodel.comparisons import Comparison
from rewardmodel.near_duplicates import LIKE, likeness, shingles
from rewardmodel.splits import dialogue_key, spoken
from tests.rewardmodel.factories import make_toy_rankings


@pytest.mark.parametrize("name", list(SOURCES))
def test_what_judges_is_not_taught_and_swapped_halves_change_places(
    name: str, real_data: Path, tiny_policy: Path
) -> None:
    rankings, refused = SOURCES[name](real_data)
    assert len(rankings) > 100
    assert sum(refused.values()) < 5
    sides = []
    for swaps in (False, True):
        halves = halve(
            rankings,
            load_tokenizer(tiny_policy),
            swaps=swaps,
            max_tokens=2000,
            held_out_fraction=0.5,
            most_train=10_000,
            most_held_out=60,
            seed=0,
        )
        taught, judged = ([one.messages for one in side] for side in (halves.train, halves.held_out))
        assert 0 < len(judged) <= 60
        assert not {dialogue_key(messages) for messages in taught} & {dialogue_key(messages) for messages in judged}
        own = [shingles(spoken(messages)) for messages in taught]
        assert all(likeness(shingles(spoken(messages)), other) < LIKE for messages in judged for other in own)
        sides.append({ranking.id for ranking in halves.train})
    assert sides[0]
    assert not sides[0] & sides[1]


@pytest.fixture
def study(tiny_reward_model: Path, tmp_path: Path) -> Study:
    halves = Halves(make_toy_rankings(12), make_toy_rankings(5, seed=1), {})
    folder = tmp_path / "study"
    folder.mkdir()
    return Study("toy", 0, halves, tiny_reward_model, folder, "plan", Config(data=tmp_path, out=tmp_path, lr=1e-3))


def test_our_side_learns_publishes_and_is_judged_on_all_that_is_held_out(study: Study, capsys) -> None:
    target = study.folder / OURS
    human_preference_ours.main(str(study.job(at_end=str(target))))
    side = json.loads(capsys.readouterr().out)
    assert side["pairs_seen"] == side["pairs_to_see"] == 24
    assert side["steps"] == 3
    arm = judge(study, OURS, target, side)
    untrained = judge(study, OURS, study.start, side)
    assert set(arm["scores"]) == {ranking.comparison_id for ranking in study.halves.held_out}
    assert arm["scores"] != untrained["scores"]


def test_trls_side_is_saved_when_ours_was_done_and_at_the_end(study: Study) -> None:
    pytest.importorskip("trl")
    folders = [study.folder / arm for arm in (TRL_TIME, TRL_PASS)]
    job = study.job(pairs_at_once=2, cpu_seconds=0.0, most_seconds=600, at_time=str(folders[0]), at_end=str(folders[1]))
    subprocess.run(
        [sys.executable, "-m", "benchmarks.human_preference_trl", str(job)],
        env={**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        check=True,
        capture_output=True,
    )
    sides = [json.loads(Path(f"{folder}.json").read_text()) for folder in folders]
    assert [side["steps"] for side in sides] == [1, 3]
    assert [side["pairs_seen"] for side in sides] == [8, 24]
    assert sides[1]["pairs_to_see"] == 24
    scores = [judge(study, TRL_TIME, folder, side)["scores"] for folder, side in zip(folders, sides, strict=True)]
    assert scores[0] != scores[1]


def test_arms_that_are_done_are_not_run_again(study: Study) -> None:
    arms = study.folder / "arms.jsonl"
    lines = [{"plan": plan, "arm": arm, "side": {}} for plan in ("plan", "other") for arm in (OURS, TRL_TIME, TRL_PASS)]
    arms.write_text("".join(json.dumps(line) + "\n" for line in lines))
    done = done_arms(arms, study.plan)
    assert set(done) == {OURS, TRL_TIME, TRL_PASS}
    assert list(run_missing(study, Path("no-such-python"), done, until=0.0)) == []


def compared(number: int) -> Comparison:
    return Comparison(f"c-{number}", (number,), ((1,), (2, 3)), (30, 20), ("r",), ((0, 1),))


def test_halves_are_taken_together_and_arms_compared_on_the_pairs_both_judged() -> None:
    side = {"cpu_seconds": 10.0, "steps": 2, "pairs_seen": 8, "pairs_to_see": 12}

    def judged(arm: str, half: int, *gaps: float) -> Judged:
        members = [compared(10 * half + i) for i in range(len(gaps))]
        return Judged(arm, half, side, members, {one.id: [gap, 0.0] for one, gap in zip(members, gaps, strict=True)})

    found = pool(
        [judged(OURS, 0, 1.0, 1.0), judged(OURS, 1, 1.0, -1.0), judged(TRL_TIME, 0, 1.0, -1.0)],
        seed=0,
    )
    assert found["arms"][OURS]["accuracy"]["value"] == 3 / 4
    assert found["arms"][OURS]["pairs_trained_on"] == 24
    assert found["arms"][TRL_TIME]["accuracy"]["value"] == 1 / 2
    ahead = found["ours_ahead_of"][TRL_TIME]
    assert (ahead["value"], ahead["num_pairs"]) == (1 / 2, 2)
    text = table("toy", found)
    assert "| ours, one pass | 0.750 (" in text
    assert "| 16 of 24 |" in text
    assert "| the longer one wins | 1.000 (1.000 to 1.000) |" in text
    assert table("toy", pool([], seed=0)) == "toy: no arm is done"
