"""One JSON document of many values, read a window at a time: a list, or an object of objects.

The standard library parses a document only as a whole; this reads the values inside it one by one.
"""

import codecs
import json
import re
from collections.abc import Iterator
from typing import IO, Any

_WINDOW = 2**18  # bytes read at once; doubled until the value fits
_SPACE = re.compile(r"[ \t\n\r]*")


class DocumentError(ValueError):
    """The document is truncated or not JSON; nothing after this place can be read."""


class Document:
    """The values of one document. `line` is where the current value starts."""

    def __init__(self, stream: IO[bytes], decoder: json.JSONDecoder, *, longest: int) -> None:
        self._stream, self._decoder, self._longest = stream, decoder, longest
        self._utf8 = codecs.getincrementaldecoder("utf-8-sig")()
        self._window, self._at, self._ended = "", 0, False
        self.line = 1

    def values(self) -> Iterator[tuple[int, str | None, Any, str]]:
        """Yield (line, key or None, value, its text) for every value of the list or object."""
        if self._peek() == "[":
            yield from self._members_of_list()
        else:
            yield from self._members_of_object()
        if self._peek():
            raise DocumentError("something follows the end of the document")

    def _members_of_list(self) -> Iterator[tuple[int, None, Any, str]]:
        self._expect("[")
        if self._peek() == "]":
            self._expect("]")
            return
        while True:
            line, value, text = self._take()
            yield line, None, value, text
            if self._expect(",", "]") == "]":
                return

    def _members_of_object(self) -> Iterator[tuple[int, str | None, Any, str]]:
        """Each member of an object of objects; an object of plain values is itself the one value."""
        first_line = self.line
        whole: dict[str, Any] = {}
        texts: list[str] = []
        length = 0
        for line, key, value, text in self._pairs():
            if not whole and isinstance(value, dict) and "messages" in value:
                yield line, key, value, text
                continue
            whole[key] = value
            texts.append(text)
            length += len(text)
            if length > self._longest:
                raise DocumentError(f"one object longer than {self._longest // 2**20} MiB")
        if whole:
            yield first_line, None, whole, "".join(texts)

    def _pairs(self) -> Iterator[tuple[int, str, Any, str]]:
        self._expect("{")
        if self._peek() == "}":
            self._expect("}")
            return
        while True:
            line, key, key_text = self._take()
            if not isinstance(key, str):
                raise DocumentError("a name in double quotes must stand before the colon")
            self._expect(":")
            _, value, text = self._take()
            yield line, key, value, key_text + text
            if self._expect(",", "}") == "}":
                return

    def _take(self) -> tuple[int, Any, str]:
        """The next value, with its first line and its text."""
        self._peek()
        line = self.line
        while True:
            try:
                value, end = self._decoder.raw_decode(self._window, self._at)
                if end < len(self._window) or self._ended:  # else a number might continue in the next window
                    text = self._window[self._at : end]
                    self._advance(end)
                    return line, value, text
            except json.JSONDecodeError as error:
                if self._ended:
                    raise DocumentError(f"not JSON: {error.msg}") from error
            except RecursionError as error:
                raise DocumentError("nested too deeply") from error
            except ValueError as error:
                raise DocumentError(str(error)) from error
            if len(self._window) - self._at > self._longest:
                raise DocumentError(f"not JSON, or a value longer than {self._longest // 2**20} MiB")
            self._read_more()

    def _expect(self, *characters: str) -> str:
        found = self._peek()
        if found not in characters:
            shown = f"found {found!r}" if found else "the file ends"
            raise DocumentError(f"expected {' or '.join(characters)}, {shown}")
        self._advance(self._at + 1)
        return found

    def _peek(self) -> str:
        """The next character that is not white space; empty at the end."""
        while True:
            self._advance(_space_end(self._window, self._at))
            if self._at < len(self._window):
                return self._window[self._at]
            if self._ended:
                return ""
            self._read_more()

    def _advance(self, to: int) -> None:
        self.line += self._window.count("\n", self._at, to)
        self._at = to

    def _read_more(self) -> None:
        unread = self._window[self._at :]
        try:
            content = self._stream.read(max(_WINDOW, len(unread)))
            self._window = unread + self._utf8.decode(content, final=not content)
        except UnicodeDecodeError as error:
            raise DocumentError(f"not UTF-8: {error.reason}") from error
        self._at, self._ended = 0, not content


def _space_end(text: str, start: int) -> int:
    space = _SPACE.match(text, start)
    assert space is not None
    return space.end()
