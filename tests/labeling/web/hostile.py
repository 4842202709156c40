"""Hostile values for what a request carries, and the names that a view reads from it."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock
from urllib.parse import quote

from django.http import QueryDict
from django.utils.datastructures import MultiValueDict

LONG_NUMBER = "9" * 5000
DEEP = "[" * 5000
# Of a query, a form or a header; the surrogate arrives as bytes that are no UTF-8.
TEXTS = [
    "", "a\0b", "\ud800", LONG_NUMBER, "-1", "1e300", "nan", "١٢", "²", DEEP, "0001-01-01",
]  # fmt: skip
HEADERS = {
    "Range": ["bytes=-", "bytes=0-99999999999999999999", f"bytes={LONG_NUMBER}-", "bytes=١-٢", "bytes=9-1", "\0", "é"],
    "If-Range": ["\0", '"', "é", LONG_NUMBER],
    "If-None-Match": ["\0", '"', "W/", "*", "é", LONG_NUMBER],
    "If-Modified-Since": ["\0", "é", LONG_NUMBER, "Mon, 01 Jan 0001 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT"],
    "Idempotency-Key": ["\0", "é", LONG_NUMBER],
    "Authorization": ["\0", "é", "Bearer \0", "Bearer é", f"Bearer {LONG_NUMBER}", "Basic \0"],
    "Cookie": ["\0", r'sessionid="\000"', 'sessionid="é"', f"sessionid={LONG_NUMBER}", r'csrftoken="\000"'],
    "Accept-Language": ["\0", "é", LONG_NUMBER, ",".join(["en"] * 5000), "*;q=nan"],
    "Last-Event-ID": ["\0", "é", "1:\0", f"1:{LONG_NUMBER}"],
    "HX-Request": ["\0", "é"],
    "HX-Current-URL": ["\0", "é", "http://[", "%ff"],
    "Content-Type": ["\0", "multipart/form-data", "text/plain; charset=nonsense"],
}  # fmt: skip
# JSON as text, since not all of it can be written by json.dumps.
JSONS = [
    r'"\u0000"', r'"a\ud800b"', "NaN", "-Infinity", "1e999", LONG_NUMBER, "-" + "9" * 400, "1e300", "-1", "1.5", "null",
    "true", '"1"', '"²"', '"x"', "[]", "{}", "[[]]", '[{}]', '{"a": {"b": []}}', "[" * 200 + "]" * 200,
    '"' + "9" * 5000 + '"',
]  # fmt: skip
BODIES = [
    b"", b"{", b"\xff\xfe", b"\xef\xbb\xbf{}", b"null", b"[]", b"1", b'"x"', b"NaN", LONG_NUMBER.encode(),
    DEEP.encode(), b'{"a":' * 5000 + b"1" + b"}" * 5000, b'{"\\u0000": 1}', b'{"\\ud800": 1}', b"{\0}",
]  # fmt: skip


def cursors() -> list[str]:
    """Cursors of labeling.web.keyset_pagination with these values in two columns, or in one."""
    texts = [
        "",
        "a\0b",
        "\ud800",
        LONG_NUMBER,
        "-1",
        "2026-01-01",
        "0001-01-01 00:00:00+14:00",
        "9999-12-31 23:59:59-14:00",
    ]
    identifier = "00000000-0000-0000-0000-000000000000"
    lists = [[text, identifier] for text in texts] + [[text] for text in texts[:5]]
    packed = [json.dumps(one).encode() for one in lists] + [
        DEEP.encode(),
        b"[NaN]",
        b"[1e999, 1]",
        b"[" + LONG_NUMBER.encode(),
    ]
    return [base64.urlsafe_b64encode(one).decode().rstrip("=") for one in packed]


def encoded(values: dict[str, str]) -> str:
    """As a form or a query; a lone surrogate as the three bytes that would be its UTF-8."""
    pairs = [
        (quote(name.encode("utf-8", "surrogatepass")), quote(text.encode("utf-8", "surrogatepass")))
        for name, text in values.items()
    ]
    return "&".join(f"{name}={text}" for name, text in pairs)


def spoiled(value: Any) -> Iterator[str]:
    """The JSON of `value` with each of its parts replaced, by a third of JSONS in turn; and with a hostile key."""
    for num, marked in enumerate(_marked(value)):
        text = json.dumps(marked)
        yield from (text.replace('"@"', one) for one in JSONS[num % 3 :: 3])
    if isinstance(value, dict) and value:
        yield from (json.dumps({**value, key: 1}) for key in ("\0", "\ud800", "x" * 5000))


def _marked(value: Any) -> Iterator[Any]:
    yield "@"
    if isinstance(value, dict):
        alike = len(value) > 3 and len({json.dumps(part) for part in value.values()}) < 3
        for key, part in list(value.items())[: 1 if alike else None]:
            yield from ({**value, key: one} for one in _marked(part))
        if value:
            yield {**value, "x": "@"}
    elif isinstance(value, list):
        for place, part in enumerate(value[:1]):  # the others are like it
            yield from ([*value[:place], one, *value[place + 1 :]] for one in _marked(part))


@contextmanager
def names_read() -> Iterator[list[tuple[MultiValueDict[str, str], str]]]:
    """The dictionaries and names that are read in the block, from queries and forms alike."""
    read: list[tuple[MultiValueDict[str, str], str]] = []

    def getitem(given: Any, name: str) -> Any:
        read.append((given, name))
        return MultiValueDict.__getitem__(given, name)

    def getlist(given: Any, name: str, default: Any = None) -> Any:
        read.append((given, name))
        return MultiValueDict.getlist(given, name, default)

    def contains(given: Any, name: object) -> bool:
        read.append((given, str(name)))
        return dict.__contains__(given, name)

    spies = {"__getitem__": getitem, "getlist": getlist, "__contains__": contains}
    with mock.patch.multiple(QueryDict, **spies):
        yield read
