#!/usr/bin/env python3
"""Firefox for Playwright: starts the Firefox of the PATH, and answers for it the one command that it does not know.

Playwright speaks WebDriver BiDi to an unpatched Firefox, and sets colours of every context by a command that Firefox
153 lacks and would refuse. This program stands between the two: it passes everything on, byte for byte, but answers
`emulation.setMediaFeaturesOverride` with success. It goes when Debian's Firefox knows the command.
"""

import asyncio
import json
import re
import shutil
import signal
import struct
import sys
from collections.abc import Awaitable, Callable

LISTENING = re.compile(rb"WebDriver BiDi listening on ws://127\.0\.0\.1:(\d+)")
UNKNOWN = b'"emulation.setMediaFeaturesOverride"'


async def main(arguments: list[str]) -> int:
    executable = shutil.which("firefox-esr") or shutil.which("firefox")
    if executable is None:
        print("no firefox-esr and no firefox on the PATH", file=sys.stderr)
        return 127
    firefox = await asyncio.create_subprocess_exec(executable, *arguments, stderr=asyncio.subprocess.PIPE)
    for kind in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(kind, firefox.terminate)
    assert firefox.stderr is not None
    async for line in firefox.stderr:
        if found := LISTENING.search(line):
            server = await asyncio.start_server(_between(int(found[1])), "127.0.0.1", 0)
            port = server.sockets[0].getsockname()[1]
            line = line.replace(found[1], str(port).encode())
        sys.stderr.buffer.write(line)
        sys.stderr.buffer.flush()
    return await firefox.wait()


def _between(port: int) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    async def join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs, to_theirs = await asyncio.open_connection("127.0.0.1", port)
        greeting = await reader.readuntil(b"\r\n\r\n")
        # Firefox accepts connections to its own address only, and we read frames as they are: none is compressed.
        greeting = re.sub(rb"(?im)^host:.*$", b"Host: 127.0.0.1:%d\r" % port, greeting)
        to_theirs.write(re.sub(rb"(?im)^sec-websocket-extensions:.*\r\n", b"", greeting))
        writer.write(await theirs.readuntil(b"\r\n\r\n"))
        await asyncio.wait(
            [
                asyncio.create_task(_pass_commands(reader, to_theirs, writer)),
                asyncio.create_task(_pass_frames(theirs, writer)),
            ],
            return_when=asyncio.FIRST_COMPLETED,
        )
        for one in (writer, to_theirs):
            one.close()

    return join


async def _pass_commands(reader: asyncio.StreamReader, on: asyncio.StreamWriter, back: asyncio.StreamWriter) -> None:
    while (frame := await _read_frame(reader)) is not None:
        head, mask, body = frame
        text = bytes(byte ^ mask[place % 4] for place, byte in enumerate(body)) if len(body) < 2000 else b""
        if UNKNOWN in text:
            answer = json.dumps({"type": "success", "id": json.loads(text)["id"], "result": {}}).encode()
            back.write(struct.pack("!BB", 0x81, len(answer)) + answer)
        else:
            on.write(head + mask + body)
            await on.drain()


async def _pass_frames(reader: asyncio.StreamReader, on: asyncio.StreamWriter) -> None:
    """By whole frames, so that an answer of ours never lands within one."""
    while (frame := await _read_frame(reader)) is not None:
        on.write(b"".join(frame))
        await on.drain()


async def _read_frame(reader: asyncio.StreamReader) -> tuple[bytes, bytes, bytes] | None:
    """Head, mask and body of a WebSocket frame (RFC 6455, section 5.2); None at the end."""
    try:
        head = await reader.readexactly(2)
        length = head[1] & 0x7F
        if length >= 126:
            long = await reader.readexactly(2 if length == 126 else 8)
            head, length = head + long, int.from_bytes(long)
        mask = await reader.readexactly(4) if head[1] & 0x80 else b""
        return head, mask, await reader.readexactly(length)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
