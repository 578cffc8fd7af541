"""Detects the channels of a link, their services, and the packet zone of their frames."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...model.batches import ByteBatch
from ..coding.codewords import FrameDecoder
from ..front_end import block_source
from ..receiver import Receiver
from ..settings import ChannelSettings, LinkSettings, Service, block_bytes, record_bytes
from ..verdict import channel_problem
from .guess import Guess
from .wrappings import unwrapped
from .zones import Zone, channel_names, find_zone, frames_of, names_in_words

_MOST_CHANNELS = 64
_CHANNELS_TRIED = 4
_FRAMES_CUT = 400
_SHORTEST_PARITY = 32
_IDLE_CHANNEL = {"aos": 63, "tm": -1, "uslp": 63}
_WHY = {
    "insert_zone_bytes": "with it pointers lead to packets that follow each other",
    "header_error_control": "the header's own parity is right",
    "operational_control_field": "packets end 4 bytes before the frame does",
    "security_header_bytes": "with it pointers lead to packets: a header before the data field, such as of SDLS",
    "security_trailer_bytes": "packets end so many bytes before the frame's other fields",
    "secondary_header_bytes": "the length field of the secondary header does not lead to packets, this does",
    "ignore_synchronization_flag": "it is set, and packets follow each other all the same",
    "mpdu_header": "each data field begins with a packet",
}


def with_channels(guess: Guess, octets: NDArray[np.uint8]) -> Guess:
    """Add channels and packet zone of a link. `octets: uint8[n]`: its bytes, without container."""
    settings = replace(guess.settings, container="none", symbols="packed")
    frames = _good_frames(settings, octets)
    if not len(frames):
        return guess.noting("no frame passes its check")
    bare = LinkSettings("frames", settings.frame_type, settings.frame_length_bytes, fecf=settings.fecf)
    names = channel_names(bare, frames)[:_MOST_CHANNELS]
    for name, _ in names[:_CHANNELS_TRIED]:
        own = frames_of(bare, frames, name)
        if name[1] == _IDLE_CHANNEL[settings.frame_type] or (own == own[:1]).all():
            continue
        zone = find_zone(bare, own, name)
        if zone is not None and (behind := _behind_frame(settings, zone)):
            shorter = settings.frame_length_bytes - behind
            guess = guess.having("frame_length_bytes", shorter, f"{behind} bytes behind the frame are none of it")
            guess = guess.having("record_suffix_bytes", guess.settings.record_suffix_bytes + behind)
            zone = replace(zone, changes={k: v for k, v in zone.changes.items() if k != "security_trailer_bytes"})
        if zone is not None:
            for key, value in zone.changes.items():
                guess = guess.having(key, value, _WHY[key])
            guess = guess.noting(
                f"packets are found by {zone.n_packets:,} of them in the first frames of {name[0]}/{name[1]}"
            )
            break
    guess = guess.noting(f"frames by spacecraft/channel: {names_in_words(names)}")
    return _with_services(guess, octets, names)


def _behind_frame(settings: LinkSettings, zone: Zone) -> int:
    """Number of bytes behind the packets outside of the frame: a trailer without security header, code or FECF."""
    behind: int = zone.changes.get("security_trailer_bytes", 0)
    if settings.reed_solomon is not None:
        return 0
    inside = settings.fecf or zone.changes.keys() & {"security_header_bytes", "insert_zone_bytes"}
    return 0 if inside and behind < _SHORTEST_PARITY else behind


def seen_channels(settings: LinkSettings, octets: NDArray[np.uint8]) -> tuple[ChannelSettings, ...]:
    """Return all channels in the bytes of a recording whose link settings are given, without single noise frames.

    If packets follow each other in none of them, the settings may be wrong: then all are channels of packets.
    """
    inside = unwrapped(settings, octets)
    plain = replace(settings, container="none", symbols="packed")
    frames = _good_frames(plain, inside)
    bare = LinkSettings("frames", settings.frame_type, settings.frame_length_bytes, fecf=settings.fecf)
    names = sorted(channel_names(bare, frames)[:_MOST_CHANNELS]) if len(frames) else []
    return _with_services(Guess(plain), inside, names, sure=False).channels


def _good_frames(settings: LinkSettings, octets: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Decode the frames of any channel that pass their checks: uint8[n, L]."""
    source = block_source(settings, _first_channels(settings, octets), block_bytes(settings))
    decoder = FrameDecoder(settings)
    return np.concatenate(
        [decoder.decode(part.data).frames for part in (source.find_blocks(octets), source.flush())]
    )


def _first_channels(settings: LinkSettings, octets: NDArray[np.uint8]) -> list[ChannelSettings]:
    """Channels of frames cut at a constant distance: without markers, frame sync needs known channels."""
    if settings.framing == "cadu":
        return []
    length, prefix = record_bytes(settings), settings.record_prefix_bytes
    n = min(len(octets) // length, _FRAMES_CUT)
    rows = octets[: n * length].reshape(n, length)[:, prefix : prefix + block_bytes(settings)]
    frames = FrameDecoder(settings).decode(rows).frames
    bare = LinkSettings("frames", settings.frame_type, settings.frame_length_bytes)
    return [ChannelSettings(*name, "seen") for name, _ in channel_names(bare, frames)[:_MOST_CHANNELS]]


def _with_services(
    guess: Guess, octets: NDArray[np.uint8], names: list[tuple[tuple[int, int], int]], *, sure: bool = True
) -> Guess:
    """Add the channels with their services: packets, idle data, or data that are no packets.

    `sure`: the settings are right. Otherwise, where packets follow each other in no channel, all are of packets.
    """
    several = len({scid for (scid, _), _ in names}) > 1
    channels = [
        ChannelSettings(scid, vcid, f"{scid} channel {vcid}" if several else f"channel {vcid}")
        for (scid, vcid), _ in names
    ]
    receiver = Receiver(replace(guess.settings, container="none", symbols="packed"), channels, frames=False)
    receiver.receive(ByteBatch.of(octets))
    receiver.flush()
    report = receiver.report()
    found = [_service_of(report, one, _IDLE_CHANNEL[guess.settings.frame_type]) for one in report["channels"]]
    n_packets = sum(
        own["packets"] for own, (service, _) in zip(report["channels"], found, strict=True) if service == "packets"
    )
    without_packets: Service = "data" if sure or n_packets else "packets"
    services = [service or without_packets for service, _ in found]
    return replace(
        guess,
        channels=tuple(replace(one, service=service) for one, service in zip(channels, services, strict=True)),
        channel_why=tuple(words for _, words in found),
        n_packets=n_packets,
    )


def _service_of(report: dict[str, Any], channel: dict[str, Any], idle_channel: int) -> tuple[Service | None, str]:
    """The service of a channel of the report, None where no packets follow each other, and the evidence."""
    n_frames = f"{channel['frames']:,} frames"
    if channel["vcid"] == idle_channel:
        return "idle", f"{n_frames} of the channel for idle data"
    if channel["frames"] > 1 and channel["duplicates"] >= channel["frames"] - 1:
        return "data", f"{n_frames}, all of the same bytes"
    if channel_problem(report, channel):
        return None, f"{n_frames}, in which no packets follow each other"
    return "packets", f"{n_frames}, {channel['packets']:,} packets, {channel['gaps']:,} gaps"
