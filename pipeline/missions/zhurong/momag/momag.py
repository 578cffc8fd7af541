"""MOMAG, the orbiter's magnetometer: counts of two fluxgates on a boom become field, and field without the spacecraft.

In: MOMAG, 128 samples a packet at 1, 32 or 128 Hz. Out: `momag/field`, one row a sample, and of packets at 128 Hz
`momag/field_32hz`, as GRAS makes its level 2C: two half-band filters, each of which keeps every other sample.

    E = k n;  B = M (E - O - o1 (T - T0)), in axes of the spacecraft
    B_ambient = (r_o^3 B_o - r_i^3 B_i) / (r_o^3 - r_i^3): what falls with r^-3 from the body is gone

Two sensors: Ness et al. 1971 (J. Geophys. Res. 76, 3564). Range, resolution, boom and rates: Liu K. et al. 2020 (Earth
Planet. Phys., doi 10.26464/epp2020058). Offsets and matrices are assumed. No attitude is sent: nothing is turned.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ....model.batches import NO_TIME, ColumnBatch, Quality, Quantity, usable
from ....products.calibration import Calibration, Finite, Matrix, Positive, Source, Table, Vector
from ....products.context import Context
from ....products.draft import Draft, flag
from ....products.instrument import Instrument
from ....products.kinds import ProductKind
from ....products.rotations import Floats
from ....products.rows import sample_times, take, with_columns
from .kinds import FIELD, FIELD_32HZ

N_SAMPLES = 128
FAST_HZ = 128
_RATES_HZ = (1, 32, 128)
_CENTRES = np.arange(-47, 81, 4)
"""Samples of a packet at 128 Hz that the slower product keeps, counted from its first: the filters reach 45 beyond."""
_VECTOR = ("row", "axis")
_SENSORS = ("outer", "inner")


class Scale(Table):
    """Counts to nanotesla."""

    source: Source
    range_nt: Positive
    count_bits: Annotated[int, Field(ge=8, le=32)]
    reference_temperature_degc: Finite


class Noise(Table):
    """One sigma of a sample along each axis, of each sensor."""

    source: Source
    sample_nt: Positive


class Sensor(Table):
    """One sensor, and how far from the body it is."""

    source: Source
    offset_nt: Vector
    offset_nt_per_degc: Vector
    matrix: Matrix
    distance_m: Positive


class MomagCalibration(Calibration):
    """`calibration/momag.toml`."""

    scale: Scale
    noise: Noise
    outer: Sensor
    inner: Sensor


class Momag(Instrument):
    """Both sensors. State: the packet before, whose end the filters need."""

    containers: ClassVar[Mapping[str, frozenset[str]]] = {
        "MOMAG": frozenset({"SAMPLE_RATE", "TEMPERATURE_OUTER", "TEMPERATURE_INNER", "FIELD_OUTER", "FIELD_INNER"})
    }
    model = MomagCalibration
    max_rows = 128
    landed = False
    calibration: MomagCalibration

    def __init__(self, calibration: Mapping[str, Any], context: Context) -> None:
        super().__init__(calibration, context)
        self._last_ns = NO_TIME
        self._last: dict[str, Floats] = {name: np.full((N_SAMPLES, 3), np.nan) for name in _SENSORS}

    def attach(
        self,
        rows: ColumnBatch,
        auxiliary: None,  # noqa: ARG002
        until: NDArray[np.int64],  # noqa: ARG002
    ) -> ColumnBatch:
        """The field of the sensors, and of the packet before where that came a second earlier."""
        times = np.append(self._last_ns, rows.time_ns)
        follows = (times[:-1] != NO_TIME) & (times[1:] != NO_TIME)
        follows &= np.where(follows, times[1:], 0) - np.where(follows, times[:-1], 0) == 1_000_000_000
        self._last_ns = int(times[-1])
        more: dict[str, Floats] = {}
        for name in _SENSORS:
            field = self._field(rows, name)
            before = np.concatenate([self._last[name][None], field[:-1]])
            more[f"{name}_nt"] = field
            more[f"{name}_before_nt"] = np.where(follows[:, None, None], before, np.nan)
            self._last[name] = field[-1].copy()
        return with_columns(rows, more)

    def drafts(self, rows: ColumnBatch) -> Iterator[Draft]:
        rate = np.asarray(rows.columns["SAMPLE_RATE"]).astype(np.int64)
        known = np.isin(rate, _RATES_HZ)
        offset_ns = np.arange(N_SAMPLES) * 1_000_000_000 // np.where(known, rate, 1)[:, None]
        fields = {name: np.asarray(rows.columns[f"{name}_nt"]) for name in _SENSORS}
        quality = rows.quality[:, None] | flag(~known, Quality.OUT_OF_RANGE)[:, None] | self._quality(rows, fields)
        yield self._draft(FIELD, rows, sample_times(rows, offset_ns), fields, quality)
        fast = rate == FAST_HZ
        if fast.any():
            yield self._slower(take(rows, fast))

    def _field(self, rows: ColumnBatch, name: str) -> Floats:
        """Nanotesla [n, 128, 3] of one sensor, in axes of the spacecraft."""
        scale, sensor = self.calibration.scale, getattr(self.calibration, name)
        counts = np.asarray(rows.columns[f"FIELD_{name.upper()}"], np.float64).reshape(len(rows), N_SAMPLES, 3)
        warmer = (
            np.asarray(rows.columns[f"TEMPERATURE_{name.upper()}"], np.float64) - scale.reference_temperature_degc
        )
        offset = np.array(sensor.offset_nt) + np.array(sensor.offset_nt_per_degc) * warmer[:, None, None]
        electric = counts * (2 * scale.range_nt / 2**scale.count_bits)
        return np.asarray((electric - offset) @ np.array(sensor.matrix).T)

    def _quality(self, rows: ColumnBatch, fields: Mapping[str, Floats]) -> NDArray[np.uint32]:
        end = 1 << (self.calibration.scale.count_bits - 1)
        counts = np.stack([np.asarray(rows.columns[f"FIELD_{name.upper()}"]) for name in _SENSORS])
        counts = counts.reshape(2, len(rows), N_SAMPLES, 3)
        saturated = np.asarray(((counts <= -end) | (counts >= end - 1)).any(axis=(0, 3)))
        strange = np.asarray(~np.isfinite(np.stack(list(fields.values()))).all(axis=(0, 3)))
        return flag(saturated, Quality.SATURATED) | flag(strange, Quality.OUT_OF_RANGE)

    def _slower(self, rows: ColumnBatch) -> Draft:
        """Every fourth sample of 256, of which the first half is the packet before."""
        fields = {}
        for name in _SENSORS:
            both = [np.asarray(rows.columns[f"{name}{part}_nt"]) for part in ("_before", "")]
            fields[name] = decimate(decimate(np.concatenate(both, axis=1)))[:, (_CENTRES + N_SAMPLES - 45) // 4]
        absent = np.asarray(np.isnan(fields["outer"]).any(axis=2))
        quality = rows.quality[:, None] | flag(absent, Quality.AFTER_GAP)
        time_ns = sample_times(rows, _CENTRES * (1_000_000_000 // FAST_HZ))
        return self._draft(FIELD_32HZ, rows, time_ns, fields, quality)

    def _draft(
        self,
        kind: ProductKind,
        rows: ColumnBatch,
        time_ns: NDArray[np.int64],
        fields: Mapping[str, Floats],
        quality: NDArray[np.uint32],
    ) -> Draft:
        ambient = without_spacecraft(fields, self.calibration)
        flat = {name: field.reshape(-1, 3) for name, field in {**fields, "ambient": ambient}.items()}
        what = {"outer": "outer sensor", "inner": "inner sensor", "ambient": "without the dipole of the spacecraft"}
        arrays = {f"field_{name}_nt": Quantity(field, "nT", what[name], _VECTOR) for name, field in flat.items()}
        size = np.sqrt((flat["ambient"] ** 2).sum(axis=1))
        arrays["field_ambient_magnitude_nt"] = Quantity(size, "nT", "magnitude without the spacecraft")
        arrays |= self._sigmas(FILTERED if kind is FIELD_32HZ else 1.0)
        bits = quality.ravel()
        arrays["gras_flag"] = Quantity(
            (~usable(bits)).astype(np.uint8), "", "00 usable, as GRAS has it; 01 see quality"
        )
        frames = {"field": "axes of the spacecraft (assumed); no attitude is sent"}
        return Draft(kind, rows, time_ns.ravel(), arrays, bits, {"frames": frames})

    def _sigmas(self, gain: float) -> dict[str, Quantity]:
        """One sigma of the vectors [3] and of the magnitude, the same for all samples; `gain`: of the filters."""
        scale, outer, inner = self.calibration.scale, self.calibration.outer, self.calibration.inner
        step_nt = 2 * scale.range_nt / 2**scale.count_bits
        sample = gain * float(np.hypot(self.calibration.noise.sample_nt, step_nt / np.sqrt(12)))
        far, near = outer.distance_m**3, inner.distance_m**3
        ambient = sample * float(np.hypot(far, near)) / (far - near)
        words = "one sigma along each axis, noise; the uncertainty of offsets has not been published"
        each = {"outer": sample, "inner": sample, "ambient": ambient}
        arrays = {
            f"field_{name}_nt_sigma": Quantity(np.full(3, sigma), "nT", words, ("axis",))
            for name, sigma in each.items()
        }
        magnitude = Quantity(np.array(ambient), "nT", "one sigma, noise, of a field that is larger than it", ())
        return arrays | {"field_ambient_magnitude_nt_sigma": magnitude}


def without_spacecraft(fields: Mapping[str, Floats], calibration: MomagCalibration) -> Floats:
    """The field of which two sensors see a dipole of the body differently."""
    outer, inner = calibration.outer.distance_m**3, calibration.inner.distance_m**3
    return np.asarray((outer * fields["outer"] - inner * fields["inner"]) / (outer - inner))


def half_band() -> Floats:
    """A half-band low-pass: sinc by a Kaiser window (beta 7), every other tap zero but the middle one, sum 1."""
    n = np.arange(-15, 16)
    taps = np.sinc(n / 2) * np.kaiser(len(n), 7.0)
    return np.asarray(taps / taps.sum())


def decimate(field: Floats) -> Floats:
    """Filter `field [n, k, 3]`, keep every other sample: [n, (k - 30 + 1) // 2, 3], the first centred on sample 15."""
    windows = np.lib.stride_tricks.sliding_window_view(field, 31, axis=1)[:, ::2]
    return np.asarray(windows @ half_band())


def _noise_gain() -> float:
    """By what white noise is less behind both filters: the root of the sum of the squared taps of both in one."""
    slow = np.zeros(2 * len(half_band()) - 1)
    slow[::2] = half_band()
    return float(np.sqrt((np.convolve(half_band(), slow) ** 2).sum()))


FILTERED = _noise_gain()
"""One sigma of `field_32hz` over that of the samples at 128 Hz."""
