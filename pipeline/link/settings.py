"""What the link layer must be told of a mission, checked once where the mission file is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Framing = Literal["cadu", "frames", "packets"]
FrameType = Literal["aos", "tm", "uslp"]
Service = Literal["packets", "bitstream", "data", "idle"]
Basis = Literal["conventional", "dual"]


@dataclass(frozen=True, slots=True)
class ReedSolomonSettings:
    """CCSDS 131.0-B clause 4: (255, 255 - parity), `interleave` codewords a frame, `virtual_fill` symbols each."""

    parity: int
    interleave: int
    basis: Basis
    virtual_fill: int = 0


@dataclass(frozen=True, slots=True)
class ChannelSettings:
    """A virtual channel that is wanted; frames on any other are counted and set aside."""

    spacecraft_id: int
    virtual_channel: int
    name: str
    service: Service = "packets"
    hand_on_fragments: bool = False
    """Packets that a gap cut go on too, zeros in their holes, flagged FRAGMENT."""


@dataclass(frozen=True, slots=True)
class LinkSettings:
    """From the bytes of a recording to transfer frames. Lengths are of the transfer frame, without parity."""

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
    """The sequence of 131,071 bits of 131.0-B-5 in place of that of 255."""
    marker_errors_searching: int | None = None
    """Wrong bits allowed in a marker while searching, and while locked; None: 1 and 4 in 32 bits."""
    marker_errors_locked: int | None = None
    flywheel_frames: int = 2
    """Markers in a row that may be missing without loss of lock."""
    insert_zone_codec: str = ""
    """Which spacecraft's time stamp the insert zone holds: "tianwen-1", "tianwen-2", "change-5"; empty: none."""
    reorder_window_frames: int = 4
    """After a gap, how many more frames of the link a missing frame may come late by."""


def link_report(settings: LinkSettings) -> dict[str, Any]:
    """Give the key link of the pass report: by which settings the bytes were read."""
    marker = settings.sync_marker.hex().upper() if settings.framing == "cadu" else ""
    return {"framing": settings.framing, "frame_type": settings.frame_type, "sync_marker": marker}
