"""Time stamps that spacecraft put into the insert zone of their AOS frames, by named codecs.

Read off the air, not published: Tianwen-1 and Tianwen-2 and Chang'e-5 as described with their recordings
(destevez.net 2020/07 and 2020/12; SatDump). Counts are taken as plain seconds: leap seconds since an epoch stay in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_BEIJING_2016_NS = 1_451_577_600 * 10**9  # 2015-12-31 16:00 UTC
_BEIJING_2020_NS = 1_577_808_000 * 10**9  # 2019-12-31 16:00 UTC
_AUGUST_2012_NS = 1_343_779_200 * 10**9  # 2012-08-01 00:00 UTC
_READ_BYTES = 8

Times = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class InsertZoneCodec:
    """`n_bytes`: of the zone, which the codec needs; `read`: from the 8 bytes where the zone begins, uint8[n, 8]
    contiguous, to int64[n], ns since 1970 UTC.
    """

    n_bytes: int
    read: Callable[[NDArray[np.uint8]], Times]


def _tianwen_1(zones: NDArray[np.uint8]) -> Times:
    """48 bits: 100 us since 2016-01-01 in Beijing."""
    return _BEIJING_2016_NS + (zones.view(">u8")[:, 0] >> np.uint64(16)).astype(np.int64) * 100_000


def _tianwen_2(zones: NDArray[np.uint8]) -> Times:
    """48 bits, little-endian: 2^-16 s since 2020-01-01 in Beijing."""
    count = (zones.view("<u8")[:, 0] & np.uint64((1 << 48) - 1)).astype(np.int64)
    return _BEIJING_2020_NS + (count >> 16) * 10**9 + ((count & 0xFFFF) * 10**9 >> 16)


def _change_5(zones: NDArray[np.uint8]) -> Times:
    """Four bytes of unknown meaning, then 32 bits, little-endian: seconds since 2012-08-01."""
    return _AUGUST_2012_NS + zones.view("<u4")[:, 1].astype(np.int64) * 10**9


CODECS = {
    "tianwen-1": InsertZoneCodec(6, _tianwen_1),
    "tianwen-2": InsertZoneCodec(6, _tianwen_2),
    "change-5": InsertZoneCodec(8, _change_5),
}


def insert_zone_times(codec: str, frames: NDArray[np.uint8], start: int) -> Times:
    """Onboard UTC of `frames: uint8[n, L]` whose insert zone begins at byte `start`: int64[n], ns since 1970."""
    return CODECS[codec].read(np.ascontiguousarray(frames[:, start : start + _READ_BYTES]))
