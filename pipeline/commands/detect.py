"""`downlink detect`: write a mission file for an unknown recording, with the evidence as comments."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import fields
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..link.containers.pcap import is_capture
from ..link.detection.detector import detect, proximity_text
from ..link.detection.guess import Guess
from ..link.detection.wrappings import looks_soft, unwrapped
from ..link.settings import LinkSettings, RecordTime, ReedSolomonSettings
from ..messages.topics import slug
from ..model.errors import RunError
from ..recordings.reader import read_pass
from ..system.files import printable_name

MOST_BYTES = 32 << 20
"""Most bytes of a recording that are examined."""
KEYS = (
    "container",
    "udp_port",
    "symbols",
    "framing",
    "packet_prefix_bytes",
    "record_prefix_bytes",
    "record_suffix_bytes",
    "record_time",
    "frame_type",
    "frame_length_bytes",
    "sync_marker",
    "randomizer",
    "long_randomizer",
    "reed_solomon",
    "fecf",
    "header_error_control",
    "insert_zone_bytes",
    "operational_control_field",
    "secondary_header_bytes",
    "ignore_synchronization_flag",
    "security_header_bytes",
    "security_trailer_bytes",
    "mpdu_header",
)
_ALWAYS = frozenset({"framing"})
_ALWAYS_OF_FRAMES = frozenset({"framing", "frame_type", "frame_length_bytes"})
_NAME_CHARACTERS = 64


def detected(path: Path) -> str:
    """The text of a mission file for a recording. RunError if only noise is found."""
    octets, whole = first_bytes([path])
    if not len(octets):
        raise RunError(f"{path}: the recording is empty")
    guess = detect(octets)
    if guess is None:
        raise RunError(f"{path}: {_noise(octets)}")
    return "\n".join(_lines(path, guess, len(octets), whole=whole)) + "\n"


def first_bytes(paths: Sequence[Path]) -> tuple[NDArray[np.uint8], bool]:
    """The first MOST_BYTES of recordings, uint8[n], and whether these are all."""
    parts: list[NDArray[np.uint8]] = []
    n_bytes = 0
    for batch in chain.from_iterable(map(read_pass, paths)):
        parts.append(batch.data.copy())
        n_bytes += len(batch.data)
        if n_bytes >= MOST_BYTES:
            return np.concatenate(parts)[:MOST_BYTES], n_bytes == MOST_BYTES
    return np.concatenate(parts) if parts else np.empty(0, np.uint8), True


def _noise(octets: NDArray[np.uint8]) -> str:
    if is_capture(octets[:4].tobytes()) and not len(unwrapped(LinkSettings("cadu", container="pcap"), octets)):
        return "the capture holds no UDP payload (TCP streams of captures are not read: save the payload itself)"
    if text := proximity_text(octets):
        return text
    text = f"noise: in {len(octets):,} bytes no marker occurs at a constant distance"
    text += ", and no headers or packets follow each other"
    if looks_soft(octets):
        text += "; they look like soft symbols (float32) of an inner code, which a demodulator decodes first"
    return text


def _lines(path: Path, guess: Guess, n_bytes: int, *, whole: bool) -> Iterator[str]:
    what = f"{n_bytes:,} bytes" if whole else f"the first {n_bytes:,} bytes"
    yield f"# Found by `downlink detect` in {what} of {printable_name(path)}; behind # is the evidence."
    yield f"name = {json.dumps(slug(path.stem)[:_NAME_CHARACTERS].strip('_.-') or 'detected')}"
    yield ""
    yield "[link]"
    defaults = {one.name: one.default for one in fields(LinkSettings)}
    always = _ALWAYS if guess.settings.framing == "packets" else _ALWAYS_OF_FRAMES
    is_marked = guess.settings.framing == "cadu"
    for key in KEYS:
        value = getattr(guess.settings, key)
        if value == defaults[key] and key not in always and not (key == "sync_marker" and is_marked):
            continue
        if key in guess.why:
            yield f"# {guess.why[key]}"
        yield f"{key} = {toml_value(value)}"
    yield from (f"# {note}" for note in guess.notes)
    for channel, why in zip(guess.channels, guess.channel_why, strict=True):
        yield ""
        yield "[[channel]]"
        yield f"# {why}"
        yield f"spacecraft_id = {channel.spacecraft_id}"
        yield f"virtual_channel = {channel.virtual_channel}"
        yield f"name = {json.dumps(channel.name)}"
        if channel.service != "packets":
            yield f"service = {json.dumps(channel.service)}"


def toml_value(value: Any) -> str:
    """A value of `[link]` as TOML."""
    match value:
        case bytes():
            return json.dumps(value.hex().upper())
        case ReedSolomonSettings():
            default = ReedSolomonSettings(value.parity, value.interleave, value.basis)
            own = {one.name: getattr(value, one.name) for one in fields(value)}
            kept = {
                name: item
                for name, item in own.items()
                if name in {"parity", "interleave", "basis"} or item != getattr(default, name)
            }
            return "{ " + ", ".join(f"{name} = {json.dumps(item)}" for name, item in kept.items()) + " }"
        case tuple():
            return "[" + ", ".join(_time(one) for one in value) + "]"
        case _:
            return json.dumps(value)


def _time(one: RecordTime) -> str:
    order = json.dumps(one.byte_order)
    return f'{{ offset = {one.offset}, bytes = {one.n_bytes}, unit = "{one.unit}", byte_order = {order} }}'
