"""Bytes of a file as a response's content, a piece at a time; knows no row."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from django.http import HttpRequest

_CHUNK_BYTES = 2**18


def stream_of(request: HttpRequest, path: Path, start: int, end: int) -> Iterator[bytes] | AsyncIterator[bytes]:
    """The bytes from `start` to before `end`, in the form that the server of this request reads without blocking."""
    return in_its_form(request, pieces_of(path, start, end))


def in_its_form(request: HttpRequest, pieces: Iterator[bytes]) -> Iterator[bytes] | AsyncIterator[bytes]:
    """These pieces; under ASGI, where Django reads a synchronous iterator into memory whole, as an asynchronous one."""
    return _without_blocking(pieces) if hasattr(request, "scope") else pieces


def pieces_of(path: Path, start: int, end: int) -> Iterator[bytes]:
    """The same as plain pieces; fewer where the file has become shorter."""
    with open(path, "rb") as file:
        file.seek(start)
        while start < end and (chunk := file.read(min(_CHUNK_BYTES, end - start))):
            start += len(chunk)
            yield chunk


async def _without_blocking(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    while (chunk := await asyncio.to_thread(next, pieces, None)) is not None:
        yield chunk
