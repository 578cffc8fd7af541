"""The rover's power, and what became of it in a sol.

In: ENGINEERING. Out: `rover/power`, a row a reading, and `rover/sol_energy`, one row of sums and extremes of a sol.
Dropped: rows without a time.

    generated = sum of wing currents x bus voltage;  stored = battery current x battery voltage
    used = generated - stored

Energies are added up by the trapezoidal rule between readings that are not too far apart; `covered_s` says how much of
the sol that was.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ....model.batches import NO_TIME, ColumnBatch, Quantity
from ....products.draft import Draft
from ....products.rotations import Floats
from ....products.rows import take
from ..shared.attitude import Navigation
from ..shared.on_rover import OnRover
from .kinds import POWER, SOL_ENERGY
from .rover_calibration import RoverCalibration
from .traverse import sols

PAYLOADS = ("GPR_ON", "MAGNETOMETER_ON", "WEATHER_ON", "LIBS_ON", "SWIR_ON")
_NUMBERS = (
    "WING_CURRENT", "BUS_VOLTAGE", "BATTERY_VOLTAGE", "BATTERY_CURRENT", "BATTERY_CHARGE", "BATTERY_TEMPERATURE",
    "TEMPERATURE",
)  # fmt: skip


class Energy(OnRover):
    """Power, and its sums of a sol."""

    containers: ClassVar[Mapping[str, frozenset[str]]] = {"ENGINEERING": frozenset({*_NUMBERS, *PAYLOADS})}
    model = RoverCalibration
    no_uncertainty = (
        "no accuracy of these sensors has been published; the steps of their counts are in the dictionary"
    )
    max_rows = 16384
    family = "rover"
    calibration: RoverCalibration

    def attach(
        self,
        rows: ColumnBatch,
        navigation: Navigation,  # noqa: ARG002 - power needs no attitude
        until: NDArray[np.int64],  # noqa: ARG002
    ) -> ColumnBatch:
        timed = rows.time_ns != NO_TIME
        return rows if timed.all() else take(rows, timed)

    def keys(self, rows: ColumnBatch) -> NDArray[np.int64]:
        return sols(rows.time_ns, self.context)[:, None]

    def drafts(self, rows: ColumnBatch) -> Iterator[Draft]:
        generated, stored = _generated_w(rows), _column(rows, "BATTERY_CURRENT") * _column(rows, "BATTERY_VOLTAGE")
        span_s = self._spans_s(rows)
        powers = {"generated": generated, "stored": stored, "used": generated - stored}
        arrays = {f"{name}_w": Quantity(watts, "W", _TOLD[name]) for name, watts in powers.items()}
        arrays |= {
            f"{name}_wh": Quantity(
                np.cumsum(_energies_wh(watts, span_s)), "W h", f"{_TOLD[name]}, since the sol began"
            )
            for name, watts in powers.items()
        }
        arrays["battery_charge_percent"] = Quantity(_column(rows, "BATTERY_CHARGE"), "percent", "of the battery")
        arrays["payload_on"] = Quantity(_payloads(rows), "", ", ".join(PAYLOADS), ("row", "payload"))
        yield Draft(POWER, rows, rows.time_ns, arrays, rows.quality.copy())
        yield self._sums(rows, powers, span_s)

    def _sums(self, rows: ColumnBatch, powers: Mapping[str, Floats], span_s: Floats) -> Draft:
        arrays = {
            f"{name}_wh": Quantity(
                _energies_wh(watts, span_s).sum(keepdims=True), "W h", f"{_TOLD[name]}, in the sol"
            )
            for name, watts in powers.items()
        }
        arrays["covered_s"] = Quantity(span_s.sum(keepdims=True), "s", "of the sol that is added up")
        on_s = (_payloads(rows) * span_s[:, None]).sum(axis=0, keepdims=True)
        arrays["payload_on_s"] = Quantity(on_s, "s", ", ".join(PAYLOADS), ("row", "payload"))
        for column, name, unit, dims in (
            ("BATTERY_CHARGE", "battery_charge_percent", "percent", ("row",)),
            ("BATTERY_TEMPERATURE", "battery_temperature_degc", "degC", ("row",)),
            ("TEMPERATURE", "temperature_degc", "degC", ("row", "point")),
        ):
            values = _column(rows, column)
            arrays[f"lowest_{name}"] = Quantity(values.min(axis=0, keepdims=True), unit, "lowest of the sol", dims)
            arrays[f"highest_{name}"] = Quantity(
                values.max(axis=0, keepdims=True), unit, "highest of the sol", dims
            )
        quality = np.bitwise_or.reduce(rows.quality)[None]
        return Draft(SOL_ENERGY, rows, rows.time_ns[-1:], arrays, quality)

    def _spans_s(self, rows: ColumnBatch) -> Floats:
        """Seconds from the reading before to each; 0 for the first, after a gap, and where the clock went back."""
        span_s = np.diff(rows.time_ns.astype(np.float64), prepend=float(rows.time_ns[0])) / 1e9
        return np.where((span_s >= 0) & (span_s <= self.calibration.power.longest_gap_s), span_s, 0.0)


_TOLD = {
    "generated": "from the solar wings",
    "stored": "into the battery, negative when it comes out of it",
    "used": "by the rover",
}


def _energies_wh(watts: Floats, span_s: Floats) -> Floats:
    """Of the span before each reading."""
    before = np.concatenate([watts[:1], watts[:-1]])
    return np.asarray((watts + before) / 2 * span_s / 3600)


def _generated_w(rows: ColumnBatch) -> Floats:
    current_a = _column(rows, "WING_CURRENT").reshape(len(rows), -1).sum(axis=1)
    return np.asarray(current_a * _column(rows, "BUS_VOLTAGE"))


def _payloads(rows: ColumnBatch) -> NDArray[np.bool_]:
    """Which are on, bool [n, 5]."""
    return np.stack([np.asarray(rows.columns[name]) != 0 for name in PAYLOADS], axis=1)


def _column(rows: ColumnBatch, name: str) -> Floats:
    return np.asarray(rows.columns[name], np.float64)
