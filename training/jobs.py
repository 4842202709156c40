"""One attempt of one training job: a subprocess that is followed, reported on, and never left behind.

`jobs/<job id>/` in the model store holds the lock, the resumable states (work/) and each attempt's log.
If this worker dies, the next attempt ends what it left running and goes on from the newest state.
"""

import fcntl
import json
import logging
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from records import ManifestError, TrainingProgress, TrainingRequest, TrainingResult, verify_directory
from records.manifest import MANIFEST, sha256_of
from training.commands import RequestError, command, inside
from training.reporting import Reporter

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.5
REPORT_SECONDS = 3.0
GRACE_SECONDS = 10.0  # between asking a process to end and ending it


def run_job(request: TrainingRequest, *, store: Path, reporter: Reporter) -> TrainingResult:
    """Run one attempt to its end and report how it ended; whatever goes wrong becomes the result's error."""
    folder = store / "jobs" / request.job_id
    try:
        arguments = command(request, store=store, work=folder / "work")
        folder.mkdir(parents=True, exist_ok=True)
        with _exclusive(folder / "lock") as lock:
            error = _follow(request, arguments, folder, lock, reporter)
        result = _ended(request, store, error)
    except (RequestError, OSError) as problem:
        result = _failed(request, str(problem))
    reporter.result(result)
    return result


@contextmanager
def _exclusive(path: Path) -> Iterator[IO[str]]:
    """Hold the job's lock. The subprocess inherits it: while it lives, no other attempt begins."""
    with path.open("a+") as lock:
        for _ in range(int(4 * GRACE_SECONDS / POLL_SECONDS)):
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                _end_predecessor(lock)
                time.sleep(POLL_SECONDS)
        else:
            raise OSError(f"{path}: an earlier attempt of this job still runs and could not be ended")
        lock.truncate(0)
        yield lock


def _end_predecessor(lock: IO[str]) -> None:
    lock.seek(0)
    recorded = lock.read().strip()
    if recorded.isdigit():
        logger.warning("ending process group %s, which an earlier attempt left behind", recorded)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(int(recorded), signal.SIGKILL)


def _follow(
    request: TrainingRequest, arguments: list[str], folder: Path, lock: IO[str], reporter: Reporter
) -> str | None:
    """Run the command, pass on what it says of itself, and return what went wrong, if anything did."""
    progress_path = folder / f"attempt-{request.attempt}.progress.jsonl"
    log_path = folder / f"attempt-{request.attempt}.log"
    progress_path.unlink(missing_ok=True)
    with log_path.open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            pass_fds=[lock.fileno()],
            env={**os.environ, "PARLEY_PROGRESS_FILE": str(progress_path)},
        )
        lock.seek(0)
        lock.truncate()
        lock.write(str(process.pid))
        lock.flush()
        try:
            cancelled = _watch(request, process, progress_path, reporter)
        finally:
            _end(process)
    if cancelled:
        return "cancelled"
    return None if process.returncode == 0 else _what_it_said(process.returncode, log_path)


def _watch(
    request: TrainingRequest, process: "subprocess.Popen[bytes]", progress_path: Path, reporter: Reporter
) -> bool:
    """Report until the process ends; returns whether it was cancelled. A silent process is reported on too."""
    newest = TrainingProgress(job_id=request.job_id, attempt=request.attempt, fraction=0.0)
    due = 0.0
    while process.poll() is None:
        if time.monotonic() >= due:
            due = time.monotonic() + REPORT_SECONDS
            newest = _newest(newest, progress_path)
            reporter.progress(newest)
            if reporter.is_cancelled(request.job_id):
                return True
        time.sleep(POLL_SECONDS)
    return False


def _newest(before: TrainingProgress, path: Path) -> TrainingProgress:
    """The last whole line of the progress file; what was known before where there is none."""
    with suppress(FileNotFoundError, ValueError, IndexError, KeyError):
        values = json.loads(path.read_text(encoding="utf-8").splitlines()[-1])
        return TrainingProgress(
            job_id=before.job_id,
            attempt=before.attempt,
            fraction=float(values["fraction"]),
            metrics=values["metrics"],
            message=values["message"],
        )
    return before


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Leave nothing running: ask, wait, insist."""
    if process.poll() is not None:
        return
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(timeout=GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _what_it_said(code: int, log_path: Path) -> str:
    """The last line of the log, which says what happened; a signal's name where nothing could be said."""
    if code < 0:
        name = signal.Signals(-code).name
        hint = "; the machine may be out of memory" if -code == signal.SIGKILL else ""
        return f"the trainer was killed by {name}{hint}. Its log is {log_path}"
    lines = [line.strip() for line in log_path.read_text(encoding="utf-8", errors="replace").splitlines()]
    said = next((line for line in reversed(lines) if line), "the trainer said nothing")
    return f"{said[:2000]} (exit status {code}; log: {log_path.name})"


def _ended(request: TrainingRequest, store: Path, error: str | None) -> TrainingResult:
    """The result of a command that ran: its published directory, verified, or its error."""
    if error is not None:
        return _failed(request, error)
    out = inside(store, request.out_path)
    try:
        verify_directory(out)
    except ManifestError as problem:
        return _failed(request, f"the trainer ended well but left nothing whole: {problem}")
    return TrainingResult(
        job_id=request.job_id,
        attempt=request.attempt,
        out_path=request.out_path,
        manifest_sha256=sha256_of(out / MANIFEST),
        metrics=_final_metrics(out),
    )


def _final_metrics(out: Path) -> dict[str, float]:
    try:
        metrics: Any = json.loads((out / "metrics.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return {
        name: float(value)
        for name, value in metrics.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def _failed(request: TrainingRequest, error: str) -> TrainingResult:
    return TrainingResult(job_id=request.job_id, attempt=request.attempt, out_path=request.out_path, error=error)
