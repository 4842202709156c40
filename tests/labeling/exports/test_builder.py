"""Exports are whole or not there, the same for the same rows, and made by one attempt at a time."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection

from labeling.exports import build, builder, cancel_export, request_export, sweep_exports
from labeling.exports.card import card_text
from labeling.exports.requests import State, remove_leftovers
from labeling.jobs import leases
from labeling.models import AuditEvent, Comparison, Dialogue, Export, Project, Prompt, Ranking, User
from records import ManifestError, verify_directory
from records.lines import to_line
from tests.labeling.exports.material import (
    directory_of,
    exported,
    ids_in,
    let_lease_run_out,
    make_ranking,
    manifest_of,
    rankings_in,
)
from tests.labeling.factories import make_dialogue, make_project, make_prompt, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project(slug="cooking", name="Cooking")


def asked(project: Project, **fields: Any) -> Export:
    return request_export(project, kind="rankings", by=None, notify_worker=False, **fields)


def test_it_publishes_records_card_and_manifest(project: Project) -> None:
    make_ranking(project=project)
    export = exported(project)
    assert (export.state, export.num_records, export.fraction) == (State.DONE, 1, 1.0)
    manifest = verify_directory(directory_of(export), expected_sha256=export.manifest_sha256)
    assert set(manifest["files"]) == {"rankings.jsonl", "card.md"}
    assert (manifest["format_version"], manifest["kind"], manifest["project"]) == (1, "rankings", "cooking")
    assert manifest["splits"]["train"] == 80
    assert manifest["guideline_versions"] == [1]
    assert export.counts == manifest["counts"]
    assert export.num_bytes == sum(path.stat().st_size for path in directory_of(export).iterdir())


def test_the_same_rows_and_filters_give_the_same_bytes(project: Project) -> None:
    for _ in range(5):
        make_ranking(project=project)
    first, again = exported(project), exported(project)
    assert first.manifest_sha256 == again.manifest_sha256
    for path in directory_of(first).iterdir():
        assert path.read_bytes() == (directory_of(again) / path.name).read_bytes()
    assert exported(project, since="2000-01-01").manifest_sha256 != first.manifest_sha256


def test_lines_are_canonical_and_in_order(project: Project) -> None:
    rankings = [make_ranking(project=project) for _ in range(5)]
    second = make_ranking(project=project, comparison=rankings[0].comparison)
    export = exported(project)
    records = rankings_in(export)
    assert (directory_of(export) / "rankings.jsonl").read_text() == "".join(map(to_line, records))
    keys = [(record.comparison_id, record.id) for record in records]
    assert keys == sorted((str(one.comparison_id), str(one.id)) for one in [*rankings, second])


def test_many_chunks_give_what_one_does(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(7):
        make_ranking(project=project)
    whole = exported(project).manifest_sha256
    monkeypatch.setattr(builder, "CHUNK", 2)
    assert exported(project).manifest_sha256 == whole


def test_an_empty_export_is_an_export(project: Project) -> None:
    export = exported(project)
    assert (export.state, export.num_records) == (State.DONE, 0)
    assert (directory_of(export) / "rankings.jsonl").read_bytes() == b""


def test_every_changed_byte_is_found(project: Project) -> None:
    make_ranking(project=project)
    export = exported(project)
    path = directory_of(export) / "rankings.jsonl"
    content = path.read_bytes()
    for place in (0, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with pytest.raises(ManifestError, match="is damaged"):
            verify_directory(directory_of(export))
    path.write_bytes(content)
    verify_directory(directory_of(export))


@pytest.mark.parametrize("scrubs", [False, True])  # which reads the rows in another way
def test_a_ranking_that_stops_counting_while_it_is_built_is_left_out(
    project: Project, monkeypatch: pytest.MonkeyPatch, *, scrubs: bool
) -> None:
    kept, retracted, withdrawn = (make_ranking(project=project) for _ in range(3))

    def take_back() -> None:
        Ranking.objects.filter(id=retracted.id).update(retracted_at="2026-01-01T00:00Z")
        Comparison.objects.filter(id=withdrawn.comparison_id).update(state=Comparison.State.WITHDRAWN)

    _once_chosen(monkeypatch, take_back)
    export = exported(project, scrubs_personal_data=scrubs)
    assert [record.id for record in rankings_in(export)] == [str(kept.id)]
    assert export.num_records == 1


def test_a_dialogue_or_prompt_that_stops_counting_while_it_is_built_is_left_out(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    said, withdrawn = (make_dialogue(project=project, state=Dialogue.State.ACCEPTED) for _ in range(2))
    prompt, retired = (make_prompt(project=project) for _ in range(2))

    def take_back() -> None:
        Dialogue.objects.filter(id=withdrawn.id).update(state=Dialogue.State.WITHDRAWN)
        Prompt.objects.filter(id=retired.id).update(retired_at="2026-01-01T00:00Z")

    _once_chosen(monkeypatch, take_back)
    assert ids_in(exported(project, "demonstrations")) == {str(said.id)}
    Prompt.objects.update(retired_at=None)
    assert ids_in(exported(project, "prompts")) == {str(prompt.id)}


def _once_chosen(monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]) -> None:
    """Have `act` happen between the choice of an export's rows and their reading."""
    freeze = builder._freeze_ids

    def freeze_then_act(*arguments: Any, **more: Any) -> int:
        total = freeze(*arguments, **more)
        act()
        return total

    monkeypatch.setattr(builder, "_freeze_ids", freeze_then_act)


def test_only_one_attempt_builds(project: Project) -> None:
    make_ranking(project=project)
    export = asked(project)
    held = leases.claim(Export, export.id)
    assert held is not None
    assert held.attempt == 1
    assert not build(export.id)
    let_lease_run_out(export)
    assert build(export.id)
    export.refresh_from_db()
    assert (export.state, export.attempt) == (State.DONE, 2)
    assert not build(export.id)


def test_an_attempt_removes_what_those_before_it_left_and_nothing_else(project: Project) -> None:
    export, other = asked(project), asked(project)
    Export.objects.filter(id=export.id).update(attempt=1)
    folders = {
        name: directory_of(export).with_name(f"tmp-{name}")
        for name in (f"{export.id}-1", f"{export.id}-1-whole", f"{export.id}-3", f"{other.id}-1")
    }
    for folder in folders.values():
        folder.mkdir(parents=True)
    assert build(export.id)
    assert [name for name, folder in folders.items() if folder.exists()] == [f"{export.id}-3", f"{other.id}-1"]
    remove_leftovers(export.id)
    assert [name for name, folder in folders.items() if folder.exists()] == [f"{other.id}-1"]


def test_an_attempt_that_lost_the_work_changes_nothing(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker frozen for longer than its lease wakes up when another has finished."""
    make_ranking(project=project)
    export = asked(project)
    write_card = card_text

    def sleep_through_another_attempt(*arguments: Any, **options: Any) -> str:
        monkeypatch.setattr(builder, "card_text", write_card)
        let_lease_run_out(export)
        assert build(export.id)
        return "a card that nobody may see"

    monkeypatch.setattr(builder, "card_text", sleep_through_another_attempt)
    assert not build(export.id)
    export.refresh_from_db()
    assert (export.state, export.attempt) == (State.DONE, 2)
    verify_directory(directory_of(export), expected_sha256=export.manifest_sha256)
    assert [path.name for path in directory_of(export).parent.iterdir()] == [str(export.id)]


@pytest.mark.parametrize("moment", ["_freeze_ids", "publish_directory"])  # its first act, and the last before its end
def test_a_cancelled_export_stops_and_leaves_nothing(
    project: Project, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    make_ranking(project=project)
    export = asked(project)
    adam = make_user(username="adam", role=User.Role.ADMIN)
    act = getattr(builder, moment)

    def act_then_cancel(*arguments: Any, **options: Any) -> Any:
        done = act(*arguments, **options)
        assert cancel_export(export, by=adam)
        return done

    monkeypatch.setattr(builder, moment, act_then_cancel)
    assert not build(export.id)
    export.refresh_from_db()
    assert export.state == State.CANCELLED
    assert list(directory_of(export).parent.iterdir()) == []
    assert AuditEvent.objects.filter(verb="cancel export", by=adam).exists()
    assert not cancel_export(export, by=adam)


def test_a_full_disk_fails_it_with_a_sentence(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    make_ranking(project=project)
    export = asked(project)

    def no_space(*arguments: Any, **options: Any) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(builder, "publish_directory", no_space)
    assert not build(export.id)
    export.refresh_from_db()
    assert export.state == State.FAILED
    assert "No space left on device" in export.error
    assert list(directory_of(export).parent.iterdir()) == []


def test_a_row_that_is_no_record_fails_it_and_is_named(project: Project) -> None:
    ranking = make_ranking(project=project)
    Ranking.objects.filter(id=ranking.id).update(tiers=[])
    export = asked(project)
    assert not build(export.id)
    export.refresh_from_db()
    assert export.state == State.FAILED
    assert f"ranking {ranking.id}" in export.error
    assert "leaves out completion" in export.error


def test_the_sweep_rings_for_lost_work_and_ends_what_used_up_its_attempts(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    monkeypatch.setattr("labeling.jobs.dispatch.send_task", lambda task, export_id: sent.append(export_id))
    fresh, lost, silent, hopeless = (asked(project) for _ in range(4))
    for export in (lost, silent, hopeless):
        Export.objects.filter(id=export.id).update(created_at="2026-01-01T00:00Z")
    for export in (silent, hopeless):
        leases.claim(Export, export.id)
        let_lease_run_out(export)
    Export.objects.filter(id=hopeless.id).update(attempt=Export.MAX_ATTEMPTS)
    leftover = directory_of(hopeless).with_name(f"tmp-{hopeless.id}-3")
    leftover.mkdir(parents=True)
    assert sweep_exports() == 3
    assert sent == [str(lost.id), str(silent.id)]
    hopeless.refresh_from_db()
    fresh.refresh_from_db()
    assert (fresh.state, hopeless.state) == (State.WAITING, State.FAILED)
    assert "stopped without a word" in hopeless.error
    assert not leftover.exists()


def test_a_request_rings_only_once_it_is_committed(
    project: Project, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    sent: list[str] = []
    monkeypatch.setattr("labeling.jobs.dispatch.send_task", lambda task, export_id: sent.append(export_id))
    with django_capture_on_commit_callbacks(execute=True):
        export = request_export(project, kind="prompts", by=None)
        assert sent == []
    assert sent == [str(export.id)]
    assert AuditEvent.objects.filter(verb="request export", subject_id=str(export.id)).exists()


def test_statements_do_not_grow_with_the_rows(project: Project, django_assert_max_num_queries: Any) -> None:
    for _ in range(40):
        make_ranking(project=project)
    export = asked(project)
    with django_assert_max_num_queries(28):
        assert build(export.id)


_SLOW_BUILD = """
import sys, time, django
django.setup()
from labeling.exports import builder
read_all = builder._chunks
def slowly(path):
    for chunk in read_all(path):
        print("chunk", flush=True)
        time.sleep(60)
        yield chunk
builder._chunks = slowly
builder.build(sys.argv[1])
"""


@pytest.mark.chaos
@pytest.mark.django_db(transaction=True)
def test_a_worker_killed_in_the_middle_costs_one_lease(project: Project, store: Path) -> None:
    for _ in range(3):
        make_ranking(project=project)
    export = asked(project)
    database = connection.settings_dict
    url = f"postgresql://{database['USER']}@/{database['NAME']}?host={database['HOST']}&port={database['PORT']}"
    environment = os.environ | {"DATABASE_URL": url, "PARLEY_STORE": str(store), "REDIS_URL": settings.REDIS_URL}
    worker = subprocess.Popen(
        [sys.executable, "-c", _SLOW_BUILD, str(export.id)],
        env=environment, stdout=subprocess.PIPE, text=True, cwd=settings.BASE_DIR,
    )  # fmt: skip
    assert worker.stdout is not None
    assert worker.stdout.readline() == "chunk\n"
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    export.refresh_from_db()
    assert (export.state, export.attempt) == (State.RUNNING, 1)
    assert not build(export.id)
    let_lease_run_out(export)
    begun = time.monotonic()
    assert build(export.id)
    assert time.monotonic() - begun < 10
    export.refresh_from_db()
    verify_directory(directory_of(export), expected_sha256=export.manifest_sha256)
    assert json.dumps(manifest_of(export)["counts"]["records"]) == "3"
    assert [path.name for path in directory_of(export).parent.iterdir()] == [str(export.id)]
