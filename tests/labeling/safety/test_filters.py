"""The filters: figures that do not drift from the manifest, who puts one in force and when, what shadow tells."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from labeling.dialogues import answers
from labeling.models import AuditEvent, Filter, FilterRules, Project, Screening, User
from labeling.models.safety.categories import CATEGORIES
from labeling.safety import filters, shadow
from labeling.safety.filters import FilterError
from labeling.sampling import screenings
from records import ScreenResult
from tests.labeling.factories import make_project, make_user
from tests.labeling.safety.test_notices import asked
from tests.labeling.sampling.screened import WITHHELD, saw, screened_result

pytestmark = pytest.mark.django_db
MANIFEST = Path(__file__).parents[3] / "contentfilter" / "bundled" / "manifest.json"


@pytest.fixture
def adam(project: Project) -> User:
    return make_user(username="adam", projects=[project])


def candidate(**fields: Any) -> Filter:
    return Filter.objects.create(**{"name": "next", "backend": "local", "store_path": "", **fields})


def test_the_bundled_filter_s_figures_are_those_of_its_manifest() -> None:
    manifest = json.loads(MANIFEST.read_text(encoding="utf-8"))
    kept = filters.bundled_figures()
    assert list(CATEGORIES) == manifest["categories"]
    assert kept["thresholds"] == manifest["thresholds"]
    for category, figures in kept["metrics"]["categories"].items():
        out_of_fold = manifest["figures_out_of_fold"]["categories"][category]
        assert figures == {name: out_of_fold[name] for name in figures}
        assert {"block_precision", "warn_precision", "auprc"} <= figures.keys()
    blocking = {name for name, bounds in kept["thresholds"].items() if bounds["block_at"] is not None}
    assert {name for name in CATEGORIES if not filters.why_not_block(Filter(), name, 1.0)} == blocking | {"S3"}


def test_a_filter_comes_into_force_after_a_week_in_shadow(project: Project, erin: User, adam: User) -> None:
    bundled = Filter.objects.in_force()
    new = candidate()
    with pytest.raises(FilterError, match="a week"):
        filters.promote(new, to="in_force", by=erin)
    filters.promote(new, to="shadow", by=erin)
    with pytest.raises(FilterError, match="Only an admin"):
        filters.promote(new, to="in_force", by=erin)
    with pytest.raises(FilterError, match="say why"):
        filters.promote(new, to="in_force", by=adam)
    Filter.objects.filter(pk=new.pk).update(shadow_since=timezone.now() - timedelta(days=8))
    new.refresh_from_db()
    filters.promote(new, to="in_force", by=erin)
    bundled.refresh_from_db()
    assert (Filter.objects.in_force(), bundled.state) == (new, "retired")
    assert AuditEvent.objects.get(verb="filter in_force").by == erin


def test_an_admin_says_why_a_filter_is_in_force_before_its_week_is_over(adam: User) -> None:
    Filter.objects.in_force()
    filters.promote(candidate(), to="in_force", why="The old one is broken", by=adam)
    assert AuditEvent.objects.get(verb="filter in_force").detail["why"] == "The old one is broken"


def test_the_filter_in_force_is_not_retired_and_another_comes_before_it(adam: User) -> None:
    with pytest.raises(FilterError, match="cannot be done"):
        filters.promote(Filter.objects.in_force(), to="retired", by=adam)


def test_a_filter_that_does_not_carry_a_project_s_blocks_stays_out(project: Project, adam: User) -> None:
    rule = {"category": "S", "side": "said", "mode": "on", "warn_at": 0.6, "block_at": 0.7}
    FilterRules.objects.create(project=project, version=1, rules=[rule])
    Filter.objects.in_force()
    served = candidate(backend="chat_guard", server_url="https://g.example", server_model="g")
    with pytest.raises(FilterError, match="blocks by a rule that this filter does not carry"):
        filters.promote(served, to="in_force", why="w", by=adam)
    unproven = candidate(name="unproven", store_path="filters/x", thresholds={"H": {"warn_at": 0.3, "block_at": 0.5}})
    with pytest.raises(FilterError, match="a threshold of its own"):
        filters.promote(unproven, to="in_force", why="w", by=adam)


def test_shadow_sees_what_was_seen_and_never_acts(project: Project, alice: User, adam: User, monkeypatch: Any) -> None:
    sent: list[Any] = []
    monkeypatch.setattr("labeling.jobs.dispatch.send_screening", sent.append)
    run = asked(project, alice, num=3)
    answers.record_completions(screened_result(run, ("One.", "pass"), ("Two", "block"), ("Three.", "warn")))
    assert shadow.ask() == 0  # no filter is in shadow
    new = filters.promote(candidate(), to="shadow", by=adam)
    assert shadow.ask() == 3
    assert shadow.ask() == 0  # one batch is under way
    originals = {str(row.pk): row for row in Screening.objects.all()}
    ids = [key for key, row in originals.items() if row.verdict != "block"]
    seen = tuple(saw(originals[key].side, "block", "x", filter="next", index=0) for key in ids)
    result = ScreenResult(ids=tuple(ids), screenings=seen)
    assert shadow.record(result) == 3
    assert shadow.record(result) == 0
    rows = Screening.objects.filter(in_shadow=True)
    assert {(row.acted, row.filter, row.verdict) for row in rows} == {(False, new, "block")}
    assert not Screening.objects.filter(filter=new, acted=True).exists()
    assert screenings.worst(row for row in Screening.objects.that_acted() if row.in_shadow) is None
    assert shadow.ask() == 0  # all is seen
    told = shadow.difference(new, reader=adam)
    assert (told.num, sorted(told.counts)) == (3, [("Pass", "Blocked", 2), ("Warning", "Blocked", 1)])
    assert len(told.rows) == 3
    assert shadow.difference(new, reader=make_user(role="engineer")).rows == []


def test_what_is_sent_to_the_shadow_holds_nothing_that_was_withheld(
    project: Project, alice: User, adam: User, broker: Any, commits: Any
) -> None:
    run = asked(project, alice, num=2)
    answers.record_completions(screened_result(run, ("One.", "pass"), ("Two", "block")))
    filters.promote(candidate(), to="shadow", by=adam)
    with commits():
        assert shadow.ask() == 2
    everything = b"".join(b"".join(broker.lrange(key, 0, -1)) for key in broker.keys("sample*"))
    assert b"sampler.screen" in everything
    assert WITHHELD.encode() not in everything


def test_who_opens_which_page(
    client: Client, project: Project, alice: User, adam: User, rita: User, erin: User
) -> None:
    run = asked(project, alice)
    answers.record_completions(screened_result(run, ("It began", "block")))
    seen = Screening.objects.get(verdict="block")
    pages = {
        "screenings": ((project.slug,), {adam, rita}),
        "screening": ((project.slug, seen.pk), {adam, rita}),
        "filters": ((), {adam, erin}),
        "filter": ((seen.filter_id,), {adam, erin}),
    }
    for name, (args, readers) in pages.items():
        for person in (alice, rita, erin, adam):
            client.force_login(person)
            assert client.get(reverse(name, args=args)).status_code == (200 if person in readers else 403), name
    elsewhere = make_project()
    client.force_login(make_user(username="stranger", role="reviewer", projects=[elsewhere]))
    for slug in (project.slug, elsewhere.slug):
        assert client.get(reverse("screening", args=(slug, seen.pk))).status_code == 404


def test_a_text_is_shown_when_it_is_asked_for(client: Client, project: Project, alice: User, rita: User) -> None:
    run = asked(project, alice)
    answers.record_completions(screened_result(run, ("It began", "block")))
    seen = Screening.objects.get(verdict="block")
    client.force_login(rita)
    page = reverse("screening", args=(project.slug, seen.pk))
    assert "It began" not in client.get(page).content.decode()
    shown = client.get(page, {"text": "shown"}).content.decode()
    assert "It began" in shown
    assert WITHHELD not in shown
    listed = client.get(reverse("screenings", args=(project.slug,)), {"verdict": "block", "acted": "yes"})
    assert listed.content.decode().count(reverse("screening", args=(project.slug, seen.pk))) == 1
    none = client.get(reverse("screenings", args=(project.slug,)), {"in_shadow": "yes"})
    assert reverse("screening", args=(project.slug, seen.pk)) not in none.content.decode()


def test_a_server_is_added_and_put_in_shadow_on_its_pages(client: Client, erin: User) -> None:
    client.force_login(erin)
    given = {"name": "guard", "backend": "chat_guard", "url": "https://guard.example/v1", "model": "granite-guardian"}
    assert client.post(reverse("filters"), {**given, "url": "file:///etc/passwd"}).status_code == 422
    assert client.post(reverse("filters"), given).status_code == 302
    assert client.post(reverse("filters"), given).status_code == 422
    guard = Filter.objects.get(name="guard")
    promote = reverse("promote_filter", args=(guard.pk,))
    assert client.post(promote, {"to": "in_force"}).status_code == 422
    assert client.post(promote, {"to": "everywhere"}).status_code == 422
    assert client.post(promote, {"to": "shadow"}).status_code == 302
    guard.refresh_from_db()
    assert guard.state == "shadow"
