"""Logs of training jobs in the browser and over the API: who may read them, what is shown, and how much."""

from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse

from labeling.models import Project, TrainingJob, User
from labeling.rounds import job_logs
from tests.labeling.api.api_client import Program
from tests.labeling.factories import make_policy, make_project, make_user
from tests.labeling.rounds.views.test_rounds import make_job
from tests.labeling.signed_in import as_user, htmx_get

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project(slug="sky", policy=make_policy(name="base"))


@pytest.fixture
def job(project: Project, store: Path) -> TrainingJob:
    job = make_job(project, state=TrainingJob.State.RUNNING, output_name="tuned")
    write_log(store, job, 1, "step 1\n")
    write_log(store, job, 2, "loading …\r\n\x1b[31mstep 10 <b>\x1b[0m\nstep 11\n")
    return job


def write_log(store: Path, job: TrainingJob, attempt: int, text: str) -> None:
    folder = store / "jobs" / str(job.id)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"attempt-{attempt}.log").write_bytes(text.encode())
    (folder / f"attempt-{attempt}.progress.jsonl").write_text("{}")


def url(name: str, *arguments: object) -> str:
    return reverse(name, args=("sky", *arguments))


def test_the_newest_log_is_shown_while_it_grows(erins_browser: Client, job: TrainingJob, store: Path) -> None:
    assert url("job_log", job.id) in erins_browser.get(url("training_job", job.id)).content.decode()
    content = erins_browser.get(url("job_log", job.id)).content.decode()
    assert "loading …\nstep 10 &lt;b&gt;\nstep 11" in content
    assert "step 1\n<" not in content
    assert 'hx-trigger="every 3s"' in content
    write_log(store, job, 2, "step 12\n")
    fragment = htmx_get(erins_browser, url("job_log", job.id)).content.decode()
    assert "step 12" in fragment
    assert "<html" not in fragment
    TrainingJob.objects.update(state=TrainingJob.State.DONE)
    assert "every 3s" not in htmx_get(erins_browser, url("job_log", job.id)).content.decode()


def test_of_a_long_log_the_page_has_the_last_whole_lines(erins_browser: Client, job: TrainingJob, store: Path) -> None:
    write_log(store, job, 3, "".join(f"line {number}\n" for number in range(10_000)))
    content = erins_browser.get(url("job_log", job.id)).content.decode()
    shown = content[content.index("<code>") : content.index("</code>")]
    first = shown.removeprefix("<code>").partition("\n")[0]
    assert first.startswith("line ")
    assert int(first.split()[1]) > 6_000
    assert shown.rstrip().endswith("line 9999")


def test_a_whole_log_is_a_file(erins_browser: Client, job: TrainingJob, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = erins_browser.get(url("job_log_file", job.id, 1))
    assert b"".join(answer.streaming_content) == b"step 1\n"  # type: ignore[attr-defined]
    assert answer.headers["Content-Disposition"] == 'attachment; filename="tuned-attempt-1.log"'
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    monkeypatch.setattr(job_logs, "MOST_SENT", 4)
    answer = erins_browser.get(url("job_log_file", job.id, 1))
    assert (b"".join(answer.streaming_content), answer.headers["Content-Length"]) == (b"p 1\n", "4")  # type: ignore[attr-defined]
    assert erins_browser.get(url("job_log_file", job.id, 3)).status_code == 404


def test_a_job_that_no_worker_began_has_no_log(erins_browser: Client, project: Project, store: Path) -> None:
    assert "No log yet" in erins_browser.get(url("job_log", make_job(project).id)).content.decode()


def test_nothing_but_logs_is_read(erins_browser: Client, project: Project, store: Path) -> None:
    job = make_job(project)
    folder = store / "jobs" / str(job.id)
    (folder / "attempt-1.log").mkdir(parents=True)
    (store / "secret").write_text("secret")
    (folder / "attempt-2.log").symlink_to(store / "secret")
    assert job_logs.logs_of(job) == []
    assert erins_browser.get(url("job_log_file", job.id, 2)).status_code == 404


def test_logs_have_the_rights_of_their_job(project: Project, job: TrainingJob) -> None:
    trainer, stranger = make_user(projects=[project]), make_user(role=User.Role.ENGINEER)
    for address in (url("job_log", job.id), url("job_log_file", job.id, 1)):
        assert as_user(trainer).get(address).status_code == 403
        assert as_user(stranger).get(address).status_code == 404
    for path in (f"projects/sky/jobs/{job.id}/logs", f"projects/sky/jobs/{job.id}/logs/1"):
        assert Program(trainer).get(path).status_code == 403
        assert Program(stranger).get(path).status_code == 404


def test_a_program_reads_them_too(project: Project, job: TrainingJob) -> None:
    erin = Program(make_user(role=User.Role.ENGINEER, projects=[project]))
    found = erin.get(f"projects/sky/jobs/{job.id}/logs").json()
    assert [log["attempt"] for log in found] == [2, 1]
    assert found[1]["num_bytes"] == 7
    answer = erin.get(f"projects/sky/jobs/{job.id}/logs/1")
    assert b"".join(answer.streaming_content) == b"step 1\n"
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert erin.get(f"projects/sky/jobs/{job.id}/logs/9").status_code == 404
