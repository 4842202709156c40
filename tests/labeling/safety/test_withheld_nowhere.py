"""What the filter withheld is nowhere to be read: on no page, in no answer of the API, in no export, in no stream."""

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.core import serializers
from django.test import Client

from labeling import exports, models
from labeling.models import Export, SamplingRun, Withheld
from labeling.sampling import streaming
from labeling.webhooks.deliveries import add_webhook
from tests.labeling.sampling.screened import WITHHELD
from tests.labeling.signed_in import as_user
from tests.labeling.web.full_project import FullProject, addresses, make_full_project

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store", "sent", "quick_passwords")]


@pytest.fixture
def full(settings: Any) -> Iterator[FullProject]:
    settings.API_REQUESTS_PER_MINUTE = 10**9
    logging.disable(logging.CRITICAL)
    yield make_full_project()
    logging.disable(logging.NOTSET)


def test_the_full_project_withholds_something(full: FullProject) -> None:
    held = Withheld.objects.filter(screening__project=full.project)
    assert held.count() == 4
    assert all(WITHHELD in one.content for one in held)


@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}], ids=["pages", "fragments"])
def test_no_page_and_no_answer_holds_what_was_withheld(full: FullProject, headers: dict[str, str]) -> None:
    client = as_user(full.adam)
    session = client.cookies["sessionid"].value
    client.raise_request_exception = False
    headers = {"Authorization": f"Bearer {full.program.text}", **headers}
    num_with_what_was_shown = 0
    walked = list(addresses())
    assert len(walked) > 200
    for pattern in walked:
        client.cookies.load({"sessionid": session})  # a page may have signed out
        answer = client.get(f"{full.address(pattern)}?text=shown", headers=headers)
        body = b"".join(answer) if not getattr(answer, "is_async", False) else b""
        assert WITHHELD.encode() not in body, pattern.name
        assert WITHHELD not in str(answer.headers), pattern.name
        num_with_what_was_shown += answer.status_code == 200 and b"It began well" in body
    assert num_with_what_was_shown >= 1


def test_every_screening_s_page_and_every_stream_is_without_it(full: FullProject) -> None:
    client = as_user(full.adam)
    screenings = list(models.Screening.objects.filter(project=full.project))
    assert len(screenings) > 10
    for one in screenings:
        answer = client.get(f"/p/{full.project.slug}/screenings/{one.pk}/?text=shown")
        assert answer.status_code == 200
        assert WITHHELD not in answer.content.decode()
    cut = list(SamplingRun.objects.filter(completions__finish_reason="filtered"))
    assert len(cut) == 4
    for run in cut:
        events = asyncio.run(_collected(streaming._events(run.pk, streaming._state_of(run), "")))
        assert "finished" in events
        assert WITHHELD not in events


async def _collected(events: Any) -> str:
    return "".join([event async for event in events])


@pytest.mark.parametrize("kind", Export.Kind.values)
def test_no_export_holds_it(full: FullProject, kind: str, store: Any) -> None:
    made = exports.request_export(full.project, kind=kind, by=full.adam, notify_worker=False)
    exports.build(made.id)
    files = [path for path in store.rglob("*") if path.is_file()]
    assert files
    assert all(WITHHELD.encode() not in path.read_bytes() for path in files)


def test_no_other_row_holds_it(full: FullProject) -> None:
    add_webhook(full.project, url="https://example.org/", events=["screening.blocked"], by=full.adam)
    tables = list(apps.get_app_config("labeling").get_models())
    assert Withheld in tables
    for model in tables:
        rows = serializers.serialize("json", model._base_manager.all())
        assert (WITHHELD in rows) == (model is Withheld), model.__name__


def test_a_stranger_sees_nothing_at_all(full: FullProject) -> None:
    answer = Client().get(f"/p/{full.project.slug}/screenings/")
    assert answer.status_code == 302
