"""Data types that rooms exchange: immutable dataclasses of arrays (`carrier`), in batches.

Times are int64 nanoseconds: `received_ns` is the Earth receive time since 1970-01-01 UTC (0: not known), `time_ns` the
onboard time since the mission epoch (`NO_TIME`: none). Columns are in native byte order. Values of varying length are
one flat array with starts and lengths.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from enum import IntFlag
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .carrier import carrier
from .categorical import Categorical
from .reused_memory import Surroundings

NO_TIME = int(np.iinfo(np.int64).min)
GENERIC_INSTRUMENT = "telemetry"
"""`instrument` of products of containers that no instrument reads."""
RAW_SUFFIX = ".raw"
"""Ending of the name of an array with the raw counts of another array."""
RAW_WORDS = "raw value of "
"""Begin of the description of such an array, before the name of the other array."""


class Quality(IntFlag):
    """Quality bits of a packet or a product row (see QUALITY_MEANINGS). 0 is good."""

    CORRECTED = 1 << 0
    AFTER_GAP = 1 << 1
    UNDESCRIBED = 1 << 2
    UNKNOWN_VALUE = 1 << 3
    OUT_OF_RANGE = 1 << 4
    SELF_TEST = 1 << 5
    SATURATED = 1 << 6
    CLOCK_JUMP = 1 << 7
    NO_ATTITUDE = 1 << 8
    NO_REFERENCE = 1 << 9
    FRAGMENT = 1 << 10
    FAILED_CHECK = 1 << 11
    STALE = 1 << 12


INFORMATION = Quality.CORRECTED | Quality.AFTER_GAP
"""Bits about the reception of a row that do not question its values: a corrected symbol is exact, and what is missing
before a row is not in it."""

DOUBTFUL = Quality(sum(Quality)) & ~INFORMATION
"""Bits that make a row doubtful."""


def usable(quality: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Whether each row has no bit of DOUBTFUL. `quality: uint32[n]`."""
    return np.asarray((quality & np.uint32(DOUBTFUL)) == 0)


QUALITY_MEANINGS: dict[str, str] = {
    "CORRECTED": "a frame that carried part of it needed Reed-Solomon correction",
    "AFTER_GAP": "packets or frames are missing just before it",
    "UNDESCRIBED": "the packet is longer than its container describes",
    "UNKNOWN_VALUE": "an enumeration has no label for the value",
    "OUT_OF_RANGE": "a value is outside its valid range",
    "SELF_TEST": "not a measurement: the instrument tested itself",
    "SATURATED": "a value is at the end of the converter's scale",
    "CLOCK_JUMP": "onboard time went back",
    "NO_ATTITUDE": "attitude, heading or mast angle is missing or too old",
    "NO_REFERENCE": "the dark, panel or other reference is missing",
    "FRAGMENT": "part of it was never received",
    "FAILED_CHECK": "a checksum that the dictionary declares is wrong",
    "STALE": "decoded with a value of another packet that is old or had not come",
}


@carrier
class ByteBatch:
    """Bytes as a source reads them: `data: uint8[n]`.

    `mark_start: int64[k]` (ascending offsets into `data`) and `mark_ns: int64[k]`: bytes from `mark_start[i]` on were
    received at `mark_ns[i]`; without marks, receive times are not known. `station`: number of the recording, of several
    of one pass; `ended`: it is the last batch of that recording. `begins`: an empty batch before the bytes of another
    pass. `damage`: description of damage of the recording after `data`, or empty. `missing`: number of bytes of the
    recording that are lost just before `data` (-1: not known). `unordered`: received as datagrams, which may be
    reordered. `around`: memory around `data`, or None.
    """

    data: NDArray[np.uint8]
    mark_start: NDArray[np.int64]
    mark_ns: NDArray[np.int64]
    station: int = 0
    ended: bool = False
    begins: bool = False
    damage: str = ""
    unordered: bool = False
    missing: int = 0
    around: Surroundings | None = field(default=None, repr=False, compare=False)

    @staticmethod
    def of(data: bytes | bytearray | memoryview | NDArray[np.uint8], received_ns: int = 0) -> ByteBatch:
        array = data if isinstance(data, np.ndarray) else np.frombuffer(data, np.uint8)
        marks = [0] if received_ns else []
        return ByteBatch(array, np.array(marks, np.int64), np.array([received_ns][: len(marks)], np.int64))


@carrier
class FrameBatch:
    """Complete transfer frames of one link, in order of arrival, after decoding, without parity.

    `data: uint8[n, L]`; every other field has n elements. `lost`: frames of the channel missing just before this
    one (-1: the frame count does not show it). `n_corrected`: symbols corrected (-1: uncorrectable).
    `first_header_pointer`: as transmitted, 0x7FF none, 0x7FE only idle data. `data_start`, `data_stop`: the
    packet zone inside the frame.
    """

    data: NDArray[np.uint8]
    scid: NDArray[np.uint16]
    vcid: NDArray[np.uint8]
    vc_count: NDArray[np.uint32]
    first_header_pointer: NDArray[np.int32]
    lost: NDArray[np.int32]
    n_corrected: NDArray[np.int16]
    received_ns: NDArray[np.int64]
    data_start: NDArray[np.int32]
    data_stop: NDArray[np.int32]


@carrier
class PacketBatch:
    """Space packets with their primary headers: packet i is `data[start[i] : start[i] + length[i]]`.

    `data: uint8[total]`; every other field has n elements. Order is that of completion on the link.
    A record joined from segments may be longer than a space packet; its header is its first segment's.
    """

    data: NDArray[np.uint8]
    start: NDArray[np.int64]
    length: NDArray[np.int64]
    apid: NDArray[np.uint16]
    seq_count: NDArray[np.uint16]
    seq_flags: NDArray[np.uint8]
    scid: NDArray[np.uint16]
    vcid: NDArray[np.uint8]
    received_ns: NDArray[np.int64]
    quality: NDArray[np.uint32]

    def __len__(self) -> int:
        return len(self.start)

    @staticmethod
    def empty() -> PacketBatch:
        return PacketBatch(np.empty(0, np.uint8), *(np.empty(0, dtype) for dtype in _PACKET_TYPES))

    @staticmethod
    def single(
        octets: NDArray[np.uint8],
        apid: int,
        seq_count: int,
        seq_flags: int = 3,
        scid: int = 0,
        vcid: int = 0,
        received_ns: int = 0,
        quality: int = 0,
    ) -> PacketBatch:
        """A batch of one packet, which is all of `octets: uint8[n]`."""
        values = (0, len(octets), apid, seq_count, seq_flags, scid, vcid, received_ns, quality)
        columns = (np.array([value], dtype) for value, dtype in zip(values, _PACKET_TYPES, strict=True))
        return PacketBatch(octets, *columns)

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_] | slice) -> PacketBatch:
        """Select packets, in the given order; `data` stays as it is."""
        return PacketBatch(self.data, *(getattr(self, name)[rows] for name in PACKET_FIELDS))

    @staticmethod
    def join(data: NDArray[np.uint8], parts: Sequence[PacketBatch], order: NDArray[np.intp]) -> PacketBatch:
        """Concatenate packets whose `start` refers to `data`, and put them in `order`."""
        return PacketBatch(
            data, *(np.concatenate([getattr(part, name) for part in parts])[order] for name in PACKET_FIELDS)
        )


_PACKET_TYPES = ("i8", "i8", "u2", "u2", "u1", "u2", "u1", "i8", "u4")
PACKET_FIELDS = ("start", "length", "apid", "seq_count", "seq_flags", "scid", "vcid", "received_ns", "quality")
"""Fields of a PacketBatch with n elements."""


@carrier
class Ragged:
    """Rows of varying length: row i is `values[start[i] : start[i] + length[i]]`.

    `values`: an array, or a Categorical for labels of an enumeration; raw values are always an array.
    """

    values: Any
    start: NDArray[np.int64]
    length: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.start)


Column = NDArray[Any] | Ragged | Categorical
"""Array with n rows first; rows of varying length; labels of an enumeration."""


@carrier
class ColumnBatch:
    """The decoded packets of one container: a column (n rows first) for each parameter.

    `columns`: calibrated; `raw`: empty unless requested. `units`: of calibrated columns that have one. `order:
    int64[n]`: number of each packet in the stream, to sort rows of different containers by arrival.
    """

    container: str
    time_ns: NDArray[np.int64]
    columns: Mapping[str, Column]
    raw: Mapping[str, Column]
    units: Mapping[str, str]
    apid: NDArray[np.uint16]
    seq_count: NDArray[np.uint16]
    received_ns: NDArray[np.int64]
    order: NDArray[np.int64]
    quality: NDArray[np.uint32]

    def __len__(self) -> int:
        return len(self.order)


@carrier
class Quantity:
    """An array of a product with unit and description. `dims`: names of its axes; the first is "row" if it has rows."""

    values: NDArray[Any]
    unit: str
    description: str = ""
    dims: tuple[str, ...] = ("row",)


@carrier
class TimeRange:
    """First and last instant of a product on each clock.

    `onboard_ns` since the mission epoch, `utc_ns` since 1970-01-01 UTC. Local times are None if the mission has no
    site: `sol` and `lmst_h` (local mean solar time), `ltst_h` (local true solar time), in hours of 1/24 sol; `ls_deg`
    (areocentric longitude of the Sun) in degrees.
    """

    onboard_ns: tuple[int, int]
    utc_ns: tuple[int, int]
    sol: tuple[int, int] | None = None
    lmst_h: tuple[float, float] | None = None
    ltst_h: tuple[float, float] | None = None
    ls_deg: tuple[float, float] | None = None

    @property
    def ltst_sol(self) -> tuple[int, int] | None:
        """Sols of the true solar times; None without a site."""
        if self.sol is None or self.lmst_h is None or self.ltst_h is None:
            return None
        first = true_sol(self.sol[0], self.lmst_h[0], self.ltst_h[0])
        return first, true_sol(self.sol[1], self.lmst_h[1], self.ltst_h[1])


def true_sol(sol: int, lmst_h: float, ltst_h: float) -> int:
    """Sol of a true solar time. It differs from that of the mean solar time, `sol`, only between the two midnights."""
    return sol + round((lmst_h - ltst_h) / 24)


@carrier
class Product:
    """One science product of n rows: arrays with units, quality bits and times.

    `id`: digest of its origin, the same for the same packets. `level`: processing level (01, 2A, 2B). `latest`: names
    of arrays whose last row is published on retained JSON topics.
    """

    id: str
    mission: str
    stream: str
    instrument: str
    product: str
    level: str
    time: TimeRange
    arrays: Mapping[str, Quantity]
    quality: NDArray[np.uint32]
    lineage: Mapping[str, Any]
    latest: tuple[str, ...] = ()

    @property
    def usable(self) -> NDArray[np.bool_]:
        """As the function `usable`: bool[n]."""
        return usable(self.quality)


@carrier
class Event:
    """A message for the operator: a gap, a limit violation, a clock jump, a quarantined batch.

    `severity`: info, warning, error. `time_ns`: receive time (0: unknown); of a limit violation, UTC of the packet if
    it is known. `details`: plain JSON.
    """

    severity: str
    kind: str
    text: str
    time_ns: int = 0
    details: Mapping[str, Any] = field(default_factory=dict)


def event_clock(details: Mapping[str, Any]) -> str:
    """Clock of the time of an event: "onboard" or "received". `details`: of the event; those of packets have both
    times.
    """
    both = "received_ns" in details and details.get("onboard_ns") is not None
    return "onboard" if both else "received"


@carrier
class Message:
    """A message for the broker. `about`: of a newest value, the topic of its product; not sent."""

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False
    content_type: str = "application/msgpack"
    about: str = ""


@carrier
class Outgoing:
    """A message to be published. `key`: dedup key; empty: no deduplication."""

    message: Message
    key: str = ""
