"""Two processes, with whole networks in each or with networks shared out, end where one process alone ends.

Everything that needs two processes is done in two launches, since importing torch takes longer than all the runs.
"""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from records import verify_directory, write_jsonl
from tests.launching import start_well
from tests.policy.factories import QUESTIONS, make_demonstration, make_prompt, write_prompts
from tests.policy.shared_runs import resumed, runs, until
from tests.policy.verdicts import LIKED_ANSWER, thumbs_for
from tests.rewardmodel.factories import make_toy_rankings

TOLERANCE = 2e-5
NAMES = tuple(runs(Path(), Path(), "auto"))


@pytest.fixture(scope="module")
def folder(toy_policy: Path, toy_reward_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models and data, and below `alone`, `replicate` and `full` what each way made of them."""
    folder = tmp_path_factory.mktemp("shared")
    shutil.copytree(toy_policy, folder / "policy")
    shutil.copytree(toy_reward_model, folder / "reward")
    pairs = [("Hello!", "a " * (1 + 4 * index)) for index in range(7)]  # the last batch is one dialogue
    learnt = [make_demonstration(*pair, id=f"d-{index}") for index, pair in enumerate(pairs)]
    held_out = [make_demonstration("Who?", "d d", id=f"h-{index}", split="validation") for index in range(3)]
    write_jsonl(folder / "dialogues.jsonl", learnt + held_out)
    rankings = make_toy_rankings(11, split="train") + make_toy_rankings(3, seed=1, split="validation")
    write_jsonl(folder / "rankings.jsonl", rankings)
    write_jsonl(folder / "thumbs.jsonl", thumbs_for(LIKED_ANSWER)[:20])
    write_prompts(folder / "prompts.jsonl", QUESTIONS)
    asked = [make_prompt(question, id=f"w-{index}", split="validation") for index, question in enumerate(QUESTIONS[:3])]
    write_jsonl(folder / "asked.jsonl", asked)
    for run, config in runs(folder, folder / "alone", "auto").values():
        run(config)
    start_well("tests.policy.shared_runs", [folder, "all"], processes=2)
    return folder


def weights(directory: Path) -> dict[str, torch.Tensor]:
    verify_directory(directory)
    return load_file(directory / "model.safetensors")


def distance(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
    """The largest difference of two weights; both have the same names."""
    assert one.keys() == other.keys()
    return max(float((one[name] - other[name]).abs().max()) for name in one)


@pytest.mark.chaos
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("way", ["replicate", "full"])
def test_two_processes_end_with_the_weights_of_one(folder: Path, way: str, name: str) -> None:
    alone, found = folder / "alone" / name, folder / way / name
    assert distance(weights(found), weights(alone)) < TOLERANCE
    facts = json.loads((found / ("reward_model.json" if name == "reward" else "policy.json")).read_text())
    assert facts["num_processes"] == 2
    one, two = (
        [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()] for out in (alone, found)
    )
    assert len(two) == len(one) >= 2
    for before, after in zip(one, two, strict=True):
        assert after.keys() == before.keys()
        for figure in before.keys() & {"loss", "accuracy", "validation_loss", "policy_loss", "watch_score", "watch_kl"}:
            assert after[figure] == pytest.approx(before[figure], abs=1e-4), figure
    assert not list((folder / way).glob("tmp-*"))


@pytest.mark.chaos
@pytest.mark.parametrize("name", NAMES)
def test_the_runs_that_are_compared_learn_something(folder: Path, name: str) -> None:
    """The smallest move counts, or equality would say nothing. A classifier's trunk is named without its prefix."""
    before, taught = weights(folder / "policy"), weights(folder / "alone" / name)
    shared = before.keys() & taught.keys()
    assert shared
    assert max(float((taught[key] - before[key]).abs().max()) for key in shared) > 5 * TOLERANCE


@pytest.mark.chaos
def test_a_run_of_two_goes_on_in_one_and_again_in_two(folder: Path) -> None:
    """States of parts are read by one process, whole states by two; the end is that of a run never interrupted."""
    config = resumed(folder, folder / "full")
    states = config.work_directory / "states"
    newest = states / "state-0000000002"
    assert len(list(newest.glob("shard-*.safetensors"))) == 2
    until(4, config)
    assert [path.name for path in sorted(states.glob("state-*"))][-1] == "state-0000000004"
    assert (states / "state-0000000004" / "tensors.safetensors").exists()
    start_well("tests.policy.shared_runs", [folder, "end"], processes=2)
    assert json.loads((config.out / "policy.json").read_text())["num_processes"] == 2
    straight = resumed(folder, folder / "alone")
    run, _ = runs(folder, folder / "alone", "auto")["sft"]
    run(straight)
    assert distance(weights(config.out), weights(straight.out)) < TOLERANCE
    logged = (config.out / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in logged] == [0, 1, 2, 3, 4, 5, 6]


@pytest.mark.cuda
@pytest.mark.chaos
def test_two_gpus_end_near_the_weights_of_one_cpu(folder: Path) -> None:
    """A GPU rounds otherwise, and PPO and RLOO sample by it: of these only that they run is told."""
    start_well("tests.policy.shared_runs", [folder, "cuda"], processes=2)
    for way in ("replicate", "full"):
        assert json.loads((folder / "cuda" / way / "sft" / "policy.json").read_text())["num_processes"] == 2
        for name in ("sft", "reward", "dpo"):
            assert distance(weights(folder / "cuda" / way / name), weights(folder / "alone" / name)) < 2e-4
        for name in ("ppo", "rloo"):
            verify_directory(folder / "cuda" / way / name)
