"""No address fails, and none stores anything, whatever a request carries where a view reads something.

The fields of queries and forms are found by watching what a view reads, so that a new field is walked too. JSON bodies
are valid ones with each part replaced in turn.
"""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection, transaction
from django.urls import URLPattern, reverse

from tests.labeling.signed_in import as_user
from tests.labeling.web.full_bodies import bodies, forms
from tests.labeling.web.full_project import SLUG, FullProject, addresses, make_full_project
from tests.labeling.web.hostile import BODIES, HEADERS, TEXTS, cursors, encoded, names_read, spoiled

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store", "sent", "quick_passwords")]
# Sessions, wrong passwords, and when a token was last used: written whatever becomes of a request.
COUNTS = {"labeling_session", "labeling_signinfailures", "labeling_apitoken"}
API_QUERY = ("cursor", "limit", "topic", "state", "name")  # what its lists read
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
NOT_READ = {"csrfmiddlewaretoken"}

NEEDS_WORKER = {"api_moderate"}  # 503 where no sample worker lives


class Walker:
    """Sends requests as Adam, or a preview's visitor, each in a transaction that is rolled back; gathers failures."""

    def __init__(self, full: FullProject) -> None:
        self.full = full
        self.failures: list[str] = []
        self.client = as_user(full.adam)
        self.client.raise_request_exception = False
        self._session = self.client.cookies["sessionid"].value
        self._visitors = as_user(full.visitor).cookies["sessionid"].value
        self._tables = connection.introspection.table_names()
        self._before = self._rows()
        self._written = 0

    def send(self, method: str, url: str, what: str = "", **request: Any) -> Any:
        session = self._visitors if url.startswith("/t/") else self._session
        self.client.cookies.load({"sessionid": session})  # a page may have signed out
        with rolled_back():
            answer = self.client.generic(method, url, **request)
            if answer.status_code == 500:
                self._fail(answer, f"{method} {url[:120]} {what[:160]}")
            elif answer.status_code >= 400 and self._has_written() and self._rows() != self._before:
                self.failures.append(
                    f"{method} {url[:120]} {what[:160]}: {answer.status_code}, but something is stored"
                )
        return answer

    def get(self, url: str, **headers: str) -> Any:
        return self.send("GET", url, str(headers)[:200], headers=self._token() | headers)

    def _token(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.full.program.text}"}

    def send_json(self, url: str, body: str | bytes, **headers: str) -> Any:
        what = body if isinstance(body, str) else repr(body)
        return self.send("POST", url, what, data=body, content_type=JSON, headers=self._token() | headers)

    def _fail(self, answer: Any, request: str) -> None:
        error = answer.exc_info[1] if answer.exc_info else answer.content[:300]
        self.failures.append(f"{request}: {answer.status_code}, {type(error).__name__}: {str(error)[:200]}")

    def _has_written(self) -> bool:
        """Whether anything was written since the last time, even if it was rolled back: cheaper than to look."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_xact_user_tables")
            written, self._written = self._written, cursor.fetchone()[0]
        return bool(written != self._written)

    def _rows(self) -> Any:
        parts = (
            f"(SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM {table} t)"
            for table in self._tables
            if table not in COUNTS
        )
        with connection.cursor() as cursor:
            cursor.execute("SELECT " + ", ".join(parts))
            return cursor.fetchone()


@contextmanager
def rolled_back() -> Iterator[None]:
    block = transaction.atomic()
    block._from_testcase = True  # type: ignore[attr-defined]  # lets durable blocks run inside
    with block:
        yield
        transaction.set_rollback(True)


@pytest.fixture
def walker(settings: Any) -> Iterator[Walker]:
    settings.API_REQUESTS_PER_MINUTE = 10**9
    logging.disable(logging.CRITICAL)  # each refusal would be a line
    yield Walker(make_full_project())
    logging.disable(logging.NOTSET)


def is_api(pattern: URLPattern) -> bool:
    return str(pattern.pattern).startswith("api/")


def fields_read(answer: Any, read: list[Any]) -> tuple[list[str], list[str]]:
    """Names that were read from the query and from the form."""
    request = answer.wsgi_request
    query = list(dict.fromkeys(name for given, name in read if given is request.GET and name not in NOT_READ))
    form = list(dict.fromkeys(name for given, name in read if given is request.POST and name not in NOT_READ))
    return query, form


def test_no_query_makes_an_address_fail(walker: Walker) -> None:
    for pattern in addresses():
        url = walker.full.address(pattern)
        with names_read() as read:
            answer = walker.get(url)
        query, _form = fields_read(answer, read)
        names = API_QUERY if str(pattern.name).startswith("api_list") else query
        for text in TEXTS if names else []:
            walker.get(f"{url}?{encoded(dict.fromkeys(names, text))}")
        for num, name in enumerate(names):
            for text in cursors() if name in ("after", "cursor") else TEXTS[num % 4 :: 4]:
                walker.get(f"{url}?{encoded({name: text})}")
    assert walker.failures == []


def test_no_path_makes_an_address_fail(walker: Walker) -> None:
    for pattern in addresses():
        url = walker.full.address(pattern)
        for name in pattern.pattern.converters:
            value = str(walker.full.arguments(pattern)[name])
            for hostile in ("%00", "a%00b", "%ED%A0%80", "%D9%A1", "..%2F..", "9" * 5000):
                walker.get(url.replace(value, hostile, 1))
    assert walker.failures == []


def test_no_header_makes_an_address_fail(walker: Walker) -> None:
    """The headers that are read everywhere on one address of each kind, and on a file of an export all."""
    pages = [reverse("home"), reverse("project", args=(SLUG,)), "/api/v1/me", "/static/labeling/web/parley.css", "/no"]
    files = [walker.full.address(one) for one in addresses() if one.name in ("export_file", "api_get_file")]
    for header, values in HEADERS.items():
        for value in values:
            for url in [*pages, *files]:
                walker.get(url, **{header: value})
            walker.send_json("/api/v1/projects/ours/prompts", "{}", **{header: value})
            walker.send("POST", reverse("theme"), data="theme=dark", content_type=FORM, headers={header: value})
    for first in HEADERS["Range"]:
        for second in HEADERS["If-Range"]:
            walker.get(files[0], **{"Range": first, "If-Range": second})
    assert walker.failures == []


def test_no_form_makes_a_page_fail(walker: Walker) -> None:
    valid = forms(walker.full)
    for pattern in addresses():
        if is_api(pattern):
            continue
        url = walker.full.address(pattern)
        form = {name: str(value) for name, value in valid.get(pattern.name, {"x": ""}).items()}
        with names_read() as read:
            answer = walker.send("POST", url, data=encoded(form), content_type=FORM)
        query, names = fields_read(answer, read)
        names = list(dict.fromkeys([*form, *names]))
        for text in TEXTS if len(names) > 1 else ["a\0b"]:
            walker.send("POST", url, data=encoded(dict.fromkeys(names, text)), content_type=FORM)
        for num, name in enumerate(names):  # and alone, where nothing else is wrong: some of the texts, by turns
            for text in TEXTS[num % 4 :: 4]:
                walker.send("POST", url, name, data=encoded({**form, name: text}), content_type=FORM)
        for text in TEXTS if query else []:
            walker.send("POST", f"{url}?{encoded(dict.fromkeys(query, text))}", data=encoded(form), content_type=FORM)
    assert walker.failures == []


def test_no_json_makes_an_address_fail(walker: Walker) -> None:
    valid = bodies(walker.full)
    walked = [pattern for pattern in addresses() if pattern.name in valid]
    assert len(walked) == len(valid)
    for pattern in walked:
        url = walker.full.address(pattern)
        answer = walker.send_json(url, json.dumps(valid[pattern.name]))
        assert (answer.status_code < 400) != (pattern.name in NEEDS_WORKER), answer.content
        for body in [*BODIES, *spoiled(valid[pattern.name])]:
            walker.send_json(url, body)
    assert walker.failures == []
