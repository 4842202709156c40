"""The sampler as a process: requests come over the broker, and answers, streams and refusals go back."""

import re
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from language.chat import render_prompt
from language.checkpoints import load_causal_lm, load_tokenizer
from language.generation import sample
from language.stop_ids import decode_text
from records import Message
from records.manifest import MANIFEST, sha256_of
from records.names import (
    PRIORITY_OVERNIGHT,
    RECORD_COMPLETIONS,
    RECORD_SAMPLING_FAILURE,
    RECORD_SAMPLING_STARTED,
    SAMPLE,
    cancel_key,
    stream_key,
)
from tests.sampler.conftest import Web, Worker, make_request

pytestmark = pytest.mark.usefixtures("worker")


def entries(web: Web, key: str) -> list[dict[str, str]]:
    return [fields for _, fields in web.redis.xrange(key)]


def wait_for_entries(web: Web, key: str, count: int = 1) -> None:
    deadline = time.monotonic() + 30
    while web.redis.xlen(key) < count:
        assert time.monotonic() < deadline, "nothing was streamed"
        time.sleep(0.01)


def expected_texts(store: Path, request: Any) -> list[str]:
    directory = store / request.policy_path
    tokenizer = load_tokenizer(directory)
    end = tokenizer.eos_token_id
    completions = sample(
        load_causal_lm(directory), render_prompt(tokenizer, request.messages), end_token_id=end,
        num_completions=request.num_completions, params=request.sampling,
    )  # fmt: skip
    return [decode_text(tokenizer, completion.token_ids, (end,)) for completion in completions]


def test_a_request_is_announced_and_answered_with_its_completions(web: Web, store: Path) -> None:
    sha256 = sha256_of(store / "policies" / "tiny" / MANIFEST)
    request = make_request(attempt=3, policy_sha256=sha256)
    web.send(request)
    assert web.receive()[::2] == (RECORD_SAMPLING_STARTED, {"run_id": "run-1", "attempt": 3})
    result = web.result()
    assert (result.run_id, result.attempt, result.error) == ("run-1", 3, None)
    assert [completion.content for completion in result.completions] == expected_texts(store, request)
    first, second = result.completions
    assert (first.policy, first.num_tokens, first.finish_reason) == ("tiny", 20, "length")
    assert [first.sampling, second.sampling] == [request.sampling, replace(request.sampling, seed=6)]
    assert first.logprob is not None
    assert -8 * 20 < first.logprob < 0
    assert result.device == "cpu float32"
    assert result.seconds is not None


def test_requests_that_share_the_batch_come_out_as_if_alone(web: Web, store: Path) -> None:
    requests = [
        make_request(f"run-{n}", content="Hello! " * n, seed=n, policy=("tiny", "other")[n % 2], tokens=60)
        for n in range(1, 7)
    ]
    for number, request in enumerate(requests):
        web.send(request, priority=PRIORITY_OVERNIGHT if number % 2 else 0)
    results = {result.run_id: result for result in (web.result() for _ in requests)}
    for request in requests:
        got = [completion.content for completion in results[request.run_id].completions]
        assert got == expected_texts(store, request)


def test_a_comparison_comes_with_differing_completions_or_a_flag(web: Web) -> None:
    request = make_request(num_completions=9)
    web.send(replace(request, sampling=replace(request.sampling, top_k=2, max_new_tokens=1)))
    result = web.result()
    texts = [completion.content.strip() for completion in result.completions]
    assert len(texts) == 9
    exact = {index for index, text in enumerate(texts) if texts.index(text) < index}
    assert exact
    assert exact <= {found.index for found in result.resemblances}


def test_the_users_side_can_be_sampled_too(web: Web) -> None:
    messages = (Message(role="user", content="Hi."), Message(role="assistant", content="Hello!"))
    web.send(replace(make_request(purpose="suggestion", as_role="user"), messages=messages))
    assert len(web.result().completions) == 2


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"policy": "nowhere"}, "policies/nowhere is not in this worker's model store"),
        ({"policy_sha256": "0" * 64}, "its manifest is not the one on record"),
        ({"content": "word " * 4000}, "shorten the dialogue"),
    ],
)
def test_what_a_person_can_mend_comes_back_as_the_error(web: Web, changes: dict[str, Any], complaint: str) -> None:
    web.send(make_request(**changes))
    result = web.result()
    assert result.error is not None
    assert complaint in result.error
    assert result.completions == ()


def test_the_log_names_a_task_and_its_time_and_holds_nobodys_text(web: Web, worker: Worker) -> None:
    begins_at = len(worker.log.read_text())
    web.send(make_request("run-of-a-secret", content="My secret is a green door.", tokens=60))
    completions = web.result().completions
    web.send({"run_id": "run-1", "attempt": "one", "messages": "My secret is a green door."})
    web.receive_task(RECORD_SAMPLING_FAILURE)
    log = worker.wait_for_log("raised unexpected")[begins_at:]
    assert re.search(rf"Task {SAMPLE}\[[0-9a-f-]{{36}}\] received", log)
    assert re.search(rf"Task {SAMPLE}\[[0-9a-f-]{{36}}\] succeeded in [0-9.e-]+s", log)
    assert "green door" not in log
    assert len(completions) == 2
    for completion in completions:
        assert completion.content[:20] not in log
        assert repr(completion.content)[1:20] not in log
    assert "finish_reason" not in log


@pytest.mark.parametrize("path", ["../../etc", "/etc", "policies/../../x", ""])
def test_a_path_outside_the_store_is_refused(web: Web, path: str) -> None:
    web.send(replace(make_request(), policy_path=path))
    result = web.result()
    assert result.error is not None
    assert "does not lie in the model store" in result.error


def test_a_request_that_is_no_record_is_reported_as_a_failure(web: Web) -> None:
    web.send({"run_id": "run-1", "attempt": "one"})
    args, kwargs = web.receive_task(RECORD_SAMPLING_FAILURE)
    assert (args, kwargs) == ([], {"run_id": "run-1", "attempt": 1})


def test_streamed_text_comes_in_order_and_joins_to_the_completions(web: Web) -> None:
    key = stream_key("run-1", 1)
    web.send(make_request(tokens=150, num_completions=3, purpose="chat", stream_key=key))
    result = web.result()
    *texts, last = entries(web, key)
    assert last == {"done": "1"}
    joined = ["", "", ""]
    for entry in texts:
        joined[int(entry["index"])] += entry["text"]
    assert joined == [completion.content for completion in result.completions]
    assert 0 < web.redis.ttl(key) <= 600
    assert len(texts) < 3 * 150  # batched: not a round trip a token


def test_a_refusal_ends_the_stream_as_well(web: Web) -> None:
    key = stream_key("run-1", 1)
    web.send(make_request(policy="nowhere", stream_key=key))
    result = web.result()
    assert entries(web, key) == [{"error": result.error}]


def test_cancelling_stops_a_run_and_returns_what_there_is(web: Web) -> None:
    key = stream_key("run-1", 1)
    web.send(make_request(tokens=4000, num_completions=1, purpose="chat", stream_key=key))
    wait_for_entries(web, key)
    started = time.monotonic()
    web.redis.set(cancel_key("run-1"), 1)
    result = web.result()
    assert time.monotonic() - started < 2
    (completion,) = result.completions
    assert completion.finish_reason == "cancelled"
    assert completion.num_tokens is not None
    assert 0 < completion.num_tokens < 4000
    assert entries(web, key)[-1] == {"done": "1"}


def test_overnight_work_can_be_cancelled_before_it_begins(web: Web) -> None:
    web.redis.set(cancel_key("run-1"), 1)
    web.send(make_request(tokens=4000))
    assert {completion.finish_reason for completion in web.result().completions} == {"cancelled"}


def test_a_worker_says_what_it_serves(web: Web) -> None:
    web.send(make_request(policy="other"))
    web.result()
    (answers,) = web.app.control.broadcast("serving", reply=True, timeout=5, limit=1)
    (served,) = answers.values()
    assert served["device"] == "cpu float32"
    assert "policies/other" in served["policies"]
    assert served["servers"] == []


@pytest.mark.chaos
def test_a_killed_worker_leaves_no_half_result_and_the_next_attempt_is_whole(
    web: Web, broker_url: str, store: Path, tmp_path: Path, worker: Worker
) -> None:
    key = stream_key("run-1", 1)
    web.send(make_request(tokens=4000, num_completions=1, purpose="chat", stream_key=key))
    wait_for_entries(web, key)
    worker.kill()
    worker.process = Worker.start(broker_url, store, worker.log.with_name("second.log")).wait_until_ready().process
    assert all("done" not in entry and "error" not in entry for entry in entries(web, key))
    assert web.hears_nothing_of(RECORD_COMPLETIONS, seconds=1)
    web.send(make_request(attempt=2, tokens=30))
    result = web.result()
    assert (result.attempt, len(result.completions), result.error) == (2, 2, None)


def test_settings_that_make_no_sense_stop_the_worker_at_once(broker_url: str, store: Path, tmp_path: Path) -> None:
    worker = Worker.start(broker_url, store, tmp_path / "log", PARLEY_SAMPLER_DTYPE="int8")
    assert worker.process.wait(timeout=60) != 0
    assert "PARLEY_SAMPLER_DTYPE is 'int8'; it must be one of float32" in (tmp_path / "log").read_text()
