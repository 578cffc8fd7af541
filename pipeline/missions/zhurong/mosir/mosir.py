"""MOSIR, the orbiter's subsurface radar: echoes of a chirp become traces over range.

In: MOSIR, one echo a packet, mixed down from the middle of its band. Out: `mosir/echo_10_15`, `_15_20` and `_30_50`,
one row a trace: the matched filter's output over range, at full resolution and, with a Hann window over the band, at
low side lobes; range and power of the strongest echo. Dropped: nothing; an unknown band is `mosir/echo_unknown`, raw.

    y = IFFT(FFT(x) conj(FFT(p))) / sum |p|^2;  p = exp(i pi B/T (t - T/2)^2);  range = c (delay + k / fs) / 2
    resolution c / 2B: 30 m where B = 5 MHz, 7.5 m where B = 20 MHz, in free space

Bands and resolution: Fan et al. 2021 (Space Sci. Rev., doi 10.1007/s11214-020-00786-4). Pulse and sampling are assumed.
What the ionosphere delays and spreads is left in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ....model.batches import ColumnBatch, Quality, Quantity
from ....products.calibration import Calibration, Positive, Source, Table
from ....products.draft import Draft, flag
from ....products.instrument import Instrument
from ....products.rotations import Floats
from ....products.rows import take
from ..shared.noise_power import noise_sigma
from .kinds import ECHO_UNKNOWN, INSTRUMENT

_KINDS = {kind.name: kind for kind in INSTRUMENT.kinds}

SPEED_OF_LIGHT_M_S = 299_792_458.0
_BANDS = ("BAND_10_15", "BAND_15_20", "BAND_30_50")
_TRACE = ("row", "sample")
_OF_FLOOR = "one sigma of the noise, of all samples of the trace: by the median of its last quarter"
Complexes = NDArray[np.complex128]


class Band(Table):
    """The pulse of one band, and how finely the trace is laid out."""

    source: Source
    center_mhz: Positive
    bandwidth_mhz: Positive
    pulse_us: Annotated[float, Field(gt=0, le=10_000)]
    sampling_mhz: Annotated[float, Field(gt=0, le=1000)]
    oversampling: Annotated[int, Field(ge=1, le=16)]

    def pulse(self) -> Complexes:
        """The chirp as it is sampled."""
        n = round(self.pulse_us * self.sampling_mhz)
        time_us = np.arange(n) / self.sampling_mhz - self.pulse_us / 2
        return np.asarray(np.exp(1j * np.pi * self.bandwidth_mhz / self.pulse_us * time_us**2))

    def sample_m(self) -> float:
        """Range from sample to sample of a trace."""
        return SPEED_OF_LIGHT_M_S / 2 / (self.sampling_mhz * 1e6 * self.oversampling)

    def range_sigma_m(self, ratio: Floats) -> Floats:
        """Of the strongest sample, by its amplitude over one sigma: c / (4 pi B_rms ratio), B_rms = B / 12^0.5.

        The bound of Cramer and Rao (Kay 1993, Fundamentals of Statistical Signal Processing, 3.11), and the step.
        """
        bound = SPEED_OF_LIGHT_M_S / 2 / (2 * np.pi * self.bandwidth_mhz * 1e6 / np.sqrt(12) * ratio)
        return np.asarray(np.hypot(bound, self.sample_m() / np.sqrt(12)))


class MosirCalibration(Calibration):
    """`calibration/mosir.toml`."""

    band_10_15: Band
    band_15_20: Band
    band_30_50: Band


class Mosir(Instrument):
    """Each band is a product."""

    containers: ClassVar[Mapping[str, frozenset[str]]] = {
        "MOSIR": frozenset({"BAND", "GAIN", "WINDOW_DELAY", "ECHO"})
    }
    model = MosirCalibration
    max_rows = 256
    landed = False
    calibration: MosirCalibration

    def drafts(self, rows: ColumnBatch) -> Iterator[Draft]:
        bands = np.asarray(rows.columns["BAND"])
        for name in _BANDS:
            if (bands == name).any():
                yield self._traces(take(rows, bands == name), name.lower())
        if not np.isin(bands, _BANDS).all():
            yield _unknown(take(rows, ~np.isin(bands, _BANDS)))

    def _traces(self, rows: ColumnBatch, name: str) -> Draft:
        band: Band = getattr(self.calibration, name)
        echo = _echoes(rows)
        full, smooth = (np.abs(compress(echo, band, window=window)) for window in (False, True))
        range_m = np.arange(full.shape[1]) * band.sample_m()
        start_m = np.asarray(rows.columns["WINDOW_DELAY"], np.float64) * (SPEED_OF_LIGHT_M_S / 2e9)
        peak = full.argmax(axis=1)
        strongest = full[np.arange(len(full)), peak]
        noise, noise_hann = _floor(full), _floor(smooth)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = strongest / noise
        arrays = {
            "amplitude": Quantity(full.astype(np.float32), "count", "matched filter", _TRACE),
            "amplitude_hann": Quantity(smooth.astype(np.float32), "count", "the same, low side lobes", _TRACE),
            "amplitude_sigma": Quantity(noise.astype(np.float32), "count", _OF_FLOOR),
            "amplitude_hann_sigma": Quantity(noise_hann.astype(np.float32), "count", _OF_FLOOR),
            "range_m": Quantity(range_m, "m", "from the first sample, in free space", ("sample",)),
            "window_range_m": Quantity(start_m, "m", "of the first sample, from the antenna in free space"),
            "echo_range_m": Quantity(start_m + range_m[peak], "m", "of the strongest echo, in free space"),
            "echo_power_db": Quantity(
                20 * np.log10(strongest), "dB", "of the strongest echo, against a count of 1"
            ),
        }
        arrays["echo_range_m_sigma"] = Quantity(
            band.range_sigma_m(ratio), "m", "one sigma: noise, and the step of range"
        )
        arrays["echo_power_db_sigma"] = Quantity(20 / np.log(10) / ratio, "dB", "one sigma: noise")
        empty = ~(strongest > 0)
        quality = rows.quality | flag(empty, Quality.OUT_OF_RANGE) | flag(_full(rows), Quality.SATURATED)
        lineage = {
            "frames": {"range": "along the line from the orbiter; free space, ionosphere not corrected"},
            "range_resolution_m": SPEED_OF_LIGHT_M_S / 2e6 / band.bandwidth_mhz,
            "center_mhz": band.center_mhz,
        }
        kind = _KINDS[f"echo{name.removeprefix('band')}"]
        return Draft(kind, rows, rows.time_ns, arrays, quality, lineage)


def compress(echo: Complexes, band: Band, *, window: bool) -> Complexes:
    """Matched filter of `echo [n, k]`: [n, (k - pulse + 1) * oversampling], a unit echo giving 1 where it begins.

    The spectrum is filled up with zeros, so that the trace is laid out finer than it was sampled.
    """
    pulse = band.pulse()
    n_out = (echo.shape[1] - len(pulse) + 1) * band.oversampling
    n = 1 << (echo.shape[1] + len(pulse) - 1).bit_length()
    frequency = np.fft.fftfreq(n) * band.sampling_mhz
    inside = np.abs(frequency) <= band.bandwidth_mhz / 2
    hann = np.where(inside, 0.5 + 0.5 * np.cos(2 * np.pi * frequency / band.bandwidth_mhz), 0.0)
    weight = hann / 0.5 if window else np.ones(n)
    spectrum = np.fft.fft(echo, n, axis=1) * np.conj(np.fft.fft(pulse, n)) * weight / len(pulse)
    finer = np.zeros((len(echo), n * band.oversampling), np.complex128)
    finer[:, : n // 2], finer[:, -n // 2 :] = spectrum[:, : n // 2], spectrum[:, n // 2 :]
    return np.asarray(np.fft.ifft(finer, axis=1)[:, :n_out] * band.oversampling)


def _floor(amplitude: Floats) -> Floats:
    """One sigma of the noise of each trace [n], by the median power of its last quarter."""
    last = amplitude[:, -max(amplitude.shape[1] // 4, 1) :]
    return noise_sigma(last**2)


def _echoes(rows: ColumnBatch) -> Complexes:
    """Complex amplitude [n, k] before the gain."""
    counts = np.asarray(rows.columns["ECHO"], np.float64).reshape(len(rows), -1, 2)
    gain = np.asarray(rows.columns["GAIN"], np.float64)
    return np.asarray((counts[..., 0] + 1j * counts[..., 1]) * 10 ** (-gain / 20)[:, None])


def _full(rows: ColumnBatch) -> NDArray[np.bool_]:
    counts = np.asarray(rows.columns["ECHO"]).reshape(len(rows), -1)
    return np.asarray(((counts == 32767) | (counts == -32768)).any(axis=1))


def _unknown(rows: ColumnBatch) -> Draft:
    """An echo of no known band: as it was sampled."""
    echo: Floats = np.abs(_echoes(rows))
    quality = rows.quality | np.uint32(Quality.UNKNOWN_VALUE)
    arrays = {"amplitude": Quantity(echo.astype(np.float32), "count", "not compressed", _TRACE)}
    lineage = {"frames": {"range": "not known"}, "uncertainty": "an echo of an unknown band is not compressed"}
    return Draft(ECHO_UNKNOWN, rows, rows.time_ns, arrays, quality, lineage)
