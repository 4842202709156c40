"""How a command ends: one line and status 2 where a person can help it, a traceback where only we can."""

import errno
from dataclasses import dataclass

import pytest
import torch

from rewardmodel.commandline import resolve_device, run
from rewardmodel.data import DataError


@dataclass(frozen=True)
class Nothing:
    """No options."""


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (DataError("rankings.jsonl:3: broken\nin two lines"), "error: rankings.jsonl:3: broken in two lines"),
        (OSError(errno.ENOSPC, "No space left on device"), "error: the disk is full"),
        (PermissionError(errno.EACCES, "Permission denied", "/store"), "Permission denied: '/store'"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), "lower --microbatch-tokens"),
        (KeyboardInterrupt(), "continue with --resume"),
    ],
)
def test_what_a_person_can_help_is_one_line_and_status_2(error: BaseException, said: str, monkeypatch, capsys) -> None:
    def command(config: Nothing) -> None:
        raise error

    monkeypatch.setattr("sys.argv", ["command"])
    with pytest.raises(SystemExit) as ended:
        run(command, Nothing)
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


def test_our_own_mistakes_keep_their_traceback(monkeypatch) -> None:
    def command(config: Nothing) -> None:
        raise ValueError("a formula was called with the wrong shape")

    monkeypatch.setattr("sys.argv", ["command"])
    with pytest.raises(ValueError, match="wrong shape"):
        run(command, Nothing)


def test_auto_is_the_gpu_only_where_there_is_one() -> None:
    assert resolve_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert resolve_device("cpu") == torch.device("cpu")
