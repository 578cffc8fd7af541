"""Records datagrams of bare frames that are not a whole number of frames.

A station that does not remove the sync marker or the Reed-Solomon parity sends datagrams longer than a frame. In the
pass they would shift all frames that follow. So they are recorded as received in `odd.datagrams` of the pass folder,
and the pass gets only the frames inside them, if the size of the datagram determines where these are.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path
from struct import Struct

ODD_DATAGRAMS = "odd.datagrams"
PARITY_BYTES = tuple(sorted({symbols * depth for symbols in (16, 32) for depth in (1, 2, 3, 4, 5, 8)}))
"""Check symbols of a codeword times interleaving depths: CCSDS 131.0-B, 4.3."""
_HEADER = Struct("<Iq")

Datagram = tuple[bytes, int]
"""Bytes and receive time in ns since 1970 UTC."""


def frames_inside(datagram: bytes, frame_bytes: int, marker: bytes) -> list[bytes]:
    """Return the frames in a datagram of unexpected size: behind a marker each, before parity, or both; else none."""
    n = len(datagram)
    if not (marker and datagram.startswith(marker)):
        return [datagram[:frame_bytes]] if n - frame_bytes in PARITY_BYTES else []
    for parity_bytes in (0, *PARITY_BYTES):
        step = len(marker) + frame_bytes + parity_bytes
        begins = range(0, n, step)
        if n % step == 0 and all(datagram.startswith(marker, begin) for begin in begins):
            return [datagram[begin + len(marker) : begin + len(marker) + frame_bytes] for begin in begins]
    return []


def append_odd_datagrams(folder: Path, datagrams: Sequence[Datagram], *, sync: bool = False) -> None:
    """Append datagrams to `odd.datagrams` of a pass: u32 length, i64 receive time in ns, bytes; little-endian.

    Raises OSError if the disk does not take all of them; then none is written. `sync`: fsync the file.
    """
    octets = b"".join(_HEADER.pack(len(one), received_ns) + one for one, received_ns in datagrams)
    file = os.open(folder / ODD_DATAGRAMS, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    try:
        before = os.fstat(file).st_size
        if os.write(file, octets) != len(octets):
            os.ftruncate(file, before)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if sync:
            os.fsync(file)
    finally:
        os.close(file)
