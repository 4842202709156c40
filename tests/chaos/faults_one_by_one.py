"""Faults one at a time on a whole platform, then a short storm of them: it recovers without hands, and tells no lie.

While a fault lasts a trainer is told 503 or nothing; what was acknowledged before stays, and the same submission sent
again afterwards counts once. `make chaos` is the long storm. Minutes long, and not yet seen to pass as a whole: this is
no part of `make test`, but run by `pytest tests/chaos/faults_one_by_one.py`.
"""

import http.client
import json
import signal
import threading
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime

import psutil
import pytest

from labeling.embedded.processes import wait_until
from tests.chaos import faults
from tests.chaos.checker import check
from tests.chaos.services import JUMPING, Services, answers, services
from tests.chaos.storm import storm
from tests.chaos.trainers import Sent, Told, Trainer

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(600)]

NEVER = threading.Event()
PATIENCE = 60.0
ONES = [f"one-{number}" for number in range(2)]  # projects of one comparison that wants one ranking


@pytest.fixture(scope="module")
def platform() -> Iterator[Services]:
    with services(projects=[("work", 2000, 2), *((slug, 1, 1) for slug in ONES)], trainers=8) as running:
        yield running


@pytest.fixture(scope="module")
def told() -> Told:
    """What trainers were told in all tests of this file: the checker knows what was sent before."""
    return Told()


@pytest.fixture(autouse=True)
def is_sound(platform: Services, told: Told) -> Iterator[None]:
    """After each test all is up again, without hands, and nothing that was acknowledged is lost."""
    yield
    assert wait_until(lambda: faults.is_up(platform), seconds=PATIENCE), platform.logs()
    assert wait_until(lambda: all(map(answers, platform.ports.values())), seconds=PATIENCE), platform.logs()
    connection = platform.connect()
    with connection.cursor() as cursor:
        wrong = check(cursor, told.sent)
    connection.close()
    assert not any(wrong.values()), wrong
    assert not told.untrue


def trainer(platform: Services, told: Told, number: int = 0, *, slug: str = "work", web: str = "web-1") -> Trainer:
    """One who knows only this web process."""
    return Trainer(platform.trainers[number], slug, [platform.ports[web]], told, seed=number)


def at_a_board(who: Trainer) -> tuple[str, Sent]:
    board = who.claim(NEVER)
    sent = who.open(board, NEVER)
    assert sent
    return board, sent


def submission(sent: Sent) -> dict[str, object]:
    shelves = {tier[0]: place for place, tier in enumerate(sent.tiers, start=1)}
    return {"key": sent.key, "shelves": shelves, "line": None, "seconds": 5}


def require_refused(who: Trainer, board: str, sent: Sent) -> None:
    status, body, _ = who.once("POST", board, submission(sent))
    assert status == 503, (status, body)
    assert "What was saved is safe" in json.loads(body)["error"]


def test_a_web_process_stopped_past_a_lease_gives_the_place_to_nobody_twice(platform: Services, told: Told) -> None:
    late, punctual = trainer(platform, told, 0, slug=ONES[0]), trainer(platform, told, 1, slug=ONES[0], web="web-2")
    board, sent = at_a_board(late)
    submitting = threading.Thread(target=late.submit, args=(board, sent, NEVER))
    platform.signal("web-1", signal.SIGSTOP)
    try:
        submitting.start()
        faults.let_leases_run_out(platform)
        punctual.submit(*at_a_board(punctual), NEVER)
    finally:
        platform.signal("web-1", signal.SIGCONT)
    submitting.join()
    assert told.sent[-1].ranking
    assert sent.is_kept, "late: kept, and told so"


def test_when_all_connections_are_held_by_somebody_a_page_says_so(platform: Services, told: Told) -> None:
    who = trainer(platform, told)
    board, sent = at_a_board(who)
    with faults.connections_exhausted(platform):
        status, page, _ = who.once("GET", board)
        require_refused(who, board, sent)
    assert status == 503
    assert "will be back in a moment" in page
    who.submit(board, sent, NEVER)
    assert sent.ranking


def test_a_full_disk_is_told_and_the_database_comes_back(platform: Services, told: Told) -> None:
    who = trainer(platform, told, web="web-2")
    who.submit(*at_a_board(who), NEVER)
    board, sent = at_a_board(who)
    with faults.disk_full(platform):
        require_refused(who, board, sent)
    who.submit(board, sent, NEVER)
    assert sent.ranking


def test_a_table_that_cannot_grow_is_told_and_reading_goes_on(platform: Services, told: Told) -> None:
    """The log has room: one statement fails, and the database stays up."""
    who = trainer(platform, told)
    began = platform.sql("SELECT pg_postmaster_start_time()")
    platform.sql(
        "INSERT INTO labeling_auditevent (at, verb, subject_type, subject_id, detail) SELECT now(), 'fill', 'none', n,"
        " '{}' FROM generate_series(1, 400000) n"
    )
    faults.limit_database_files(platform, 24 * 2**20)  # bytes: a file of the log has 16 MB, this table more than 24
    try:
        board, sent = until_refused(who)
        assert who.once("GET", board)[0] == 200
    finally:
        faults.limit_database_files(platform, faults.UNLIMITED)
    who.submit(board, sent, NEVER)
    assert sent.ranking
    assert platform.sql("SELECT pg_postmaster_start_time()") == began


def until_refused(who: Trainer) -> tuple[str, Sent]:
    """Submit until the last page of the audit, which has room for some dozens of events, is full."""
    for _ in range(200):
        board, sent = at_a_board(who)
        status, body, _ = who.once("POST", board, submission(sent))
        if status != 200:
            assert status == 503, body
            return board, sent
        sent.ranking = json.loads(body)["ranking"]
        who.told.sent.append(sent)
    raise AssertionError("it was never refused")


def test_an_upload_that_the_disk_does_not_take_is_refused_in_words(platform: Services, told: Told) -> None:
    who = trainer(platform, told)
    web = psutil.Process(platform.pid("web-1"))
    faults.limit_files(web, 0)
    try:
        status, page, _ = who.once("POST", "/p/work/data/imports/new/", "x" * 4_000_000)
    finally:
        faults.limit_files(web, faults.UNLIMITED)
    assert status == 503
    assert "disk is full" in page


def test_the_broker_wiped_in_the_midst_keeps_nobody_from_ranking(platform: Services, told: Told) -> None:
    who, before = trainer(platform, told), sum(told.outages.values())
    with faults.broker_wiped(platform):
        who.submit(*at_a_board(who), NEVER)
    assert sum(told.outages.values()) == before
    assert wait_until(lambda: platform.servers("valkey-server"), seconds=PATIENCE)


@pytest.mark.parametrize("offset", ["+1h", "-1h"])
def test_a_clock_that_jumps_takes_no_place_and_signs_nobody_out(platform: Services, told: Told, offset: str) -> None:
    who, before = trainer(platform, told), sum(told.outages.values())
    board, sent = at_a_board(who)
    try:
        for name in JUMPING:
            platform.move_clock(name, offset)
        assert wait_until(lambda: abs(clock_of_web(who) - time.time()) > 3000, seconds=PATIENCE), "it did not jump"
        assert 1700 < seconds_left(who, board) <= 1800, "the lease is the database's"
        who.submit(board, sent, NEVER)
    finally:
        for name in JUMPING:
            platform.move_clock(name, "+0")
    assert sent.ranking
    assert sum(told.outages.values()) == before


def clock_of_web(who: Trainer) -> float:
    """Its Date header."""
    connection = http.client.HTTPConnection("127.0.0.1", who.ports[0], timeout=20)
    connection.request("GET", "/health/live/")
    moment = parsedate_to_datetime(connection.getresponse().getheader("Date") or "").timestamp()
    connection.close()
    return moment


def seconds_left(who: Trainer, board: str) -> int:
    """What the board says of its lease."""
    _, page, _ = who.once("GET", board)
    facts = page.split('<script id="ranking-facts" type="application/json">')[1].split("</script>")[0]
    return int(json.loads(facts)["seconds_left"])


def test_a_short_storm_loses_nothing(platform: Services, told: Told, capsys: pytest.CaptureFixture[str]) -> None:
    kinds = ["other web process killed", "database killed", "broker wiped", "web process stopped past the leases"]
    report = storm(platform, "work", kinds=kinds, acknowledged=300, seconds=120, before=told.sent)
    told.sent += report.sent
    with capsys.disabled():
        print(f"\n{report.to_line()}")
    assert [kind for kind, _ in report.faults] == kinds
    assert report.num_acknowledged >= 300
    assert report.is_sound, (report.wrong, report.untrue)
