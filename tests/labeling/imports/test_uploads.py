"""Files brought in from the browser: chosen, looked at, taken in by a worker, refused or discarded."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from labeling.imports import FileRefused, import_rankings, uploads
from labeling.jobs import leases
from labeling.models import AuditEvent, Dialogue, Import, Project, Prompt, Ranking, User
from tests.labeling.factories import make_project, make_user
from tests.labeling.imports.files import assistant, hh_pair, ranking_record, user
from tests.labeling.signed_in import as_user, htmx_get

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store", "sent")]


@pytest.fixture
def project() -> Project:
    return make_project(slug="sky", name="Sky")


def url(name: str, *arguments: Any) -> str:
    return reverse(name, args=("sky", *arguments))


def upload(client: Client, *lines: Any, name: str = "pairs.jsonl", into: str = "rankings", zipped: bool = False) -> Any:
    content = "".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines).encode()
    file = SimpleUploadedFile(name, gzip.compress(content) if zipped else content)
    return client.post(url("new_import"), {"file": file, "into": into})


def test_a_file_is_shown_before_anything_is_imported(project: Project, erins_browser: Client) -> None:
    answer = upload(
        erins_browser, hh_pair("Yes, **do**."), "{broken", hh_pair("Sure."), zipped=True, name="pairs.jsonl.gz"
    )
    brought = Import.objects.get()
    assert answer.url == url("import", brought.id)
    assert (brought.format, brought.file_name, brought.state) == ("hh", "pairs.jsonl.gz", Import.State.PREVIEWED)
    page = erins_browser.get(answer.url).content.decode()
    assert "Anthropic HH pairs" in page
    assert "<strong>do</strong>" in page
    assert "line 2: not JSON" in page
    assert not Ranking.objects.exists()


def test_a_confirmed_file_is_imported_by_a_worker_and_then_deleted(
    project: Project,
    erins_browser: Client,
    sent: list[Any],
    store: Path,
    django_capture_on_commit_callbacks: Callable[..., Any],
) -> None:
    upload(erins_browser, ranking_record(0), ranking_record(1), ranking_record(0))
    brought = Import.objects.get()
    with django_capture_on_commit_callbacks(execute=True):
        erins_browser.post(url("import", brought.id))
    assert sent == [("labeling.take_in", {"import_id": str(brought.id)})]
    assert "Waiting for a worker" in erins_browser.get(url("import", brought.id)).content.decode()
    assert uploads.run_import(brought.id)
    brought.refresh_from_db()
    assert brought.state == Import.State.DONE
    assert (brought.report["imported"], brought.report["repeated"]) == (2, 1)
    assert set(Ranking.objects.values_list("source", flat=True)) == {"pairs.jsonl"}
    assert not uploads.path_of(brought).exists()
    state = htmx_get(erins_browser, url("import_state", brought.id)).content.decode()
    assert "hx-trigger" not in state
    assert not uploads.run_import(brought.id), "a second message changes nothing"
    erins_browser.post(url("import", brought.id))
    brought.refresh_from_db()
    assert brought.state == Import.State.DONE


def test_one_bad_line_stops_the_import_unless_they_are_left_out(project: Project, erins_browser: Client) -> None:
    for values, state, num in (({}, Import.State.FAILED, 0), ({"skips_bad_lines": "on"}, Import.State.DONE, 1)):
        upload(erins_browser, hh_pair(), "{broken")
        brought = Import.objects.latest("created_at")
        erins_browser.post(url("import", brought.id), values)
        uploads.run_import(brought.id)
        brought.refresh_from_db()
        assert (brought.state, Ranking.objects.count()) == (state, num)
        page = erins_browser.get(url("import", brought.id)).content.decode()
        assert "not JSON at column 2" in page


def test_who_brought_confirmed_and_discarded_a_file_stays_on_record(project: Project, erins_browser: Client) -> None:
    for action in ("import", "discard_import"):
        upload(erins_browser, hh_pair())
        erins_browser.post(url(action, Import.objects.latest("created_at").id))
    confirmed = Import.objects.get(state=Import.State.WAITING)
    assert uploads.run_import(confirmed.id)
    events = AuditEvent.objects.order_by("at", "id").values_list("verb", "by__username")
    verbs = ["bring file", "confirm import", "bring file", "discard import", "import rankings"]
    assert list(events) == [(verb, "erin") for verb in verbs]


def test_a_file_that_was_confirmed_cannot_be_discarded_nor_confirmed_again(project: Project) -> None:
    brought = _bring(project, hh_pair())
    assert uploads.confirm(brought, by=None, skips_bad_lines=True)
    assert not uploads.discard(brought, by=None)
    assert not uploads.confirm(brought, by=None, skips_bad_lines=False)
    brought.refresh_from_db()
    assert (brought.state, brought.skips_bad_lines) == (Import.State.WAITING, True)
    assert uploads.path_of(brought).exists()


def test_a_message_is_not_lost_because_the_file_came_in_long_ago(project: Project, sent: list[Any]) -> None:
    brought = _bring(project, hh_pair())
    Import.objects.update(created_at="2026-01-01T00:00Z")
    uploads.confirm(brought, by=None, skips_bad_lines=False)
    assert (uploads.sweep_imports(), sent) == (0, [])


@pytest.mark.parametrize("fails", [False, True])
def test_an_attempt_that_ends_late_changes_nothing_and_leaves_the_file_to_the_next(
    project: Project, monkeypatch: pytest.MonkeyPatch, *, fails: bool
) -> None:
    brought = _bring(project, hh_pair())
    uploads.confirm(brought, by=None, skips_bad_lines=False)
    take_in = import_rankings

    def sleep_through_the_lease(path: Path, **given: Any) -> Any:
        report = take_in(path, **given)
        Import.objects.update(lease_until="2026-01-01T00:00Z")
        assert leases.claim(Import, brought.id) is not None
        if fails:
            raise FileRefused("it has changed")
        return report

    with monkeypatch.context() as patched:
        patched.setattr(uploads, "import_rankings", sleep_through_the_lease)
        assert not uploads.run_import(brought.id)
    brought.refresh_from_db()
    assert (brought.state, brought.attempt, brought.report) == (Import.State.RUNNING, 2, {})
    Import.objects.update(lease_until="2026-01-01T00:00Z")
    assert uploads.run_import(brought.id)
    assert Ranking.objects.count() == 1


def test_a_file_whose_every_attempt_died_is_deleted(project: Project, sent: list[Any]) -> None:
    brought = _bring(project, hh_pair())
    uploads.confirm(brought, by=None, skips_bad_lines=False)
    Import.objects.update(state=Import.State.RUNNING, attempt=Import.MAX_ATTEMPTS, lease_until="2026-01-01T00:00Z")
    assert uploads.sweep_imports() == 1
    brought.refresh_from_db()
    assert (brought.state, sent) == (Import.State.FAILED, [])
    assert not uploads.path_of(brought).exists()


def _bring(project: Project, *lines: Any, name: str = "pairs.jsonl") -> Import:
    content = [f"{json.dumps(line)}\n".encode() for line in lines]
    return uploads.bring(project, name=name, content=content, kind="rankings", by=None)


def test_openings_go_into_the_pool(project: Project, erins_browser: Client) -> None:
    upload(erins_browser, {"messages": [user("Q"), assistant("A")]}, into="prompts")
    brought = Import.objects.get()
    erins_browser.post(url("import", brought.id))
    uploads.run_import(brought.id)
    assert Prompt.objects.get().messages == [user("Q")]
    assert not Dialogue.objects.exists()
    assert url("near_duplicates") in erins_browser.get(url("import", brought.id)).content.decode()


def test_a_discarded_file_is_gone(
    project: Project, erins_browser: Client, django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    upload(erins_browser, hh_pair())
    brought = Import.objects.get()
    with django_capture_on_commit_callbacks(execute=True):
        erins_browser.post(url("discard_import", brought.id))
    brought.refresh_from_db()
    assert brought.state == Import.State.DISCARDED
    assert not uploads.path_of(brought).exists()
    erins_browser.post(url("import", brought.id))
    brought.refresh_from_db()
    assert brought.state == Import.State.DISCARDED


@pytest.mark.parametrize(
    ("lines", "into", "complaint"),
    [
        ([], "rankings", "The submitted file is empty"),
        (["Name,Rank"], "rankings", "neither JSON Lines nor JSON"),
        (["[1, 2]"], "rankings", "no known format looks like that"),
    ],
)
def test_a_file_that_is_no_data_answers_422_and_is_not_kept(
    erins_browser: Client, store: Path, lines: list[Any], into: str, complaint: str
) -> None:
    answer = upload(erins_browser, *lines, into=into, name="../../evil.json")
    assert answer.status_code == 422
    content = answer.content.decode()
    assert complaint in content
    assert ("evil.json" in content) == bool(lines), "it is named, unless there is nothing in it"
    assert "Nothing has been exported yet" not in content, "the form is shown again, not the data page"
    assert not Import.objects.exists()
    assert list(store.rglob("*.json")) == []


def test_a_file_that_is_too_large_is_not_kept(erins_browser: Client, store: Path, settings: Any) -> None:
    settings.LARGEST_UPLOAD = 100
    answer = upload(erins_browser, *(hh_pair(f"Yes {number}.") for number in range(10)))
    assert answer.status_code == 422
    assert "are imported with manage.py" in answer.content.decode()
    assert list(store.rglob("file*")) == []


def test_names_of_files_are_text_and_nothing_more(project: Project, erins_browser: Client) -> None:
    upload(erins_browser, hh_pair(), name="..\\..\\<b>x\u202e.jsonl")
    brought = Import.objects.get()
    assert brought.file_name == "<b>x.jsonl"
    assert brought.store_path == f"imports/{brought.id}/file.jsonl"
    page = erins_browser.get(url("data")).content.decode()
    assert "&lt;b&gt;x.jsonl" in page
    assert "<b>x" not in page


@pytest.mark.parametrize(
    ("name", "kept"),
    [("/etc/a.jsonl", "a.jsonl"), ("C:\\a\\b.jsonl", "b.jsonl"), ("a\n\x00b.jsonl", "ab.jsonl"), ("..", "file")],
)
def test_of_a_files_name_only_what_can_be_read_is_kept(project: Project, name: str, kept: str) -> None:
    assert _bring(project, hh_pair(), name=name).file_name == kept


def test_a_file_may_be_as_large_as_the_limit_and_not_a_byte_larger(
    project: Project, store: Path, settings: Any
) -> None:
    line = json.dumps(hh_pair()).encode()
    pieces = [line[:40], line[40:]]  # each of them is smaller than the limit
    settings.LARGEST_UPLOAD = len(line)
    assert uploads.bring(project, name="a.jsonl", content=pieces, kind="rankings", by=None).num_bytes == len(line)
    settings.LARGEST_UPLOAD = len(line) - 1
    with pytest.raises(uploads.UploadError, match=r"manage\.py"):
        uploads.bring(project, name="b.jsonl", content=pieces, kind="rankings", by=None)
    assert len(list(store.rglob("file*"))) == 1


def test_a_worker_that_died_is_followed_by_another(project: Project, erins_browser: Client, sent: list[Any]) -> None:
    upload(erins_browser, hh_pair())
    brought = Import.objects.get()
    erins_browser.post(url("import", brought.id))
    assert leases.claim(Import, brought.id) is not None
    Import.objects.update(lease_until="2026-01-01T00:00Z")
    assert uploads.sweep_imports() == 1
    assert sent[-1] == ("labeling.take_in", {"import_id": str(brought.id)})
    assert uploads.run_import(brought.id)
    assert Ranking.objects.count() == 1


def test_a_file_that_nobody_took_in_is_thrown_away_after_a_week(
    project: Project, erins_browser: Client, django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    for age in ("2026-01-01T00:00Z", None):
        upload(erins_browser, hh_pair())
        if age:
            Import.objects.update(created_at=age)
    old, fresh = Import.objects.order_by("created_at")
    with django_capture_on_commit_callbacks(execute=True):
        assert uploads.sweep_imports() == 1
    old.refresh_from_db()
    assert old.state == Import.State.DISCARDED
    assert not uploads.path_of(old).exists()
    assert uploads.path_of(fresh).exists()


def test_the_form_has_a_page_of_its_own(project: Project, erins_browser: Client) -> None:
    """Where a reload leads once a file was refused, and the sign-in where the session ended meanwhile."""
    answer = erins_browser.get(url("new_import"))
    assert answer.status_code == 200
    assert f'action="{url("new_import")}"' in answer.content.decode()
    assert "errorlist" not in answer.content.decode()


def test_only_engineers_and_admins_of_the_project_may_bring_a_file(project: Project) -> None:
    for role, status in ((User.Role.TRAINER, 403), (User.Role.REVIEWER, 403), (User.Role.ENGINEER, 302)):
        assert upload(as_user(make_user(role=role, projects=[project])), hh_pair()).status_code == status
    assert upload(as_user(make_user(role=User.Role.ENGINEER)), hh_pair()).status_code == 404
    assert Import.objects.count() == 1


def test_files_of_another_project_look_missing(project: Project, erins_browser: Client) -> None:
    other = make_project(slug="sea")
    stranger = as_user(make_user(role=User.Role.ENGINEER, projects=[other]))
    upload(erins_browser, hh_pair())
    brought = Import.objects.get()
    for name in ("import", "import_state"):
        assert stranger.get(url(name, brought.id)).status_code == 404
        assert stranger.get(reverse(name, args=("sea", brought.id))).status_code == 404
    assert stranger.post(url("discard_import", brought.id)).status_code == 404
    assert not AuditEvent.objects.filter(verb="discard import").exists()
