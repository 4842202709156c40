"""The logs of a training job, one of each attempt, which its worker writes into the job's folder of the store.

They hold what the program said: its settings, steps and errors, and ids of records, but no text of people (a test of
each trainer says so). They are read here and never written; how long one may be is not in our hands, so what is read
of one is bounded.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from labeling.models import TrainingJob

MOST_SHOWN = 32 * 2**10  # bytes of a log's end that a page shows
MOST_SENT = 64 * 2**20  # bytes of a log's end that a download holds
_MOST_LOGS = 50  # attempts that are listed, the newest
_LOG = re.compile(r"attempt-([0-9]{1,9})\.log")
_ESCAPES = re.compile(
    r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"
)  # of terminals; kept: tab and line ends


@dataclass(frozen=True, kw_only=True)
class JobLog:
    """What one attempt's program said so far."""

    attempt: int
    path: Path
    num_bytes: int

    @property
    def sent_from(self) -> int:
        """Where a download begins: at the first byte, unless it would be too long."""
        return max(0, self.num_bytes - MOST_SENT)


def logs_of(job: TrainingJob) -> list[JobLog]:
    """The logs of a job's attempts, newest first; none where no worker has begun, or the store is not shared."""
    folder = Path(settings.PARLEY_STORE) / "jobs" / str(job.id)
    found = [(int(named[1]), path) for path in _files(folder) if (named := _LOG.fullmatch(path.name))]
    return [
        JobLog(attempt=attempt, path=path, num_bytes=path.stat().st_size)
        for attempt, path in sorted(found, reverse=True)[:_MOST_LOGS]
    ]


def log_of(job: TrainingJob, attempt: int) -> JobLog | None:
    """The log of this attempt."""
    return next((log for log in logs_of(job) if log.attempt == attempt), None)


def end_of(log: JobLog, *, most_bytes: int = MOST_SHOWN) -> str:
    """The log's last lines, whole ones, as they may stand on a page."""
    with open(log.path, "rb") as file:
        start = max(0, log.num_bytes - most_bytes)
        file.seek(start)
        text = file.read(most_bytes).decode("utf-8", errors="replace")
    whole = text.partition("\n")[2] if start and "\n" in text else text
    return _ESCAPES.sub("", whole.replace("\r\n", "\n").replace("\r", "\n"))


def _files(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if path.is_file() and not path.is_symlink()]
    except FileNotFoundError:
        return []
