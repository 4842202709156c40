"""Clients of the cast, for tests of pages: `as_user(alice).get(…)`, with or without the scripts of the page."""

import json
from typing import Any

from django.test import Client

from labeling.models import User

HTMX = {"HX-Request": "true"}  # as the page's scripts ask: for a fragment


def as_user(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def htmx_post(client: Client, url: str, values: dict[str, Any] | None = None) -> Any:
    return client.post(url, values or {}, headers=HTMX)


def htmx_get(client: Client, url: str) -> Any:
    return client.get(url, headers=HTMX)


def post_json(client: Client, url: str, values: Any) -> Any:
    return client.post(url, json.dumps(values), content_type="application/json")


def page_of(client: Client, url: str) -> str:
    answer = client.get(url)
    assert answer.status_code == 200
    return str(answer.content.decode())
