"""A project's rules for the content filter: versions, who may change them, what may block."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from labeling.models import AuditEvent, Filter, FilterRules, Project, User
from labeling.safety import rules
from labeling.safety.filters import why_not_block
from labeling.safety.rules import Rule, RulesError, StaleRules
from tests.labeling.factories import make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def adam(project: Project) -> User:
    return make_user(username="adam", projects=[project])


def with_rule(project: Project, category: str, side: str = "said", **fields: Any) -> list[Rule]:
    wanted = Rule(category=category, side=side, **fields)
    return [wanted if (one.category, one.side) == (category, side) else one for one in rules.current(project)]


def save(
    project: Project, adam: User, *args: Any, seen: int = 0, is_on: bool = True, **fields: Any
) -> FilterRules | None:
    return rules.save(project, with_rule(project, *args, **fields), is_on=is_on, note="w", seen=seen, by=adam)


def test_without_a_version_all_is_left_to_the_filter(project: Project) -> None:
    lines = rules.current(project)
    assert len(lines) == 16
    assert {one.mode for one in lines} == {"own"}
    known = {(one.category, one.side): (one.warn_at, one.block_at) for one in lines}
    assert known["S", "said"] == (0.6488, 0.6511)
    assert known["S3", "answered"] == (0.3508, 0.3508)  # it blocks where it warns
    assert known["H", "said"] == (0.3223, None)


def test_what_is_saved_is_a_version_with_what_it_changed(project: Project, adam: User) -> None:
    first = save(project, adam, "H", mode="on", warn_at=0.5)
    assert first is not None
    assert (first.version, first.rules) == (1, [{"category": "H", "side": "said", "mode": "on", "warn_at": 0.5}])
    second = save(project, adam, "V", mode="off", seen=1)
    assert second is not None
    assert FilterRules.objects.get(version=1).rules == first.rules
    assert [one.mode for one in rules.current(project) if one.category == "V"] == ["off", "own"]
    assert save(project, adam, "V", mode="off", seen=2) is None
    newest, oldest = rules.versions(project)
    assert newest["changes"] == ["violence, said: the filter’s own threshold → off"]
    assert oldest["changes"] == ["hate, said: the filter’s own threshold → warns at 0.5"]
    event = AuditEvent.objects.filter(verb="change filter rules").latest("at")
    assert (event.by, event.project, event.detail["version"]) == (adam, project, 2)


def test_of_two_who_save_at_once_the_second_is_told(project: Project, adam: User) -> None:
    save(project, adam, "H", mode="on", warn_at=0.5)
    with pytest.raises(StaleRules):
        save(project, adam, "V", mode="off", seen=0)
    assert FilterRules.objects.count() == 1


@pytest.mark.parametrize(
    ("category", "block_at", "is_fit"),
    [
        ("S", 0.6511, True),
        ("S", 0.9, True),
        ("S", 0.65, False),
        ("H", 0.99, False),
        ("SH", 0.9, False),
        ("V2", 0.9, False),
    ],
)
def test_a_rule_blocks_only_where_the_filter_was_shown_to_be_right(
    project: Project, adam: User, category: str, block_at: float, is_fit: bool
) -> None:
    fields = {"warn_at": 0.6, "block_at": block_at}
    if is_fit:
        assert save(project, adam, category, mode="on", **fields)
        return
    with pytest.raises(RulesError):
        save(project, adam, category, mode="on", **fields)
    assert not FilterRules.objects.exists()
    assert save(project, adam, category, mode="shadow", **fields)  # which blocks nothing


def test_a_filter_that_nobody_measured_blocks_nothing(project: Project, adam: User) -> None:
    Filter.objects.update(state="retired")
    served = {"backend": "chat_guard", "server_url": "https://g.example", "server_model": "g"}
    found = Filter.objects.create(name="guard", state="in_force", **served)
    assert "nobody has shown" in why_not_block(found, "S", 0.9)
    with pytest.raises(RulesError):
        save(project, adam, "S", mode="on", warn_at=0.5, block_at=0.9)


@pytest.mark.parametrize("mode", ["off", "shadow", "on"])
def test_what_is_sexual_of_minors_is_left_to_no_project(project: Project, adam: User, mode: str) -> None:
    assert save(project, adam, "S3", mode=mode, warn_at=0.99, block_at=0.99)
    assert FilterRules.objects.get().rules == []
    assert {one.mode for one in rules.current(project) if one.category == "S3"} == {"own"}


@pytest.mark.parametrize("fields", [{"warn_at": 0.9, "block_at": 0.7}, {}, {"warn_at": 0.0}, {"warn_at": 1.5}], ids=str)
def test_rules_without_sense_are_refused(project: Project, adam: User, fields: dict[str, float]) -> None:
    with pytest.raises(RulesError):
        save(project, adam, "S", mode="on", **fields)


def sent(project: Project, **changed: str) -> dict[str, str]:
    lines = {f"mode-{one.category}-{one.side}": one.mode for one in rules.current(project) if not one.is_fixed}
    return {"version": "0", "is_on": "on", "note": "Too many false ones", **lines, **changed}


def test_an_admin_changes_rules_on_their_page(client: Client, project: Project, adam: User) -> None:
    client.force_login(adam)
    page = reverse("rules", args=(project.slug,))
    assert "0.6511" in client.get(page).content.decode()
    refused = client.post(page, sent(project, **{"mode-H-said": "on", "warn-H-said": "0.3", "block-H-said": "0.9"}))
    assert refused.status_code == 422
    assert "hate: nobody has shown that at least 0.8" in refused.content.decode()
    broken = client.post(page, sent(project, **{"warn-H-said": "seven"}))
    assert broken.status_code == 422
    changed = sent(project, **{"mode-H-said": "on", "warn-H-said": "0.3"})
    assert client.post(page, changed).status_code == 302
    stale = client.post(page, changed)
    assert stale.status_code == 422
    html = client.get(page).content.decode()
    assert "Too many false ones" in html
    assert "hate, said: the filter’s own threshold → warns at 0.3" in html


@pytest.mark.parametrize("role", ["trainer", "reviewer", "engineer"])
def test_nobody_else_opens_the_rules(client: Client, project: Project, role: str) -> None:
    client.force_login(make_user(role=role, projects=[project]))
    assert client.get(reverse("rules", args=(project.slug,))).status_code == 403
    assert client.post(reverse("rules", args=(project.slug,)), sent(project)).status_code == 403
