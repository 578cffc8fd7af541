"""RoPeR, the rover penetrating radar: records of the two channels become traces, bit for bit as received.

In: GPR_HF and GPR_LF, the genuine record layout of Zhurong's level-2B products. Out: `gpr/high_frequency` and
`gpr/low_frequency` (science traces) and the same names with `_self_test` (traces of WORK_MODE SELF_TEST, which the
published processing drops: WDC Geophysics Beijing dataset 417). Complex samples lie as pairs in the high frequency,
as m reals and then m imaginaries in the low; two-way time is bin number times the sample interval.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ....clock.mars import mars_time, solar_position
from ....model.batches import Column, ColumnBatch, Quality, Quantity, Ragged
from ....products.context import Context
from ....products.draft import Draft, column_quantity, flag
from ....products.rows import compact, take, window_keys, with_columns
from ..shared.attitude import Navigation
from ..shared.on_rover import OnRover
from .kinds import KINDS
from .radar_calibration import GprCalibration, RadarChannel
from .radar_noise import noise_floor

BLOCK_BYTES = 18  # velocity, position and attitude at the record's end
_AXES = ("VELOCITY_X", "VELOCITY_Y", "VELOCITY_Z")
_PLACE = ("POSITION_X", "POSITION_Y", "POSITION_Z")
_ANGLES = ("ROLL", "PITCH", "YAW")
_COMMON = (
    "ONBOARD_SECONDS", "ONBOARD_MILLISECONDS", "CHANNEL", "FRAME_COUNT", "DATA_NODE", "WORK_MODE", "TRIGGER_MODE",
    "EFFECTIVE_LENGTH_BYTES",
)  # fmt: skip
_OWN = {"GPR_HF": ("POLARIZATION", "SELF_TEST_SWITCH"), "GPR_LF": ("SAMPLING_WINDOW", "TRACE_INTERVAL")}
_PRODUCT = {"GPR_HF": "high_frequency", "GPR_LF": "low_frequency"}
_NEEDED = frozenset({*_COMMON, *_AXES, *_PLACE, *_ANGLES, "SAMPLES", "NAVIGATION_BLOCK"})
_OF_NOISE = "one sigma of the noise, of all samples of the trace: by the end of its window, where no echo is left"


class Gpr(OnRover):
    """The radar. State: the last frame count of each channel and data node, for gaps."""

    containers: ClassVar[Mapping[str, frozenset[str]]] = {name: _NEEDED | set(own) for name, own in _OWN.items()}
    row_by_row = frozenset(_OWN)
    model = GprCalibration
    max_rows = 256
    calibration: GprCalibration

    def __init__(self, calibration: Mapping[str, Any], context: Context) -> None:
        super().__init__(calibration, context)
        self._last: dict[tuple[str, int], int] = {}

    def attach(
        self,
        rows: ColumnBatch,
        navigation: Navigation,  # noqa: ARG002 - it brings its own
        until: NDArray[np.int64],  # noqa: ARG002
    ) -> ColumnBatch:
        return _with_sun(with_columns(rows, {"after_gap": self._after_gap(rows)}), self.context)

    def keys(self, rows: ColumnBatch) -> NDArray[np.int64]:
        n_samples = trace_lengths(rows, self.calibration.channel(rows.container))
        return np.concatenate([window_keys(rows, self.context.window_s), n_samples[:, None]], axis=1)

    def alike(self, rows: ColumnBatch) -> bool:
        lengths = trace_lengths(rows, self.calibration.channel(rows.container))
        return bool((lengths == lengths[0]).all() and (np.asarray(rows.columns["WORK_MODE"]) != "SELF_TEST").all())

    def drafts(self, rows: ColumnBatch) -> Iterator[Draft]:
        self_test = np.asarray(rows.columns["WORK_MODE"]) == "SELF_TEST"
        name = _PRODUCT[rows.container]
        if not self_test.all():
            yield self._draft(take(rows, ~self_test) if self_test.any() else rows, name, Quality(0))
        if self_test.any():
            yield self._draft(take(rows, self_test), f"{name}_self_test", Quality.SELF_TEST)

    def _after_gap(self, rows: ColumnBatch) -> NDArray[np.bool_]:
        """Whether the frame counter (one byte, shared by the polarisations) skipped; a self-test may restart it."""
        step = self.calibration.channel(rows.container).frame_count_step
        node = np.asarray(rows.columns["DATA_NODE"])
        count = np.asarray(rows.columns["FRAME_COUNT"]).astype(np.int64)
        gap = np.zeros(len(rows), np.bool_)
        for value in np.unique(node).tolist():
            here = np.flatnonzero(node == value)
            key = (rows.container, int(value))
            before = np.concatenate([[self._last.get(key, count[here[0]] - step)], count[here][:-1]])
            gap[here] = (count[here] - before) % 256 != step % 256
            self._last[key] = int(count[here[-1]])
        restart = (np.asarray(rows.columns["WORK_MODE"]) == "SELF_TEST") & (count == 1)
        return np.asarray(gap & ~restart)

    def _draft(self, rows: ColumnBatch, product: str, quality: Quality) -> Draft:
        channel = self.calibration.channel(rows.container)
        n_samples = int(trace_lengths(rows, channel)[0])  # the keys saw to it that all are the same
        real, imaginary = complex_parts(rows, n_samples)
        power = np.square(real, dtype=np.float64)
        power += np.square(imaginary, dtype=np.float64)
        largest = power.max(axis=1, initial=0.0)
        length = np.asarray(rows.columns["EFFECTIVE_LENGTH_BYTES"])
        bad = ~np.isfinite(largest) | ~_is_valid(length, channel)
        bits = (
            rows.quality
            | flag(bad, Quality.OUT_OF_RANGE)
            | flag(np.asarray(rows.columns["after_gap"]), Quality.AFTER_GAP)
        )
        noise = noise_floor(power)
        arrays = {
            "real": Quantity(real, "1", "real part, counts as received", ("row", "sample")),
            "real_sigma": Quantity(noise, "1", _OF_NOISE),
            "imaginary": Quantity(imaginary, "1", "imaginary part, counts as received", ("row", "sample")),
            "imaginary_sigma": Quantity(noise, "1", _OF_NOISE),
            "twt_ns": Quantity(
                np.arange(n_samples) * channel.sample_interval_ns,
                "ns",
                "two-way travel time of each bin",
                ("sample",),
            ),
            "peak_amplitude_db": Quantity(_decibel(largest), "dB", "20 log10 of the largest amplitude"),
            **_geometry(rows),
            **_sun(rows),
            **{name.lower(): column_quantity(rows, name) for name in (*_COMMON, *_OWN[rows.container])},
        }
        return Draft(KINDS[product], rows, rows.time_ns, arrays, bits | np.uint32(quality))


def trace_lengths(rows: ColumnBatch, channel: RadarChannel) -> NDArray[np.int64]:
    """Complex samples of each trace; all that fit where the length is none of the valid ones."""
    length = np.asarray(rows.columns["EFFECTIVE_LENGTH_BYTES"]).astype(np.int64)
    n_fit = np.asarray(rows.columns["SAMPLES"]).shape[1] // 2
    valid = _is_valid(length, channel)
    return np.asarray(np.where(valid, np.minimum(length // 8, n_fit), n_fit))


def _is_valid(length: NDArray[np.integer[Any]], channel: RadarChannel) -> NDArray[np.bool_]:
    """Whether each length is one of the few that records of the channel have."""
    found = length == channel.valid_lengths_bytes[0]
    for other in channel.valid_lengths_bytes[1:]:
        found |= length == other
    return np.asarray(found)


def complex_parts(rows: ColumnBatch, n_samples: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Real and imaginary parts [n, n_samples]: pairs in the high frequency, one after the other in the low."""
    samples = np.asarray(rows.columns["SAMPLES"])
    if rows.container == "GPR_HF":
        pairs = samples[:, : 2 * n_samples]
        return np.ascontiguousarray(pairs[:, 0::2]), np.ascontiguousarray(pairs[:, 1::2])
    real, imaginary = samples[:, :n_samples], samples[:, n_samples : 2 * n_samples]
    return np.ascontiguousarray(real), np.ascontiguousarray(imaginary)


def _decibel(power: NDArray[np.float64]) -> NDArray[np.float64]:
    decibel = 10 * np.log10(power)
    return np.where(np.isfinite(decibel), decibel, np.nan)


def _geometry(rows: ColumnBatch) -> dict[str, Quantity]:
    """Navigation as the rover sent it, north-east-down; the position is re-zeroed on board."""

    def together(names: tuple[str, ...]) -> NDArray[np.float64]:
        return np.stack([np.asarray(rows.columns[name], np.float64) for name in names], axis=1)

    return {
        "velocity_m_s": Quantity(together(_AXES), "m s-1", "north, east, down", ("row", "north_east_down")),
        "position_m": Quantity(
            together(_PLACE), "m", "north, east, down from where it was last re-zeroed", ("row", "north_east_down")
        ),
        "attitude_deg": Quantity(together(_ANGLES), "degree", "roll, pitch, yaw", ("row", "roll_pitch_yaw")),
        "navigation_block": Quantity(
            blob(rows.columns["NAVIGATION_BLOCK"], BLOCK_BYTES),
            "1",
            "the same 18 bytes as sent: velocity, position, pitch, yaw, roll as big-endian sign-magnitude",
            ("row", "byte"),
        ),
    }


def _with_sun(rows: ColumnBatch, context: Context) -> ColumnBatch:
    """The rows with where the Sun stood, for all of a batch at once; nothing without a site."""
    if context.site is None:
        return rows
    time = mars_time(context.clock.utc_ns(rows.time_ns), context.site.longitude_deg, context.site.sol_offset)
    sun = solar_position(time, context.site.latitude_deg)
    return with_columns(rows, {"solar_incidence_deg": sun.incidence_deg, "solar_azimuth_deg": sun.azimuth_deg})


def _sun(rows: ColumnBatch) -> dict[str, Quantity]:
    words = {
        "solar_incidence_deg": "of the Sun from the zenith, at the site",
        "solar_azimuth_deg": "of the Sun clockwise from north, at the site",
    }
    known = {name: text for name, text in words.items() if name in rows.columns}
    return {name: Quantity(np.asarray(rows.columns[name]), "degree", text) for name, text in known.items()}


def blob(column: Column, n_bytes: int) -> NDArray[np.uint8]:
    """A binary column of fixed size as uint8[n, n_bytes], whatever form it came in."""
    if isinstance(column, Ragged):
        flat = compact(column)
        out = np.zeros((len(flat), n_bytes), np.uint8)
        at = np.arange(n_bytes) < np.minimum(flat.length, n_bytes)[:, None]
        index = flat.start[:, None] + np.arange(n_bytes)
        out[at] = flat.values[index[at]]
        return out
    if column.dtype.kind == "u":
        return np.ascontiguousarray(column, np.uint8).reshape(len(column), n_bytes)
    return np.ascontiguousarray(column, f"V{n_bytes}").view(np.uint8).reshape(len(column), n_bytes)
