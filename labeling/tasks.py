"""The Celery tasks of the web workers: each decodes its arguments and makes one call. Names are in records.names.

A task may run twice, late or not at all, so the functions that they call check the state of the rows first.
"""

from typing import Any

from celery import shared_task

from labeling import exports, periodic
from labeling.accounts import links
from labeling.dialogues import answers
from labeling.imports import uploads
from labeling.prompts import near_duplicates
from labeling.rounds import training_jobs
from labeling.safety import cases, moderations, shadow
from labeling.sampling import runs
from labeling.webhooks import deliveries
from records import EmbedResult, RecordError, SampleResult, ScreenResult, TrainingProgress, TrainingResult, decode
from records.names import (
    BUILD_EXPORT,
    DELIVER,
    MAIL_LINK,
    RECORD_COMPLETIONS,
    RECORD_SAMPLING_FAILURE,
    RECORD_SAMPLING_STARTED,
    RECORD_SCREENINGS,
    RECORD_TRAINING_PROGRESS,
    RECORD_TRAINING_RELEASED,
    RECORD_TRAINING_RESULT,
    RECORD_VECTORS,
    SWEEP,
    TAKE_IN,
)


@shared_task(name=RECORD_SAMPLING_STARTED)
def record_sampling_started(*, run_id: str, attempt: int) -> None:
    runs.record_started(run_id, attempt)


@shared_task(name=RECORD_COMPLETIONS)
def record_completions(result: dict[str, Any]) -> None:
    """Record the sampler's result, which Celery passes on as the return value of the sampling task."""
    try:
        answers.record_completions(decode(SampleResult, result))
    except RecordError as error:
        runs.record_failure(result["run_id"], result["attempt"], f"The sampler sent no proper record: {error}")


@shared_task(name=RECORD_SAMPLING_FAILURE)
def record_sampling_failure(*, run_id: str, attempt: int, error: str = "") -> None:
    runs.record_failure(run_id, attempt, error or "The sampler broke off with an error; its log says more.")


@shared_task(name=RECORD_VECTORS)
def record_vectors(result: dict[str, Any]) -> None:
    """Record the sampler's vectors, which Celery passes on as the return value of the embedding task."""
    found = decode(EmbedResult, result, where="vectors")
    near_duplicates.record_vectors(found)  # each knows its own rows among the ids
    cases.record_vectors(found)


@shared_task(name=RECORD_SCREENINGS)
def record_screenings(result: dict[str, Any]) -> None:
    """Record what a filter said after the fact, which Celery passes on as the return value of the screening task.

    What it said of a program's texts is handed over to the request that waits for it.
    """
    seen = decode(ScreenResult, result, where="screenings")
    if moderations.is_ours(seen):
        moderations.hand_over(seen)
    else:
        shadow.record(seen)


@shared_task(name=BUILD_EXPORT)
def build_export(*, export_id: str) -> None:
    exports.build(export_id)


@shared_task(name=TAKE_IN)
def take_in(*, import_id: str) -> None:
    uploads.run_import(import_id)


@shared_task(name=DELIVER)
def deliver(*, delivery_id: str) -> None:
    deliveries.deliver(delivery_id)


@shared_task(name=RECORD_TRAINING_PROGRESS)
def record_training_progress(*, progress: dict[str, Any]) -> None:
    training_jobs.record_progress(decode(TrainingProgress, progress, where="training progress"))


@shared_task(name=RECORD_TRAINING_RESULT)
def record_training_result(*, result: dict[str, Any]) -> None:
    training_jobs.record_result(decode(TrainingResult, result, where="training result"))


@shared_task(name=RECORD_TRAINING_RELEASED)
def record_training_released(*, job_id: str, attempt: int) -> None:
    training_jobs.release_job(job_id, attempt=attempt)


@shared_task(name=SWEEP)
def sweep() -> None:
    periodic.sweep()


@shared_task(name=MAIL_LINK)
def mail_link(*, name: str, url: str) -> None:
    """Mail a link to whoever has this name or address; here, so that who asked cannot tell by the time it takes."""
    links.ask_for_password(name=name, url=url)
