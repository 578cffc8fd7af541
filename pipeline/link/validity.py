"""What can be wrong with the settings of a link, told in words for the person who wrote them."""

from __future__ import annotations

from ..model.errors import Problem
from .coding.reed_solomon import CODEWORD_SYMBOLS
from .frames.headers import FECF_BYTES, OPERATIONAL_CONTROL_BYTES
from .frames.insert_zone import CODECS
from .settings import LinkSettings, ReedSolomonSettings

_SHORTEST_PACKET_ZONE_BYTES = 1


def settings_problems(settings: LinkSettings) -> list[Problem]:
    """Everything that makes the settings unusable; empty where they are sound."""
    if settings.framing == "packets":
        return _number("link.packet_prefix_bytes", settings.packet_prefix_bytes, 0, 65536)
    problems = _number("link.frame_length_bytes", settings.frame_length_bytes, _shortest_frame(settings), 65542)
    problems += _number("link.insert_zone_bytes", settings.insert_zone_bytes, 0, 65535)
    problems += _codec_problems(settings)
    problems += _number("link.reorder_window_frames", settings.reorder_window_frames, 0, 1024)
    if settings.framing == "cadu":
        problems += _number("link.sync_marker: number of bytes", len(settings.sync_marker), 2, 8)
        problems += _marker_problems(settings)
        if settings.reed_solomon:
            problems += _code_problems(settings.reed_solomon, settings.frame_length_bytes)
    return problems


def _shortest_frame(settings: LinkSettings) -> int:
    trailer = OPERATIONAL_CONTROL_BYTES * settings.operational_control_field + FECF_BYTES * settings.fecf
    if settings.frame_type == "uslp":
        return 7 + max(0, settings.insert_zone_bytes) + 3 + trailer + _SHORTEST_PACKET_ZONE_BYTES
    if settings.frame_type == "tm":
        return 6 + OPERATIONAL_CONTROL_BYTES + FECF_BYTES * settings.fecf + _SHORTEST_PACKET_ZONE_BYTES
    header = 6 + 2 * settings.header_error_control + max(0, settings.insert_zone_bytes) + 2
    return header + trailer + _SHORTEST_PACKET_ZONE_BYTES


def _codec_problems(settings: LinkSettings) -> list[Problem]:
    name, key = settings.insert_zone_codec, "link.insert_zone_codec"
    if not name:
        return []
    if name not in CODECS:
        return [Problem(f'no codec is called "{name}"; there are {", ".join(CODECS)}', key=key)]
    if settings.frame_type == "aos" and settings.insert_zone_bytes >= CODECS[name].n_bytes:
        return []
    return [Problem(f"needs AOS frames with an insert zone of {CODECS[name].n_bytes} bytes or more", key=key)]


def _marker_problems(settings: LinkSettings) -> list[Problem]:
    """Half of the marker's bits wrong says nothing any more."""
    most = 2 * len(settings.sync_marker)
    problems = _number("link.flywheel_frames", settings.flywheel_frames, 0, 64)
    for key in ("marker_errors_searching", "marker_errors_locked"):
        allowed = getattr(settings, key)
        problems += [] if allowed is None else _number(f"link.{key}", allowed, 0, most)
    return problems


def _code_problems(code: ReedSolomonSettings, frame_length: int) -> list[Problem]:
    problems = _number("link.reed_solomon.interleave", code.interleave, 1, 8)
    problems += _number("link.reed_solomon.virtual_fill", code.virtual_fill, 0, CODEWORD_SYMBOLS - 1 - code.parity)
    if code.parity not in (16, 32):
        problems.append(Problem(f"must be 16 or 32, not {code.parity}", key="link.reed_solomon.parity"))
    if problems:
        return problems
    carried = (CODEWORD_SYMBOLS - code.parity - code.virtual_fill) * code.interleave
    if carried != frame_length:
        text = f"the Reed-Solomon code carries frames of {carried} bytes, not {frame_length}"
        problems.append(Problem(text, key="link.frame_length_bytes"))
    return problems


def _number(key: str, value: int, lowest: int, highest: int) -> list[Problem]:
    if lowest <= value <= highest:
        return []
    return [Problem(f"must be {lowest} to {highest}, not {value}", key=key)]
