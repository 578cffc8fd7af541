"""Whether the first bytes of a connection look like the configured link, before any of them is processed.

A TCP listener uses this to choose between two senders. What is received is recorded whatever the answer is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from ..model.batches import ByteBatch
from .coding.codewords import FrameDecoder
from .containers.unwrapping import Unwrapping
from .frames.frame_types import header_reader
from .settings import ChannelSettings, LinkSettings, block_bytes

_HEADER_BYTES = 6
"""Of a space packet (CCSDS 133.0-B-2 4.1.3)."""
Evidence = Callable[[bytes], bool]


def evidence_of(settings: LinkSettings, channels: Sequence[ChannelSettings]) -> Evidence:
    """Return a function that decides whether the first bytes of a sender look like this link.

    Framing "cadu": they contain a sync marker, upright or inverted. "frames", "codeblocks": they begin with a frame of
    a wanted channel. "packets": they begin with a whole space packet, and the next bytes can begin another one.
    """
    if settings.container != "none" or settings.symbols != "packed":
        return _unwrapped_first(settings, channels)
    if settings.framing == "cadu":
        marker = settings.sync_marker
        inverted = bytes(0xFF ^ octet for octet in marker)
        return lambda octets: marker in octets or inverted in octets
    if settings.framing in {"frames", "codeblocks"}:
        return lambda octets: _begins_with_frame(settings, channels, octets)
    return lambda octets: _begins_with_packet(octets[settings.packet_prefix_bytes :], settings.packet_prefix_bytes)


def _unwrapped_first(settings: LinkSettings, channels: Sequence[ChannelSettings]) -> Evidence:
    """Apply the same decision to the payloads of the container, of which at least one must be complete."""
    inside = evidence_of(replace(settings, container="none", symbols="packed"), channels)

    def matches(octets: bytes) -> bool:
        return inside(Unwrapping(settings).unwrap(ByteBatch.of(octets)).data.tobytes())

    return matches


def _begins_with_frame(settings: LinkSettings, channels: Sequence[ChannelSettings], octets: bytes) -> bool:
    length, start = block_bytes(settings), settings.record_prefix_bytes
    if len(octets) < start + length:
        return False
    block = np.frombuffer(octets, np.uint8, length, start).reshape(1, length)
    frames = FrameDecoder(settings).decode(block).frames if settings.framing == "codeblocks" else block
    if not len(frames):
        return False
    reader = header_reader(settings)
    headers = reader.read(frames)
    name = (int(headers.scid[0]), int(headers.vcid[0]))
    wanted_names = {(channel.spacecraft_id, channel.virtual_channel) for channel in channels}
    return bool(reader.valid(headers)[0]) and (not wanted_names or name in wanted_names)


def _begins_with_packet(octets: bytes, prefix_bytes: int) -> bool:
    if len(octets) < _HEADER_BYTES or octets[0] >> 5:
        return False
    end = _HEADER_BYTES + 1 + int.from_bytes(octets[4:6], "big")
    following = octets[end + prefix_bytes :]
    return len(octets) >= end and (not following or following[0] >> 5 == 0)
