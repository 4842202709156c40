"""A server that speaks vLLM's protocol as we use it, answering from our own engine; it fails as it is told to.

With the same weights and seeds it samples the very tokens that the local engine would, so that a run by it can be held
against one without. It is no vLLM: what vLLM computes otherwise, only a GPU can show.
"""

import json
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import torch
from torch import nn

from language.chat import end_token_id, render_prompt
from language.checkpoints import load_causal_lm, load_tokenizer
from language.cpu_linears import pack_linears
from language.generation import sample
from language.stop_ids import decode_text
from records import Message, SamplingParams


class Refused(Exception):
    """An answer with another status than 200."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


@dataclass
class VllmStub:
    """One server on a free port. A fault takes one request for a completion.

    It is a status; "cut", the connection ends without an answer; "restart", and the weights are forgotten with it; a
    number of seconds (a float), to wait; or a function that changes the answer.
    """

    serves: Path
    context: int = 512
    tokenizer: Path | None = None
    key: str | None = None
    faults: deque[int | float | str | Callable[[dict[str, Any]], None]] = field(default_factory=deque)
    sees_folders: bool = True
    loads: bool = True  # else it takes the name and keeps the weights
    logprob_shift: float = 0.0
    loaded: list[str] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    after_completions: Callable[["VllmStub"], None] | None = None
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        stub = self

        class Door(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                stub._open(self, None)

            def do_POST(self) -> None:
                stub._open(self, json.loads(self.rfile.read(int(self.headers["content-length"])) or b"{}"))

            def log_message(self, *_: object) -> None:
                pass

        self.restart()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def restart(self) -> None:
        """As a process that was started anew: it serves what it was started on."""
        self._model, self.version = self._load(self.serves), "default"

    @staticmethod
    def _load(folder: Path) -> nn.Module:
        model = load_causal_lm(folder)
        pack_linears(model)
        return model

    def _open(self, door: BaseHTTPRequestHandler, body: dict[str, Any] | None) -> None:
        try:
            if self.key and door.headers.get("authorization") != f"Bearer {self.key}":
                raise Refused(401, "invalid key")
            if door.path == "/v1/chat/completions":
                with self._turn:
                    self._stream(door, body or {})
                return
            answer, status = self._answer(door.path, body or {}), 200
        except Refused as refused:
            answer, status = {"error": {"message": str(refused)}}, refused.status
        except ConnectionError:
            with suppress(OSError):
                door.connection.shutdown(socket.SHUT_RDWR)
            return
        said = json.dumps(answer).encode()
        door.send_response(status)
        door.send_header("content-length", str(len(said)))
        door.end_headers()
        door.wfile.write(said)

    def _answer(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        match path:
            case "/v1/models":
                return {"data": [{"id": "served", "max_model_len": self.context}]}
            case "/tokenize":
                tokenizer = load_tokenizer(self.tokenizer or self.serves)
                return {"tokens": tokenizer(body["prompt"], add_special_tokens=body["add_special_tokens"])["input_ids"]}
            case "/weight_info":
                return {"weight_version": self.version}
            case "/update_weight_version":
                self.version = body["new_version"]
                return {"success": True, "new_version": self.version}
            case "/collective_rpc":
                return self._reload(body)
            case "/reset_prefix_cache":
                return {}
            case "/v1/completions":
                with self._turn:
                    return self._complete(body)
        raise Refused(404, "Not Found")

    def _reload(self, body: dict[str, Any]) -> dict[str, Any]:
        folder = Path(body["kwargs"]["weights_path"])
        if not self.sees_folders or not folder.is_dir():
            raise Refused(500, f"Cannot find any model weights with `{folder}`")
        self.loaded.append(folder.name)
        if self.loads:
            self._model = self._load(folder)
        return {"results": [None]}

    def _complete(self, body: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(body)
        fault = self.faults.popleft() if self.faults else None
        if isinstance(fault, int):
            raise Refused(fault, "as told")
        if fault == "restart":
            self.restart()
        if fault in ("cut", "restart"):
            raise ConnectionError
        if isinstance(fault, float):
            time.sleep(fault)
        answer = self._sampled(body)
        if callable(fault):
            fault(answer)
        if self.after_completions is not None:
            self.after_completions(self)
        return answer

    def _stream(self, door: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        """A chat, in one event of text and one of counts, as of a model that is fast."""
        self.asked.append(body)
        tokenizer = load_tokenizer(self.serves)
        messages = [Message(role=one["role"], content=one["content"]) for one in body["messages"]]
        end = end_token_id(tokenizer)
        asked = {**body, "prompt": render_prompt(tokenizer, messages), "stop_token_ids": [end]}
        (choice,) = self._sampled(asked)["choices"]
        logprobs = [{"logprob": one} for one in choice["logprobs"]["token_logprobs"]]
        said = {
            "index": 0,
            "delta": {"content": decode_text(tokenizer, choice["token_ids"], {end})},
            "finish_reason": choice["finish_reason"],
            "logprobs": {"content": logprobs},
        }
        counted = {"choices": [], "usage": {"completion_tokens": len(logprobs)}}
        door.send_response(200)
        door.send_header("content-type", "text/event-stream")
        door.end_headers()
        for event in (json.dumps({"choices": [said]}), json.dumps(counted), "[DONE]"):
            door.wfile.write(f"data: {event}\n\n".encode())

    def _sampled(self, body: dict[str, Any]) -> dict[str, Any]:
        pure = {"top_p": 1.0, "top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0}
        assert {name: body[name] for name in pure} == pure, "a rollout is a pure sample"
        params = SamplingParams(temperature=body["temperature"], max_new_tokens=body["max_tokens"], seed=body["seed"])
        (end,) = body["stop_token_ids"]
        with torch.inference_mode():
            (one,) = sample(self._model, body["prompt"], num_completions=1, params=params, end_token_id=end)
        logprobs = [logprob + self.logprob_shift for logprob in one.logprobs]
        choice = {
            "index": 0,
            "finish_reason": "length" if one.finish_reason == "length" else "stop",
            "token_ids": one.token_ids,
            "prompt_token_ids": body["prompt"],
            "logprobs": {"token_logprobs": logprobs},
        }
        return {"model": body["model"], "choices": [choice]}
