"""Strings that stand in one place each, and where any of them is found: in the database, in the broker."""

import base64
import json
import uuid
from collections.abc import Iterator

import pytest
import redis
from django.db import connection

NAMES: list[str] = []


def planted() -> str:
    """A string that stands in one place only."""
    NAMES.append(f"planted-{uuid.uuid4().hex}")
    return NAMES[-1]


@pytest.fixture(autouse=True)
def none_planted() -> Iterator[None]:
    NAMES.clear()
    yield
    NAMES.clear()


def found_in_database(*others: str) -> dict[str, list[str]]:
    """The planted strings, and these others, in any column of any table, by their table and column."""
    found: dict[str, list[str]] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
            " AND data_type IN ('text', 'character varying', 'json', 'jsonb', 'ARRAY', 'character')"
        )
        for table, column in cursor.fetchall():
            cursor.execute(
                f'SELECT one FROM unnest(%s::text[]) one WHERE EXISTS (SELECT FROM "{table}"'
                f' WHERE position(one IN "{column}"::text) > 0)',
                [[*NAMES, *others]],
            )
            if rows := [row[0] for row in cursor.fetchall()]:
                found[f"{table}.{column}"] = rows
    return found


def found_in_broker(broker: redis.Redis) -> list[str]:
    """The planted strings in any stream or message."""
    texts = [repr(key) for key in broker.scan_iter()]
    for key in broker.scan_iter(_type="stream"):
        texts.append(repr(broker.xrange(key)))
    for key in broker.scan_iter(_type="list"):
        for raw in broker.lrange(key, 0, -1):
            texts.append(raw.decode() + base64.b64decode(json.loads(raw)["body"]).decode())
    return [name for name in NAMES if any(name in text for text in texts)]
