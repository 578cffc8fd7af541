"""SWAPI: twelve packets of six steps become a sweep of 72 steps; monitors of the housekeeping get units.

In: P_SWP_SCI, a packet a second; P_SWP_HK and P_SWP_HK_2024. Out: `swapi/sweep`, a row a sweep, and
`swapi/housekeeping`, a row a packet. A sweep begins with the packet whose sequence number is 0; steps of packets that
are missing are NaN, and the sweep is flagged FRAGMENT. A count in 16 bits is exact, or of 16; an overflow is NaN and
flagged SATURATED.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar

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

_SCIENCE = "P_SWP_SCI"
_CEMS = {"primary": "PCEM", "secondary": "SCEM", "coincidence": "COIN"}
_COLUMNS = frozenset(
    f"{cem}_{what}{k}" for cem in _CEMS.values() for what in ("CNT", "RNG_ST") for k in range(STEPS_PER_PACKET)
)
_OF_PACKET = frozenset({"SEQ_NUMBER", "SWEEP_TABLE", "PLAN_ID_SCIENCE", "MODE", "ESA_LVL5"})
_HOUSEKEEPING = frozenset(column for column, *_ in STATES.values())
_MONITORED = frozenset(column for name, (column, *_) in MONITORS.items() if name not in EXTENDED)
_ADDED = frozenset(MONITORS[name][0] for name in EXTENDED)
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


class Analyser(Table):
    """Both gains of the voltage of the electrostatic analyser."""

    source: Source
    low_v: Line
    high_v: Line
    high_from_count: Annotated[int, Field(ge=0, le=4095)]


class SwapiCalibration(Calibration):
    """`swapi/calibration.toml`."""

    counts: Counts
    monitors: Monitors
    analyser: Analyser


class Swapi(Instrument):
    """Sweeps and housekeeping."""

    containers: ClassVar[Mapping[str, frozenset[str]]] = {
        _SCIENCE: _COLUMNS | _OF_PACKET,
        "P_SWP_HK": _HOUSEKEEPING | _MONITORED,
        "P_SWP_HK_2024": _HOUSEKEEPING | _MONITORED | _ADDED,
    }
    model = SwapiCalibration
    no_uncertainty = "counts: their variance is their number; monitors: not published"
    calibration: SwapiCalibration

    def keys(self, rows: ColumnBatch) -> NDArray[np.int64]:
        """Packets of a sweep have the same second less sequence number: one is sent each second."""
        if rows.container != _SCIENCE:
            return window_keys(rows, self.context.window_s)
        number = np.asarray(rows.columns["SEQ_NUMBER"]).astype(np.int64)
        begun_s = np.where(rows.time_ns == NO_TIME, 0, rows.time_ns // 1_000_000_000 - number)
        plain = window_keys(rows, 0.0) * (rows.time_ns == NO_TIME)[:, None]
        return np.concatenate([begun_s[:, None], plain], axis=1)

    def drafts(self, rows: ColumnBatch) -> Iterator[Draft]:
        yield self._sweep(rows) if rows.container == _SCIENCE else self._housekeeping(rows)

    def _sweep(self, rows: ColumnBatch) -> Draft:
        """One row: the packets of a group, each at the steps of its sequence number."""
        number = np.asarray(rows.columns["SEQ_NUMBER"]).astype(np.int64)
        placed = number < PACKETS_PER_SWEEP
        arrays: dict[str, NDArray[np.generic]] = {}
        saturated = False
        for name, cem in _CEMS.items():
            counts, overflow = self._counts(rows, cem)
            steps = np.full((PACKETS_PER_SWEEP, STEPS_PER_PACKET), np.nan, np.float32)
            steps[number[placed]] = counts[placed]
            arrays[f"{name}_counts"] = steps.reshape(1, N_STEPS)
            saturated |= bool(overflow.any())
        level = np.zeros((1, PACKETS_PER_SWEEP), np.uint16)
        level[0, number[placed]] = np.asarray(rows.columns["ESA_LVL5"])[placed]
        arrays["analyser_level"] = level
        arrays["plan_id"] = np.asarray(rows.columns["PLAN_ID_SCIENCE"])[:1].astype(np.uint8)
        arrays["sweep_table"] = np.asarray(rows.columns["SWEEP_TABLE"])[:1].astype(np.uint8)
        arrays["mode"] = np.asarray(rows.columns["MODE"])[:1].astype(str)
        whole = len(np.unique(number[placed])) == PACKETS_PER_SWEEP
        quality = np.bitwise_or.reduce(rows.quality, keepdims=True)
        quality |= flag(np.array([not whole]), Quality.FRAGMENT) | flag(np.array([saturated]), Quality.SATURATED)
        begin = rows.time_ns[:1] - np.where(rows.time_ns[:1] == NO_TIME, 0, number[:1] * 1_000_000_000)
        return Draft(SWEEP, rows, begin, arrays, quality)

    def _counts(self, rows: ColumnBatch, cem: str) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Counts [n, 6] of one detector, NaN where there are too many to be sent, and where that is so."""
        sent = np.stack([np.asarray(rows.columns[f"{cem}_CNT{k}"]) for k in range(STEPS_PER_PACKET)], axis=1)
        states = [np.asarray(rows.columns[f"{cem}_RNG_ST{k}"]) for k in range(STEPS_PER_PACKET)]
        coarse = np.stack(
            [(state == "COMP") if state.dtype.kind == "U" else (state != 0) for state in states], axis=1
        )
        overflow = coarse & (sent == self.calibration.counts.overflow)
        counts = sent.astype(np.float32) * np.where(coarse, self.calibration.counts.compressed_counts, 1)
        return np.where(overflow, np.float32(np.nan), counts).astype(np.float32), overflow

    def _housekeeping(self, rows: ColumnBatch) -> Draft:
        arrays: dict[str, NDArray[np.generic]] = {}
        for name, (column, *_) in MONITORS.items():
            if column in rows.columns:
                arrays[name] = self._monitor(name, np.asarray(rows.columns[column]))
        for name, (column, *_) in STATES.items():
            arrays[name] = np.asarray(rows.columns[column]).astype(np.uint8)
        return Draft(HOUSEKEEPING, rows, rows.time_ns, arrays, rows.quality)

    def _monitor(self, name: str, counts: NDArray[np.generic]) -> NDArray[np.float64]:
        """The value of a monitor; as it is where the dictionary has calibrated it."""
        values = counts.astype(np.float64)
        if counts.dtype.kind == "f":
            return values
        if name != "analyser_v":
            offset, slope = getattr(self.calibration.monitors, name)
            return np.asarray(offset + slope * values)
        gains = self.calibration.analyser
        low, high = (offset + slope * values for offset, slope in (gains.low_v, gains.high_v))
        return np.where(values < gains.high_from_count, low, high)
