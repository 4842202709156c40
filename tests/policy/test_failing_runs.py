"""One process of two dies or cannot go on: the run ends with words for a person, and its last state is whole."""

import re
from dataclasses import replace
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from policy.sft import main
from policy.sft_config import SftConfig
from records import verify_directory
from tests.launching import start
from tests.policy.factories import write_demonstrations


@pytest.fixture
def config(tiny_policy: Path, tmp_path: Path) -> SftConfig:
    """Four steps with a state after each."""
    data = write_demonstrations(tmp_path / "data.jsonl", [(f"{index}?", "a") for index in range(8)])
    return SftConfig(data=data, model=tiny_policy, out=tmp_path / "taught", epochs=2, batch_size=4, save_every=1)


def launch(fault: str, config: SftConfig, *options: object) -> "CompletedProcess[str]":
    given: list[object] = ["--data", config.data, "--model", config.model, "--out", config.out, "--epochs", 2]
    given += ["--batch-size", 4, "--save-every", 1, "--sharding", "full", *options]
    return start("tests.policy.failing_runs", [fault, *given], processes=2)


@pytest.mark.chaos
@pytest.mark.parametrize(
    ("fault", "newest"),
    [("killed in a step", 1), ("killed while writing its parts", 1), ("killed before the rename", 1)],
)
def test_a_process_that_is_killed_ends_the_run_and_leaves_the_last_state(
    config: SftConfig, fault: str, newest: int
) -> None:
    ended = launch(fault, config)
    assert ended.returncode != 0
    survivor = 1 if fault == "killed before the rename" else 0
    # The second where the launcher was quicker than the broken connection.
    noticed = f"error: process {survivor} of 2: another process of this run has ended|ended by SIGTERM"
    assert re.search(noticed, ended.stderr), ended.stderr
    assert "exitcode  : -9" in ended.stderr  # the launcher's report of the one that was killed
    assert "the same command with --resume goes on from the last saved state" in ended.stderr
    assert not config.out.exists()
    states = sorted((config.work_directory / "states").glob("state-*"))
    assert [path.name for path in states] == [f"state-{newest:010d}"]
    verify_directory(states[-1])
    main(replace(config, resume=True))  # alone, on the same states
    assert (config.out / "manifest.json").exists()


@pytest.mark.chaos
def test_memory_that_runs_out_in_one_process_is_said_with_what_to_do(config: SftConfig) -> None:
    ended = launch("out of memory", config)
    assert ended.returncode != 0
    said = "error: process 1 of 2: out of memory on pieces of up to"
    assert said in ended.stderr, ended.stderr
    for remedy in ("lower --microbatch-tokens", "--activation-checkpointing", "more processes", "--resume"):
        assert remedy in ended.stderr
    (state,) = (config.work_directory / "states").glob("state-*")
    verify_directory(state)


@pytest.mark.chaos
def test_more_processes_than_dialogues_are_refused_before_anything_is_written(
    tiny_policy: Path, tmp_path: Path
) -> None:
    data = write_demonstrations(tmp_path / "data.jsonl", [("Hello!", "a")])
    options: list[object] = ["--data", data, "--model", tiny_policy, "--out", tmp_path / "taught"]
    ended = start("policy.sft", options, processes=2)
    assert ended.returncode != 0
    assert "2 processes cannot share 1 training dialogues of" in ended.stderr
    assert "start at most 1" in ended.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["data.jsonl"]
