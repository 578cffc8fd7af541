"""Datagrams of bare frames that are no whole number of frames: recorded as received, beside the frames inside them.

A station that leaves the sync marker on, or the parity behind, sends datagrams longer than a frame. Recorded in the
pass they would shift all frames that follow. So they are recorded whole in `odd.datagrams` of the pass folder, and the
pass gets the frames inside them, where the size of the datagram determines their place.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path
from struct import Struct

ASIDE = "odd.datagrams"
PARITY_BYTES = tuple(sorted({symbols * depth for symbols in (16, 32) for depth in (1, 2, 3, 4, 5, 8)}))
"""Check symbols of a codeword times interleaving depths: CCSDS 131.0-B, 4.3."""
_HEADER = Struct("<Iq")

Datagram = tuple[bytes, int]
"""Bytes, and when they were received in ns since 1970."""


def frames_inside(datagram: bytes, frame_bytes: int, marker: bytes) -> list[bytes]:
    """The frames of a datagram of another size: behind a marker each, before parity, or both; else none."""
    n = len(datagram)
    if not (marker and datagram.startswith(marker)):
        return [datagram[:frame_bytes]] if n - frame_bytes in PARITY_BYTES else []
    for parity_bytes in (0, *PARITY_BYTES):
        step = len(marker) + frame_bytes + parity_bytes
        begins = range(0, n, step)
        if n % step == 0 and all(datagram.startswith(marker, begin) for begin in begins):
            return [datagram[begin + len(marker) : begin + len(marker) + frame_bytes] for begin in begins]
    return []


def append_aside(folder: Path, datagrams: Sequence[Datagram], *, sync: bool = False) -> None:
    """Record datagrams whole in the folder of a pass: u32 length, i64 receive time in ns, bytes; little-endian.

    OSError where the disk does not take all of them; then none is there. `sync`: they then survive a loss of power.
    """
    octets = b"".join(_HEADER.pack(len(one), received_ns) + one for one, received_ns in datagrams)
    file = os.open(folder / ASIDE, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    try:
        before = os.fstat(file).st_size
        if os.write(file, octets) != len(octets):
            os.ftruncate(file, before)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if sync:
            os.fsync(file)
    finally:
        os.close(file)
