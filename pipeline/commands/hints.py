"""Hints of `inspect` if a mission file does not fit a recording; and channels if it names none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..link.detection.channels import seen_channels
from ..link.detection.detector import detect
from ..link.detection.guess import Guess
from ..link.detection.markers import find_markers
from ..link.detection.wrappings import unwrapped
from ..link.settings import BYTES_PER_OCTET, LinkSettings, record_bytes
from ..mission.loading import Mission
from ..model.errors import ConfigError
from ..recordings.compression import STANDARD_INPUT
from .detect import KEYS, first_bytes, toml_value

_SAMPLE_BYTES = 1 << 20


def with_all_channels(passes: Sequence[Path], mission: Mission) -> Mission:
    """The mission, with all channels of the recordings if it names none. ConfigError for standard input then."""
    if mission.channels or mission.link.framing == "packets":
        return mission
    if STANDARD_INPUT in passes:
        raise ConfigError("no [[channel]]: to show all of them a recording is read twice, standard input is not")
    octets, _ = first_bytes(passes)
    return replace(mission, channels=seen_channels(mission.link, octets))


def hints(passes: Sequence[Path], link: LinkSettings) -> list[str]:
    """Lines with the keys of `[link]` to change, for recordings that cannot be read with `link`."""
    if STANDARD_INPUT in passes:
        return []
    octets, _ = first_bytes(passes[:1])
    octets = octets[: _SAMPLE_BYTES * BYTES_PER_OCTET[link.symbols]]
    if not len(octets):
        return []
    distance = _marker_distance(link, unwrapped(link, octets)) if link.framing == "cadu" else ""
    guess = detect(octets)
    lines = [distance] if distance else []
    if guess is None:
        return lines or [
            f"it may be noise: no marker, header or packet is found in its first {len(octets):,} bytes"
        ]
    changes = _changes(link, guess)
    if changes:
        lines.append(f"with {', '.join(changes)} in [link] it can be read: see downlink detect {passes[0]}")
    return lines


def _marker_distance(link: LinkSettings, octets: NDArray[np.uint8]) -> str:
    """A line with the distance of sync markers, if it differs from that of the settings; else empty."""
    markers = find_markers(octets, link.sync_marker)
    own = record_bytes(replace(link, symbols="packed"))
    if markers is None or markers.pitch == own:
        return ""
    return f"{link.sync_marker.hex().upper()} occurs every {markers.pitch:,} bytes; by the settings it is {own:,}"


def _changes(link: LinkSettings, guess: Guess) -> list[str]:
    """Settings that differ, as TOML; keys that only other framings have are left out."""
    found = []
    defaults = {one.name: one.default for one in fields(LinkSettings)}
    for key in KEYS:
        own, other = getattr(link, key), getattr(guess.settings, key)
        if own == other or (guess.settings.framing == "packets" and key.startswith(("frame_", "sync_"))):
            continue
        gone = other == defaults[key] and not isinstance(other, bool | int | str | bytes)
        found.append(f"no {key}" if gone else f"{key} = {toml_value(other)}")
    return found
