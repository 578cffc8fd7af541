"""Reads recordings that are plain, gzip, bzip2 or Zstandard, recognised by their first bytes; `-` is standard input.

Out: the decompressed bytes, in pieces. A compressed file that is truncated or damaged gives all bytes before the
damage; its last piece carries the reason.
"""

from __future__ import annotations

import bz2
import gzip
import os
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Self, cast

import numpy as np
import zstandard
from numpy.typing import NDArray

from ..model.reused_memory import Surroundings

STANDARD_INPUT = Path("-")
MAGIC_BYTES = 4
ROOM_BEFORE_BYTES, ROOM_BEHIND_BYTES = 128 << 10, 64
"""Around a piece: more than a packet that the piece before has only a part of."""
CUT = "it is cut short: what is there is used"
_ZSTD_INPUT_BYTES = 2048
"""Bounds one output of the decompressor to 64 MB: four bytes can unpack to 128 kB (RFC 8878 3.1.1.2)."""
_DAMAGE = (gzip.BadGzipFile, zlib.error, zstandard.ZstdError, ValueError)


def compression(path: Path) -> str:
    """Return the compression of a file: "gzip", "bzip2", "zstd"; "" for plain bytes, pipes and devices."""
    if path == STANDARD_INPUT or not path.is_file():
        return ""
    with path.open("rb") as file:
        return _packing(file.read(MAGIC_BYTES))


def read_pieces(path: Path, piece_bytes: int) -> Iterator[tuple[Surroundings, str]]:
    """Yield the decompressed bytes of a recording, uint8[n] with n up to `piece_bytes`, each piece in its own memory.

    The text is the damage behind the piece; empty if there is none. A piece with damage is the last, and may be empty.
    Around a piece there is room for the part of a packet that the piece before ends with, and for a word.
    """
    with _opened(path) as file:
        while True:
            piece = Surroundings(ROOM_BEFORE_BYTES, piece_bytes, ROOM_BEHIND_BYTES)
            n_read, damage = _fill(file, piece.array)
            piece.first(n_read)
            if n_read or damage:
                yield piece, damage
            if damage or not n_read:
                return


def _fill(file: IO[bytes], buffer: NDArray[np.uint8]) -> tuple[int, str]:
    """Read into the buffer. Returns the number of bytes and the damage behind them (empty: none)."""
    if not hasattr(file, "read1"):
        return file.readinto(buffer.data) or 0, ""  # type: ignore[attr-defined]
    n_read = 0
    try:
        while n_read < len(buffer) and (piece := file.read1(len(buffer) - n_read)):
            buffer[n_read : n_read + len(piece)] = np.frombuffer(piece, np.uint8)
            n_read += len(piece)
    except EOFError:
        return n_read, CUT
    except _DAMAGE as error:
        return n_read, f"it is damaged ({error}): what comes before that is used"
    return n_read, ""


def _opened(path: Path) -> IO[bytes]:
    if path == STANDARD_INPUT:
        return os.fdopen(os.dup(sys.stdin.fileno()), "rb", buffering=0)
    packing = compression(path)
    if packing == "gzip":
        return cast("IO[bytes]", gzip.open(path, "rb"))
    if packing == "bzip2":
        return cast("IO[bytes]", bz2.open(path, "rb"))
    if packing == "zstd":
        return cast("IO[bytes]", _ZstdFile(path))
    return path.open("rb", buffering=0)


class _ZstdFile:
    """Reads concatenated Zstandard frames, including skippable ones (RFC 8878 3.1). EOFError if the last is truncated.

    The library's own reader does not report a truncated file.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self._decompressor = zstandard.ZstdDecompressor()
        self._frame: zstandard.ZstdDecompressionObj | None = None
        """Decompressor of the current frame; None between frames."""
        self._input = b""
        self._output = memoryview(b"")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._file.close()

    def read1(self, n_bytes: int) -> memoryview:
        """Return at most `n_bytes` of decompressed bytes; empty at the end."""
        while not self._output:
            self._input = self._input or self._file.read(_ZSTD_INPUT_BYTES)
            if self._input:
                self._unpack()
            elif self._frame:
                raise EOFError
            else:
                return self._output
        piece, self._output = self._output[:n_bytes], self._output[n_bytes:]
        return piece

    def _unpack(self) -> None:
        frame = self._frame or self._decompressor.decompressobj()
        self._output = memoryview(frame.decompress(self._input))
        self._input, self._frame = (frame.unused_data, None) if frame.eof else (b"", frame)


def _packing(head: bytes) -> str:
    if head.startswith(b"\x1f\x8b\x08"):
        return "gzip"
    if head.startswith(b"BZh"):
        return "bzip2"
    return "zstd" if head == b"\x28\xb5\x2f\xfd" else ""
