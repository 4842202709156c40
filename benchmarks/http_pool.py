"""The few bytes of HTTP/1.1 that a crowd of browsers needs, on kept connections, as a proxy keeps them.

Cheap on purpose: who asks shares the machine with what is measured.
"""

import asyncio
from dataclasses import dataclass, field

PATIENCE_SECONDS = 60.0  # for a whole answer; one that never comes must be counted, not waited for


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def location(self) -> str:
        return next((value for name, value in self.headers if name == "location"), "")


@dataclass(slots=True)
class Jar:
    """The cookies of one browser."""

    cookies: dict[str, str]
    token: str

    def take(self, answer: Answer) -> None:
        for name, value in answer.headers:
            if name != "set-cookie":
                continue
            cookie, *attributes = (part.strip() for part in value.split(";"))
            key, _, content = cookie.partition("=")
            if "max-age=0" in (one.lower() for one in attributes):
                self.cookies.pop(key, None)
            else:
                self.cookies[key] = content


@dataclass
class Pool:
    """Connections to one web process. An idle one is used again, newest first; otherwise another is opened."""

    port: int
    idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = field(default_factory=list)
    num_opened: int = 0

    async def request(self, jar: Jar, method: str, path: str, body: bytes = b"", content_type: str = "") -> Answer:
        """One request and its whole answer. Raises OSError or EOFError where the connection breaks or is silent."""
        head = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"X-CSRFToken: {jar.token}"]
        head.append("Cookie: " + "; ".join(f"{name}={value}" for name, value in jar.cookies.items()))
        if content_type == "application/x-www-form-urlencoded":
            head.append("HX-Request: true")
        if method == "POST":
            head += [f"Content-Type: {content_type}", f"Content-Length: {len(body)}"]
        reader, writer = self.idle.pop() if self.idle else await self._open()
        try:
            writer.write("\r\n".join([*head, "", ""]).encode() + body)
            async with asyncio.timeout(PATIENCE_SECONDS):
                answer = await _answer(reader)
        except BaseException:
            writer.close()
            raise
        self.idle.append((reader, writer))
        jar.take(answer)
        return answer

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        self.num_opened += 1
        return await asyncio.open_connection("127.0.0.1", self.port, limit=2**20)

    def close(self) -> None:
        for _reader, writer in self.idle:
            writer.close()
        self.idle.clear()


async def _answer(reader: asyncio.StreamReader) -> Answer:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in head[1:] if line)]
    status, named = int(head[0].split()[1]), dict(headers)
    if named.get("transfer-encoding") == "chunked":
        body = await _chunks(reader)
    else:
        body = await reader.readexactly(int(named.get("content-length", 0)))
    return Answer(status, headers, body)


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    pieces = []
    while length := int(await reader.readline(), 16):
        pieces.append((await reader.readexactly(length + 2))[:-2])
    await reader.readline()
    return b"".join(pieces)
