"""Trainers over HTTP, who send a submission until it is acknowledged, always under the same key, as rank.js does.

What they sent and what they were told is their history, which the checker holds against the database.
"""

import http.client
import json
import random
import re
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.services import SignedIn

_IDS = re.compile(r'<article class="completion"[^>]* data-id="([^"]+)"')
_KEY = re.compile(r'name="key" value="([^"]+)"')
_PATIENCE = 20.0  # seconds for one answer; a web process may be stopped for some
_WAIT = 0.3  # seconds before the next try


@dataclass(slots=True)
class Sent:
    """One submission, and what became of it as its trainer was told."""

    key: str
    trainer: str
    lease: str
    tiers: list[list[str]]
    ranking: str = ""  # its id, once it was acknowledged as a ranking
    is_kept: bool = False  # or once it was acknowledged as kept without counting
    draft_version: int = 0  # of the newest draft that was acknowledged


@dataclass
class Told:
    """What all trainers were told, together."""

    sent: list[Sent] = field(default_factory=list)
    acknowledged_at: list[float] = field(default_factory=list)  # on the clock of time.monotonic
    outages: Counter[str] = field(default_factory=Counter)  # honest answers: no connection, or 503
    untrue: Counter[str] = field(default_factory=Counter)  # what no trainer should ever be told


class Trainer:
    def __init__(self, who: SignedIn, slug: str, ports: list[int], told: Told, *, seed: int = 0) -> None:
        self.who, self.slug, self.told = who, slug, told
        self.ports = ports[seed % len(ports) :] + ports[: seed % len(ports)]
        self.chance = random.Random(seed)

    def work(self, stop: threading.Event) -> None:
        while not stop.is_set():
            board = self.claim(stop)
            if board and (sent := self.open(board, stop)):
                self.submit(board, sent, stop)

    def claim(self, stop: threading.Event) -> str:
        """The path of a board, or nothing where there is nothing to do or it is over."""
        status, body, location = self.ask("POST", f"/p/{self.slug}/rank/", {}, stop)
        if status == 302 and location.startswith(f"/p/{self.slug}/rank/"):
            return location if "none" not in location else ""
        self._wonder("claim", status, location or body[:200])
        return ""

    def open(self, board: str, stop: threading.Event) -> Sent | None:
        """Open a board, and have an order in mind; now and then it is kept as a draft first."""
        status, page, location = self.ask("GET", board, None, stop)
        key, ids = _KEY.search(page), _IDS.findall(page)
        if status != 200 or not key or not ids:
            self._wonder("board", status, location or page[:200])
            return None
        self.chance.shuffle(ids)
        lease = board.rstrip("/").rsplit("/", 1)[1]
        sent = Sent(key=key[1], trainer=self.who.id, lease=lease, tiers=[[identifier] for identifier in ids])
        if self.chance.random() < 0.3:
            self._keep_draft(board, sent, page, stop)
        return sent

    def submit(self, board: str, sent: Sent, stop: threading.Event) -> None:
        """Send until it is answered, also after `stop`: what is not answered is no acknowledgement."""
        self.told.sent.append(sent)
        shelves = {tier[0]: place for place, tier in enumerate(sent.tiers, start=1)}
        values = {"key": sent.key, "shelves": shelves, "line": None, "seconds": 5}
        status, body, location = self.ask("POST", board, values, stop)
        if status == 200:
            answer = json.loads(body)
            sent.ranking = answer.get("ranking", "")
            sent.is_kept = not sent.ranking
            self.told.acknowledged_at.append(time.monotonic())
        else:
            self._wonder("submit", status, location or body[:200])

    def ask(self, method: str, path: str, values: Any, stop: threading.Event) -> tuple[int, str, str]:
        """One request, again and again until it is answered by less than 500; status 0 where it is over before."""
        while True:
            status, body, location = self.once(method, path, values)
            if 0 < status < 500:
                return status, body, location
            if status not in (0, 503):
                self.told.untrue[f"{method} was answered {status}"] += 1
            self.told.outages["503" if status else body] += 1
            if stop.wait(_WAIT) or stop.is_set():
                return 0, "", ""

    def once(self, method: str, path: str, values: Any = None) -> tuple[int, str, str]:
        """Status, body and location; status 0 and the kind of error where there is no answer. Then the other port."""
        connection = http.client.HTTPConnection("127.0.0.1", self.ports[0], timeout=_PATIENCE)
        accepted = "text/html" if method == "GET" else "application/json"
        headers = {"Cookie": self.who.cookies, "X-CSRFToken": self.who.token, "Accept": accepted}
        body = None if values is None else json.dumps(values)
        try:
            connection.request(method, path, body, headers | {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, answer.read().decode(), answer.getheader("Location") or ""
        except (OSError, http.client.HTTPException) as error:
            self.ports = self.ports[1:] + self.ports[:1]
            return 0, type(error).__name__, ""
        finally:
            connection.close()  # a kept one might be closed by the server just before the next request

    def _keep_draft(self, board: str, sent: Sent, page: str, stop: threading.Event) -> None:
        facts = json.loads(page.split('<script id="ranking-facts" type="application/json">')[1].split("</script>")[0])
        values = {"draft": {"board": {"order": sent.tiers}}, "version": facts["draft_version"], "seconds": 1}
        status, body, _ = self.ask("POST", f"{board}draft/", values, stop)
        if status in (200, 409):  # 409: its first sending arrived, but not the answer
            sent.draft_version = json.loads(body)["version"]
        else:
            self._wonder("draft", status, body[:200])

    def _wonder(self, what: str, status: int, words: str) -> None:
        if status:  # 0: it was over before there was an answer
            self.told.untrue[f"{what} was answered {status}: {words}"] += 1
