"""The door of the API: no way in without a token, no more than its owner may, not too often, nothing twice."""

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from openapi_spec_validator import validate

from labeling.accounts import api_tokens
from labeling.accounts.api_tokens import revoke_token
from labeling.api import routes
from labeling.models import ApiAnswer, ApiToken, Prompt, User
from tests.labeling.api.api_client import Program
from tests.labeling.factories import CAST, make_project, make_user

pytestmark = pytest.mark.django_db
PROMPT = {"prompts": [{"messages": [{"role": "user", "content": "What is a keyset?"}]}]}
NOBODY = "00000000-0000-0000-0000-000000000000"
URLS: list[Any] = routes.urlpatterns
OPERATIONS = [
    (method, pattern)
    for pattern in URLS
    if isinstance(pattern.callback.access, dict)
    for method in pattern.callback.access
]


def address_of(pattern: Any, slug: str) -> str:
    route = f"/{pattern.pattern}".replace("<slug>", slug).replace("<name>", "manifest.json")
    route = route.replace("<attempt>", "1")
    route = re.sub(r"<\w+_id>", NOBODY, route)
    assert "<" not in route
    return route


def is_error(answer: Any) -> bool:
    return (
        bool(answer.content)
        and set(answer.json()) == {"status", "where", "what", "what_to_do", "others"}
        and all(answer.json()[name] for name in ("status", "where", "what", "what_to_do"))
    )


def test_the_document_is_valid_openapi_and_open_to_all() -> None:
    answer = Client().get("/api/v1/openapi.json")
    validate(answer.json())
    paths = answer.json()["paths"]
    assert {(method.upper(), path) for path, methods in paths.items() for method in methods} == {
        (method, f"/{pattern.pattern}".replace("<", "{").replace(">", "}"))
        for method, pattern in OPERATIONS
        if method != "HEAD"  # what GET says of itself, HEAD says too
    }


def test_every_operation_has_an_access_rule_and_a_scope() -> None:
    assert len(OPERATIONS) >= 20
    addresses = [address for bound in routes.api._get_bound_routers() for address in bound.path_operations.values()]
    views: list[Any] = [operation.view_func for address in addresses for operation in address.operations]
    assert len(views) >= 20
    for view in views:
        assert view.access, view
        assert view.scope in ApiToken.Scope.values, view


@pytest.mark.parametrize(("method", "pattern"), OPERATIONS, ids=lambda one: getattr(one, "name", one))
def test_nothing_opens_without_a_token_its_scope_and_its_role(method: str, pattern: Any) -> None:
    """The same for every address: 401 to a stranger, 403 without scope, 403 to a role that it is not for."""
    project = make_project()
    url = address_of(pattern, project.slug)
    for headers in ({}, {"Authorization": "Bearer parley_made-up"}, {"Authorization": "Basic YWxhZGRpbjo="}):
        answer = Client(headers=headers).generic(method, url)
        assert answer.status_code == 401, headers
        assert is_error(answer) == (method != "HEAD"), "which has no body"
    for name, role in CAST.items():
        user = make_user(username=name, projects=[project])
        rule = pattern.callback.access[method]
        may = rule == "signed in" or role in rule
        body = json.dumps(a_body_for(pattern.name))
        answer = Client().generic(method, url, body, "application/json", headers=bearer(user, ApiToken.Scope.values))
        assert (answer.status_code != 403) == may, (name, answer.content)
        if answer.status_code >= 400:
            assert is_error(answer) == (method != "HEAD")
        wrong = [scope for scope in ApiToken.Scope.values if scope != scope_of(pattern, method)]
        answer = Client().generic(method, url, body, "application/json", headers=bearer(user, wrong))
        assert answer.status_code == 403
        if method != "HEAD":
            assert answer.json()["where"] == "header.Authorization"


def a_body_for(name: str) -> dict[str, Any]:
    said = {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."}]}
    return {
        "api_promote": {"policy_id": NOBODY},
        "api_list_jobs": {"kind": "sft", "export_id": NOBODY},
        "api_list_evaluations": {"policy_ids": [NOBODY]},
        "api_list_prompts": PROMPT,
        "api_list_dialogues": {"dialogues": [said]},
        "api_list_exports": {"kind": "rankings"},
        "api_list_reports": {"message_id": NOBODY, "kind": "false"},
        "api_list_feedback": {"id": "m", "messages": said["messages"][:1], "answer": "Hello.", "thumb": "up"},
        "api_list_withdrawals": {"person_id": NOBODY, "reason": "fraud"},
        "api_undo_withdrawal": {"reason": "It was another."},
        "api_list_imports": {"into": "prompts", "name": "a.jsonl", "content": "e30K"},
        "api_list_people": {"username": "dora", "role": "trainer"},
        "api_list_webhooks": {"url": "https://example.org/", "events": ["export.ready"]},
        "api_skip": {"reason": "tired"},
        "api_get_rules": {"version": 0},
        "api_promote_filter": {"to": "shadow"},
        "api_moderate": {"input": "Hello."},
        "api_list_appeals": {"screening_id": NOBODY},
        "api_put_label": {"screening_id": NOBODY, "answers": {"S": "no"}},
    }.get(name, {})


def scope_of(pattern: Any, method: str) -> str:
    routers: list[Any] = routes.api._get_bound_routers()
    for bound in routers:
        for address in bound.path_operations.values():
            if routes._name(address) == pattern.name.removeprefix("api_"):
                return next(one.view_func.scope for one in address.operations if method in one.methods)
    raise AssertionError(pattern)


def bearer(user: User, scopes: list[str]) -> dict[str, str]:
    return {"Authorization": f"Bearer {Program(user, scopes=scopes).text}"}


def test_a_session_opens_nothing_and_is_not_listened_to() -> None:
    alice, adam = make_user(username="alice"), make_user(username="adam")
    browser = Client()
    browser.force_login(adam)
    assert browser.get("/api/v1/me").status_code == 401
    answer = browser.get("/api/v1/me", headers={"Authorization": f"Bearer {Program(alice).text}"})
    assert (answer.json()["owner"], answer.json()["role"]) == ("alice", "trainer")


def test_a_token_is_worth_nothing_once_revoked_ended_or_its_owner_gone() -> None:
    erin = make_user(username="erin")
    program = Program(erin)
    assert program.get("me").status_code == 200
    ApiToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert program.get("me").status_code == 401
    ApiToken.objects.update(expires_at=timezone.now() + timedelta(days=1))
    erin.is_active = False
    erin.save()
    assert program.get("me").status_code == 401
    erin.is_active = True
    erin.save()
    revoke_token(program.token, by=erin)
    assert program.get("me").status_code == 401


def test_a_token_of_one_project_finds_no_other() -> None:
    ours, theirs = make_project(), make_project()
    erin = make_user(username="erin", projects=[ours, theirs])
    program = Program(erin, project=ours)
    assert [row["slug"] for row in program.get("projects").json()["results"]] == [ours.slug]
    assert program.get(f"projects/{ours.slug}/exports").status_code == 200
    assert program.get(f"projects/{theirs.slug}/exports").status_code == 404
    assert [row["name"] for row in program.get("policies").json()["results"]] == [ours.policy.name]
    assert program.get(f"policies/{theirs.policy_id}").status_code == 404
    promotion = {"policy_id": str(theirs.policy_id)}
    assert program.post(f"projects/{ours.slug}/promote", promotion).status_code == 404


def test_a_token_asks_so_often_a_minute_and_then_is_told_to_wait(settings: Any) -> None:
    settings.API_REQUESTS_PER_MINUTE = 3
    alice = make_user()
    program, other = Program(alice), Program(alice)
    answers = [program.get("me") for _ in range(7)]  # at most two minutes begin within them
    assert answers[0].status_code == 200
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    assert 1 <= int(refused[0]["Retry-After"]) <= 60
    assert is_error(refused[0])
    assert other.get("me").status_code == 200


def test_the_same_write_under_one_key_is_done_once() -> None:
    project = make_project()
    program = Program(make_user(username="erin", projects=[project]))
    path = f"projects/{project.slug}/exports"
    first = program.post(path, {"kind": "prompts"}, key="k1")
    again = program.post(path, {"kind": "prompts"}, key="k1")
    assert (first.status_code, again.status_code) == (201, 201)
    assert (first.json(), again["Idempotency-Replayed"]) == (again.json(), "true")
    assert project.exports.count() == 1
    other = program.post(path, {"kind": "rankings"}, key="k1")
    assert (other.status_code, other.json()["where"]) == (422, "header.Idempotency-Key")
    elsewhere = make_project()
    elsewhere.memberships.create(user=program.token.owner)
    other = program.post(f"projects/{elsewhere.slug}/exports", {"kind": "prompts"}, key="k1")
    assert (other.status_code, elsewhere.exports.count()) == (422, 0)
    assert program.post(path, {"kind": "rankings"}, key="k2").status_code == 201
    assert project.exports.count() == 2


def test_who_has_lost_a_right_since_is_not_told_again_and_nothing_is_done_twice() -> None:
    project, other = make_project(), make_project()
    erin = make_user(username="erin", projects=[project])
    program = Program(erin)
    path = f"projects/{project.slug}/exports"
    assert program.post(path, {"kind": "prompts"}, key="k").status_code == 201
    other.memberships.create(user=erin)
    assert program.post(path, {"kind": "prompts"}, key="k").status_code == 201  # to have gained one is no matter
    project.memberships.filter(user=erin).delete()
    refused = program.post(path, {"kind": "prompts"}, key="k")
    assert (refused.status_code, refused.json()["where"]) == (403, "header.Idempotency-Key")
    project.memberships.create(user=erin)
    User.objects.filter(id=erin.id).update(role=User.Role.TRAINER)
    assert program.post(path, {"kind": "prompts"}, key="k").status_code == 403
    assert project.exports.count() == 1


def test_a_key_is_its_tokens_own_and_ends_after_a_day() -> None:
    project = make_project()
    erin = make_user(username="erin", projects=[project])
    path = f"projects/{project.slug}/exports"
    one, two = Program(erin), Program(erin)
    one.post(path, {"kind": "prompts"}, key="k")
    two.post(path, {"kind": "prompts"}, key="k")
    assert project.exports.count() == 2
    ApiAnswer.objects.filter(token=one.token).update(begun_at=timezone.now() - timedelta(hours=25))
    one.post(path, {"kind": "rankings"}, key="k")
    assert project.exports.count() == 3
    assert api_tokens.forget_old_answers() == 0
    ApiAnswer.objects.update(begun_at=timezone.now() - timedelta(hours=25))
    assert api_tokens.forget_old_answers() == 2


def test_what_was_refused_may_be_tried_again_under_its_key() -> None:
    project = make_project()
    program = Program(make_user(username="erin", projects=[project]))
    path = f"projects/{project.slug}/exports"
    assert program.post(path, {"kind": "nothing"}, key="k").status_code == 422
    assert not ApiAnswer.objects.exists()
    assert program.post(path, {"kind": "prompts"}, key="k").status_code == 201


def test_a_write_that_is_still_going_on_is_not_begun_again_unless_it_died() -> None:
    project = make_project()
    program = Program(make_user(username="erin", projects=[project]))
    path = f"projects/{project.slug}/exports"
    program.post(path, {"kind": "prompts"}, key="k")
    ApiAnswer.objects.update(status=None)
    answer = program.post(path, {"kind": "prompts"}, key="k")
    assert (answer.status_code, answer["Retry-After"]) == (409, "1")
    ApiAnswer.objects.update(begun_at=timezone.now() - timedelta(minutes=3))
    assert program.post(path, {"kind": "prompts"}, key="k").status_code == 201


@pytest.mark.parametrize(
    ("body", "status"),
    [("{", 400), ("[]", 422), ('{"prompts": []}', 422), ('{"prompts": [{"messages": [], "extra": 1}]}', 422)],
)
def test_a_body_that_makes_no_sense_is_answered_in_the_one_shape(body: str, status: int) -> None:
    project = make_project()
    program = Program(make_user(username="erin", projects=[project]))
    answer = program.post(f"projects/{project.slug}/prompts", body)
    assert answer.status_code == status
    assert is_error(answer)
    assert not Prompt.objects.exists()


def test_what_is_nowhere_and_what_is_too_large_is_said_in_the_one_shape(settings: Any) -> None:
    project = make_project()
    program = Program(make_user(username="erin", projects=[project]))
    for answer, status in (
        (program.get("nowhere"), 404),
        (program.get(f"projects/{project.slug}/exports/not-an-id"), 422),
        (program.post("me"), 405),
    ):
        assert answer.status_code == status
        assert is_error(answer)
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
    answer = program.post(f"projects/{project.slug}/prompts", {"prompts": [{"x": "y" * 200}]})
    assert answer.status_code == 413
    assert is_error(answer)


def test_texts_that_no_database_keeps_are_refused() -> None:
    project = make_project()
    program = Program(make_user(username="adam"))
    path = f"projects/{project.slug}"
    hostile = '{"prompts": [{"messages": [{"role": "user", "content": "%s"}]}]}'
    for text in (r"a\u0000b", r"a\ud800b"):
        answer = program.post(f"{path}/prompts", hostile % text)
        assert answer.status_code == 422, answer.content
    for answer in (
        program.get(f"{path}/prompts", topic="a\0b"),
        program.get("policies", name="\0"),
        program.post(f"{path}/exports", r'{"kind": "prompts", "filters": {"topics": ["a\u0000"]}}'),
        program.post(f"{path}/exports", r'{"kind": "prompts", "filters": {"topics": ["\ud800"]}}'),
    ):
        assert answer.status_code == 422, answer.content
        assert is_error(answer)
