"""What is asked of each kind of server, so that it samples as the record says and not by defaults of its own.

The OpenAI interface has no word for pure sampling. Each server adds its own, and several truncate by
default: llama.cpp to 40 tokens, vLLM as the model's generation_config.json says; `transformers serve` is
greedy unless told otherwise. A record that says "temperature 1, nothing left out" would then be wrong.
"""

import json
from collections.abc import Callable
from typing import Any

from records import SampleRequest, SamplingParams
from sampler.backends import BackendError


def request_body(request: SampleRequest, *, seed: int) -> dict[str, Any]:
    """The JSON of one streamed chat completion. Raises BackendError where the server cannot sample so."""
    assert request.server is not None
    sampling = request.sampling
    body: dict[str, Any] = {
        "model": request.server.model,
        "messages": [{"role": message.role, "content": message.content} for message in request.messages],
        "max_tokens": sampling.max_new_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "seed": seed,
        "stream": True,
    }
    _DIALECTS[request.server.kind](body, sampling)
    return body


def gives_logprobs(sampling: SamplingParams) -> bool:
    """Whether servers agree on what a log-probability is: of the model itself, or of what it was drawn from."""
    return sampling.temperature == 1 and sampling.top_p == 1 and sampling.top_k == 0


def _openai(body: dict[str, Any], sampling: SamplingParams) -> None:
    if sampling.top_k:
        raise BackendError("this kind of server knows no top-k; set it to 0, or sample by another")
    _count_and_weigh(body)


def _vllm(body: dict[str, Any], sampling: SamplingParams) -> None:
    body |= {"top_k": sampling.top_k or -1, "min_p": 0.0, "repetition_penalty": 1.0}
    _count_and_weigh(body)


def _llama_cpp(body: dict[str, Any], sampling: SamplingParams) -> None:
    body |= {"top_k": sampling.top_k, "min_p": 0.0, "typical_p": 1.0, "repeat_penalty": 1.0}
    _count_and_weigh(body)


def _tgi(body: dict[str, Any], sampling: SamplingParams) -> None:
    if sampling.top_p == 1:
        del body["top_p"]  # it takes only what is below 1
    _openai(body, sampling)


def _transformers(body: dict[str, Any], sampling: SamplingParams) -> None:
    # It knows top_k and do_sample only in here; log-probabilities it does not give.
    how = {"do_sample": sampling.temperature > 0, "top_k": sampling.top_k, "top_p": sampling.top_p}
    body["generation_config"] = json.dumps(how)


def _count_and_weigh(body: dict[str, Any]) -> None:
    body |= {"logprobs": True, "stream_options": {"include_usage": True}}


_DIALECTS: dict[str, Callable[[dict[str, Any], SamplingParams], None]] = {
    "openai": _openai,
    "vllm": _vllm,
    "llama.cpp": _llama_cpp,
    "tgi": _tgi,
    "transformers": _transformers,
}
