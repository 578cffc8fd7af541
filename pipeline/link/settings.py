"""Settings of the link layer, made from the mission file and checked once (`validity`)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

Framing = Literal["cadu", "codeblocks", "frames", "packets"]
FrameType = Literal["aos", "tm", "uslp"]
Service = Literal["packets", "bitstream", "data", "idle"]
Basis = Literal["conventional", "dual"]
CodewordOrder = Literal["interleaved", "consecutive"]
Container = Literal["none", "kiss", "pcap", "kiss-in-pcap"]
Symbols = Literal["packed", "unpacked", "int8", "float32"]
TimeUnit = Literal["s", "ms", "us", "ns"]
ByteOrder = Literal["big", "little"]


@dataclass(frozen=True, slots=True)
class ReedSolomonSettings:
    """CCSDS 131.0-B clause 4: (255, 255 - parity), `interleave` codewords a frame, `virtual_fill` symbols each."""

    parity: int
    interleave: int
    basis: Basis
    virtual_fill: int = 0
    fill_value: int = 0
    """Value of the virtual fill symbols, in the representation of `basis`."""
    codewords: CodewordOrder = "interleaved"
    """"consecutive": the codewords of a block follow one another, each with its own parity."""
    check: bool = True
    """False: parity is removed and not checked."""


@dataclass(frozen=True, slots=True)
class RecordTime:
    """An unsigned integer in the prefix of a record. The receive time is the epoch plus the sum of all of them."""

    offset: int
    n_bytes: int
    unit: TimeUnit
    byte_order: ByteOrder = "big"


@dataclass(frozen=True, slots=True)
class InsertZoneTime:
    """An unsigned count in the insert zone of AOS frames: UTC is `epoch_ns` plus `count / per_second` seconds.

    `offset`: of its first byte in the zone. `epoch_ns`: ns since 1970 UTC.
    """

    n_bytes: int
    per_second: int
    epoch_ns: int
    offset: int = 0
    byte_order: ByteOrder = "big"


@dataclass(frozen=True, slots=True)
class ChannelSettings:
    """A wanted virtual channel. Frames of other channels are counted and dropped."""

    spacecraft_id: int
    virtual_channel: int
    name: str
    service: Service = "packets"
    hand_on_fragments: bool = False
    """Output packets that are cut by a gap, too, with zeros for missing bytes, and flagged FRAGMENT."""
    secondary_header_bytes: int | None = None
    """This and the following: override LinkSettings for this channel; None: as for the link."""
    ignore_synchronization_flag: bool | None = None
    security_header_bytes: int | None = None
    security_trailer_bytes: int | None = None
    mpdu_header: bool | None = None


@dataclass(frozen=True, slots=True)
class LinkSettings:
    """How to read transfer frames from the bytes of a recording. Lengths are of the frame, without parity."""

    framing: Framing
    frame_type: FrameType = "aos"
    frame_length_bytes: int = 0
    sync_marker: bytes = b"\x1a\xcf\xfc\x1d"
    randomizer: bool = False
    reed_solomon: ReedSolomonSettings | None = None
    fecf: bool = False
    insert_zone_bytes: int = 0
    operational_control_field: bool = False
    header_error_control: bool = False
    packet_prefix_bytes: int = 0
    long_randomizer: bool = False
    """Use the sequence of 131,071 bits (131.0-B-5 10.4) instead of that of 255."""
    marker_errors_searching: int | None = None
    """Bit errors allowed in a marker while searching, and (next key) while locked; None: 1 and 4 in 32 bits."""
    marker_errors_locked: int | None = None
    flywheel_frames: int = 2
    """Number of consecutive missing markers that do not end the lock."""
    insert_zone_time: InsertZoneTime | None = None
    """Time stamp in the insert zone; None: there is none."""
    reorder_window_frames: int = 4
    """How many frames of the link later a missing frame may still arrive (datagrams)."""
    container: Container = "none"
    """What the bytes of the recording are wrapped in: KISS, a capture of UDP packets (pcap, pcapng), or KISS in one."""
    kiss_time_port: int = 9
    """KISS port whose frames of 8 bytes hold the receive time of the next frame, in ms since 1970 UTC."""
    udp_port: int | None = None
    """Destination port of the wanted payloads of a capture; None: all."""
    symbols: Symbols = "packed"
    """"unpacked": one bit a byte; "int8", "float32": one soft symbol each, positive for 1."""
    record_prefix_bytes: int = 0
    """Bytes that the recorder put before each frame (before its marker if it has one)."""
    record_suffix_bytes: int = 0
    """Bytes that the recorder put behind each frame, or behind its parity."""
    record_time: tuple[RecordTime, ...] = ()
    """Fields of the prefix that add up to the receive time."""
    record_time_epoch_ns: int = 0
    """ns since 1970 UTC."""
    secondary_header_bytes: int | None = None
    """Length of a TM frame's secondary header if its flag is set; None: from its length field."""
    ignore_synchronization_flag: bool = False
    """Read packets from TM frames even if their synchronisation flag is set."""
    security_header_bytes: int = 0
    """Security header before the data field, skipped (355.0-B-2 4.1.1)."""
    security_trailer_bytes: int = 0
    """Security trailer behind the data field, skipped."""
    mpdu_header: bool = True
    """False: the data field of every AOS frame begins with a packet, without an M_PDU header."""

    @property
    def in_capture(self) -> bool:
        """Whether the recording is a capture of UDP packets."""
        return self.container in {"pcap", "kiss-in-pcap"}

    @property
    def in_kiss(self) -> bool:
        """Whether frames are wrapped in KISS, in a capture or not."""
        return self.container in {"kiss", "kiss-in-pcap"}


def block_bytes(settings: LinkSettings) -> int:
    """Length of a frame as it is sent, with parity and without sync marker, in bytes."""
    code = settings.reed_solomon if settings.framing in {"cadu", "codeblocks"} else None
    return settings.frame_length_bytes + (code.parity * code.interleave if code else 0)


def record_bytes(settings: LinkSettings) -> int:
    """Distance from one frame to the next inside any container, in bytes; 0 for packets."""
    if settings.framing == "packets":
        return 0
    marker = len(settings.sync_marker) if settings.framing == "cadu" else 0
    n_bytes = settings.record_prefix_bytes + marker + block_bytes(settings) + settings.record_suffix_bytes
    return n_bytes * BYTES_PER_OCTET[settings.symbols]


BYTES_PER_OCTET: dict[Symbols, int] = {"packed": 1, "unpacked": 8, "int8": 8, "float32": 32}
"""Bytes of a recording that hold 8 bits of the link."""
_CHANNEL_KEYS = (
    "secondary_header_bytes",
    "ignore_synchronization_flag",
    "security_header_bytes",
    "security_trailer_bytes",
    "mpdu_header",
)


def settings_of_channel(settings: LinkSettings, channel: ChannelSettings) -> LinkSettings:
    """Return the settings with those of one channel applied; the same object if the channel has none."""
    own = {name: value for name in _CHANNEL_KEYS if (value := getattr(channel, name)) is not None}
    return replace(settings, **own) if own else settings


def link_report(settings: LinkSettings) -> dict[str, Any]:
    """Return the key link of the pass report: the settings by which the bytes were read."""
    marker = settings.sync_marker.hex().upper() if settings.framing == "cadu" else ""
    return {"framing": settings.framing, "frame_type": settings.frame_type, "sync_marker": marker}
