"""One attempt at a time, and the newest: whoever else comes is turned away, or ended if it is older."""

import json
import platform
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from training import locking
from training.locking import Overtaken, exclusive


def hold(path: Path, attempt: int) -> "subprocess.Popen[bytes]":
    """A process group that holds the lock as a trainer does."""
    with exclusive(path, attempt) as lock:
        sleeper = subprocess.Popen(
            [sys.executable, "-c", "import time; time.sleep(100)"], pass_fds=[lock.fileno()], start_new_session=True
        )
        lock.hand_over(sleeper.pid)
    return sleeper


def test_a_newer_attempt_ends_an_older_ones_trainer(tmp_path: Path) -> None:
    older = hold(tmp_path / "lock", 1)
    with exclusive(tmp_path / "lock", 2):
        assert older.wait(timeout=5) == -9
        assert json.loads((tmp_path / "lock").read_text()) == {
            "attempt": 2,
            "group": None,
            "machine": platform.node(),
        }


@pytest.mark.parametrize("attempt", [1, 2])
def test_an_attempt_that_is_not_the_newest_is_turned_away_and_harms_nobody(tmp_path: Path, attempt: int) -> None:
    newest = hold(tmp_path / "lock", 2)
    with pytest.raises(Overtaken, match="attempt 2 has begun"), exclusive(tmp_path / "lock", attempt):
        raise AssertionError("it got the lock")
    assert newest.poll() is None
    newest.kill()
    newest.wait()
    with pytest.raises(Overtaken), exclusive(tmp_path / "lock", attempt):  # nor after the newest has ended
        raise AssertionError("it got the lock")
    with exclusive(tmp_path / "lock", 3):
        pass


def test_a_trainer_on_another_machine_is_waited_for_and_never_killed_by_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = hold(tmp_path / "lock", 1)
    monkeypatch.setattr(platform, "node", lambda: "another-machine")
    monkeypatch.setattr(locking, "WAIT_SECONDS", 1.0)
    with pytest.raises(OSError, match="attempt 1 still runs on"), exclusive(tmp_path / "lock", 2):
        raise AssertionError("it got the lock")
    assert elsewhere.poll() is None
    elsewhere.kill()
    elsewhere.wait()


def test_a_worker_that_hangs_keeps_nobody_out_once_its_trainer_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locking, "WAIT_SECONDS", 0.0)
    with exclusive(tmp_path / "lock", 1) as lock:
        trainer = subprocess.Popen(
            [sys.executable, "-c", "import signal; signal.pause()"], pass_fds=[lock.fileno()], start_new_session=True
        )
        lock.hand_over(trainer.pid)
        assert trainer.poll() is None
        trainer.kill()
        assert trainer.wait() == -signal.SIGKILL
        with exclusive(tmp_path / "lock", 2):  # while the first attempt's worker is still in the midst of it
            assert json.loads((tmp_path / "lock").read_text())["attempt"] == 2


def test_a_damaged_lock_file_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("{")
    with exclusive(tmp_path / "lock", 1):
        assert json.loads((tmp_path / "lock").read_text())["attempt"] == 1
