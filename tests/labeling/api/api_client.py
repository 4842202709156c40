"""A program with a token, for tests of the API: `Program(alice).get("projects")`."""

import json
from datetime import timedelta
from typing import Any

from django.test import Client

from labeling.accounts.api_tokens import make_token
from labeling.models import ApiToken, Project, User


class Program:
    def __init__(self, owner: User, *, scopes: list[str] | None = None, project: Project | None = None) -> None:
        scopes = ApiToken.Scope.values if scopes is None else scopes
        self.token, self.text = make_token(
            owner=owner, name="a program", scopes=scopes, life=timedelta(days=1), project=project
        )
        self.client = Client()

    def get(self, path: str, **query: Any) -> Any:
        return self.client.get(f"/api/v1/{path}", query, headers=self._headers())

    def post(self, path: str, body: Any = None, *, key: str | None = None) -> Any:
        text = body if isinstance(body, str) else json.dumps(body or {})
        return self.client.post(f"/api/v1/{path}", text, content_type="application/json", headers=self._headers(key))

    def _headers(self, key: str | None = None) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.text}"} | ({"Idempotency-Key": key} if key else {})


def ids_of_all_pages(program: Program, path: str, *, limit: int) -> list[str]:
    found, cursor = [], None
    while True:
        page = program.get(path, limit=limit, **({"cursor": cursor} if cursor else {})).json()
        assert len(page["results"]) <= limit
        found += [row["id"] for row in page["results"]]
        cursor = page["next"]
        if cursor is None:
            return found
