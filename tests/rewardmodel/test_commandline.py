"""How a command ends: one line and a status where a person can help it, a traceback where only we can."""

import errno
import os
import signal
import subprocess
import sys
from dataclasses import dataclass

import pytest
import torch

from language.commandline import Terminated, resolve_device, run
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
        (KeyboardInterrupt(), "interrupted; nothing was kept; start it again", 130),
        (Terminated(), "ended by SIGTERM; nothing was kept; start it again", 143),
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


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("gpu", "--device gpu: no such device; give cpu, cuda, cuda:1 … or auto"),
        ("meta", "--device meta: no such device"),
        ("cuda:99", "--device cuda:99: .* or give --device cpu or auto"),
    ],
)
def test_a_device_that_is_not_there_is_refused_with_words(name: str, said: str) -> None:
    with pytest.raises(OptionError, match=said):
        resolve_device(name)


@dataclass(frozen=True)
class Numbers:
    """Numbers of every sort, and a device."""

    lr: float = 0.1
    weight_decay: float = 0.0
    missing_end_score: float = -1.0
    seed: int = 0
    packing: bool = False
    device: str = "cpu"
    resume: bool = False


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--lr", "nan"], "--lr must be a finite number, not nan"),
        (["--weight-decay", "inf"], "--weight-decay must be a finite number, not inf"),
        (["--missing-end-score=-inf"], "--missing-end-score must be a finite number, not -inf"),
        (["--lr=-1"], "--lr must not be below 0, but is -1.0"),
        (["--device", "gpu"], "--device gpu: no such device"),
        (["--seed=-3", "--missing-end-score=-2"], ""),
    ],
)
def test_numbers_and_device_are_checked_before_the_command_begins(
    arguments: list[str], said: str, monkeypatch, capsys
) -> None:
    begun: list[Numbers] = []
    monkeypatch.setattr("sys.argv", ["command", *arguments])
    if not said:
        run(begun.append, Numbers)
        assert len(begun) == 1
        return
    with pytest.raises(SystemExit) as ended:
        run(begun.append, Numbers)
    assert (ended.value.code, begun) == (2, [])
    assert said in capsys.readouterr().err


_WAITING = """
import time
from dataclasses import dataclass
from language.commandline import run

@dataclass(frozen=True)
class Config:
    resume: bool = False

def main(config):
    print("begun", flush=True)
    try:
        time.sleep(60)
    except Exception:  # what a library may do on the way
        pass

run(main, Config)
"""


def _listen_to_interrupts() -> None:
    """A shell that starts the tests in the background has them, and so their children, ignore SIGINT."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize(
    ("number", "status", "said"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "ended by SIGTERM")]
)
def test_a_command_that_is_asked_to_end_says_in_one_line_how_to_go_on(number: int, status: int, said: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", _WAITING], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ,
        preexec_fn=_listen_to_interrupts,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    process.send_signal(number)
    _, heard = process.communicate(timeout=30)
    assert process.returncode == status
    assert heard.splitlines() == [f"{said}; the same command with --resume goes on from the last saved state"]
