"""Detects the packet zone of frames (insert zone, secondary and security header, trailer) by consecutive packets.

Only few positions are tried: nearly all first header pointers must point to a possible packet header.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...model.batches import ByteBatch
from ..coding.header_error_control import correct_headers
from ..frames.frame_types import header_reader
from ..frames.headers import OPERATIONAL_CONTROL_BYTES
from ..receiver import Receiver
from ..settings import ChannelSettings, LinkSettings
from ..validity import settings_problems

_FRAMES_TRIED = 160
_LONGEST_HEAD = 64
_USUAL_TRAILERS = (0, 4, 2, 8, 12, 16, 6, 10, 14, 18, 20, 24, 28, 32, 36, 40, 48, 64, 80, 96, 128, 160)
_TRAILERS = tuple(dict.fromkeys((*_USUAL_TRAILERS, *range(41))))
_RIGHT = 0.9
_MOST_APIDS = 200
_NO_PACKET = 0x7FE


@dataclass(frozen=True, slots=True)
class Zone:
    """Changed settings, and the packets they give: `n_packets` good ones, `n_bad` impossible headers."""

    changes: dict[str, Any]
    n_packets: int
    n_bad: int

    @property
    def good(self) -> bool:
        return self.n_packets >= 1 and self.n_bad <= 0.05 * self.n_packets


def find_zone(settings: LinkSettings, frames: NDArray[np.uint8], channel: tuple[int, int]) -> Zone | None:
    """Find the packet zone of `frames: uint8[n, L]` of one channel; None if no packets are found in them.

    `settings`: framing "frames", with type, length and FECF.
    """
    some = frames[:_FRAMES_TRIED]
    best: Zone | None = None
    for changes in _candidates(settings, some):
        if settings_problems(replace(settings, **changes)):
            continue
        zone = _try(settings, changes, some, channel)
        if best is None or zone.n_packets - 5 * zone.n_bad > best.n_packets - 5 * best.n_bad:
            best = zone
        if zone.good and not zone.n_bad:
            return zone
    return best if best is not None and best.good else None


def _try(
    settings: LinkSettings, changes: dict[str, Any], frames: NDArray[np.uint8], channel: tuple[int, int]
) -> Zone:
    receiver = Receiver(replace(settings, **changes), [ChannelSettings(*channel, "tried")], frames=False)
    receiver.receive(ByteBatch.of(frames.reshape(-1)))
    receiver.flush()
    report = receiver.report()["channels"][0]
    n_packets = report["packets"] + report["idle_packets"] + report["encapsulation_packets"]
    n_apids = len(receiver.report()["packets"]["by_apid"])
    chance = n_apids > _MOST_APIDS or (n_apids > 8 and n_apids > 0.8 * report["packets"])
    return Zone(changes, 0 if chance else n_packets, report["bad_headers"])


def _candidates(settings: LinkSettings, frames: NDArray[np.uint8]) -> Iterator[dict[str, Any]]:
    """Yield plausible changes of the settings, the simplest first."""
    heads = list({"aos": _aos_heads, "tm": _tm_heads, "uslp": _uslp_heads}[settings.frame_type](settings, frames))
    for trailer in (length for length in _TRAILERS if length < settings.frame_length_bytes // 2):
        # With a security trailer, a security header is likelier than a secondary header of another length.
        for head in sorted(heads, key=lambda changes: "secondary_header_bytes" in changes) if trailer else heads:
            if trailer == OPERATIONAL_CONTROL_BYTES and settings.frame_type == "aos":
                yield head | {"operational_control_field": True}
            elif trailer:
                yield head | {"security_trailer_bytes": trailer}
            else:
                yield head
    if settings.frame_type == "aos":
        yield from _without_unit_header(frames)


def _aos_heads(settings: LinkSettings, frames: NDArray[np.uint8]) -> Iterator[dict[str, Any]]:
    controlled = bool((correct_headers(frames.copy()) == 0).mean() > _RIGHT)
    first = 6 + 2 * controlled
    for head in range(min(_LONGEST_HEAD, settings.frame_length_bytes - first - 16)):
        at = first + head
        word = frames[:, at].astype(np.int64) << 8 | frames[:, at + 1]
        if _leads_to_packets(frames, at + 2, word):
            changes: dict[str, Any] = {"insert_zone_bytes": head} if head else {}
            yield changes | ({"header_error_control": True} if controlled else {})


def _tm_heads(settings: LinkSettings, frames: NDArray[np.uint8]) -> Iterator[dict[str, Any]]:
    pointer = (frames[:, 4].astype(np.int64) & 7) << 8 | frames[:, 5]
    synchronous = frames[:, 4] >> 6 & 1
    flag: dict[str, Any] = {"ignore_synchronization_flag": True} if synchronous.mean() > 0.5 else {}
    if not flag:
        pointer = np.where(synchronous == 1, _NO_PACKET, pointer)
    secondary = frames[:, 4] >> 7 == 1
    own = np.where(secondary, (frames[:, 6] & 0x3F) + 1, 0).astype(np.int64)
    lengths = range(min(_LONGEST_HEAD, settings.frame_length_bytes - 32))
    if _leads_to_packets(frames, 6 + own, pointer):
        yield flag
    for head in lengths if secondary.mean() > _RIGHT else ():
        if not (own == head).all() and _leads_to_packets(frames, 6 + head, pointer):
            yield flag | {"secondary_header_bytes": head}
    for head in lengths[1:]:
        if _leads_to_packets(frames, 6 + own + head, pointer):
            yield flag | {"security_header_bytes": head}


def _uslp_heads(settings: LinkSettings, frames: NDArray[np.uint8]) -> Iterator[dict[str, Any]]:
    for head in range(min(_LONGEST_HEAD, settings.frame_length_bytes - 32)):
        headers = header_reader(replace(settings, insert_zone_bytes=head)).read(frames)
        pointer = np.minimum(headers.first_header_pointer, _NO_PACKET)
        if (pointer < _NO_PACKET).any() and _leads_to_packets(frames, headers.data_start, pointer):
            yield {"insert_zone_bytes": head} if head else {}


def _without_unit_header(frames: NDArray[np.uint8]) -> Iterator[dict[str, Any]]:
    for head in range(min(_LONGEST_HEAD, frames.shape[1] - 32)):
        if _leads_to_packets(frames, 6 + head, np.zeros(len(frames), np.int64)):
            yield {"mpdu_header": False} | ({"insert_zone_bytes": head} if head else {})


def _leads_to_packets(frames: NDArray[np.uint8], start: Any, pointer: NDArray[np.int64]) -> bool:
    """Whether nearly all pointers, relative to byte `start`, point to a possible packet header or are codes."""
    place = start + pointer
    inside = (pointer < _NO_PACKET) & (place + 6 <= frames.shape[1])
    sane = inside | ((pointer >= _NO_PACKET) & (pointer <= _NO_PACKET + 1))
    near_end = (pointer < _NO_PACKET) & (place < frames.shape[1]) & ~inside
    if (sane | near_end).mean() < _RIGHT or not inside.any():
        return False
    rows = np.flatnonzero(inside)
    first = frames[rows, place[inside]]
    kinds = first >> 5
    return bool(((kinds == 0) | (kinds == 7)).mean() >= _RIGHT and len(np.unique(first[kinds == 0] & 0xF7)) <= 24)


def channel_names(settings: LinkSettings, frames: NDArray[np.uint8]) -> list[tuple[tuple[int, int], int]]:
    """(Spacecraft id, virtual channel) and number of frames of the channels, without noise; the busiest first."""
    reader = header_reader(settings)
    headers = reader.read(frames)
    key = headers.scid << 8 | headers.vcid
    values, counts = np.unique(key[reader.valid(headers)], return_counts=True)
    by_craft: dict[int, int] = {}
    for value, count in zip(values.tolist(), counts.tolist(), strict=True):
        by_craft[value >> 8] = by_craft.get(value >> 8, 0) + count
    total = int(counts.sum())
    found = [
        ((value >> 8, value & 0xFF), count)
        for value, count in zip(values.tolist(), counts.tolist(), strict=True)
        if by_craft[value >> 8] >= max(1, min(2, total // 20), 0.002 * total) and (count > 1 or total < 50)
    ]
    return sorted(found, key=lambda item: (-item[1], item[0]))


def frames_of(settings: LinkSettings, frames: NDArray[np.uint8], name: tuple[int, int]) -> NDArray[np.uint8]:
    """Select the frames of one channel."""
    reader = header_reader(settings)
    headers = reader.read(frames)
    mine = reader.valid(headers) & (headers.scid == name[0]) & (headers.vcid == name[1])
    found: NDArray[np.uint8] = frames[mine]
    return found


def names_in_words(names: Sequence[tuple[tuple[int, int], int]]) -> str:
    """Format channels as `scid/vcid: frames`."""
    return ", ".join(f"{scid}/{vcid}: {n:,}" for (scid, vcid), n in names[:8])
