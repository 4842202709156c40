"""Files as one tar archive, made while it is sent: nothing is compressed, nothing is copied to disk first.

The same files give the same bytes: names in the given order, no owner, no times. The length is known before the first
byte, so that a browser shows how far it is and an archive that was cut is told from a whole one.
"""

import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from labeling.web.file_streams import pieces_of

_BLOCK = tarfile.BLOCKSIZE
_END = bytes(2 * _BLOCK)


@dataclass(frozen=True, kw_only=True)
class TarMember:
    """A file of the archive: the name in it, and where its `size` bytes are."""

    name: str
    path: Path
    size: int


def tar_length(members: Sequence[TarMember]) -> int:
    """The archive's bytes."""
    return sum(len(_header(one)) + one.size + _padding(one.size) for one in members) + len(_END)


def tar_pieces(members: Sequence[TarMember]) -> Iterator[bytes]:
    """The archive. Raises OSError where a file became shorter, so that what was sent is no whole archive."""
    for one in members:
        yield _header(one)
        sent = 0
        for piece in pieces_of(one.path, 0, one.size):
            sent += len(piece)
            yield piece
        if sent != one.size:
            raise OSError(f"{one.path}: {sent} of {one.size} bytes are there")
        yield bytes(_padding(one.size))
    yield _END


def _header(member: TarMember) -> bytes:
    header = tarfile.TarInfo(member.name)
    header.size, header.mode = member.size, 0o644
    return header.tobuf(tarfile.PAX_FORMAT)


def _padding(size: int) -> int:
    return -size % _BLOCK
