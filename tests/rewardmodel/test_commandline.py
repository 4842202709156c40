"""How a command ends: one line and a status where a person can help it, a traceback where only we can."""

import errno
from dataclasses import dataclass

import pytest
import torch

from language.commandline import resolve_device, run
from language.options import OptionError
from rewardmodel.data import DataError
from rewardmodel.publishing import NoRoom
from rewardmodel.stopping import OutOfMemory, TrainingStopped


@dataclass(frozen=True)
class Nothing:
    """No options."""


@pytest.mark.parametrize(
    ("error", "said", "status"),
    [
        (DataError("rankings.jsonl:3: broken\nin two lines"), "error: rankings.jsonl:3: broken in two lines", 2),
        (OptionError("--epochs must be above 0"), "error: --epochs must be above 0", 2),
        (TrainingStopped("step 3: the loss is nan"), "error: step 3: the loss is nan", 2),
        (OSError(errno.ENOSPC, "No space left on device"), "error: the disk is full", 75),
        (NoRoom("work: 1 GB free, but this run needs 2 GB"), "this run needs 2 GB", 75),
        (OutOfMemory("step 3: out of memory"), "error: step 3: out of memory", 75),
        (PermissionError(errno.EACCES, "Permission denied", "/store"), "Permission denied: '/store'", 75),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), "lower --microbatch-tokens", 75),
        (KeyboardInterrupt(), "continue with --resume", 75),
    ],
)
def test_what_a_person_can_help_is_one_line_and_says_whether_the_same_again_may_do(
    error: BaseException, said: str, status: int, monkeypatch, capsys
) -> None:
    def command(config: Nothing) -> None:
        raise error

    monkeypatch.setattr("sys.argv", ["command"])
    with pytest.raises(SystemExit) as ended:
        run(command, Nothing)
    assert ended.value.code == status
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
