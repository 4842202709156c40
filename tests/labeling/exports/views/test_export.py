"""The page of one export, and its files as downloads: authorised, resumable, logged."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client, RequestFactory
from django.test.client import AsyncRequestFactory
from django.urls import reverse
from django.utils import timezone

from labeling.exports.downloads import file_response
from labeling.models import AuditEvent, Export, Project, Ranking, RewardModel, User
from tests.labeling.api.api_client import Program
from tests.labeling.audit import audit_maintenance
from tests.labeling.exports.material import directory_of, exported, make_ranking, manifest_of
from tests.labeling.factories import make_project, make_prompt, make_user
from tests.labeling.signed_in import as_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project(slug="sky", name="Sky")


@pytest.fixture
def export(project: Project) -> Export:
    for number in range(5):
        make_prompt(project=project, content=f"Question {number}, and a <script>alert(1)</script>?")
    return exported(project, "prompts")


def file_url(export: Export, name: str = "prompts.jsonl") -> str:
    return reverse("export_file", args=(export.project.slug, export.id, name))


def body(response: Any) -> bytes:
    return b"".join(response.streaming_content)


def num_downloads() -> int:
    return AuditEvent.objects.filter(verb="download export").count()


def test_the_page_shows_files_hashes_and_the_card(erins_browser: Client, export: Export) -> None:
    content = erins_browser.get(reverse("export", args=("sky", export.id))).content.decode()
    assert "prompts.jsonl" in content
    assert export.manifest_sha256 in content
    assert '<h2 dir="auto">Contents</h2>' in content
    assert f"?export={export.id}#train" in content


def test_a_failed_export_says_why(project: Project, erins_browser: Client) -> None:
    failed = Export.objects.create(project=project, kind="prompts", state=Export.State.FAILED, error="No space left")
    assert "No space left" in erins_browser.get(reverse("export", args=("sky", failed.id))).content.decode()


def test_an_export_whose_files_are_gone_says_so(erins_browser: Client, export: Export) -> None:
    for path in directory_of(export).iterdir():
        path.unlink()
    assert "no longer in the store" in erins_browser.get(reverse("export", args=("sky", export.id))).content.decode()
    assert erins_browser.get(file_url(export)).status_code == 404


def test_a_file_comes_whole_as_an_attachment_and_is_logged(erins_browser: Client, export: Export) -> None:
    response = erins_browser.get(file_url(export))
    content = (directory_of(export) / "prompts.jsonl").read_bytes()
    assert body(response) == content
    assert response.headers["Content-Disposition"].startswith('attachment; filename="sky-')
    assert response.headers["Content-Type"] == "application/octet-stream"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Content-Length"] == str(len(content))
    event = AuditEvent.objects.get(verb="download export")
    assert (str(event.by), event.detail) == ("Erin", {"file": "prompts.jsonl"})


@pytest.mark.parametrize(
    ("asked", "span"),
    [
        ("bytes=0-9", (0, 10)),
        ("bytes=10-", (10, None)),
        ("bytes=-7", (-7, None)),
        ("bytes=5-99999999", (5, None)),
        ("Bytes=3-9", (3, 10)),
    ],
)
def test_a_part_is_what_was_asked_for(
    erins_browser: Client, export: Export, asked: str, span: tuple[int, int | None]
) -> None:
    content = (directory_of(export) / "prompts.jsonl").read_bytes()
    response = erins_browser.get(file_url(export), headers={"Range": asked})
    assert response.status_code == 206
    part = content[slice(*span)]
    assert body(response) == part
    start = content.index(part) if span[0] >= 0 else len(content) - 7
    assert response.headers["Content-Range"] == f"bytes {start}-{start + len(part) - 1}/{len(content)}"


def test_a_download_that_broke_off_is_resumed_only_on_the_same_file(erins_browser: Client, export: Export) -> None:
    whole = erins_browser.get(file_url(export))
    tag, content = whole.headers["ETag"], body(whole)
    rest = erins_browser.get(file_url(export), headers={"Range": "bytes=20-", "If-Range": tag})
    assert content[:20] + body(rest) == content
    other = erins_browser.get(file_url(export), headers={"Range": "bytes=20-", "If-Range": '"another"'})
    assert (other.status_code, body(other)) == (200, content)
    assert num_downloads() == 2, "the rest of a download is no new one, but the whole file once more is"


@pytest.mark.parametrize("asked", ["bytes=99999999-", "bytes=-0"])
def test_a_part_outside_the_file_is_refused(erins_browser: Client, export: Export, asked: str) -> None:
    response = erins_browser.get(file_url(export), headers={"Range": asked})
    assert response.status_code == 416
    assert response.headers["Content-Range"].startswith("bytes */")
    assert num_downloads() == 0, "nothing was sent"


@pytest.mark.parametrize(
    "asked", ["lines=1-2", "bytes=a-b", "bytes=1-2,5-6", "bytes=-", "bytes=5-2,", "bytes=5-2", f"bytes={'9' * 5000}-"]
)
def test_what_is_no_single_part_gives_the_whole_and_is_logged(
    erins_browser: Client, export: Export, asked: str
) -> None:
    for num in (1, 2):
        assert erins_browser.get(file_url(export), headers={"Range": asked}).status_code == 200
        assert num_downloads() == num


@pytest.mark.parametrize("asked", ["bytes=1-", "bytes=-100", "bytes=3-9", "bytes=0-9"])
def test_a_part_of_a_file_that_was_not_begun_is_logged_once(erins_browser: Client, export: Export, asked: str) -> None:
    for _ in range(2):
        assert erins_browser.get(file_url(export), headers={"Range": asked}).status_code == 206
        assert num_downloads() == 1


def test_a_range_that_does_not_apply_any_more_is_logged_as_the_whole_that_it_gives(
    erins_browser: Client, export: Export
) -> None:
    for num, held in enumerate(['"another"', "Wed, 21 Oct 2015 07:28:00 GMT", 'W/"weak"'], start=1):
        response = erins_browser.get(file_url(export), headers={"Range": "bytes=1-", "If-Range": held})
        assert response.status_code == 200
        assert num_downloads() == num


def test_a_download_is_continued_only_by_who_began_it_of_what_was_begun_and_for_a_day(
    erins_browser: Client, export: Export
) -> None:
    rest = {"Range": "bytes=1-"}
    erins_browser.get(file_url(export))
    erins_browser.get(file_url(export), headers=rest)
    assert num_downloads() == 1
    as_user(make_user(role=User.Role.ADMIN)).get(file_url(export), headers=rest)
    assert num_downloads() == 2, "by another person"
    erins_browser.get(file_url(export, "card.md"), headers=rest)
    assert num_downloads() == 3, "of another file"
    with audit_maintenance():
        AuditEvent.objects.update(at=timezone.now() - timedelta(days=1))
    erins_browser.get(file_url(export), headers=rest)
    assert num_downloads() == 4, "a day later"


def test_the_api_logs_a_range_that_does_not_apply_too(export: Export) -> None:
    engineer = Program(make_user(username="eve", role=User.Role.ENGINEER, projects=[export.project]))
    path = f"/api/v1/projects/sky/exports/{export.id}/files/prompts.jsonl"
    headers = {"Authorization": f"Bearer {engineer.text}", "Range": "bytes=1-", "If-Range": '"another"'}
    assert engineer.client.get(path, headers=headers).status_code == 200
    assert AuditEvent.objects.get(verb="download export").by == engineer.token.owner
    assert engineer.client.head(path, headers=headers).status_code == 200
    assert num_downloads() == 1


def test_where_nothing_is_sent_nothing_is_logged(erins_browser: Client, export: Export) -> None:
    tag = erins_browser.get(file_url(export)).headers["ETag"]
    with audit_maintenance():
        AuditEvent.objects.all().delete()
    tags = {export.manifest_sha256, *(file["sha256"] for file in manifest_of(export)["files"].values())}
    assert tag.strip('"') in tags
    for held in (tag, f'"older", {tag}', f"W/{tag}", "*"):  # a proxy that compresses weakens a tag
        response = erins_browser.get(file_url(export), headers={"If-None-Match": held})
        assert (response.status_code, response.content, response.headers["ETag"]) == (304, b"", tag)
    assert erins_browser.get(file_url(export), headers={"If-Match": '"older"'}).status_code == 412
    assert num_downloads() == 0
    assert erins_browser.get(file_url(export), headers={"If-None-Match": '"older"'}).status_code == 200
    assert num_downloads() == 1


def test_the_headers_alone_are_of_the_whole_file_and_no_download(erins_browser: Client, export: Export) -> None:
    whole = erins_browser.get(file_url(export))
    with audit_maintenance():
        AuditEvent.objects.all().delete()
    for asked in ({}, {"Range": "bytes=0-9"}, {"Range": "bytes=99999999-"}):
        response = erins_browser.head(file_url(export), headers=asked)
        assert (response.status_code, response.streaming, response.content) == (200, False, b"")
        told = [{**one.headers, "X-Request-ID": ""} for one in (response, whole)]  # each request has an id of its own
        assert told[0] == told[1]
    held = {"If-None-Match": whole.headers["ETag"]}
    assert erins_browser.head(file_url(export), headers=held).status_code == 304
    assert erins_browser.head(file_url(export, "absent.jsonl")).status_code == 404
    assert erins_browser.post(file_url(export)).status_code == 405
    assert num_downloads() == 0


def test_a_file_of_no_bytes_has_no_part(erins_browser: Client, project: Project) -> None:
    empty = exported(project, "demonstrations")
    url = file_url(empty, "demonstrations.jsonl")
    assert erins_browser.get(url, headers={"Range": "bytes=0-"}).status_code == 416
    whole = erins_browser.get(url)
    assert (whole.status_code, body(whole), whole.headers["Content-Length"]) == (200, b"", "0")


@pytest.mark.parametrize(
    "name",
    ["absent.jsonl", "..", "%2e%2e%2fsecret_key", "..%2f..%2fsecret_key", ".prompts.jsonl", "CON"],
)
def test_only_files_of_the_manifest_are_there(erins_browser: Client, export: Export, name: str) -> None:
    assert erins_browser.get(f"/p/sky/data/exports/{export.id}/files/{name}").status_code == 404


def test_strangers_get_nothing(export: Export) -> None:
    stranger = as_user(make_user(role=User.Role.ENGINEER))
    trainer = as_user(make_user(role=User.Role.TRAINER, projects=[export.project]))
    assert stranger.get(file_url(export)).status_code == 404
    assert trainer.get(file_url(export)).status_code == 403
    assert Client().get(file_url(export)).status_code == 302


def test_under_asgi_a_file_is_streamed_piece_by_piece(tmp_path: Path) -> None:
    path = tmp_path / "big"
    path.write_bytes(bytes(range(256)) * 4096)
    response: Any = file_response(AsyncRequestFactory().get("/"), path, name="big", sha256="x")
    assert response.is_async

    async def collect(pieces: AsyncIterator[bytes]) -> list[bytes]:
        return [piece async for piece in pieces]

    pieces = asyncio.run(collect(response.streaming_content))
    assert b"".join(pieces) == path.read_bytes()
    assert len(pieces) > 1
    assert not file_response(RequestFactory().get("/"), path, name="big", sha256="x").is_async  # type: ignore[attr-defined]


# Against an earlier export


def differences_url(export: Export, other: Any) -> str:
    return f"{reverse('export_differences', args=(export.project.slug, export.id))}?other={other}"


def test_an_export_is_compared_with_an_earlier_one(erins_browser: Client, export: Export, project: Project) -> None:
    make_prompt(project=project, content="A <b>new</b> question")
    newer = exported(project, "prompts")
    page = erins_browser.get(reverse("export", args=("sky", newer.id))).content.decode()
    assert reverse("export_differences", args=("sky", newer.id)) in page
    content = erins_browser.get(differences_url(newer, export.id)).content.decode()
    assert "A &lt;b&gt;new&lt;/b&gt; question" in content
    assert "<b>5</b>" in content
    same = erins_browser.get(differences_url(exported(project, "prompts"), newer.id)).content.decode()
    assert "Both hold the same records" in same


def test_what_is_no_export_of_the_project_cannot_be_compared_with(erins_browser: Client, export: Export) -> None:
    elsewhere = exported(make_project(slug="elsewhere"), "prompts")
    Export.objects.filter(id=elsewhere.id).update(created_at=export.created_at - timedelta(days=1))
    for other in (elsewhere.id, export.id, "nonsense", ""):
        assert erins_browser.get(differences_url(export, other)).status_code == 422


@pytest.mark.parametrize("name", ["export", "export_state", "export_row", "export_differences", "cancel_export"])
def test_an_export_is_for_engineers_and_admins_of_its_project(export: Export, project: Project, name: str) -> None:
    def status(person: User) -> int:
        client, url = as_user(person), reverse(name, args=("sky", export.id))
        return (client.post(url) if name == "cancel_export" else client.get(url)).status_code

    assert status(make_user(role=User.Role.TRAINER, projects=[project])) == 403
    assert status(make_user(role=User.Role.REVIEWER, projects=[project])) == 403
    assert status(make_user(role=User.Role.ENGINEER)) == 404


def test_an_export_that_is_not_done_has_no_files(erins_browser: Client, export: Export) -> None:
    """An attempt that dies before its commit leaves a directory that the next one replaces."""
    for state in (Export.State.RUNNING, Export.State.CANCELLED, Export.State.FAILED):
        Export.objects.filter(id=export.id).update(state=state)
        assert erins_browser.get(file_url(export)).status_code == 404


def test_an_export_and_its_models_say_what_was_taken_back(erins_browser: Client, project: Project) -> None:
    ranking = make_ranking(project=project)
    export = exported(project)
    model = RewardModel.objects.create(name="rm-1", store_path="rewardmodels/rm-1", manifest_sha256="0", export=export)
    pages = [reverse("export", args=("sky", export.id)), reverse("model", args=(model.id,))]
    assert not any("retracted or withdrawn" in erins_browser.get(page).content.decode() for page in pages)
    Ranking.objects.filter(id=ranking.id).update(retracted_at=timezone.now())
    assert all("retracted or withdrawn" in erins_browser.get(page).content.decode() for page in pages)
