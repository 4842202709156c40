"""What a job's program writes beside its log: in the directory that it published, or until then in its work directory.

Among it the answers on which the reward model trained on and the one that watched differ most: they show a person what
the policy learns that only one of the two likes.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from labeling.models import TrainingJob
from labeling.rounds.training_jobs import FOLDERS, Kind
from records.names import DISAGREEMENTS_FILE

_MOST_BYTES = 8 * 2**20  # read of a file, so that a long run does not fill the web process
_MOST = 5  # answers that are shown, the largest difference first


@dataclass(frozen=True, kw_only=True)
class Disagreement:
    """One answer to a watched prompt. `difference` is in standard deviations, above 0 where the first likes it more."""

    update: int
    question: str
    answer: str
    tokens: int
    ended: bool
    score: float
    held_out_score: float
    difference: float


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


def disagreements_of(job: TrainingJob) -> list[Disagreement]:
    """Those of the newest look of the watch; none where nobody watched."""
    found = [one for line in text_of(job, DISAGREEMENTS_FILE).splitlines() if (one := _disagreement(line))]
    newest = max((one.update for one in found), default=0)
    own = [one for one in found if one.update == newest]
    return sorted(own, key=lambda one: -abs(one.difference))[:_MOST]


def _disagreement(line: str) -> Disagreement | None:
    """A line as it was written; None for one that is still being written, or is of another program."""
    try:
        values = json.loads(line)
        return Disagreement(
            update=int(values["update"]),
            question=str(values["messages"][-1]["content"]),
            answer=str(values["answer"]),
            tokens=int(values["tokens"]),
            ended=bool(values["ended"]),
            score=float(values["score"]),
            held_out_score=float(values["held_out_score"]),
            difference=float(values["difference"]),
        )
    except (ValueError, TypeError, LookupError):
        return None
