"""Dust devils: dips of the pressure at the climate station, found, measured and reported.

In: WEATHER, as the climate station. Out: `weather/dust_devil`, one row a dip, and an event of each. Held: the
pressure of about two detrending windows. Dropped: dips narrower, wider or shallower than the calibration says.

A sample is judged when all of its window is there, so what is found does not depend on how the samples came in. How a
dip is found and measured is in `dips`; the limits are assumed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ....model.batches import NO_TIME, ColumnBatch, Event, Quantity
from ....products.calibration import outside
from ....products.context import Context
from ....products.draft import Draft
from ....products.rotations import Floats
from ....products.rows import join, sample_times, take
from ..shared.on_rover import OnRover
from .dips import Dip, fit_dip, lowest_samples
from .kinds import DUST_DEVIL
from .weather import END_OF_SCALE, Weather, WeatherCalibration, pressure_pa, thermistor_degc

_GROUP_NS = 60_000_000_000


class DustDevils(OnRover):
    """State: the samples from one window before those not yet judged, and their packets without columns."""

    containers: ClassVar[Mapping[str, frozenset[str]]] = Weather.containers
    any_groups = frozenset(Weather.containers)
    model = WeatherCalibration
    family = "weather"
    calibration: WeatherCalibration

    def __init__(self, calibration: Mapping[str, Any], context: Context) -> None:
        super().__init__(calibration, context)
        interval_s = self.calibration.sample_interval_s
        self._interval_ns = round(interval_s * 1e9)
        self._half = max(round(self.calibration.dust_devils.detrend_s / interval_s / 2), 2)
        self._reach = self._half + max(round(self.calibration.dust_devils.apart_s / interval_s), 1)
        self._packets: list[ColumnBatch] = []
        self._packet_ns = 0
        self._start_ns = 0
        self._pressure: Floats = np.empty(0)
        self._n_judged = 0

    def keys(self, rows: ColumnBatch) -> NDArray[np.int64]:
        return (rows.time_ns // _GROUP_NS)[:, None]

    def drafts(self, rows: ColumnBatch) -> Iterator[Draft | Event]:
        time_ns, pressure, row = self._samples(rows)
        breaks = self._breaks(time_ns)
        packets = replace(rows, columns={}, raw={})
        edges = zip(pairwise([0, *breaks, len(time_ns)]), pairwise([0, *row[breaks], len(rows)]), strict=True)
        for (first, last), of_series in edges:
            if first in breaks:
                yield from self._judge(len(self._pressure))
                self._forget(len(self._pressure))
                self._packets.clear()
            if len(part := take(packets, slice(*of_series))):
                self._packets.append(part)
            self._append(time_ns[first:last], pressure[first:last])
        yield from self._judge(len(self._pressure) - self._reach)
        self._forget(self._n_judged - self._reach)

    def end(self) -> Iterator[Draft | Event]:
        yield from self._judge(len(self._pressure))
        self._forget(len(self._pressure))

    def _samples(self, rows: ColumnBatch) -> tuple[NDArray[np.int64], Floats, NDArray[np.intp]]:
        """Times, pressures (NaN if not good) and row numbers of the samples that have a time."""
        voltage = np.asarray(rows.columns["PRESSURE_VOLTAGE"], np.float64)
        sensor = np.asarray(rows.columns["PRESSURE_SENSOR_THERMISTOR"], np.float64)[:, None]
        pressure = pressure_pa(
            voltage, thermistor_degc(sensor, self.calibration.thermistor), self.calibration.pressure
        )
        bad = outside(pressure, self.calibration.pressure.valid_pa) | (np.maximum(voltage, sensor) >= END_OF_SCALE)
        self._packet_ns = voltage.shape[1] * self._interval_ns
        time_ns = sample_times(rows, np.arange(voltage.shape[1]) * self._interval_ns).ravel()
        known = time_ns != NO_TIME
        row = np.repeat(np.arange(len(rows)), voltage.shape[1])
        return time_ns[known], np.where(bad, np.nan, pressure).ravel()[known], row[known]

    def _breaks(self, time_ns: NDArray[np.int64]) -> list[int]:
        """Where a new series begins: time went back, or too much is missing."""
        last_ns = self._start_ns + (len(self._pressure) - 1) * self._interval_ns
        before = np.concatenate([[last_ns if len(self._pressure) else NO_TIME], time_ns])[: len(time_ns)]
        longest_ns = round(self.calibration.dust_devils.longest_gap_s * 1e9)
        # subtracted only where it cannot overflow: both are times of a 32-bit clock, or nonsense that is a break
        near = (time_ns > before) & (time_ns - longest_ns <= before)
        return [int(i) for i in np.flatnonzero(~near)]

    def _append(self, time_ns: NDArray[np.int64], pressure: Floats) -> None:
        """Put samples of one series in their places; what is missing between is NaN."""
        if not len(time_ns):
            return
        if not len(self._pressure):
            self._start_ns = int(time_ns[0])
        place = np.rint((time_ns - self._start_ns) / self._interval_ns).astype(np.int64)
        longer = np.full(int(place[-1]) + 1, np.nan)
        longer[: len(self._pressure)] = self._pressure
        longer[place] = pressure
        self._pressure = longer

    def _forget(self, n: int) -> None:
        """Drop the first n samples, and the packets that are wholly before what is left."""
        n = min(max(n, 0), len(self._pressure))
        self._pressure = self._pressure[n:]
        self._n_judged = max(self._n_judged - n, 0)
        self._start_ns += n * self._interval_ns
        oldest_ns = self._start_ns - self._reach * self._interval_ns
        kept = [one for one in self._packets[:-1] if int(one.time_ns.max()) >= oldest_ns]
        self._packets = [*kept, *self._packets[-1:]] if len(self._pressure) else self._packets[-1:]

    def _judge(self, until: int) -> Iterator[Draft | Event]:
        """The dips with their lowest sample before `until`."""
        if until <= self._n_judged:
            return
        limits = self.calibration.dust_devils
        half, apart = self._half, self._reach - self._half
        among = slice(self._n_judged, until)
        found = lowest_samples(self._pressure, half, apart, limits.min_depth_pa, limits.n_sigma, among)
        narrowest, widest = (width / self.calibration.sample_interval_s for width in limits.width_s)
        dips = [fit_dip(self._pressure, lowest, half, narrowest, widest) for lowest in found]
        self._n_judged = until
        for dip in dips:
            if dip.depth_pa >= max(limits.min_depth_pa, limits.n_sigma * dip.depth_pa_sigma):
                yield from self._tell(dip)

    def _tell(self, dip: Dip) -> Iterator[Draft | Event]:
        time_ns = self._start_ns + dip.lowest * self._interval_ns + round(dip.beside * self._interval_ns)
        width_s = dip.width * self.calibration.sample_interval_s
        packets = self._around(time_ns, round(width_s * 1e9))
        arrays = {
            "depth_pa": Quantity(np.array([dip.depth_pa]), "Pa", "how far the pressure dipped"),
            "depth_pa_sigma": Quantity(np.array([dip.depth_pa_sigma]), "Pa", "one sigma, by what the fit leaves"),
            "width_s": Quantity(np.array([width_s]), "s", "full width at half depth"),
            "background_pressure_pa": Quantity(np.array([dip.background_pa]), "Pa", "pressure without the dip"),
        }
        bits = np.bitwise_or.reduce(packets.quality, keepdims=True)
        yield Draft(DUST_DEVIL, packets, np.array([time_ns]), arrays, bits)
        received_ns = int(packets.received_ns[-1])
        details = {"onboard_ns": time_ns, "depth_pa": round(dip.depth_pa, 3), "width_s": round(width_s, 2)}
        text = f"dust devil: the pressure dipped by {dip.depth_pa:.1f} Pa for {width_s:.0f} s"
        yield Event("info", "dust_devil", text, received_ns, details)

    def _around(self, time_ns: int, width_ns: int) -> ColumnBatch:
        """The packets with samples within one width of a dip; at least the one that is nearest."""
        packets = join(self._packets)
        away_ns = packets.time_ns.astype(np.float64) + self._packet_ns / 2 - time_ns  # of the packet's middle
        near = np.abs(away_ns) < width_ns + self._packet_ns / 2
        near[np.argmin(np.abs(away_ns))] = True
        return take(packets, near)
