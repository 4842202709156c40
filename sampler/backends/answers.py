"""What comes back from a server for one completion: an event at a time, and put together."""

import json
from dataclasses import dataclass, field, replace
from typing import Any

from records import Completion, SampleRequest
from records.types import FinishReason
from sampler.backends import BackendError
from sampler.backends.dialects import gives_logprobs

_FINISHED: dict[str, FinishReason] = {
    "stop": "stop",
    "eos_token": "stop",  # text-generation-inference says it so
    "stop_sequence": "stop",
    "length": "length",
}


@dataclass
class Answer:
    """One completion on its way. `finish_reason` is None until it has ended."""

    seed: int
    most_characters: int
    text: str = ""
    finish_reason: FinishReason | None = None
    num_tokens: int | None = None
    _logprobs: list[float] = field(default_factory=list)

    def restart(self) -> None:
        """Forget what came, for another try."""
        self.text, self.finish_reason, self.num_tokens, self._logprobs = "", None, None, []

    def take(self, event: str) -> str:
        """Read one event; returns the text that it adds. Raises BackendError where the server says no."""
        if event == "[DONE]":
            return ""
        values = _object(event)
        if values.get("error"):
            raise BackendError(f"the server broke off: {complaint(event)}")
        usage = values.get("usage") or {}
        self.num_tokens = usage.get("completion_tokens", self.num_tokens)
        return "".join(self._choose(choice) for choice in values.get("choices") or ())

    def to_completion(self, request: SampleRequest, index: int) -> Completion:
        """The completion as a record; what the server did not tell stays unset."""
        return Completion(
            id=f"{request.run_id}-{index}",
            content=self.text,
            policy=request.policy,
            sampling=replace(request.sampling, seed=self.seed),
            finish_reason=self.finish_reason or "cancelled",
            num_tokens=self.num_tokens,
            logprob=self._logprob() if gives_logprobs(request.sampling) else None,
        )

    def _choose(self, choice: dict[str, Any]) -> str:
        reason = choice.get("finish_reason")
        if reason is not None and reason not in _FINISHED:
            raise BackendError(f"the server ended a completion for the reason {reason!r}, which makes no whole answer")
        self.finish_reason = _FINISHED[reason] if reason is not None else self.finish_reason
        tokens = (choice.get("logprobs") or {}).get("content") or ()
        self._logprobs += [float(token["logprob"]) for token in tokens]
        delta = _plain((choice.get("delta") or {}).get("content") or "")
        self.text += delta
        if len(self.text) > self.most_characters:
            raise BackendError("the server sends more than the tokens that were asked for, and does not end")
        return delta

    def _logprob(self) -> float | None:
        """The sum over all tokens, or nothing: a sum over some, without the end token perhaps, would mislead."""
        return sum(self._logprobs) if self._logprobs and len(self._logprobs) == self.num_tokens else None


def complaint(body: str) -> str:
    """What a server says is wrong, in whichever of the usual places."""
    try:
        values: Any = json.loads(body)
    except ValueError:
        return body[:200]
    if isinstance(values, dict):
        values = values.get("error") or values.get("detail") or values.get("message") or values
    if isinstance(values, dict):
        values = values.get("message") or values
    return str(values)[:300]


def _object(event: str) -> dict[str, Any]:
    try:
        values = json.loads(event)
    except ValueError as error:
        raise BackendError(f"the server sent what is not JSON: {event[:80]!r}") from error
    if not isinstance(values, dict):
        raise BackendError(f"the server sent {event[:80]!r} where an object belongs")
    return values


def _plain(text: str) -> str:
    """Without what no database holds: NUL, and halves of surrogate pairs."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")
