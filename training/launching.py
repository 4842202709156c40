"""One program as several processes: by a launcher that the worker's environment names, on one machine or many.

PARLEY_TRAIN_LAUNCHER is a command line in which {program} stands for the trainer's own words (`-m module options`) and
{python} for this interpreter: `torchrun --standalone --nproc-per-node 8 {program}`. Unset, a job is one process. Run as
a module this follows the launcher for the worker that asked for it.
"""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

from records.types import TrainingKind
from training.parent_watchdog import BEGINNER, LAUNCHED_BY, names_of_this_process, watch

LAUNCHER = "PARLEY_TRAIN_LAUNCHER"
PROGRAM, PYTHON = "{program}", "{python}"

# Kinds whose programs share their work among processes; the others are started as one, whatever the launcher.
SHARES_WORK: frozenset[TrainingKind] = frozenset(
    {"sft", "reward_model", "ppo", "rloo", "dpo", "kto", "rejection_sampling"}
)

# torchrun asks its processes to end, and insists after 30 seconds; Slurm after 30 too (KillWait).
GRACE_SECONDS = 45.0


# torchrun's summary of a failure: "rank      : 1 (local_rank: 1)", "exitcode  : -9 (pid: 4711)".
_KILLED = re.compile(r"^rank\s*: (\d+) .*\nexitcode\s*: -(\d+) ", re.MULTILINE)


class NoLauncher(ValueError):
    """A launcher that this worker cannot start: what is wrong, what to do."""


def launcher(kind: TrainingKind) -> list[str] | None:
    """The words of this worker's launcher for a job of `kind`; None where the job is one process. Raises NoLauncher."""
    template = os.environ.get(LAUNCHER, "").strip()
    if not template or kind not in SHARES_WORK:
        return None
    try:
        words = shlex.split(template)
    except ValueError as error:
        raise NoLauncher(f"{LAUNCHER} is {template!r}, which is no command line: {error}") from error
    if words.count(PROGRAM) != 1:
        raise NoLauncher(
            f"{LAUNCHER} is {template!r}; it must have {PROGRAM} as one word, where the trainer's own words belong, as "
            f"in: torchrun --standalone --nproc-per-node 8 {PROGRAM}"
        )
    words = [word.replace(PYTHON, sys.executable) for word in words]
    if _found(words[0]) is None:
        raise NoLauncher(
            f"{LAUNCHER} begins with {words[0]!r}, which is no program on this worker's machine; install it, name it "
            "by its full path, or unset the variable to train by one process"
        )
    return words


def launched(words: list[str], arguments: list[str]) -> list[str]:
    """The command that starts `arguments` (python, -m, module, options) as the launcher's processes, and follows them.

    Each process ends when the one that began it is gone, and the launcher when this one is.
    """
    python, flag, *rest = arguments
    place = words.index(PROGRAM)
    program = [flag, "training.parent_watchdog", BEGINNER, *rest]
    first = _found(words[0]) or words[0]
    command = [first, *words[1:place], *program, *words[place + 1 :]]
    return [python, "-m", "training.launching", str(os.getpid()), *command]


def exit_status(code: int, status_file: Path) -> int:
    """How the program ended by its own word; a launcher has one status for whatever its processes ended with."""
    if code == 0 or not status_file.exists():
        return code
    return int(status_file.read_text(encoding="utf-8"))


def killed_process(log: str) -> str | None:
    """Which process was killed, and by what, as torchrun's log says; None where none was, but for those it ended."""
    for rank, number in _KILLED.findall(log):
        if int(number) != signal.SIGTERM:
            return f"process {rank} of several was killed by {signal.Signals(int(number)).name}"
    return None


def main() -> None:
    """Arguments: the worker's process id, and the launcher's command."""
    worker, *command = sys.argv[1:]
    # The whole group is asked to end, the launcher with it: it ends its processes, and this one then ends as it did.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    # What is ignored would be inherited so, and the job's lock is the launcher's to hold, too.
    environment = {**os.environ, LAUNCHED_BY: names_of_this_process()}
    process = subprocess.Popen(command, preexec_fn=_as_by_default, close_fds=False, env=environment)
    threading.Thread(target=_end_without, args=(int(worker), process), daemon=True).start()
    code = process.wait()
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    sys.exit(code)


def _end_without(worker: int, process: "subprocess.Popen[bytes]") -> None:
    """Once the worker is gone: ask the launcher to end its processes, and insist."""
    watch(worker)
    os.killpg(os.getpgrp(), signal.SIGTERM)
    try:
        process.wait(timeout=GRACE_SECONDS)
    finally:
        os.killpg(os.getpgrp(), signal.SIGKILL)


def _as_by_default() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _found(word: str) -> str | None:
    """Where a launcher's program is: on the path, or beside this interpreter, as torchrun is."""
    beside = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))
    return shutil.which(word, path=beside)


if __name__ == "__main__":
    main()
