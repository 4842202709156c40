"""Programs that share nothing refuse to be started as several processes, before they read or write anything."""

from pathlib import Path

import pytest

from language.commandline import require_one_process
from language.options import OptionError
from tests.launching import start
from tests.policy.factories import write_demonstrations


@pytest.mark.chaos
def test_fine_tuning_in_two_processes_is_refused_and_nothing_is_published(tiny_policy: Path, tmp_path: Path) -> None:
    data = write_demonstrations(tmp_path / "data.jsonl", [(f"{i}?", "a") for i in range(8)])
    options = ["--data", data, "--model", tiny_policy, "--out", tmp_path / "taught", "--epochs", 1, "--device", "cpu"]
    ended = start("policy.sft", options, processes=2)
    assert ended.returncode != 0
    assert "error: python -m policy.sft: 2 processes were started" in ended.stderr
    assert "Start one, without torchrun or accelerate: python -m policy.sft" in ended.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["data.jsonl"]
    assert start("policy.sft", options).returncode == 0
    assert (tmp_path / "taught" / "manifest.json").exists()


@pytest.mark.chaos
@pytest.mark.parametrize(
    ("module", "options"),
    [
        ("policy.best_of_n", ["--policy", "p", "--reward", "r", "--prompts", "q", "--out"]),
        ("policy.dpo", ["--data", "d", "--model", "p", "--out"]),
        ("policy.kto", ["--data", "d", "--model", "p", "--out"]),
        ("policy.overoptimisation", ["--policy", "p", "--rewards", "r", "--prompts", "q", "--out"]),
        ("rewardmodel.evaluate", ["--model", "p", "--data", "q", "--html"]),
        ("rewardmodel.score", ["--model", "p", "--data"]),
        ("benchmarks.gold_samples", ["--policy", "p", "--prompts", "q", "--split", "test", "--out"]),
        ("benchmarks.gold_run", ["--out"]),
    ],
)
def test_all_that_share_nothing_are_refused(
    module: str, options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"WORLD_SIZE": "2", "RANK": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500"}.items():
        monkeypatch.setenv(name, value)
    ended = start(module, [*options, tmp_path / "out"])
    assert (ended.returncode, ended.stdout) == (2, "")
    assert f"error: python -m {module}: 2 processes were started" in ended.stderr
    assert not list(tmp_path.iterdir())


def test_one_process_of_a_launcher_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for count in ("", "1"):
        monkeypatch.setenv("WORLD_SIZE", count)
        require_one_process("program")
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(OptionError, match="program: 3 processes"):
        require_one_process("program")
