"""Whether a Zstandard file ends where a frame ends: its reader takes a file that is cut short for one that is over.

In: a file. Out: yes or no, by the headers of its frames and blocks alone (RFC 8878 3.1): nothing is unpacked.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO

import zstandard

MAGIC = b"\x28\xb5\x2f\xfd"
_SKIPPABLE = range(0x184D2A50, 0x184D2A60)  # 3.1.2
_HEADER_BYTES = 18  # of a frame, at most: 3.1.1
_RLE = 1  # a block that is one byte, many times: 3.1.1.2.2


def is_cut(path: Path) -> bool:
    """Whether the last frame is not all there."""
    n_bytes = path.stat().st_size
    with path.open("rb") as file:
        while file.tell() < n_bytes:
            if not _skip_frame(file):
                return False  # something else follows: its reader has told what
            if file.tell() > n_bytes:
                return True
    return False


def _skip_frame(file: IO[bytes]) -> bool:
    """Go behind a frame, or behind the end of the file where it is cut; False where there is none."""
    head = file.read(_HEADER_BYTES)
    if int.from_bytes(head[:4], "little") in _SKIPPABLE:
        file.seek(8 + int.from_bytes(head[4:8], "little") - len(head), os.SEEK_CUR)
        return True
    if head[:4] != MAGIC[: len(head)]:
        return False
    try:
        size, has_checksum = zstandard.frame_header_size(head), zstandard.get_frame_parameters(head).has_checksum
    except zstandard.ZstdError:  # not all of the header
        file.seek(1, os.SEEK_END)
        return True
    file.seek(size - len(head), os.SEEK_CUR)
    while not _skip_block(file):
        pass
    file.seek(4 * has_checksum, os.SEEK_CUR)
    return True


def _skip_block(file: IO[bytes]) -> bool:
    """Go behind a block, or behind the end of the file; whether it is the last one of its frame."""
    head = file.read(3)
    if len(head) < 3:
        file.seek(1, os.SEEK_END)
        return True
    word = int.from_bytes(head, "little")
    file.seek(1 if word >> 1 & 3 == _RLE else word >> 3, os.SEEK_CUR)
    return bool(word & 1)
