"""A vLLM server as rollouts need it: completions by token ids, and weights that are replaced while it runs.

Knows HTTP and vLLM's fields, no model and no training. Weights are loaded from a folder by the development routes of
the server (VLLM_SERVER_DEV_MODE=1): /collective_rpc, /reset_prefix_cache, /update_weight_version, /weight_info.
"""

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from language.generation import Sampled
from language.options import MayPass
from records import SamplingParams
from records.types import FinishReason

KEY = "PARLEY_ROLLOUTS_KEY"

# vLLM computes up to 256 sequences at once unless told otherwise (--max-num-seqs); more would only wait there.
MOST_REQUESTS = 256
_CONNECT_SECONDS = 5.0
_PASSING = (408, 425, 429)  # and all from 500 on
_FAILED = 500


class RolloutsError(ValueError):
    """A server that cannot sample for this run: which, what is wrong, what to do."""


class ServerAway(RolloutsError, MayPass):
    """A server that does not answer, or not to the end; it may come back. `status` is of the answer, where one came."""

    def __init__(self, text: str, *, status: int | None = None) -> None:
        super().__init__(text)
        self.status = status


class OtherWeights(ServerAway):
    """A server that holds, or sampled with, other weights than it was given."""


@dataclass(frozen=True)
class Ask:
    """One completion to be sampled: the prompt's tokens, the seed in `params`, and which tokens end it."""

    prompt_ids: tuple[int, ...]
    params: SamplingParams
    end_token_id: int
    stop_ids: frozenset[int]


@dataclass(frozen=True)
class Served:
    """What a server says of the model that it serves."""

    name: str
    context: int


def problem_with_address(address: str) -> str | None:
    """Why this is no address of a server; None where it is one."""
    try:
        url = httpx2.URL(address)
    except httpx2.InvalidURL as error:
        return f"no address of a server ({error}); give one as http://host:8000"
    if url.scheme not in ("http", "https") or not url.host:
        return "no address of a server; give one as http://host:8000"
    if url.userinfo or url.query or url.fragment or url.path.strip("/") not in ("", "v1"):
        return f"give scheme, host and port only, as http://host:8000; a key belongs in {KEY} of the environment"
    return None


class RolloutServer:
    """One server. Raises ServerAway where it may come back, RolloutsError where a person has to mend something."""

    def __init__(self, address: str, *, seconds: float) -> None:
        self.address = address.rstrip("/").removesuffix("/v1")
        self._seconds = seconds

    def served(self) -> Served:
        """The model that the server serves, and how many tokens it holds."""
        models = self._call("GET", "/v1/models").get("data") or []
        if not models or not isinstance(models[0].get("max_model_len"), int):
            raise RolloutsError(f"{self.address} names no model with a max_model_len at /v1/models; is it vLLM?")
        return Served(str(models[0]["id"]), models[0]["max_model_len"])

    def tokens_of(self, text: str, *, model: str) -> list[int]:
        """The server's own tokens of a text, special tokens of the text included and none added."""
        body = {"model": model, "prompt": text, "add_special_tokens": False}
        return [int(token) for token in self._call("POST", "/tokenize", body).get("tokens") or ()]

    def version(self) -> str:
        """What the server's weights were called when they were last replaced; "default" after a start."""
        version = self._call("GET", "/weight_info").get("weight_version")
        if not isinstance(version, str):
            raise RolloutsError(f"{self.address} tells no weight_version at /weight_info; a newer vLLM does")
        return version

    def load(self, folder: Path, version: str) -> None:
        """Replace the weights by those of a checkpoint folder, which are called `version` from then on."""
        # Named first: weights that were half replaced must not pass as those before.
        self._call("POST", "/update_weight_version", {"new_version": f"loading {version}"})
        arguments = {"weights_path": str(folder), "is_checkpoint_format": True}
        try:
            self._call("POST", "/collective_rpc", {"method": "reload_weights", "kwargs": arguments})
        except RolloutsError as problem:
            if isinstance(problem, ServerAway) and problem.status != _FAILED:
                raise  # it does not answer, or is busy
            raise RolloutsError(
                f"{self.address} could not load the weights written to {folder}: {problem}. The server must see that "
                "folder under the same path: share it between the machines, or name a shared one by --rollouts-folder; "
                "and it must serve a model of the policy's shape"
            ) from problem
        self._call("POST", "/reset_prefix_cache", {})
        self._call("POST", "/update_weight_version", {"new_version": version})

    def sample(self, asks: Sequence[Ask], *, model: str, version: str) -> list[Sampled | ServerAway]:
        """A completion of each, or why there is none yet. RolloutsError where an answer is not what was asked for."""
        return asyncio.run(self._sample(asks, model, version))

    async def _sample(self, asks: Sequence[Ask], model: str, version: str) -> list[Sampled | ServerAway]:
        places = asyncio.Semaphore(MOST_REQUESTS)
        limits = httpx2.Limits(max_connections=MOST_REQUESTS, max_keepalive_connections=MOST_REQUESTS)
        async with httpx2.AsyncClient(trust_env=False, timeout=self._timeout, limits=limits) as client:

            async def one(ask: Ask) -> Sampled | ServerAway:
                async with places:
                    try:
                        request = client.post(
                            f"{self.address}/v1/completions", json=completion_request(ask, model), headers=_headers()
                        )
                        return read_completion(self._read(await request), ask, version, where=self.address)
                    except httpx2.TransportError as error:
                        return _away(self.address, error)
                    except ServerAway as away:
                        return away

            return list(await asyncio.gather(*map(one, asks)))

    @property
    def _timeout(self) -> httpx2.Timeout:
        return httpx2.Timeout(self._seconds, connect=_CONNECT_SECONDS)

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        try:
            with httpx2.Client(trust_env=False, timeout=self._timeout) as client:
                return self._read(client.request(method, self.address + path, json=body, headers=_headers()))
        except httpx2.TransportError as error:
            raise _away(self.address, error) from error

    def _read(self, response: httpx2.Response) -> dict[str, Any]:
        path = response.request.url.path
        if response.status_code == 404:
            raise RolloutsError(
                f"{self.address} has no {path} ({_said(response)}); rollouts need a vLLM that has it, started with "
                "VLLM_SERVER_DEV_MODE=1"
            )
        if response.status_code in (401, 403):
            raise RolloutsError(f"{self.address} refuses this run's key; set {KEY} in its environment")
        if response.status_code in _PASSING or response.status_code >= 500:
            raise ServerAway(
                f"{self.address} answered {response.status_code} at {path}: {_said(response)}",
                status=response.status_code,
            )
        if response.status_code != 200:
            raise RolloutsError(f"{self.address} refuses {path} ({response.status_code}): {_said(response)}")
        if not response.content:
            return {}
        try:
            values = response.json()
        except ValueError as error:
            raise RolloutsError(f"{self.address} answered {path} with what is not JSON: {_said(response)}") from error
        return values if isinstance(values, dict) else {}


def completion_request(ask: Ask, model: str) -> dict[str, Any]:
    """The JSON of one completion: pure sampling, whatever the server's own defaults are."""
    return {
        "model": model,
        "prompt": list(ask.prompt_ids),
        "max_tokens": ask.params.max_new_tokens,
        "temperature": ask.params.temperature,
        "top_p": 1.0,
        "top_k": -1,
        "min_p": 0.0,
        "repetition_penalty": 1.0,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "seed": ask.params.seed,
        "stop_token_ids": sorted({ask.end_token_id, *ask.stop_ids}),
        "logprobs": 1,
        "return_token_ids": True,
    }


def read_completion(values: dict[str, Any], ask: Ask, version: str, *, where: str) -> Sampled:
    """One completion out of a server's answer. RolloutsError where it answers something else than was asked."""
    choice = (values.get("choices") or [{}])[0]
    for holder in (values, values.get("metadata") or {}, choice):  # servers that put it into answers differ in where
        if (said := holder.get("weight_version")) not in (None, version):
            raise OtherWeights(f"{where} sampled with weights {said!r}, not {version!r}")
    token_ids, logprobs = choice.get("token_ids"), (choice.get("logprobs") or {}).get("token_logprobs")
    if not token_ids or not logprobs:
        raise RolloutsError(
            f"{where} answers without token ids and their log-probabilities; a vLLM that knows return_token_ids does"
        )
    if (read := choice.get("prompt_token_ids")) is not None and tuple(read) != ask.prompt_ids:
        raise RolloutsError(
            f"{where} read another prompt than it was sent ({len(read)} tokens of {len(ask.prompt_ids)}); start it "
            "with a --max-model-len that holds prompt and completion, and with this policy's tokenizer"
        )
    if len(token_ids) != len(logprobs) or None in logprobs:
        raise RolloutsError(f"{where} tells {len(logprobs)} log-probabilities of {len(token_ids)} tokens")
    if choice.get("finish_reason") not in ("stop", "length"):
        raise ServerAway(f"{where} ended a completion for the reason {choice.get('finish_reason')!r}")
    return Sampled([int(one) for one in token_ids], [float(one) for one in logprobs], _finish(token_ids, ask, where))


def _finish(token_ids: Sequence[int], ask: Ask, where: str) -> FinishReason:
    ends = {ask.end_token_id, *ask.stop_ids}
    if early := next((index for index, token in enumerate(token_ids[:-1]) if token in ends), None):
        raise RolloutsError(f"{where} sampled on after the end token at place {early}; is ignore_eos set there?")
    if token_ids[-1] == ask.end_token_id:
        return "stop"
    if token_ids[-1] in ask.stop_ids:
        return "other_stop"
    if len(token_ids) != ask.params.max_new_tokens:
        raise RolloutsError(
            f"{where} ended a completion after {len(token_ids)} tokens without an end token, where "
            f"{ask.params.max_new_tokens} were allowed; raise its --max-model-len, and look for stop strings there"
        )
    return "length"


def _headers() -> dict[str, str]:
    key = os.environ.get(KEY)
    return {"Authorization": f"Bearer {key}"} if key else {}


def _away(address: str, error: httpx2.TransportError) -> ServerAway:
    what = str(error) or type(error).__name__
    return ServerAway(f"{address} does not answer ({what}); is the server running there?")


def _said(response: httpx2.Response) -> str:
    return " ".join(response.text.split())[:300]
