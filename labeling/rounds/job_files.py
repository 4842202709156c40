"""Files that a job's program writes: in the directory that it published, or, until then, in its work directory."""

from pathlib import Path

from django.conf import settings

from labeling.models import TrainingJob
from labeling.rounds.training_jobs import FOLDERS, Kind

_MOST_BYTES = 8 * 2**20  # read of a file, so that a long run does not fill the web process


def text_of(job: TrainingJob, name: str) -> str:
    """The file's text, at most eight mebibytes of it; empty where there is none, or the store is not shared."""
    store = Path(settings.PARLEY_STORE)
    published = store / FOLDERS[Kind(job.kind)] / job.output_name / name
    working = store / "jobs" / str(job.id) / "work" / name
    path = published if job.state == TrainingJob.State.DONE and published.is_file() else working
    try:
        with open(path, "rb") as file:
            return file.read(_MOST_BYTES).decode("utf-8", errors="replace")
    except OSError:
        return ""
