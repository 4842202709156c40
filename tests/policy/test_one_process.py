"""Programs that share nothing refuse to be started as several processes, before they read or write anything."""

from pathlib import Path

import pytest

from language.commandline import require_one_process
from language.options import OptionError
from tests.launching import start


@pytest.mark.chaos
@pytest.mark.parametrize(
    ("module", "options"),
    [
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
    assert f"error: process 1 of 2: python -m {module}: 2 processes were started" in ended.stderr
    assert not list(tmp_path.iterdir())


def test_one_process_of_a_launcher_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for count in ("", "1"):
        monkeypatch.setenv("WORLD_SIZE", count)
        require_one_process("program")
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(OptionError, match="program: 3 processes"):
        require_one_process("program")
