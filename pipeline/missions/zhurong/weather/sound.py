"""The climate station's microphone: counts become sound pressure, its spectrum and third-octave levels.

In: SOUND, a packet a burst. Out: `weather/sound`, a product a burst, one row, its samples along `sample`. Dropped:
bursts without a sample.

    p = n Vref / 2^15 / (S 10^(G/20))                                     G: the amplifier's gain in dB
    power spectral density: Welch 1967, Hann windows of SEGMENT samples that overlap by half, their means removed
    third octaves of base ten, IEC 61260-1: f_m = 1000 G^(x/3) Hz, G = 10^(3/10), edges f_m G^(+-1/6)
    level = 10 log10(mean square of the band / (20 uPa)^2)                ISO 1683

A band's mean square is the sum of the burst's own periodogram between the edges, cut channels by their share. All
numbers of the microphone are assumed. No correction for the absorption of Mars' air.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

import numpy as np

from ....model.batches import ColumnBatch, Quality, Quantity, Ragged
from ....products.calibration import outside
from ....products.draft import Draft, column_quantity, flag
from ....products.rotations import Floats
from ..shared.on_rover import OnRover
from .kinds import SOUND
from .weather import WeatherCalibration

SEGMENT = 1024
"""Samples of a Welch window; a shorter burst is one window."""
REFERENCE_PA = 20e-6
_OCTAVE = 10**0.3
_LOWEST_BAND = -17  # 20 Hz
_FULL_SCALE = 32767
_MIN_SAMPLES = 16


class SoundBursts(OnRover):
    """Sound, a burst at a time."""

    containers: ClassVar[Mapping[str, frozenset[str]]] = {
        "SOUND": frozenset({"BURST_ID", "SAMPLE_RATE", "AMPLIFIER_GAIN", "SAMPLES"})
    }
    model = WeatherCalibration
    family = "weather"
    singles = frozenset({"SOUND"})
    calibration: WeatherCalibration

    def drafts(self, rows: ColumnBatch) -> Iterator[Draft]:
        counts = _only_row(rows)
        rate_hz = float(np.asarray(rows.columns["SAMPLE_RATE"])[0])
        if len(counts) < _MIN_SAMPLES:
            return
        wrong_rate = outside(np.array([rate_hz]), self.calibration.sound.valid_rate_hz)
        rate_hz = np.nan if wrong_rate[0] else rate_hz
        pressure = self._pressure_pa(counts, float(np.asarray(rows.columns["AMPLIFIER_GAIN"])[0]))
        clipped = np.array([bool((np.abs(counts) >= _FULL_SCALE).any())])
        bits = rows.quality | flag(clipped, Quality.SATURATED) | flag(wrong_rate, Quality.OUT_OF_RANGE)
        arrays = {**_burst(rows, pressure, rate_hz), **_spectra(pressure, rate_hz)}
        sigma = np.array([self.calibration.noise.sound_pa])
        arrays["sound_pressure_pa_sigma"] = Quantity(sigma, "Pa", "one sigma of a sample, noise alone")
        yield Draft(SOUND, rows, rows.time_ns, arrays, bits)

    def _pressure_pa(self, counts: Floats, gain_db: float) -> Floats:
        sound = self.calibration.sound
        volt = counts * (sound.reference_volt / sound.full_scale_counts)
        return np.asarray(volt / (sound.volt_per_pa * 10 ** (gain_db / 20)))


def _only_row(rows: ColumnBatch) -> Floats:
    column = rows.columns["SAMPLES"]
    if isinstance(column, Ragged):
        first, n = int(column.start[0]), int(column.length[0])
        return np.asarray(column.values[first : first + max(n, 0)], np.float64)
    return np.asarray(column[0], np.float64)


def _burst(rows: ColumnBatch, pressure: Floats, rate_hz: float) -> dict[str, Quantity]:
    quiet = np.sqrt(np.mean((pressure - pressure.mean()) ** 2))
    return {
        "sound_pressure_pa": Quantity(pressure[None].astype(np.float32), "Pa", "of the air", ("row", "sample")),
        "sample_rate_hz": Quantity(np.array([rate_hz]), "Hz", "samples a second; the first is at the row's time"),
        "sound_level_db": Quantity(np.array([_level_db(quiet**2)]), "dB", "of all bands, to 20 uPa"),
        "burst_id": column_quantity(rows, "BURST_ID"),
        "amplifier_gain_db": column_quantity(rows, "AMPLIFIER_GAIN", "dB", "taken out of the pressure"),
    }


def _spectra(pressure: Floats, rate_hz: float) -> dict[str, Quantity]:
    frequency, density = power_density(pressure, rate_hz)
    edges, mean_square = third_octaves(pressure, rate_hz)
    band, spectrum = ("row", "band"), ("row", "frequency")
    return {
        "frequency_hz": Quantity(frequency, "Hz", "of the power spectral density", ("frequency",)),
        "power_density_pa2_hz": Quantity(density[None], "Pa2 Hz-1", "one-sided, Hann windows", spectrum),
        "band_centre_hz": Quantity(np.sqrt(edges[:-1] * edges[1:]), "Hz", "exact mid-band frequency", ("band",)),
        "band_low_hz": Quantity(edges[:-1], "Hz", "lower edge of the third octave", ("band",)),
        "band_high_hz": Quantity(edges[1:], "Hz", "upper edge of the third octave", ("band",)),
        "band_level_db": Quantity(_level_db(mean_square)[None], "dB", "third octaves, to 20 uPa", band),
    }


def power_density(pressure: Floats, rate_hz: float) -> tuple[Floats, Floats]:
    """Frequencies [k] and one-sided power spectral density [k] by Welch's method, Pa2/Hz."""
    n = min(SEGMENT, len(pressure))
    windows = np.lib.stride_tricks.sliding_window_view(pressure, n)[:: max(n // 2, 1)]
    frequency = np.linspace(0.0, rate_hz * (n // 2) / n, n // 2 + 1)
    return frequency, np.asarray(_periodogram(windows, rate_hz).mean(axis=0))


def third_octaves(pressure: Floats, rate_hz: float) -> tuple[Floats, Floats]:
    """Edges [k + 1] and mean squares [k], Pa2, of the third octaves from 20 Hz that lie below half the rate."""
    density = _periodogram(pressure[None], rate_hz)[0]
    width_hz = rate_hz / len(pressure)
    highest = int(np.floor(3 * np.log(np.nan_to_num(rate_hz) / 2000 + 1e-9) / np.log(_OCTAVE) - 0.5))
    edges = 1000 * _OCTAVE ** ((np.arange(_LOWEST_BAND, max(highest, _LOWEST_BAND) + 2) - 0.5) / 3)
    # power up to a frequency: channel k holds that from (k - 1/2) to (k + 1/2) widths
    power = np.concatenate([[0.0], np.cumsum(density * width_hz)])
    places = (np.arange(len(power)) - 0.5) * width_hz
    return edges, np.diff(np.interp(edges, places, power))


def _periodogram(windows: Floats, rate_hz: float) -> Floats:
    """One-sided power spectral densities [m, n // 2 + 1] of windows [m, n], without their means."""
    n = windows.shape[1]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n) / n)
    spectrum = np.fft.rfft((windows - windows.mean(axis=1, keepdims=True)) * hann, axis=1)
    density = np.abs(spectrum) ** 2 / (rate_hz * np.sum(hann**2))
    density[:, 1 : (n + 1) // 2] *= 2
    return np.asarray(density)


def _level_db(mean_square: Floats | float) -> Floats:
    return np.asarray(10 * np.log10(np.asarray(mean_square, np.float64) / REFERENCE_PA**2))
