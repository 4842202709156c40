"""One attempt of one training job: a subprocess that is followed, reported on, and never left behind.

`jobs/<job id>/` in the model store holds the lock, the resumable states (work/) and each attempt's log.
A worker that is asked to stop ends its trainer and gives the job back. If it dies its trainer soon does too
(training.parent_watchdog). Either way the next attempt goes on from the newest state. A worker that only hangs is
overtaken: the next attempt ends its trainer.
"""

import json
import logging
import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from records import (
    ManifestError,
    TrainingProgress,
    TrainingRequest,
    TrainingResult,
    read_manifest,
    verify_directory,
)
from records.manifest import MANIFEST, sha256_of
from records.names import NEEDS_OTHER_SETTINGS
from training import launching
from training.commands import NotInStore, RequestError, command, inside, job_folder, with_parent_watchdog
from training.launching import NoLauncher
from training.locking import JobLock, Overtaken, exclusive
from training.parent_watchdog import STATUS_FILE
from training.reporting import Reporter

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.5
REPORT_SECONDS = 3.0
GRACE_SECONDS = 10.0  # between asking a process to end and ending it


def run_job(
    request: TrainingRequest, *, store: Path, reporter: Reporter, is_stopping: Callable[[], bool] = lambda: False
) -> TrainingResult | None:
    """Run one attempt to its end and report how it ended; whatever goes wrong becomes the result's error.

    None, and no report, for an attempt that is not newer than all before it; None, and the job given back, where
    `is_stopping` says that this worker is to stop.
    """
    try:
        folder = job_folder(store, request.job_id)
        arguments = command(request, store=store, work=folder / "work")
        launcher = launching.launcher(request.kind)
        folder.mkdir(parents=True, exist_ok=True)
        with exclusive(folder / "lock", request.attempt) as lock:
            failure = _follow(request, arguments, folder, lock, reporter, is_stopping, launcher)
        result = _ended(request, store, failure)
    except Stopped:
        reporter.released(request)
        return None
    except Overtaken as late:
        logger.warning("job %s: %s", request.job_id, late)
        return None
    except RequestError as problem:
        is_lasting = not isinstance(problem, NotInStore)
        result = _failed(request, Failure(str(problem), needs_other_settings=is_lasting))
    except (NoLauncher, OSError) as problem:
        result = _failed(request, Failure(str(problem)))
    reporter.result(result)
    return result


class Stopped(Exception):
    """This worker is asked to stop while its trainer still runs."""


@dataclass(frozen=True)
class Failure:
    """What went wrong, and whether the same settings would go wrong again."""

    error: str
    needs_other_settings: bool = False


def _follow(
    request: TrainingRequest,
    arguments: list[str],
    folder: Path,
    lock: JobLock,
    reporter: Reporter,
    is_stopping: Callable[[], bool],
    launcher: list[str] | None = None,
) -> Failure | None:
    """Run the command, by the launcher where there is one, pass on what it says of itself, and return what went wrong.

    Raises Stopped, once the trainer is gone, where this worker is to stop.
    """
    progress_path = folder / f"attempt-{request.attempt}.progress.jsonl"
    log_path = folder / f"attempt-{request.attempt}.log"
    status_path = folder / f"attempt-{request.attempt}.status"
    progress_path.unlink(missing_ok=True)
    status_path.unlink(missing_ok=True)
    with log_path.open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            launching.launched(launcher, arguments) if launcher else with_parent_watchdog(arguments),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            pass_fds=[lock.fileno()],
            env={**os.environ, "PARLEY_PROGRESS_FILE": str(progress_path), STATUS_FILE: str(status_path)},
        )
        lock.hand_over(process.pid)
        try:
            cancelled = _watch(request, process, progress_path, reporter, is_stopping)
        finally:
            _end(process, grace=launching.GRACE_SECONDS if launcher else GRACE_SECONDS)
    if cancelled:
        return Failure("cancelled")
    if process.returncode == 0:
        return None
    status = launching.exit_status(process.returncode, status_path)
    return Failure(_what_it_said(status, log_path), needs_other_settings=status == NEEDS_OTHER_SETTINGS)


def _watch(
    request: TrainingRequest,
    process: "subprocess.Popen[bytes]",
    progress_path: Path,
    reporter: Reporter,
    is_stopping: Callable[[], bool],
) -> bool:
    """Report until the process ends; returns whether it was cancelled. A silent process is reported on too."""
    newest = TrainingProgress(job_id=request.job_id, attempt=request.attempt, fraction=0.0, stage="loading")
    due = 0.0
    while process.poll() is None:
        if is_stopping():
            raise Stopped
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
            stage=values.get("stage", ""),
        )
    return before


def _end(process: "subprocess.Popen[bytes]", *, grace: float) -> None:
    """Leave nothing running: ask, wait, insist."""
    if process.poll() is not None:
        return
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(timeout=grace)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _what_it_said(code: int, log_path: Path) -> str:
    """The log's last error line, or its last line of words; a signal's name where nothing could be said."""
    if code < 0:
        name = signal.Signals(-code).name
        hint = "; the machine may be out of memory" if -code == signal.SIGKILL else ""
        return f"the trainer was killed by {name}{hint}. Its log is {log_path}"
    lines = [line.strip() for line in log_path.read_text(encoding="utf-8", errors="replace").splitlines()]
    told = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    if not told and (killed := launching.killed_process("\n".join(lines))):
        return f"{killed}; its machine may be out of memory. The log is {log_path}"
    said = (told or [line for line in lines if any(map(str.isalnum, line))] or ["the trainer said nothing"])[-1]
    return f"{said[:2000]} (exit status {code}; log: {log_path.name})"


def _ended(request: TrainingRequest, store: Path, failure: Failure | None) -> TrainingResult:
    """The result of a command that ran: its published directory, verified, or its failure."""
    if failure is not None:
        return _failed(request, failure)
    out = inside(store, request.out_path)
    try:
        verify_directory(out)
    except ManifestError as problem:
        return _failed(request, Failure(f"the trainer ended well but left nothing whole: {problem}"))
    return TrainingResult(
        job_id=request.job_id,
        attempt=request.attempt,
        out_path=request.out_path,
        manifest_sha256=sha256_of(out / MANIFEST),
        metrics=_final_metrics(out),
    )


def _final_metrics(out: Path) -> dict[str, float]:
    """The numbers of metrics.json; of a filter, which has none, the main figures of its manifest."""
    try:
        metrics: Any = json.loads((out / "metrics.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        metrics = _filter_figures(out)
    except ValueError:
        return {}
    return {
        name: float(value)
        for name, value in metrics.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def _filter_figures(out: Path) -> dict[str, Any]:
    figures = read_manifest(out).get("figures_out_of_fold", {})
    categories = {f"auprc_{name}": one["auprc"]["value"] for name, one in figures.get("categories", {}).items()}
    whole = {f"auprc_{name}": figures[name]["auprc"]["value"] for name in ("any", "macro") if name in figures}
    return (
        whole | categories | {name: figures[name]["value"] for name in ("ece", "warned", "blocked") if name in figures}
    )


def _failed(request: TrainingRequest, failure: Failure) -> TrainingResult:
    return TrainingResult(
        job_id=request.job_id,
        attempt=request.attempt,
        out_path=request.out_path,
        error=failure.error,
        needs_other_settings=failure.needs_other_settings,
    )
