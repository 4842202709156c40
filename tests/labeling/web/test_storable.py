"""What cannot be stored is refused by name, once, and nothing that was typed is lost by it."""

import json
import math
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from labeling.models import Dialogue, Lease, Project, User
from labeling.web.storable import DEEPEST, InputRefused, NotJson, read_json
from tests.labeling.factories import make_dialogue
from tests.labeling.signed_in import as_user, htmx_post, post_json

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda parts: (
        st.lists(parts, max_size=3) | st.dictionaries(st.text(st.characters(), max_size=3), parts, max_size=3)
    ),
    max_leaves=6,
)


@pytest.mark.parametrize(
    ("body", "where", "what"),
    [
        (r'{"tiers": ["a", "b\u0000"]}', "body.tiers[1]", "NUL"),
        (r'{"a": {"b": [[{"c": "\ud800"}]]}}', "body.a.b[0][0].c", "surrogate"),
        (r'{"a": {"\u0000": 1}}', "body.a", "NUL"),
        ('{"a": NaN}', "body.a", "not finite"),
        ('[1, {"a": -Infinity}]', "body[1].a", "not finite"),
        ('{"a": 1e999}', "body.a", "not finite"),
        ('{"a": %s}' % ("9" * 5000), "body.a", "too large"),
        ('{"a": %s}' % 2**60, "body.a", "too large"),
        ("[" * 5000, "body", "nested"),
        ("[" * 100 + "]" * 100, "body" + "[0]" * (DEEPEST + 1), "nested"),
        ("{", "body", "not JSON"),
        (b"\xff", "body", "not JSON"),
        ("", "body", "not JSON"),
    ],
)
def test_json_that_cannot_be_stored_is_refused_where_it_stands(body: str | bytes, where: str, what: str) -> None:
    with pytest.raises(InputRefused, match=what) as refused:
        read_json(body)
    assert refused.value.where == where


@pytest.mark.django_db
@given(value=JSON_VALUES)
def test_what_is_read_can_be_stored_and_what_can_be_stored_is_read(value: Any) -> None:
    text = json.dumps(value)
    try:
        read = read_json(text)
    except NotJson:
        raise AssertionError(text) from None
    except InputRefused:
        unstorable = [mark for mark in ("\\u0000", "\\ud", "Infinity", "NaN") if mark in text]
        assert bool(unstorable) | _has_large(value), text
        return
    assert read == value
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s::jsonb", [json.dumps(read)])


def _has_large(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_has_large, value.values()))
    if isinstance(value, list):
        return any(map(_has_large, value))
    return isinstance(value, int | float) and not math.fabs(value) <= 2**53


@pytest.fixture
def draft(project: Project, alice: User) -> Dialogue:
    return make_dialogue(project=project, author=alice)


def address(name: str, dialogue: Dialogue) -> str:
    return reverse(name, args=(dialogue.project.slug, dialogue.pk))


@pytest.mark.django_db
def test_the_page_that_refuses_a_text_shows_it(draft: Dialogue, alice: User) -> None:
    values = {"role": "user", "content": "An hour's\nwork <b>\0", "seconds": "3"}
    answer = as_user(alice).post(address("add_message", draft), values)
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "“content” was not taken. There is a NUL character in it" in page
    assert "An hour&#x27;s\nwork &lt;b&gt;\ufffd</textarea>" in page
    assert draft.messages.count() == 2


@pytest.mark.django_db
def test_scripts_keep_their_page_and_are_told_the_field(draft: Dialogue, alice: User) -> None:
    values = {"role": "user", "content": "a\0", "version": "0"}
    answer = htmx_post(as_user(alice), address("add_message", draft), values)
    assert (answer.status_code, answer["HX-Reswap"], "parley:toast" in answer["HX-Trigger"]) == (422, "none", True)
    accept = {"Accept": "application/json"}
    answer = as_user(alice).post(address("save_composer", draft), values, headers=accept)
    assert (answer.status_code, "“content”" in answer.json()["error"]) == (422, True)


@pytest.mark.django_db
def test_a_password_is_not_shown_again(client: Client) -> None:
    page = client.post(reverse("sign_in"), {"username": "al\0ice", "password": "hunter2"})
    assert (page.status_code, b"hunter2" in page.content, "al\ufffdice" in page.content.decode()) == (422, False, True)


@pytest.mark.django_db
def test_an_address_with_a_nul_is_refused_by_the_name_of_its_part(project: Project, alice: User) -> None:
    answer = as_user(alice).get(reverse("project", args=(project.slug,)) + "?topic=a%00")
    assert (answer.status_code, "“query.topic” was not taken" in answer.content.decode()) == (400, True)


@pytest.mark.django_db
def test_a_cookie_that_no_browser_would_send_signs_nobody_in(client: Client) -> None:
    assert client.get(reverse("home"), headers={"Cookie": r'sessionid="\000"'}).status_code == 302


@pytest.mark.django_db
@pytest.mark.parametrize("seconds", [-5, 1e300, True, "soon", [], 365 * 24 * 3600 + 1])
def test_a_board_with_impossible_seconds_is_refused_by_that_name(held: Lease, seconds: Any) -> None:
    shelves = {one: place for place, one in enumerate(held.shown_order, 1)}
    values = {"shelves": shelves, "key": str(held.id), "seconds": seconds}
    url = reverse("lease", args=(held.comparison.project.slug, held.id))
    answer = post_json(as_user(held.trainer), url, values)
    assert (answer.status_code, "seconds" in answer.json()["error"]) == (422, True)
    assert not held.comparison.rankings.exists()
    answer = post_json(as_user(held.trainer), url, {**values, "seconds": None})
    assert answer.status_code == 200
    assert held.comparison.rankings.get().seconds is None


@pytest.mark.django_db
@pytest.mark.parametrize("next_url", ["home", "-1", "nowhere at all", "//example.org", "https://example.org/"])
def test_a_destination_is_a_path_and_no_name_of_a_view(alice: User, next_url: str) -> None:
    answer = as_user(alice).post(reverse("theme"), {"theme": "dark", "next": next_url})
    assert (answer.status_code, answer["Location"]) == (302, reverse("home"))
