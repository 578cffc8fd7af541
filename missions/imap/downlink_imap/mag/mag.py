"""MAG: packets of both sensors become vectors with a range and a time each, in counts (level 1A).

In: P_MAG_SCI_NORM and P_MAG_SCI_BURST. Out: for each mode and sensor `mag/<mode>_<sensor>`, a row a vector, and
`mag/<mode>_packets`, a row a packet. A packet has (subtype + 1) seconds of vectors of both sensors, 2^code of them a
second; the first vector of a sensor is of its coarse and fine time, the others follow at its rate. Vectors of packets
that are too short, or whose compressed vectors cannot be, are zero and flagged FRAGMENT.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar

import numpy as np
from downlink_pipeline.api import (
    Calibration,
    ColumnBatch,
    Draft,
    Instrument,
    Quality,
    Ragged,
    Source,
    Table,
    flag,
    window_keys,
)
from numpy.typing import NDArray
from pydantic import Field

from .kinds import MODES, PACKETS, VECTORS
from .vectors import Unpacked, Vectors, decompress, unpack

_SECOND_NS = 1_000_000_000
_LAYOUT = ("COMPRESSION", "PUS_SSUBTYPE", "PRI_VECSEC", "SEC_VECSEC", "PRI_SENS")
"""What packets of one group must have alike: it decides how many vectors of which sensor are where."""
_OF_PACKET = {
    "met_s": "SHCOARSE",
    "service_type": "PUS_STYPE",
    "service_subtype": "PUS_SSUBTYPE",
    "compression": "COMPRESSION",
    "mago_active": "MAGO_ACT",
    "magi_active": "MAGI_ACT",
    "primary_sensor": "PRI_SENS",
    "primary_coarse_s": "PRI_COARSETM",
    "primary_fine": "PRI_FNTM",
    "secondary_coarse_s": "SEC_COARSETM",
    "secondary_fine": "SEC_FNTM",
}
"""Columns that are an array of `mag/<mode>_packets` as they are, by its name."""
_NEEDED = frozenset({*_LAYOUT, *_OF_PACKET.values(), "VECTORS"})


class Time(Table):
    """What one count of the fine time is."""

    source: Source
    fine_counts_per_second: Annotated[int, Field(ge=1, le=1 << 17)]


class Sensors(Table):
    """The number of the outboard sensor in PRI_SENS."""

    source: Source
    mago: Annotated[int, Field(ge=0, le=1)]


class MagCalibration(Calibration):
    """`mag/calibration.toml`."""

    time: Time
    sensors: Sensors


class Mag(Instrument):
    """Both sensors, in both modes."""

    containers: ClassVar[Mapping[str, frozenset[str]]] = dict.fromkeys(MODES, _NEEDED)
    row_by_row = frozenset(MODES)
    model = MagCalibration
    max_rows = 64
    no_uncertainty = "counts: the noise of a vector has not been published by range"
    calibration: MagCalibration

    def keys(self, rows: ColumnBatch) -> NDArray[np.int64]:
        """A group ends with the window, and where packets have another layout."""
        layout = np.stack([_integers(rows, name) for name in _LAYOUT], axis=1)
        return np.concatenate([window_keys(rows, self.context.window_s), layout], axis=1)

    def alike(self, rows: ColumnBatch) -> bool:
        """Packets of several groups are unpacked together where they have one layout."""
        return all((values == values[0]).all() for values in (_integers(rows, name) for name in _LAYOUT))

    def drafts(self, rows: ColumnBatch) -> Iterator[Draft]:
        mode = MODES[rows.container]
        unpacked = _unpack(rows)
        primary_is_mago = _integers(rows, "PRI_SENS")[0] == self.calibration.sensors.mago
        of_mago, of_magi = ("PRI", "SEC") if primary_is_mago else ("SEC", "PRI")
        yield self._vectors(rows, unpacked, mode, "mago", of_mago)
        yield self._vectors(rows, unpacked, mode, "magi", of_magi)
        yield _packets(rows, mode)

    def _vectors(self, rows: ColumnBatch, unpacked: Unpacked, mode: str, sensor: str, part: str) -> Draft:
        """Of one sensor; `part`: whether it is the primary (PRI) or the secondary (SEC) one of these packets."""
        vectors: Vectors = unpacked.primary if part == "PRI" else unpacked.secondary
        n, k = vectors.range_index.shape
        rate_hz = 1 << int(_integers(rows, f"{part}_VECSEC")[0])
        coarse_s, fine = _integers(rows, f"{part}_COARSETM"), _integers(rows, f"{part}_FNTM")
        first_ns = coarse_s * _SECOND_NS + fine * _SECOND_NS // self.calibration.time.fine_counts_per_second
        time_ns = first_ns[:, None] + np.arange(k) * (_SECOND_NS // rate_hz)
        quality = rows.quality | flag(~unpacked.whole, Quality.FRAGMENT)
        by_packet: dict[str, NDArray[Any]] = {
            "is_active": _integers(rows, f"{sensor.upper()}_ACT").astype(np.uint8),
            "compression": _integers(rows, "COMPRESSION").astype(np.uint8),
            "width_bits": unpacked.width_bits,
            "sequence_count": rows.seq_count,
            "packet_coarse_s": coarse_s.astype(np.uint32),
            "packet_fine": fine.astype(np.uint16),
        }
        arrays: dict[str, NDArray[Any]] = {
            "field_counts": vectors.counts.reshape(n * k, 3),
            "range_index": vectors.range_index.ravel(),
            "rate_hz": np.full(n * k, float(rate_hz)),
            "is_primary": np.full(n * k, part == "PRI", np.uint8),
            **{name: np.repeat(values, k) for name, values in by_packet.items()},
        }
        kind = VECTORS[mode, sensor]
        return Draft(
            kind, rows, time_ns.ravel(), {name: arrays[name] for name in kind.arrays}, np.repeat(quality, k)
        )


def _unpack(rows: ColumnBatch) -> Unpacked:
    """The vectors of packets of one layout."""
    seconds = int(_integers(rows, "PUS_SSUBTYPE")[0]) + 1
    n_primary, n_secondary = (seconds << int(_integers(rows, name)[0]) for name in ("PRI_VECSEC", "SEC_VECSEC"))
    data, n_bytes = _matrix(rows)
    method = decompress if _integers(rows, "COMPRESSION")[0] else unpack
    return method(data, n_bytes, n_primary, n_secondary)


def _packets(rows: ColumnBatch, mode: str) -> Draft:
    kind = PACKETS[mode]
    arrays = {name: np.asarray(rows.columns[column]) for name, column in _OF_PACKET.items()}
    arrays["sequence_count"] = rows.seq_count
    for part, name in (("PRI", "primary_rate_hz"), ("SEC", "secondary_rate_hz")):
        arrays[name] = 2.0 ** _integers(rows, f"{part}_VECSEC")
    return Draft(kind, rows, rows.time_ns, {name: arrays[name] for name in kind.arrays}, rows.quality)


def _integers(rows: ColumnBatch, name: str) -> NDArray[np.int64]:
    return np.asarray(rows.columns[name]).astype(np.int64)


def _matrix(rows: ColumnBatch) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The science data, a row a packet with zeros behind shorter ones, and the bytes of each packet."""
    column = rows.columns["VECTORS"]
    if not isinstance(column, Ragged):
        data = np.asarray(column).astype(np.uint8, copy=False).reshape(len(rows), -1)
        return data, np.full(len(rows), data.shape[1], np.int64)
    n_bytes = np.maximum(column.length, 0)
    at = np.arange(int(n_bytes.max(initial=1)))
    inside = at < n_bytes[:, None]
    place = np.where(inside, column.start[:, None] + at, 0)
    values = np.asarray(column.values)
    return np.where(inside, values[place] if len(values) else np.uint8(0), np.uint8(0)), n_bytes
