"""The rover's clock against UTC: pairs of a count and the UTC at that count, and the correlation that they make.

In: TIME_CORRELATION, a pair each: the rover's count when a frame was locked, and the UTC of its receipt, less light
time and delay of the electronics. Out: `clock/pairs`, as they come, and when the stream ends `clock/correlation`, a
row for each segment of the fit, with an event for resets, outliers, and a correlation in use that does not hold. Times
of products are by the correlation of the mission file, never by this one: else they would depend on what came before.
Held: all pairs, the first MAX_PAIRS of a stream.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ....clock.correlation import Correlation, FitSettings, Pairs, correlate
from ....clock.robust import Floats
from ....model.batches import ColumnBatch, Event, Quality, Quantity
from ....products.calibration import Calibration, Positive, Source, Table, outside
from ....products.clock_source import ClockSource
from ....products.context import Context
from ....products.draft import Draft, flag
from ....products.rows import join, window_keys
from ..shared.on_rover import OnRover
from .kinds import CORRELATION, PAIRS

CONTAINER = "TIME_CORRELATION"
MAX_PAIRS = 100_000
_OFF_SIGMAS = 6.0
_MANY_OUTLIERS = 0.1
"""Of the pairs: fewer are what the fit is made for, a frame that was late on board, and nobody's concern."""
_WINDOW_S = 300.0  # pairs come slowly
_NEEDED = (
    "LOCK_SECONDS", "LOCK_MILLISECONDS", "RECEIVED_SECONDS", "RECEIVED_MICROSECONDS", "LIGHT_TIME",
    "ELECTRONICS_DELAY", "CLOCK_PARTITION", "CORRELATION_METHOD",
)  # fmt: skip


class PairLimits(Table):
    """What a pair can be."""

    source: Source
    max_light_time_s: Positive
    max_delay_s: Positive


class Fit(Table):
    """How pairs are taken apart: see `FitSettings`."""

    source: Source
    gap_s: Positive
    jump_s: Positive
    max_drift: Positive


class ClockCalibration(Calibration):
    """`calibration/clock.toml`."""

    pairs: PairLimits
    fit: Fit


class Clock(OnRover, ClockSource):
    """Correlation packets. State: the pairs of the stream."""

    pair_container = CONTAINER
    containers: ClassVar[Mapping[str, frozenset[str]]] = {CONTAINER: frozenset(_NEEDED)}
    model = ClockCalibration
    no_uncertainty = "their scatter about the line is the sigma of clock/correlation"
    calibration: ClockCalibration

    def __init__(self, calibration: Mapping[str, Any], context: Context) -> None:
        super().__init__(calibration, context)
        self._pending: list[ColumnBatch] = []

    def keys(self, rows: ColumnBatch) -> NDArray[np.int64]:
        return window_keys(rows, max(self.context.window_s, _WINDOW_S))

    def drafts(self, rows: ColumnBatch) -> Iterator[Draft | Event]:
        if sum(map(len, self._pending)) < MAX_PAIRS:
            self._pending.append(rows)
        clock = self.context.clock
        pairs = pairs_of(rows, clock.epoch_utc_ns)
        apart_s = (pairs.utc_ns - clock.utc_ns(pairs.onboard_ns)) / 1e9
        limit_s = np.maximum(_OFF_SIGMAS * clock.sigma_ns(pairs.onboard_ns) / 1e9, self.calibration.fit.jump_s)
        wrong = _absurd(rows, self.calibration)
        if clock.segments:
            wrong |= np.abs(apart_s) > limit_s
        arrays = {
            "lock_onboard_ns": Quantity(pairs.onboard_ns, "ns", "count at frame lock, since the mission epoch"),
            "lock_utc_ns": Quantity(pairs.utc_ns, "ns", "UTC at that count since 1970-01-01: receipt less delays"),
            "offset_s": Quantity(apart_s, "s", "UTC of the pair less UTC by the correlation in use"),
            "light_time_s": Quantity(_floats(rows, "LIGHT_TIME"), "s", "from the rover to the receiver"),
            "electronics_delay_s": Quantity(_floats(rows, "ELECTRONICS_DELAY"), "s", "of the receiver"),
            "clock_partition": Quantity(pairs.resets, "", "the rover's count of its clock's resets"),
            "method": Quantity(np.asarray(rows.columns["CORRELATION_METHOD"]), "", "who received"),
        }
        quality = rows.quality | flag(wrong, Quality.OUT_OF_RANGE)
        yield Draft(PAIRS, rows, rows.time_ns, arrays, quality)

    def correlation_pairs(self, rows: ColumnBatch) -> Pairs:
        return sound_pairs(rows, self.calibration, self.context.clock.epoch_utc_ns)

    def fit_settings(self) -> FitSettings:
        return fit_settings(self.calibration)

    def end(self) -> Iterator[Draft | Event]:
        if not self._pending:
            return
        rows, self._pending = join(self._pending), []
        made = correlate(sound_pairs(rows, self.calibration, self.context.clock.epoch_utc_ns), self._settings)
        yield from self._events(rows, made)
        if made.segments:
            yield self._correlation(rows, made)

    @property
    def _settings(self) -> FitSettings:
        return fit_settings(self.calibration)

    def _correlation(self, rows: ColumnBatch, made: Correlation) -> Draft:
        """A row for each segment."""
        parts = [(segment, partition) for partition in made.partitions for segment in partition.segments]
        starts = np.array([segment.onboard_ns for segment, _ in parts], np.int64)
        rate = np.array([segment.rate for segment, _ in parts])
        arrays = {
            "segment_utc_ns": Quantity(_longs(one.utc_ns for one, _ in parts), "ns", "UTC at its start"),
            "rate": Quantity(rate, "1", "seconds of UTC per second of the clock"),
            "rate_sigma": Quantity(
                np.array([one.rate_sigma for one, _ in parts]), "1", "from the scatter of the pairs"
            ),
            "drift_ppm": Quantity((1 / rate - 1) * 1e6, "1e-6", "by which the clock runs fast"),
            "stop_onboard_ns": Quantity(
                _longs(one.stop_ns for one, _ in parts), "ns", "last count of its partition"
            ),
            "segment_utc_ns_sigma": Quantity(
                _longs(one.sigma_ns for one, _ in parts), "ns", "scatter of the pairs"
            ),
            "partition": Quantity(_longs(one.partition for one, _ in parts), "", "grows with each reset"),
            "n_pairs": Quantity(_longs(one.n_pairs for _, one in parts), "1", "pairs of the partition that agree"),
            "n_outliers": Quantity(_longs(one.n_outliers for _, one in parts), "1", "pairs that do not"),
            "n_mended": Quantity(_longs(one.n_mended for _, one in parts), "1", "pairs 65.536 s off, mended"),
        }
        lineage = {"made_correlation": made.clock(self.context.clock.epoch_utc_ns).correlation_id}
        quality = np.zeros(len(parts), np.uint32)
        return Draft(CORRELATION, rows, starts, arrays, quality, lineage)

    def _events(self, rows: ColumnBatch, made: Correlation) -> Iterator[Event]:
        """What the pairs say of the clock, and what speaks against them or against the correlation in use."""
        when_ns = int(rows.received_ns[-1])
        counts: dict[str, int] = {
            "pairs": len(rows),
            "outliers": len(rows) - sum(one.n_pairs for one in made.partitions),
            "mended": sum(one.n_mended for one in made.partitions),
            "partitions": len(made.partitions),
        }
        in_use = self.context.clock
        details: dict[str, Any] = {**counts, "in_use": in_use.correlation_id}
        if not made.segments:
            yield Event("warning", "clock", "the correlation packets give no correlation", when_ns, details)
            return
        last = made.segments[-1]
        details |= {"made": made.clock(in_use.epoch_utc_ns).correlation_id}
        details |= {"drift_ppm": (1 / last.rate - 1) * 1e6, "sigma_s": last.sigma_ns / 1e9}
        many = counts["outliers"] > _MANY_OUTLIERS * counts["pairs"]
        severity = "warning" if many or counts["partitions"] > 1 else "info"
        n_outliers = counts["outliers"]
        text = (
            f"clock correlation from {counts['pairs']} pairs, {n_outliers} outlier{'s' * (n_outliers != 1)}: "
            f"drift {details['drift_ppm']:.3f} ppm, one sigma {details['sigma_s'] * 1e3:.3f} ms"
        )
        yield Event(severity, "clock", text, when_ns, details)
        for before, after in pairwise(made.partitions):
            text = f"the clock was reset: partition {after.number} follows {before.number}"
            yield Event("warning", "clock-reset", text, when_ns, {"partition": after.number})
        yield from self._misfit(made, when_ns)

    def _misfit(self, made: Correlation, when_ns: int) -> Iterator[Event]:
        """Where the mission's correlation is off from the new one by more than it may be."""
        in_use = self.context.clock
        if not in_use.segments:
            return
        counts = _longs(one.onboard_ns for one in made.segments)
        apart_s = np.abs(in_use.utc_ns(counts) - _longs(one.utc_ns for one in made.segments)).max() / 1e9
        sigma_s = (in_use.sigma_ns(counts).max() + max(one.sigma_ns for one in made.segments)) / 1e9
        if apart_s > _OFF_SIGMAS * sigma_s:
            text = f"the clock correlation in use is off by {apart_s:.6f} s: make a new one with downlink clock"
            details = {"apart_s": float(apart_s), "sigma_s": float(sigma_s)}
            yield Event("warning", "clock-correlation", text, when_ns, details)


def fit_settings(calibration: ClockCalibration) -> FitSettings:
    """How the calibration file wants pairs to be taken apart."""
    return FitSettings(calibration.fit.gap_s, calibration.fit.jump_s, calibration.fit.max_drift)


def pairs_of(rows: ColumnBatch, epoch_utc_ns: int) -> Pairs:
    """The pairs of correlation packets, whatever they say."""
    lock_ns = _whole(rows, "LOCK_SECONDS") * 1_000_000_000 + _whole(rows, "LOCK_MILLISECONDS") * 1_000_000
    received_ns = _whole(rows, "RECEIVED_SECONDS") * 1_000_000_000 + _whole(rows, "RECEIVED_MICROSECONDS") * 1000
    delay_s = _floats(rows, "LIGHT_TIME") + _floats(rows, "ELECTRONICS_DELAY")
    delay_ns = np.rint(np.clip(np.nan_to_num(delay_s), -1e9, 1e9) * 1e9).astype(np.int64)
    return Pairs(lock_ns, epoch_utc_ns + received_ns - delay_ns, _whole(rows, "CLOCK_PARTITION"))


def sound_pairs(rows: ColumnBatch, calibration: ClockCalibration, epoch_utc_ns: int) -> Pairs:
    """The pairs of correlation packets whose delays can be."""
    pairs, good = pairs_of(rows, epoch_utc_ns), ~_absurd(rows, calibration)
    return Pairs(pairs.onboard_ns[good], pairs.utc_ns[good], pairs.resets[good])


def _absurd(rows: ColumnBatch, calibration: ClockCalibration) -> NDArray[np.bool_]:
    """Whether light time or delay are none that can be."""
    light, delay = _floats(rows, "LIGHT_TIME"), _floats(rows, "ELECTRONICS_DELAY")
    limits = calibration.pairs
    return outside(light, [0.0, limits.max_light_time_s]) | outside(delay, [0.0, limits.max_delay_s])


def _floats(rows: ColumnBatch, name: str) -> Floats:
    return np.asarray(rows.columns[name], np.float64)


def _whole(rows: ColumnBatch, name: str) -> NDArray[np.int64]:
    return np.asarray(rows.columns[name]).astype(np.int64)


def _longs(values: Iterable[int]) -> NDArray[np.int64]:
    return np.array(list(values), np.int64)
