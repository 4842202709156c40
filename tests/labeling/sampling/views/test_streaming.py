"""The stream of a run's words: what it sends, to whom, and that it holds nothing while it waits."""

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connection
from django.test import AsyncClient
from django.urls import reverse

from labeling.dialogues.answers import record_completions
from labeling.models import Completion, Project, SamplingRun, User
from labeling.sampling import streaming
from labeling.sampling.runs import cancel, record_failure
from tests.answering import finish_stream, send_result, stream_words
from tests.labeling.factories import make_run, make_user
from tests.labeling.sampling.screened import WITHHELD, blocked_result, screened_result

pytestmark = pytest.mark.django_db(transaction=True)

Event = tuple[str, Any]


@pytest.fixture(autouse=True)
def fast_polling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "POLL_SECONDS", 0.2)
    monkeypatch.setattr(streaming, "WAIT_FOR_PARTIAL_SECONDS", 0.5)


def make_sent_run(project: Project, user: User, **fields: Any) -> SamplingRun:
    values = {"state": SamplingRun.State.SENT, "attempt": 1, "streams": True, "requested_by": user}
    return make_run(project=project, **{**values, **fields})


def follow(
    run: SamplingRun, user: User, *, after: str = "", meanwhile: Callable[[], None] | None = None
) -> list[Event]:
    """All events of the stream until it ends, with something done while it is open."""

    async def read() -> list[Event]:
        client = AsyncClient()
        await sync_to_async(client.force_login)(user)
        headers = {"Last-Event-ID": after} if after else {}
        answer = await client.get(reverse("stream", args=(run.pk,)), headers=headers)
        assert answer.status_code == 200
        assert answer["Content-Type"] == "text/event-stream"
        reading = asyncio.ensure_future(_collect(answer))
        await asyncio.sleep(0.1)
        if meanwhile is not None:
            await sync_to_async(_elsewhere(meanwhile), thread_sensitive=False)()
        return await asyncio.wait_for(reading, timeout=20)

    return asyncio.run(read())


def _elsewhere(work: Callable[[], None]) -> Callable[[], None]:
    """Work of another process: in a thread of its own, so that it does not hold up the stream's looks at the row."""

    def run() -> None:
        try:
            work()
        finally:
            connection.close()

    return run


async def _collect(answer: Any) -> list[Event]:
    text = "".join([chunk.decode() async for chunk in answer.streaming_content])
    return [_parsed(block) for block in text.split("\n\n") if block and not block.startswith(":")]


def _parsed(block: str) -> Event:
    lines = dict(line.split(": ", 1) for line in block.split("\n"))
    return lines["event"], json.loads(lines["data"])


def text_of(events: list[Event], index: int = 0) -> str:
    return "".join(value["text"] for name, value in events if name == "text" and value["index"] == index)


def test_words_come_as_they_are_written_and_the_end_waits_for_the_rows(project: Project, alice: User) -> None:
    run = make_sent_run(project, alice, num_completions=2)

    def sampler() -> None:
        stream_words(run, index=0, text="Red\ngoes on.")
        stream_words(run, index=1, text="Évening.")
        finish_stream(run)
        send_result(run, "Red\ngoes on.", "Évening.")

    events = follow(run, alice, meanwhile=sampler)
    assert (text_of(events, 0), text_of(events, 1)) == ("Red\ngoes on. ", "Évening. ")
    assert events[-1] == ("finished", {})
    assert Completion.objects.filter(run=run).count() == 2


def test_a_finished_run_is_answered_from_the_database(project: Project, alice: User) -> None:
    run = make_sent_run(project, alice)
    send_result(run, "Red goes on.")
    assert follow(run, alice) == [
        ("again", {}),
        ("text", {"index": 0, "text": "Red goes on."}),
        ("finished", {}),
    ]


def test_a_reader_who_comes_back_goes_on_where_they_were(project: Project, alice: User) -> None:
    run = make_sent_run(project, alice)
    stream_words(run, index=0, text="one two three")
    finish_stream(run)
    send_result(run, "one two three")
    SamplingRun.objects.filter(pk=run.pk).update(state=SamplingRun.State.RUNNING)  # its rows are not there yet

    def rows_come() -> None:
        SamplingRun.objects.filter(pk=run.pk).update(state=SamplingRun.State.DONE)

    ids = _ids(run)
    assert text_of(follow(run, alice, after=f"1:{ids[0]}", meanwhile=rows_come)) == "two three "


def test_a_new_attempt_makes_what_was_sent_void(project: Project, alice: User) -> None:
    run = make_sent_run(project, alice)

    def worker_dies_and_another_answers() -> None:
        stream_words(run, index=0, text="lost words")
        time.sleep(0.8)  # so that they are read before another attempt makes them void
        record_failure(run.pk, 1, "The worker was killed.")
        second = SamplingRun.objects.get(pk=run.pk)
        SamplingRun.objects.filter(pk=run.pk).update(state=SamplingRun.State.SENT, attempt=2)
        second.refresh_from_db()
        time.sleep(0.8)  # longer than the stream waits before it looks at the row again
        stream_words(second, index=0, text="found words")
        finish_stream(second)
        send_result(second, "found words")

    events = follow(run, alice, meanwhile=worker_dies_and_another_answers)
    names = [name for name, _value in events]
    again = names.index("again")
    assert text_of(events[:again]) == "lost words "
    assert text_of(events[again:]) == "found words "


def test_a_failed_run_ends_the_stream(project: Project, alice: User) -> None:
    run = make_sent_run(project, alice)

    def fails() -> None:
        SamplingRun.objects.filter(pk=run.pk).update(state=SamplingRun.State.FAILED, error="No memory.")

    assert follow(run, alice, meanwhile=fails) == [("finished", {})]


def test_a_stopped_run_waits_a_moment_for_what_it_had(project: Project, alice: User) -> None:
    run = make_sent_run(project, alice, purpose=SamplingRun.Purpose.SUGGESTION)

    def stop() -> None:
        stream_words(run, index=0, text="Red goes")
        cancel(run, by=alice)
        send_result(run, "Red goes", finish_reason="cancelled")

    events = follow(run, alice, meanwhile=stop)
    assert (text_of(events), events[-1][0]) == ("Red goes ", "finished")
    assert Completion.objects.get(run=run).content == "Red goes"


def test_silence_is_broken_by_a_sign_of_life(project: Project, alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "HEARTBEAT_SECONDS", 0.1)
    monkeypatch.setattr(streaming, "LONGEST_STREAM_SECONDS", 1.0)
    run = make_sent_run(project, alice)

    async def read() -> str:
        seen = streaming._RunState(attempt=1, state=run.state, texts=())
        return "".join([event async for event in streaming._events(run.pk, seen, "")])

    assert ": still here\n\n" in asyncio.run(read())


def other_sessions() -> set[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        return {pid for (pid,) in cursor.fetchall()}


def test_no_database_connection_is_held_while_it_waits(
    project: Project, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_sent_run(project, alice)
    before = other_sessions()  # a web server of the browser's tests may have some
    held: list[bool] = []

    def look() -> None:
        held.append(bool(other_sessions() - before))
        finish_stream(run)
        send_result(run, "Done.")

    monkeypatch.setattr(streaming, "POLL_SECONDS", 5.0)
    connection.close()  # of the thread that made the rows
    follow(run, alice, meanwhile=look)
    assert held == [False]


def test_a_broker_that_is_away_is_no_error(project: Project, alice: User, settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    run = make_sent_run(project, alice)

    def answers() -> None:
        send_result(run, "Red goes on.")

    assert follow(run, alice, meanwhile=answers) == [("finished", {})]


def test_only_who_asked_may_listen(project: Project, alice: User) -> None:
    bob = make_user(username="bob", projects=[project])
    run = make_sent_run(project, alice)

    async def statuses() -> tuple[int, int]:
        client, visitor = AsyncClient(), AsyncClient()
        await sync_to_async(client.force_login)(bob)
        url = reverse("stream", args=(run.pk,))
        return (await client.get(url)).status_code, (await visitor.get(url)).status_code

    assert asyncio.run(statuses()) == (404, 302)


def _ids(run: SamplingRun) -> list[str]:
    import redis
    from django.conf import settings

    from records.names import stream_key

    with redis.Redis.from_url(settings.REDIS_URL) as broker:
        return [identifier.decode() for identifier, _fields in broker.xrange(stream_key(str(run.pk), 1))]


def test_a_run_of_which_the_filter_blocked_the_question_ends_without_a_word(project: Project, alice: User) -> None:
    run = make_sent_run(project, alice)

    def sampler() -> None:
        finish_stream(run)
        record_completions(blocked_result(run))

    assert follow(run, alice, meanwhile=sampler) == [("finished", {})]
    assert follow(run, alice) == [("again", {}), ("finished", {})]


def test_who_comes_back_to_an_answer_that_was_cut_reads_what_was_shown(project: Project, alice: User) -> None:
    run = make_sent_run(project, alice, num_completions=2)

    def sampler() -> None:
        stream_words(run, index=0, text="It began")
        finish_stream(run)
        record_completions(screened_result(run, ("It began", "block"), ("Whole.", "pass")))

    live = follow(run, alice, meanwhile=sampler)
    assert text_of(live) == "It began "
    for last_id in ("", f"1:{_ids(run)[0]}"):
        again = follow(run, alice, after=last_id)
        assert (text_of(again, 0), text_of(again, 1)) == ("It began", "Whole.")
        assert WITHHELD not in json.dumps(again)
