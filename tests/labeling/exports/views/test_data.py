"""The data page: what there is, exports to ask for, to watch and to stop."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from labeling.imports import uploads
from labeling.jobs import leases
from labeling.models import AuditEvent, Export, Project, User
from tests.labeling.exports.material import make_ranking
from tests.labeling.factories import make_project, make_prompt, make_user
from tests.labeling.imports.files import hh_pair
from tests.labeling.signed_in import HTMX, as_user, htmx_get

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store", "sent")]


@pytest.fixture
def project() -> Project:
    return make_project(slug="sky", name="Sky")


def url(name: str, *arguments: Any) -> str:
    return reverse(name, args=("sky", *arguments))


def ask(client: Client, **values: Any) -> Any:
    return client.post(url("new_export"), {"kind": "rankings", "validation_percent": 10, "test_percent": 10, **values})


def test_the_form_asks_for_every_filter(project: Project, erins_browser: Client) -> None:
    given = {
        "guideline_versions": ["1"],
        "agreement_at_least": "75",
        "split_by": "trainer",
        "scrubs_personal_data": "on",
    }
    assert ask(erins_browser, **given).status_code == 302
    filters = Export.objects.get().filters
    assert (filters["guideline_versions"], filters["agreement_at_least"]) == ([1], 75)
    assert (filters["split_by"], filters["scrubs_personal_data"]) == ("trainer", True)
    assert "agreement from 75 %" in erins_browser.get(url("data")).content.decode()
    assert ask(erins_browser, kind="prompts", split_by="prompt").status_code == 302
    assert ask(erins_browser, kind="prompts", split_by="trainer").status_code == 422
    assert ask(erins_browser, agreement_at_least="101").status_code == 422


def test_the_page_shows_what_there_is(project: Project, erins_browser: Client) -> None:
    make_ranking(project=project)
    make_prompt(project=project, topic="soup")
    content = erins_browser.get(url("data")).content.decode()
    assert "0 by people, 0 simulated, 1 imported" in content
    assert "Nothing has been exported yet" in content
    assert '<option value="soup">' in content


def test_only_engineers_and_admins_of_the_project_may_open_it(project: Project) -> None:
    for role, status in ((User.Role.TRAINER, 403), (User.Role.REVIEWER, 403), (User.Role.ENGINEER, 200)):
        assert as_user(make_user(role=role, projects=[project])).get(url("data")).status_code == status
    assert as_user(make_user(role=User.Role.ADMIN)).get(url("data")).status_code == 200
    assert as_user(make_user(role=User.Role.ENGINEER)).get(url("data")).status_code == 404
    assert Client().get(url("data")).status_code == 302


def test_only_engineers_and_admins_of_the_project_may_ask_for_an_export(project: Project) -> None:
    for role, status in ((User.Role.TRAINER, 403), (User.Role.REVIEWER, 403), (User.Role.ENGINEER, 302)):
        assert ask(as_user(make_user(role=role, projects=[project]))).status_code == status
    assert ask(as_user(make_user(role=User.Role.ENGINEER))).status_code == 404
    assert Export.objects.count() == 1


def test_an_export_is_asked_for_and_watched(
    project: Project,
    erins_browser: Client,
    sent: list[Any],
    django_capture_on_commit_callbacks: Callable[..., Any],
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        answer = ask(erins_browser, rounds=["1"], trainer_kinds=["person"], since="2026-01-02")
    export = Export.objects.get()
    assert answer["Location"] == url("export", export.id)
    assert sent == [("labeling.build_export", {"export_id": str(export.id)})]
    assert export.filters == {
        "rounds": [1], "trainer_kinds": ["person"], "since": "2026-01-02", "validation_percent": 10, "test_percent": 10,
    }  # fmt: skip
    assert str(export.requested_by) == "Erin"
    page = erins_browser.get(answer["Location"]).content.decode()
    assert "Waiting for a worker" in page
    assert "round 1; from 2026-01-02; made by person" in page
    leases.claim(Export, export.id)
    Export.objects.update(fraction=0.25)
    row = htmx_get(erins_browser, url("export_row", export.id)).content.decode()
    assert "25 %" in row
    assert 'hx-trigger="every 2s"' in row
    assert "Being built: 25 %" in htmx_get(erins_browser, url("export_state", export.id)).content.decode()


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"kind": "people"}, "Select a valid choice"),
        ({"rounds": ["7"]}, "7 is not one of the available choices"),
        ({"since": "2026-02-01", "until": "2026-01-01"}, "“since” is after “until”"),
        ({"kind": "prompts", "states": ["done"]}, "does not apply to prompts"),
        ({"test_percent": 95}, "less than or equal to 90"),
    ],
)
def test_filters_that_make_no_sense_answer_422(erins_browser: Client, values: dict[str, Any], complaint: str) -> None:
    answer = ask(erins_browser, **values)
    assert answer.status_code == 422
    assert complaint in answer.content.decode()
    assert not Export.objects.exists()


def test_an_export_under_way_can_be_stopped(project: Project, erins_browser: Client) -> None:
    ask(erins_browser)
    export = Export.objects.get()
    answer = erins_browser.post(url("cancel_export", export.id), headers=HTMX, follow=True)
    assert "This export was stopped" in answer.content.decode()
    assert "<html" not in answer.content.decode()
    export.refresh_from_db()
    assert export.state == Export.State.CANCELLED


def test_without_scripts_who_stops_an_export_is_led_back_to_its_page(project: Project, erins_browser: Client) -> None:
    ask(erins_browser)
    export = Export.objects.get()
    answer = erins_browser.post(url("cancel_export", export.id))
    assert (answer.status_code, answer["Location"]) == (302, url("export", export.id))
    assert "This export was stopped" in erins_browser.get(answer["Location"]).content.decode()


def test_an_export_that_ended_before_it_could_be_stopped_is_shown_as_it_is(
    project: Project, erins_browser: Client
) -> None:
    ask(erins_browser)
    export = Export.objects.get()
    Export.objects.update(state=Export.State.FAILED, error="No space left")
    answer = erins_browser.post(url("cancel_export", export.id), headers=HTMX, follow=True)
    assert "No space left" in answer.content.decode()
    export.refresh_from_db()
    assert export.state == Export.State.FAILED


def test_exports_of_another_project_look_missing(project: Project, erins_browser: Client) -> None:
    other = make_project(slug="sea")
    stranger = as_user(make_user(role=User.Role.ENGINEER, projects=[other]))
    ask(erins_browser)
    export = Export.objects.get()
    for name in ("export", "export_row", "export_state"):
        assert stranger.get(url(name, export.id)).status_code == 404
        assert stranger.get(reverse(name, args=("sea", export.id))).status_code == 404
    assert stranger.post(url("cancel_export", export.id)).status_code == 404
    assert not AuditEvent.objects.filter(verb="cancel export").exists()


def test_queries_do_not_grow_with_the_rows(
    project: Project, erins_browser: Client, django_assert_max_num_queries: Any
) -> None:
    for _ in range(12):
        ask(erins_browser)
        uploads.bring(project, name="pairs.jsonl", content=[json.dumps(hh_pair()).encode()], kind="rankings", by=None)
        make_ranking(project=project)
    with django_assert_max_num_queries(24):
        assert erins_browser.get(url("data")).status_code == 200
