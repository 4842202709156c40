"""Filters that are servers: OpenAI's moderation endpoint, and guard models on OpenAI-compatible servers.

What they are sent is the text alone, and nothing that they answer is repeated: it may quote the text. A guard says what
it thinks by its first token's probability; a text that says "safe" is only read.
"""

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2

from contentfilter.content_filter import Thresholds
from contentfilter.features import LONGEST
from contentfilter.normalisation import normalised, visible
from records import Screen
from sampler.backends import BackendError
from sampler.backends.addresses import endpoint, host_of, key_for, key_name
from sampler.configuration import Configuration
from sampler.screening.readable import hides
from sampler.screening.seeing import FilterAway, Seen, TextFilter, worst

LONGEST_SECONDS = 10.0  # somebody waits for the sentence that is looked at
ENDING_CHARACTERS = 4000  # of an answer that are sent at each look
_AT_ONCE = 4  # texts that a guard is asked about

# OpenAI's names of the categories that ours are; its others keep their names.
OURS = {
    "sexual": "S", "hate": "H", "violence": "V", "harassment": "HR", "self-harm": "SH",
    "sexual/minors": "S3", "hate/threatening": "H2", "violence/graphic": "V2",
}  # fmt: skip
UNSAFE = "unsafe"  # the one category of a guard
_YES, _NO = ("unsafe", "yes"), ("safe", "no")

_TAGS = re.compile(r"\[(/?[A-Z_]{3,})\]")
_ROLES = re.compile(r"^([\s>#*]*(?:user|assistant|system|human|agent|model|tool|bot|ai)\b[^\w\n:]*):", re.I | re.M)
_RULES = re.compile(r"^[ \t]*(?:#{2,}|-{3,}|={3,})", re.M)


class FilterServers:
    """The servers that judge texts for this worker, over one client."""

    def __init__(self, configuration: Configuration) -> None:
        self._hosts = configuration.backend_hosts
        seconds = min(configuration.backend_seconds, LONGEST_SECONDS)
        # As for policies: redirects are not followed and no proxy is asked.
        self._client = httpx2.Client(trust_env=False, timeout=httpx2.Timeout(seconds, connect=min(seconds, 5.0)))
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="guard")

    def filter(self, screen: Screen) -> TextFilter:
        """The filter that a request names. Raises FilterAway where this worker may not call it."""
        assert screen.server is not None
        is_guard = screen.backend == "chat_guard"
        try:
            path = "/chat/completions" if is_guard else "/moderations"
            url = endpoint(screen.server.url, hosts=self._hosts, path=path)
        except BackendError as error:
            raise FilterAway(str(error)) from error
        post = _Post(self._client, url, screen.server.model)
        return ChatGuard(post, self._pool) if is_guard else OpenAIModeration(post)


class _Post:
    """Asks one server."""

    def __init__(self, client: httpx2.Client, url: httpx2.URL, model: str) -> None:
        self._client, self._url, self._model = client, url, model
        self.host = host_of(url)

    def __call__(self, **body: Any) -> Any:
        """What it answers, as JSON. Raises FilterAway."""
        key = key_for(self._url)
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        try:
            response = self._client.post(self._url, json={"model": self._model, **body}, headers=headers)
        except httpx2.TimeoutException as error:
            raise FilterAway(f"{self.host} was silent for too long") from error
        except httpx2.TransportError as error:
            raise FilterAway(f"nobody answers at {self.host} ({type(error).__name__})") from error
        if response.status_code in (401, 403):
            raise FilterAway(f"{self.host} refuses this worker's key; set {key_name(self._url)} in its environment")
        if response.status_code != 200:
            raise FilterAway(f"{self.host} answers {response.status_code}")
        try:
            return response.json()
        except ValueError as error:
            raise FilterAway(f"{self.host} sent what is not JSON") from error

    def is_odd(self, error: Exception) -> FilterAway:
        return FilterAway(f"{self.host} sent what is no answer of its kind ({type(error).__name__})")


class _Server(ABC):
    """What both have in common: no thresholds, and texts in parts."""

    @property
    def thresholds(self) -> Mapping[str, Thresholds]:
        """None: it says itself what it makes of a text."""
        return {}

    def look(self, texts: Sequence[str]) -> list[Seen]:
        """As TextFilter.look."""
        return self._ask([text[-ENDING_CHARACTERS:] for text in texts])

    def look_through(self, text: str) -> Seen:
        """As TextFilter.look_through."""
        starts = range(0, min(max(len(text), 1), LONGEST), ENDING_CHARACTERS)
        seen = worst(self._ask([text[start : start + ENDING_CHARACTERS] for start in starts]))
        if len(text) <= LONGEST:
            return seen
        return Seen(seen.probabilities, seen.flagged, unread=f"it is longer than {LONGEST} characters")

    @abstractmethod
    def _ask(self, texts: Sequence[str]) -> list[Seen]:
        """What the server says of each text. Raises FilterAway."""


class OpenAIModeration(_Server):
    """A server with OpenAI's /moderations."""

    def __init__(self, post: _Post) -> None:
        self._post = post

    def _ask(self, texts: Sequence[str]) -> list[Seen]:
        answer = self._post(input=[visible(text) for text in texts])
        try:
            results = answer["results"]
            return [self._seen(text, result) for text, result in zip(texts, results, strict=True)]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise self._post.is_odd(error) from error

    def _seen(self, text: str, result: dict[str, Any]) -> Seen:
        scores = {OURS.get(name, name): _probability(score) for name, score in result["category_scores"].items()}
        flagged = frozenset(OURS.get(name, name) for name, is_in in result.get("categories", {}).items() if is_in)
        return Seen(scores, flagged, *_readable(text))


class ChatGuard(_Server):
    """A guard model on a server with /chat/completions: P(unsafe) / (P(unsafe) + P(safe)) of its first token."""

    def __init__(self, post: _Post, pool: ThreadPoolExecutor) -> None:
        self._post, self._pool = post, pool

    def _ask(self, texts: Sequence[str]) -> list[Seen]:
        return list(self._pool.map(self._one, texts))

    def _one(self, text: str) -> Seen:
        answer = self._post(
            messages=[{"role": "user", "content": without_turns(text)}],
            max_tokens=1, temperature=0, logprobs=True, top_logprobs=20,
        )  # fmt: skip
        try:
            first = answer["choices"][0]["logprobs"]["content"][0]
            weights = [(str(one["token"]), math.exp(min(0.0, float(one["logprob"])))) for one in first["top_logprobs"]]
        except (KeyError, IndexError, TypeError, ValueError, OverflowError) as error:
            raise self._post.is_odd(error) from error
        unsafe = sum(weight for token, weight in weights if _word(token) in _YES)
        safe = sum(weight for token, weight in weights if _word(token) in _NO)
        if not unsafe + safe > 0:
            raise FilterAway(f"{self._post.host} begins its answer neither with safe nor with unsafe")
        probability = unsafe / (unsafe + safe)
        return Seen({UNSAFE: probability}, frozenset([UNSAFE] if probability >= 0.5 else ()), *_readable(text))


def without_turns(text: str) -> str:
    """A text that can open and close no turn of any template: spelled so that it reads the same."""
    text = visible(text).replace("<", "‹").replace(">", "›").replace("＜", "‹").replace("＞", "›")
    text = _ROLES.sub(r"\1 –", _TAGS.sub(r"(\1)", text))
    return _RULES.sub("–", text)


def _readable(text: str) -> tuple[str | None, str | None]:
    plain = normalised(text)
    return (None, hides(text, normalised=plain)) if plain else ("it holds no text", None)


def _word(token: str) -> str:
    return token.strip().strip("▁Ġ").lower()


def _probability(score: Any) -> float:
    value = float(score)
    if not 0 <= value <= 1:  # nor NaN
        raise ValueError("a score outside of 0 to 1")
    return value
