"""SWAPI: twelve packets of six steps become a sweep of 72 steps; monitors of the housekeeping get units.

In: P_SWP_SCI, a packet a second; P_SWP_HK and P_SWP_HK_2024; in the mission's dictionary of 2025 SWP_SCI and SWP_HK,
whose parameters are named with the container before them, and are calibrated. Out: `swapi/sweep`, a row a sweep, and
`swapi/housekeeping`, a row a packet. A sweep begins with the packet whose sequence number is 0; steps of packets that
are missing are NaN, and the sweep is flagged FRAGMENT. A count in 16 bits is exact, or of 16; an overflow is NaN and
flagged SATURATED.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar

import numpy as np
from downlink_pipeline.api import (
    NO_TIME,
    Calibration,
    ColumnBatch,
    Draft,
    Finite,
    Instrument,
    Quality,
    Source,
    Table,
    flag,
    window_keys,
)
from numpy.typing import NDArray
from pydantic import Field

from .kinds import EXTENDED, HOUSEKEEPING, MONITORS, N_STEPS, PACKETS_PER_SWEEP, STATES, STEPS_PER_PACKET, SWEEP

_SCIENCE = frozenset({"P_SWP_SCI", "SWP_SCI"})
_CEMS = {"primary": "PCEM", "secondary": "SCEM", "coincidence": "COIN"}
_COLUMNS = frozenset(
    f"{cem}_{what}{k}" for cem in _CEMS.values() for what in ("CNT", "RNG_ST") for k in range(STEPS_PER_PACKET)
)
_OF_PACKET = frozenset({"SEQ_NUMBER", "SWEEP_TABLE", "PLAN_ID", "MODE", "ESA_LVL5"})
_STATES = frozenset(column for column, _ in STATES.values())
_ADDED = frozenset(MONITORS[name][0] for name in EXTENDED)
_MONITORED = frozenset(column for column, *_ in MONITORS.values()) - _ADDED
_RENAMED = {("P_SWP_SCI", "PLAN_ID"): "PLAN_ID_SCIENCE"}
_RENAMED |= {(container, "PLAN_ID"): "PLAN_ID_HK" for container in ("P_SWP_HK", "P_SWP_HK_2024")}


def _name(container: str, name: str) -> str:
    """What a parameter of SWAPI is called in a container."""
    return f"{container}.{name}" if container.startswith("SWP_") else _RENAMED.get((container, name), name)


def _needed(container: str, names: frozenset[str]) -> frozenset[str]:
    return frozenset(_name(container, name) for name in names)


def _column(rows: ColumnBatch, name: str) -> NDArray[Any]:
    return np.asarray(rows.columns[_name(rows.container, name)])


Line = Annotated[list[Finite], Field(min_length=2, max_length=2)]
"""Offset and slope."""


class Counts(Table):
    """How counts are sent in 16 bits."""

    source: Source
    compressed_counts: Annotated[int, Field(ge=1)]
    overflow: Annotated[int, Field(ge=0, le=65535)]


class Monitors(Table):
    """Offset and slope of each monitor."""

    source: Source
    sensor_temperature_degc: Line
    supply_temperature_degc: Line
    controller_temperature_degc: Line
    pcem_v: Line
    scem_v: Line
    pcem_current_ua: Line
    scem_current_ua: Line
    cem_current_ua: Line
    plus_5_v: Line
    minus_5_v: Line
    plus_5_current_ma: Line
    minus_5_current_ma: Line
    ground_v: Line
    reference_2_5_v: Line
    discriminator_1_v: Line
    discriminator_2_v: Line
    digital_2_5_v: Line
    lvds_3_3_v: Line
    pcem_command_v: Line
    scem_command_v: Line
    analyser_command_v: Line
    analyser_plus_5_v: Line
    analyser_minus_5_v: Line
    analyser_plus_5_current_ma: Line
    analyser_minus_5_current_ma: Line


class Gains(Table):
    """Offset and slope of a voltage with two gains."""

    source: Source
    low_v: Line
    high_v: Line
    high_from_count: Annotated[int, Field(ge=0, le=8191)]

    def volts(self, counts: NDArray[Any]) -> NDArray[np.float64]:
        """Of counts; what is calibrated already stays."""
        values = counts.astype(np.float64)
        low, high = (offset + slope * values for offset, slope in (self.low_v, self.high_v))
        return values if counts.dtype.kind == "f" else np.where(values < self.high_from_count, low, high)


class SwapiCalibration(Calibration):
    """`swapi/calibration.toml`."""

    counts: Counts
    monitors: Monitors
    analyser: Gains
    analyser_level: Gains


class Swapi(Instrument):
    """Sweeps and housekeeping."""

    containers: ClassVar[Mapping[str, frozenset[str]]] = {
        **{each: _needed(each, _COLUMNS | _OF_PACKET) for each in _SCIENCE},
        "P_SWP_HK": _needed("P_SWP_HK", _STATES | _MONITORED),
        **{each: _needed(each, _STATES | _MONITORED | _ADDED) for each in ("P_SWP_HK_2024", "SWP_HK")},
    }
    model = SwapiCalibration
    no_uncertainty = "counts: their variance is their number; monitors: not published"
    calibration: SwapiCalibration

    def keys(self, rows: ColumnBatch) -> NDArray[np.int64]:
        """Packets of a sweep have the same second less sequence number: one is sent each second."""
        if rows.container not in _SCIENCE:
            return window_keys(rows, self.context.window_s)
        number = _column(rows, "SEQ_NUMBER").astype(np.int64)
        begun_s = np.where(rows.time_ns == NO_TIME, 0, rows.time_ns // 1_000_000_000 - number)
        plain = window_keys(rows, 0.0) * (rows.time_ns == NO_TIME)[:, None]
        return np.concatenate([begun_s[:, None], plain], axis=1)

    def drafts(self, rows: ColumnBatch) -> Iterator[Draft]:
        yield self._sweep(rows) if rows.container in _SCIENCE else self._housekeeping(rows)

    def _sweep(self, rows: ColumnBatch) -> Draft:
        """One row: the packets of a group, each at the steps of its sequence number."""
        number = _column(rows, "SEQ_NUMBER").astype(np.int64)
        placed = number < PACKETS_PER_SWEEP
        arrays: dict[str, NDArray[Any]] = {}
        saturated = False
        for name, cem in _CEMS.items():
            counts, overflow = self._counts(rows, cem)
            steps = np.full((PACKETS_PER_SWEEP, STEPS_PER_PACKET), np.nan, np.float32)
            steps[number[placed]] = counts[placed]
            arrays[f"{name}_counts"] = steps.reshape(1, N_STEPS)
            saturated |= bool(overflow.any())
        level_v = np.full((1, PACKETS_PER_SWEEP), np.nan)
        level_v[0, number[placed]] = self.calibration.analyser_level.volts(_column(rows, "ESA_LVL5"))[placed]
        arrays["analyser_v"] = level_v
        arrays["plan_id"] = _column(rows, "PLAN_ID")[:1].astype(np.uint8)
        arrays["sweep_table"] = _column(rows, "SWEEP_TABLE")[:1].astype(np.uint8)
        arrays["mode"] = _column(rows, "MODE")[:1].astype(str)
        whole = len(np.unique(number[placed])) == PACKETS_PER_SWEEP
        quality = np.bitwise_or.reduce(rows.quality, keepdims=True)
        quality |= flag(np.array([not whole]), Quality.FRAGMENT) | flag(np.array([saturated]), Quality.SATURATED)
        begin = rows.time_ns[:1] - np.where(rows.time_ns[:1] == NO_TIME, 0, number[:1] * 1_000_000_000)
        return Draft(SWEEP, rows, begin, arrays, quality)

    def _counts(self, rows: ColumnBatch, cem: str) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Counts [n, 6] of one detector, NaN where there are too many to be sent, and where that is so."""
        sent = np.stack([_column(rows, f"{cem}_CNT{k}") for k in range(STEPS_PER_PACKET)], axis=1)
        states = [_column(rows, f"{cem}_RNG_ST{k}") for k in range(STEPS_PER_PACKET)]
        coarse = np.stack(
            [(state == "COMP") if state.dtype.kind == "U" else (state != 0) for state in states], axis=1
        )
        overflow = coarse & (sent == self.calibration.counts.overflow)
        counts = sent.astype(np.float32) * np.where(coarse, self.calibration.counts.compressed_counts, 1)
        return np.where(overflow, np.float32(np.nan), counts).astype(np.float32), overflow

    def _housekeeping(self, rows: ColumnBatch) -> Draft:
        arrays: dict[str, NDArray[Any]] = {}
        for name, (column, *_) in MONITORS.items():
            if _name(rows.container, column) in rows.columns:
                arrays[name] = self._monitor(name, _column(rows, column))
        for name, (column, _) in STATES.items():
            arrays[name] = _column(rows, column).astype(np.uint8)
        return Draft(HOUSEKEEPING, rows, rows.time_ns, arrays, rows.quality)

    def _monitor(self, name: str, counts: NDArray[Any]) -> NDArray[np.float64]:
        """The value of a monitor; as it is where the dictionary has calibrated it."""
        if name == "analyser_v":
            return self.calibration.analyser.volts(counts)
        values = counts.astype(np.float64)
        if counts.dtype.kind == "f":
            return values
        offset, slope = getattr(self.calibration.monitors, name)
        return np.asarray(offset + slope * values)
