"""Sampling by an OpenAI-compatible server: a real one, and the ways in which a network fails."""

import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from records import ModelServer as Named
from records import SampleRequest, SamplingParams
from sampler.backends import BackendError
from sampler.backends.conversations import ServerAway
from sampler.backends.served import ModelServers
from sampler.configuration import Configuration, configuration
from sampler.runs import Run
from tests.sampler.conftest import Web, Worker, make_request
from tests.sampler.model_servers import Front, ModelServer, free_port
from tests.tiny import build_tiny_policy


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_policy(tmp_path_factory.mktemp("served") / "tiny", max_length=8192)


@pytest.fixture(scope="module")
def server(model: Path) -> Iterator[ModelServer]:
    server = ModelServer.start(model, model.parent / "log").wait_until_ready()
    yield server
    server.stop()


@pytest.fixture
def front(server: ModelServer) -> Iterator[Front]:
    front = Front(server.port)
    yield front
    front.close()


def ask(
    url: str,
    model: Path | str,
    *,
    hosts: tuple[str, ...] | None = None,
    kind: Any = "transformers",
    places: int = 4,
    seconds: float = 20.0,
    run: Run | None = None,
    on_text: Any = None,
    sampling: SamplingParams | None = None,
    **changes: Any,
) -> Any:
    """Sample by the server at `url`, which the worker is allowed unless `hosts` says otherwise."""
    request: SampleRequest = make_request(**changes)
    request = replace(request, server=Named(kind=kind, url=url, model=str(model)))
    request = replace(request, sampling=sampling or request.sampling)
    allowed = (url.split("/")[2],) if hosts is None else hosts
    servers = ModelServers(configured(backend_hosts=allowed, backend_requests=places, backend_seconds=seconds))
    return servers.backend(request).sample(request, run or Run(request.run_id, 1), on_text=on_text)


def configured(**changes: Any) -> Configuration:
    return replace(configuration(), **changes)


def test_it_samples_with_a_seed_for_each_completion(front: Front, model: Path) -> None:
    # The server's own default for this model would be greedy.
    assert "do_sample" not in (model / "generation_config.json").read_text()
    completions = ask(front.url, model, num_completions=3, seed=7, tokens=12)
    assert [completion.sampling.seed for completion in completions] == [7, 8, 9]
    assert len({completion.content for completion in completions}) == 3
    assert {(completion.num_tokens, completion.finish_reason) for completion in completions} == {(12, "length")}
    again = ask(front.url, model, num_completions=3, seed=7, tokens=12)
    assert [completion.content for completion in again] == [completion.content for completion in completions]


def test_it_claims_no_log_probability_where_the_server_gives_none(front: Front, model: Path) -> None:
    assert ask(front.url, model, num_completions=1)[0].logprob is None


def test_greedy_is_greedy(front: Front, model: Path) -> None:
    one, two = ask(front.url, model, sampling=SamplingParams(temperature=0.0, max_new_tokens=5))
    assert one.content == two.content


def test_an_end_is_told_from_a_limit(front: Front, model: Path) -> None:
    (cut,) = ask(front.url, model, num_completions=1, tokens=5)
    ended = ask(front.url, model, num_completions=4, tokens=4000)
    assert (cut.finish_reason, cut.num_tokens) == ("length", 5)
    assert {completion.finish_reason for completion in ended} == {"stop"}
    assert all(0 < completion.num_tokens < 4000 and "<|im_end|>" not in completion.content for completion in ended)


def test_text_comes_as_it_is_sampled_and_joins_to_the_completions(front: Front, model: Path) -> None:
    heard: list[tuple[int, str]] = []
    completions = ask(front.url, model, num_completions=2, tokens=60, on_text=lambda *news: heard.append(news))
    assert len(completions) == 2
    for index, completion in enumerate(completions):
        assert "".join(text for place, text in heard if place == index) == completion.content
    assert len(heard) > 4


@pytest.mark.parametrize(("kind", "at_once"), [("openai", 2), ("transformers", 1)])
def test_no_more_are_asked_for_at_once_than_allowed(front: Front, model: Path, kind: str, at_once: int) -> None:
    ask(front.url, model, kind=kind, num_completions=6, places=2, tokens=30)
    assert front.most_at_once == at_once


def test_a_busy_server_is_asked_again(front: Front, model: Path) -> None:
    front.faults.extend([429, 503])
    assert len(ask(front.url, model, num_completions=1)) == 1
    assert len(front.seen) == 3


def test_a_completion_that_broke_off_is_sampled_afresh_with_its_seed(front: Front, model: Path) -> None:
    whole = ask(front.url, model, num_completions=1, tokens=40)
    front.faults.append("cut")
    assert ask(front.url, model, num_completions=1, tokens=40) == whole
    assert len({body["seed"] for body in front.seen}) == 1


def test_a_server_that_falls_silent_is_asked_again(front: Front, model: Path) -> None:
    front.faults.append("silence")
    assert len(ask(front.url, model, num_completions=1, seconds=1.0)) == 1
    assert len(front.seen) == 2


def test_what_somebody_has_begun_to_read_is_not_written_over(front: Front, model: Path) -> None:
    front.faults.append("cut")
    with pytest.raises(ServerAway, match="broke off"):
        ask(front.url, model, num_completions=1, tokens=60, purpose="chat", on_text=lambda *_: None)
    assert len(front.seen) == 1


def test_a_server_that_is_not_there_is_named(model: Path) -> None:
    port = free_port()
    with pytest.raises(BackendError, match=f"nobody answers at 127.0.0.1:{port}; is the server running there"):
        ask(f"http://127.0.0.1:{port}/v1", model, purpose="suggestion")


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        (400, r"refuses this request \(400\): as told: 400"),
        (403, "refuses this worker's key; set PARLEY_BACKEND_KEY_127_0_0_1_"),
        (404, "has no model '.*tiny', or no such interface at /v1/chat/completions: as told: 404"),
        (307, "sends elsewhere, which is not followed"),
    ],
)
def test_what_a_person_can_mend_is_said_at_once(front: Front, model: Path, status: int, advice: str) -> None:
    front.faults.append(status)
    with pytest.raises(BackendError, match=advice):
        ask(front.url, model, num_completions=1)
    assert len(front.seen) == 1


def test_a_model_that_the_server_does_not_have_is_said(front: Front) -> None:
    with pytest.raises(BackendError, match="Server is pinned to"):
        ask(front.url, "another")


def test_the_key_comes_from_the_environment_of_the_worker(
    front: Front, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    front.key = "secret"
    with pytest.raises(BackendError, match=f"set PARLEY_BACKEND_KEY_127_0_0_1_{front.port} in its environment"):
        ask(front.url, model, num_completions=1)
    monkeypatch.setenv(f"PARLEY_BACKEND_KEY_127_0_0_1_{front.port}", "secret")
    assert len(ask(front.url, model, num_completions=1)) == 1


def test_cancelling_ends_what_there_is_within_moments(front: Front, model: Path) -> None:
    run, begun = Run("run-1", 1), threading.Event()
    threading.Thread(target=lambda: (begun.wait(30), run.cancel())).start()
    started = time.monotonic()
    (completion,) = ask(
        front.url, model, run=run, num_completions=1, tokens=7000, purpose="chat", on_text=lambda *_: begun.set()
    )
    assert time.monotonic() - started < 5
    assert completion.finish_reason == "cancelled"
    assert completion.content


def test_a_completion_that_is_to_end_ends_and_the_others_go_on(front: Front, model: Path) -> None:
    asked = {"num_completions": 2, "tokens": 400, "purpose": "chat"}
    ended, whole = ask(front.url, model, **asked, on_text=lambda index, text: index == 0 and bool(text))
    alone = ask(front.url, model, **asked)
    # Not which text: the server may still sample by the seed of what was broken off.
    assert (ended.finish_reason, whole.finish_reason) == ("cancelled", "length")
    assert whole.num_tokens == 400
    assert 0 < len(ended.content) < len(alone[0].content)


def test_what_waits_for_its_turn_can_be_cancelled(front: Front, model: Path) -> None:
    run = Run("run-1", 1)
    run.cancel()
    completions = ask(front.url, model, run=run, num_completions=5, places=1, tokens=7000)
    assert [completion.finish_reason for completion in completions] == ["cancelled"] * 5


def test_the_users_side_cannot_be_asked_of_a_server(front: Front, model: Path) -> None:
    with pytest.raises(BackendError, match="which can only answer"):
        ask(front.url, model, as_role="user")


@pytest.mark.parametrize(
    ("address", "complaint"),
    [
        ("http://169.254.169.254/latest", r"may not call 169.254.169.254; add it to PARLEY_BACKEND_HOSTS"),
        ("http://127.0.0.1:6379", "may not call 127.0.0.1:6379"),
        ("http://allowed:9999/v1", "may not call allowed:9999"),
        ("http://allowed.evil.example/v1", "may not call allowed.evil.example"),
        ("http://allowed@evil.example/v1", "a key belongs in the environment"),
        ("http://allowed/v1?x=http://evil", "host, port and path only"),
        ("file:///etc/passwd", "must begin with https:// or http://"),
        ("allowed", "must begin with https:// or http://"),
        ("", "must begin with https:// or http://"),
    ],
)
def test_a_worker_goes_only_where_its_environment_says(address: str, complaint: str) -> None:
    with pytest.raises(BackendError, match=complaint):
        ask(address or "", "model", hosts=("allowed",))


def test_without_a_list_a_worker_goes_nowhere() -> None:
    assert not os.environ.get("PARLEY_BACKEND_HOSTS")
    assert configuration().backend_hosts == ()


def test_a_worker_samples_by_a_server_what_its_policy_says(
    front: Front, model: Path, web: Web, broker_url: str, store: Path, tmp_path: Path
) -> None:
    front.key = "secret"
    worker = Worker.start(
        broker_url, store, tmp_path / "log",
        PARLEY_BACKEND_HOSTS=f"127.0.0.1:{front.port}", **{f"PARLEY_BACKEND_KEY_127_0_0_1_{front.port}": "secret"},
    ).wait_until_ready()  # fmt: skip
    here = Named(kind="transformers", url=front.url, model=str(model))
    web.send(replace(make_request("run-1", tokens=10), policy_path="", server=here))
    result = web.result()
    web.send(replace(make_request("run-2"), server=replace(here, url="http://127.0.0.1:1/v1")))
    refused = web.result()
    worker.kill()
    assert (result.error, len(result.completions)) == (None, 2)
    assert result.device == f"transformers {front.url}"
    assert "may not call 127.0.0.1:1; add it to PARLEY_BACKEND_HOSTS" in str(refused.error)
    assert "secret" not in worker.log.read_text()
