"""Genuine radar records: read from level-2B products, or described for the truth.

A `.2B` file is records of one kind. The first part of each is what came from the rover, and becomes the packet
data field; what the ground appended (fact sheet 3.1) is left out.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ....model.errors import ConfigError, Problem
from .arrays import Anything, Longs
from .octets import EPOCH_UTC_NS
from .packets import Measurement, records_at

KEPT_EVERY = 8
"""Of the samples the truth keeps the first record's and each eighth's after it; of all it keeps a CRC-32."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Layout of a record; bytes."""

    name: str
    apid: int
    channel: bytes
    product_bytes: int
    packet_bytes: int
    work_mode_at: int
    self_test: int = 0xCC


HF = Layout("gpr_hf", 273, b"\x14\x6f\x22\x22", 16_453, 16_420, 12)
LF = Layout("gpr_lf", 274, b"\x14\x6f\x11\x11", 12_069, 12_036, 13)
_SAMPLES_AT = 18
_NAVIGATION_BYTES = 18


def read_products(paths: Sequence[Path]) -> list[Measurement]:
    """Radar measurements of all files, by kind, in the order of their times; ConfigError with every bad file."""
    found: dict[Layout, list[tuple[int, bytes]]] = {}
    problems: list[Problem] = []
    for path in paths:
        try:
            layout, records = _read_product(path)
        except ConfigError as error:
            problems.extend(error.problems)
        else:
            found.setdefault(layout, []).extend(records)
    if problems:
        raise ConfigError(problems)
    return [_measurement(layout, sorted(records)) for layout, records in found.items()]


def _read_product(path: Path) -> tuple[Layout, list[tuple[int, bytes]]]:
    try:
        octets = path.read_bytes()
    except OSError as error:
        raise ConfigError([Problem(f"cannot be read: {error.strerror}", key=str(path))]) from error
    layout = next((layout for layout in (HF, LF) if octets[:4] == layout.channel), None)
    if layout is None:
        raise ConfigError([Problem("not a level-2B radar product: its channel word is unknown", key=str(path))])
    n_records, left = divmod(len(octets), layout.product_bytes)
    if left:
        text = f"cut short: {n_records} records of {layout.product_bytes} bytes, then {left} bytes"
        raise ConfigError([Problem(text, key=str(path))])
    rows = [octets[at : at + layout.packet_bytes] for at in range(0, len(octets), layout.product_bytes)]
    for number, row in enumerate(rows):
        if row[:4] != layout.channel:
            raise ConfigError([Problem(f"record {number} has another channel word than the first", key=str(path))])
    return layout, [(_time_ns(row), row) for row in rows]


def _time_ns(record: bytes) -> int:
    seconds, milliseconds = int.from_bytes(record[4:8], "big"), int.from_bytes(record[8:10], "big")
    return EPOCH_UTC_NS + seconds * 1_000_000_000 + milliseconds * 1_000_000


def _measurement(layout: Layout, records: Sequence[tuple[int, bytes]]) -> Measurement:
    time_ns = np.array([at for at, _ in records], np.int64)
    octets = [row for _, row in records]
    packets = records_at(layout.apid, time_ns, octets, secondary_header=False)
    return Measurement(layout.name, packets, describe(time_ns, octets, layout), {"samples": "genuine records"})


def describe(time_ns: Longs, records: Sequence[bytes], layout: Layout) -> dict[str, Anything]:
    """Truth of records as they were sent: headers, CRC-32 of all that is in them, some of the samples."""
    kept = np.array([0, *range(1, len(records), KEPT_EVERY)])
    samples = slice(_SAMPLES_AT, layout.packet_bytes - _NAVIGATION_BYTES)
    navigation = [np.frombuffer(record[-_NAVIGATION_BYTES:], ">u2").astype(np.int64) for record in records]
    words = np.stack(navigation)
    return {
        "time_utc_ns": time_ns,
        "frame_count": np.array([record[10] for record in records], np.uint8),
        "self_test": np.array([record[layout.work_mode_at] == layout.self_test for record in records]),
        "record_crc32": np.array([zlib.crc32(record) for record in records], np.uint32),
        "samples_crc32": np.array([zlib.crc32(record[samples]) for record in records], np.uint32),
        "navigation_counts": np.where(words & 0x8000, -(words & 0x7FFF), words),
        "kept_record": kept,
        "kept_samples": np.stack([np.frombuffer(records[k][samples], "<f4") for k in kept]),
    }
