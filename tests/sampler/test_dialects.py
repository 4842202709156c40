"""What each kind of server is asked, and what is believed of its answer."""

import json
from dataclasses import replace
from typing import Any

import pytest

from records import ModelServer, SampleRequest, SamplingParams
from sampler.backends import BackendError
from sampler.backends.answers import Answer
from sampler.backends.dialects import request_body
from tests.sampler.conftest import make_request

PURE = SamplingParams()


def served(kind: str, sampling: SamplingParams = PURE) -> SampleRequest:
    server = ModelServer(kind=kind, url="https://gpu1/v1", model="m")
    return replace(make_request(), server=server, sampling=sampling)


def body(kind: str, **sampling: Any) -> dict[str, Any]:
    return request_body(served(kind, SamplingParams(**sampling)), seed=3)


@pytest.mark.parametrize(
    ("kind", "pure"),
    [
        ("vllm", {"top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0, "top_p": 1.0}),
        ("llama.cpp", {"top_k": 0, "min_p": 0.0, "typical_p": 1.0, "repeat_penalty": 1.0, "top_p": 1.0}),
        ("transformers", {"generation_config": '{"do_sample": true, "top_k": 0, "top_p": 1.0}'}),
    ],
)
def test_pure_sampling_is_asked_for_where_a_server_would_truncate(kind: str, pure: dict[str, Any]) -> None:
    asked = body(kind)
    assert {name: asked[name] for name in pure} == pure
    assert (asked["temperature"], asked["seed"], asked["max_tokens"]) == (1.0, 3, 256)


def test_truncation_that_was_asked_for_is_passed_on() -> None:
    assert body("vllm", top_k=5, top_p=0.9)["top_k"] == 5
    assert body("llama.cpp", top_k=5)["top_k"] == 5
    assert json.loads(body("transformers", top_k=5)["generation_config"])["top_k"] == 5


@pytest.mark.parametrize("kind", ["openai", "tgi"])
def test_a_server_that_knows_no_top_k_is_not_asked_to_do_without(kind: str) -> None:
    with pytest.raises(BackendError, match="knows no top-k"):
        body(kind, top_k=5)


def test_text_generation_inference_takes_no_top_p_of_one() -> None:
    assert "top_p" not in body("tgi")
    assert body("tgi", top_p=0.5)["top_p"] == 0.5


def read(*events: dict[str, Any]) -> Answer:
    answer = Answer(seed=3, most_characters=100)
    for event in events:
        answer.take(json.dumps(event))
    return answer


def said(text: str, logprob: float | None = None, **rest: Any) -> dict[str, Any]:
    choice: dict[str, Any] = {"index": 0, "delta": {"content": text}, **rest}
    if logprob is not None:
        choice["logprobs"] = {"content": [{"token": text, "logprob": logprob}]}
    return {"choices": [choice]}


def test_log_probabilities_are_summed_where_every_token_has_one() -> None:
    answer = read(said("a", -1.0), said("b", -0.5, finish_reason="stop"), {"usage": {"completion_tokens": 2}})
    completion = answer.to_completion(served("vllm"), 0)
    assert (completion.logprob, completion.num_tokens, completion.finish_reason) == (-1.5, 2, "stop")


def test_a_sum_without_the_end_token_is_not_given_out_as_the_whole() -> None:
    answer = read(said("a", -1.0), said("b", -0.5, finish_reason="stop"), {"usage": {"completion_tokens": 3}})
    assert answer.to_completion(served("vllm"), 0).logprob is None


def test_nothing_is_claimed_where_servers_disagree_on_what_it_means() -> None:
    answer = read(said("a", -1.0, finish_reason="stop"), {"usage": {"completion_tokens": 1}})
    assert answer.to_completion(served("vllm", SamplingParams(temperature=0.7)), 0).logprob is None


@pytest.mark.parametrize(("reason", "ours"), [("eos_token", "stop"), ("stop_sequence", "stop"), ("length", "length")])
def test_reasons_for_an_end_are_translated(reason: str, ours: str) -> None:
    assert read(said("a", finish_reason=reason)).finish_reason == ours


def test_an_answer_that_a_filter_cut_is_no_answer() -> None:
    with pytest.raises(BackendError, match="'content_filter', which makes no whole answer"):
        read(said("a", finish_reason="content_filter"))


@pytest.mark.parametrize("error", ["out of memory", {"message": "out of memory"}])
def test_an_error_in_the_midst_is_said(error: object) -> None:
    with pytest.raises(BackendError, match="broke off: out of memory"):
        read(said("a"), {"error": error})


@pytest.mark.parametrize("event", ["<html>", "[1]", '"x"'])
def test_what_is_no_event_is_refused(event: str) -> None:
    with pytest.raises(BackendError, match="the server sent"):
        Answer(seed=0, most_characters=100).take(event)


def test_text_that_no_database_holds_is_mended() -> None:
    answer = Answer(seed=0, most_characters=100)
    answer.take('{"choices": [{"delta": {"content": "a\\u0000b\\ud800c"}}]}')
    assert answer.text == "a\ufffdb?c"
    answer.take("[DONE]")
    assert answer.text == "a\ufffdb?c"


def test_a_server_that_does_not_end_is_given_up() -> None:
    with pytest.raises(BackendError, match="more than the tokens that were asked for"):
        read(*(said("ten more. ") for _ in range(11)))
