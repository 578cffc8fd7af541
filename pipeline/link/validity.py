"""Checks the settings of a link. Each problem names the key of the mission file."""

from __future__ import annotations

from ..model.errors import Problem
from .coding.reed_solomon import CODEWORD_SYMBOLS
from .frames.headers import FECF_BYTES, OPERATIONAL_CONTROL_BYTES
from .settings import LinkSettings, ReedSolomonSettings

_SHORTEST_PACKET_ZONE_BYTES = 1
MOST_RECORD_BYTES = 65536
_MOST_SECURITY_BYTES = 1024
_NEEDS_TM = "belongs to TM frames"


def settings_problems(settings: LinkSettings) -> list[Problem]:
    """Return all problems of the settings; empty if they are valid."""
    if settings.framing == "packets":
        return _number("link.packet_prefix_bytes", settings.packet_prefix_bytes, 0, 65536) + container_problems(
            settings
        )
    problems = _number("link.frame_length_bytes", settings.frame_length_bytes, _shortest_frame(settings), 65542)
    problems += _number("link.insert_zone_bytes", settings.insert_zone_bytes, 0, 65535)
    problems += _insert_time_problems(settings)
    problems += _number("link.reorder_window_frames", settings.reorder_window_frames, 0, 1024)
    problems += _number("link.record_prefix_bytes", settings.record_prefix_bytes, 0, MOST_RECORD_BYTES)
    problems += _number("link.record_suffix_bytes", settings.record_suffix_bytes, 0, MOST_RECORD_BYTES)
    problems += container_problems(settings) + _record_time_problems(settings) + zone_problems(settings, "link")
    if settings.framing == "codeblocks":
        problems += _codeblock_problems(settings)
    if settings.framing == "cadu":
        problems += _number("link.sync_marker: number of bytes", len(settings.sync_marker), 2, 8)
        problems += _marker_problems(settings)
        if settings.reed_solomon:
            problems += _code_problems(settings.reed_solomon, settings.frame_length_bytes)
    return problems


def _shortest_frame(settings: LinkSettings) -> int:
    trailer = OPERATIONAL_CONTROL_BYTES * settings.operational_control_field + FECF_BYTES * settings.fecf
    security = max(0, settings.security_header_bytes) + max(0, settings.security_trailer_bytes)
    if settings.frame_type == "uslp":
        return 7 + max(0, settings.insert_zone_bytes) + 3 + security + trailer + _SHORTEST_PACKET_ZONE_BYTES
    if settings.frame_type == "tm":
        return 6 + security + OPERATIONAL_CONTROL_BYTES + FECF_BYTES * settings.fecf + _SHORTEST_PACKET_ZONE_BYTES
    header = 6 + 2 * settings.header_error_control + max(0, settings.insert_zone_bytes) + 2
    return header + security + trailer + _SHORTEST_PACKET_ZONE_BYTES


def zone_problems(settings: LinkSettings, table: str) -> list[Problem]:
    """Return problems of the keys that define the packet zone of a frame. `table`: where the keys are."""
    problems = _number(f"{table}.security_header_bytes", settings.security_header_bytes, 0, _MOST_SECURITY_BYTES)
    problems += _number(f"{table}.security_trailer_bytes", settings.security_trailer_bytes, 0, _MOST_SECURITY_BYTES)
    if settings.secondary_header_bytes is not None:
        problems += _number(f"{table}.secondary_header_bytes", settings.secondary_header_bytes, 0, 64)
    if settings.frame_type != "tm":
        if settings.secondary_header_bytes is not None:
            problems.append(Problem(_NEEDS_TM, key=f"{table}.secondary_header_bytes"))
        if settings.ignore_synchronization_flag:
            problems.append(Problem(_NEEDS_TM, key=f"{table}.ignore_synchronization_flag"))
    if settings.frame_type != "aos" and not settings.mpdu_header:
        problems.append(Problem("belongs to AOS frames", key=f"{table}.mpdu_header"))
    if not problems and (shortest := _shortest_frame(settings)) > settings.frame_length_bytes:
        text = f"frames of {settings.frame_length_bytes} bytes have no room for it: they need {shortest} bytes"
        key = "security_header_bytes" if settings.security_header_bytes else "security_trailer_bytes"
        problems += [Problem(text, key=f"{table}.{key}")] if table != "link" else []
    return problems


def container_problems(settings: LinkSettings) -> list[Problem]:
    """Return problems of the keys of containers and symbols."""
    problems = _number("link.kiss_time_port", settings.kiss_time_port, 0, 15)
    if not settings.in_kiss and settings.kiss_time_port != LinkSettings("cadu").kiss_time_port:
        problems.append(Problem('belongs to container "kiss"', key="link.kiss_time_port"))
    if settings.udp_port is not None:
        problems += _number("link.udp_port", settings.udp_port, 1, 65535)
        if not settings.in_capture:
            problems.append(Problem('belongs to container "pcap"', key="link.udp_port"))
    if settings.in_kiss and settings.symbols != "packed":
        problems.append(Problem("KISS frames hold bytes, no symbols", key="link.symbols"))
    return problems


def _record_time_problems(settings: LinkSettings) -> list[Problem]:
    """Each time field must lie in the prefix."""
    problems = []
    for number, field in enumerate(settings.record_time):
        problems += _number(f"link.record_time.{number}.bytes", field.n_bytes, 1, 8)
        stop = field.offset + field.n_bytes
        if field.offset < 0 or stop > settings.record_prefix_bytes:
            text = f"bytes {field.offset} to {stop} are not in the prefix of record_prefix_bytes"
            problems.append(Problem(text, key=f"link.record_time.{number}.offset"))
    return problems


def _codeblock_problems(settings: LinkSettings) -> list[Problem]:
    code = settings.reed_solomon
    if code is None and not settings.randomizer:
        text = 'has no reed_solomon and no randomizer: frames as they are have framing "frames"'
        return [Problem(text, key="link.framing")]
    return _code_problems(code, settings.frame_length_bytes) if code else []


def _insert_time_problems(settings: LinkSettings) -> list[Problem]:
    """The count must lie in the insert zone of AOS frames."""
    layout, key = settings.insert_zone_time, "link.insert_zone_time"
    if layout is None:
        return []
    problems = _number(f"{key}.bytes", layout.n_bytes, 1, 8)
    problems += _number(f"{key}.per_second", layout.per_second, 1, 10**9)
    end = layout.offset + layout.n_bytes
    if settings.frame_type != "aos" or layout.offset < 0 or settings.insert_zone_bytes < end:
        problems.append(Problem(f"needs AOS frames with an insert zone of {end} bytes or more", key=key))
    return problems


def _marker_problems(settings: LinkSettings) -> list[Problem]:
    """At most a quarter of the marker's bits may be wrong."""
    most = 2 * len(settings.sync_marker)
    problems = _number("link.flywheel_frames", settings.flywheel_frames, 0, 64)
    for key in ("marker_errors_searching", "marker_errors_locked"):
        allowed = getattr(settings, key)
        problems += [] if allowed is None else _number(f"link.{key}", allowed, 0, most)
    return problems


def _code_problems(code: ReedSolomonSettings, frame_length: int) -> list[Problem]:
    problems = _number("link.reed_solomon.interleave", code.interleave, 1, 8)
    problems += _number("link.reed_solomon.virtual_fill", code.virtual_fill, 0, CODEWORD_SYMBOLS - 1 - code.parity)
    problems += _number("link.reed_solomon.fill_value", code.fill_value, 0, 255)
    if code.fill_value and not (code.virtual_fill and code.check):
        text = "there is no virtual_fill" if code.check else "the parity is not checked"
        problems.append(Problem(f"has no effect: {text}", key="link.reed_solomon.fill_value"))
    if code.codewords == "consecutive" and code.interleave == 1:
        text = "one codeword has no order: interleave is the number of codewords in a block"
        problems.append(Problem(text, key="link.reed_solomon.codewords"))
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
