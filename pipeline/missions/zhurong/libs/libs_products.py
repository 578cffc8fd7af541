"""Products of the mean spectrum of a LIBS point: the mean itself, without continuum, its lines, its drift.

In: a `MeanSpectrum`. Out: drafts. What each step computes stands in `continuum`, `libs_lines` and `libs_wavelength`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ....model.batches import ColumnBatch, Quality, Quantity
from ....products.draft import Draft
from ....products.kinds import ProductKind
from ....products.rotations import Floats
from .continuum import Continuum, continuum, denoise
from .kinds import DRIFT, LINES, MEAN, SPECTRUM
from .libs_calibration import LibsCalibration, Telescope
from .libs_distance import factors
from .libs_lines import find_lines
from .libs_wavelength import Drift, starts

_SPECTRUM = ("row", "channel")
_OF_SIGNAL = "one sigma: read and photon noise, the dark's, and the continuum's with it"
_OF_CONTINUUM = "one sigma of the smoother: noise of the channels that it goes through"
_OF_LINE = "one sigma: noise of the channels that the Gaussian goes through"
_OF_NORM = "one sigma: that of the signal and of the sum"
_NOTHING: Floats = np.empty(0)
_OF_WAVELENGTH = "one sigma, by what the lines of titanium leave; NaN without titanium"


@dataclass(frozen=True, slots=True)
class MeanSpectrum:
    """The mean of a point's shots, float64[channels] each: net counts, their spread, one sigma, wavelengths."""

    shots: ColumnBatch
    net: Floats
    std: Floats
    sigma: Floats
    temperature_degc: float
    quality: NDArray[np.uint32]
    wavelength_nm: Floats = field(default_factory=lambda: _NOTHING)
    wavelength_sigma_nm: Floats = field(default_factory=lambda: _NOTHING)
    lineage: Mapping[str, Any] = field(default_factory=dict)

    def draft(self, kind: ProductKind, arrays: dict[str, Quantity], **more: Any) -> Draft:
        point = {"point_id": Quantity(np.asarray(self.shots.columns["POINT_ID"])[:1], "", "")}
        time_ns = self.shots.time_ns[:1]
        return Draft(kind, self.shots, time_ns, {**arrays, **point}, self.quality, {**self.lineage, **more})


class SpectrometerPart(NamedTuple):
    """Channels of one spectrometer, its net counts (denoised where asked), and what lies under its lines."""

    channels: slice
    net: Floats
    continuum: Continuum


@dataclass(frozen=True, slots=True)
class Separated:
    """A mean spectrum without continuum [channels], its sigma, the continuum's, and the sigma of its sum.

    `own_sum_sigma` [channels]: of the sum of the spectrometer that the channel is of.
    """

    signal: Floats
    sigma: Floats
    continuum_sigma: Floats
    total_sigma: float
    own_sum_sigma: Floats


def mean_draft(mean: MeanSpectrum) -> Draft:
    """`libs/mean`: one row, at the mean detector temperature."""
    arrays = {
        "net_counts": Quantity(mean.net[None], "1", "mean of the net shots", _SPECTRUM),
        "net_counts_sigma": Quantity(mean.sigma[None], "1", "one sigma, read and photon noise, dark's", _SPECTRUM),
        "net_counts_std": Quantity(mean.std[None], "1", "standard deviation over the shots (n - 1)", _SPECTRUM),
        "wavelength_nm": Quantity(mean.wavelength_nm[None], "nm", "in vacuum", _SPECTRUM),
        "wavelength_nm_sigma": Quantity(mean.wavelength_sigma_nm, "nm", _OF_WAVELENGTH, ("channel",)),
        "n_shots": Quantity(np.array([len(mean.shots)]), "1", "shots in the mean"),
        "detector_temperature_degc": Quantity(np.array([mean.temperature_degc]), "degC", "mean of the detectors"),
    }
    return mean.draft(MEAN, arrays)


def spectrum_drafts(
    mean: MeanSpectrum, parts: Sequence[SpectrometerPart], calibration: LibsCalibration
) -> Iterator[Draft]:
    """`libs/spectrum`, and `libs/lines` where a line was found."""
    if mean.lineage["titanium"] is None:
        mean = _flagged(mean, Quality.NO_REFERENCE)
    separated = separate(mean, parts, calibration)
    yield _spectrum(mean, separated, calibration)
    found = find_lines(
        calibration.lines, calibration.wavelength, mean.wavelength_nm, separated.signal, separated.sigma
    )
    n = len(found.species)
    if not n:
        return
    scale_nm = mean.wavelength_sigma_nm[found.channel]
    arrays = {
        "species": Quantity(found.species, "", "element and ion of the line"),
        "listed_wavelength_nm": Quantity(found.listed_nm, "nm", "of the line, in vacuum"),
        "found_wavelength_nm": Quantity(found.found_nm, "nm", "of the peak, in vacuum"),
        "found_wavelength_nm_sigma": Quantity(
            np.hypot(found.found_nm_sigma, scale_nm), "nm", f"{_OF_LINE}; of the scale of wavelengths too"
        ),
        "height_counts": Quantity(found.height, "1", "of the fitted Gaussian"),
        "height_counts_sigma": Quantity(found.height_sigma, "1", _OF_LINE),
        "area_counts_nm": Quantity(found.area, "nm", "counts times nanometres of the fitted Gaussian"),
        "area_counts_nm_sigma": Quantity(found.area_sigma, "nm", _OF_LINE),
        "fwhm_nm": Quantity(found.fwhm_nm, "nm", "full width at half height"),
        "fwhm_nm_sigma": Quantity(found.fwhm_nm_sigma, "nm", _OF_LINE),
        "snr": Quantity(found.snr, "1", "height over one sigma of its channel"),
        "confidence": Quantity(found.confidence, "1", "that the peak is this line, 0 to 1; not a probability"),
        "point_id": Quantity(np.repeat(np.asarray(mean.shots.columns["POINT_ID"])[:1], n), "", ""),
    }
    time_ns, bits = np.repeat(mean.shots.time_ns[:1], n), np.repeat(mean.quality, n)
    yield Draft(LINES, mean.shots, time_ns, arrays, bits, mean.lineage)


def drift_draft(mean: MeanSpectrum, drift: Drift, calibration: LibsCalibration) -> Draft:
    """`libs/drift`: a row a spectrometer; NO_REFERENCE where the fit is not believed."""
    names = np.array([one.name for one in calibration.wavelength.spectrometer])
    n = len(names)
    wrong = Quality(0) if drift.believed(calibration.titanium) else Quality.NO_REFERENCE
    line = ("line",)
    arrays = {
        "spectrometer": Quantity(names, "", ""),
        "shift_px": Quantity(drift.shift_px, "1", "d0, pixels"),
        "stretch_px": Quantity(drift.stretch_px, "1", "d1, pixels from the middle to the end"),
        "rms_px": Quantity(drift.rms_px, "1", "what the fit leaves, pixels"),
        "n_lines": Quantity(drift.n_lines, "1", "lines that took part"),
        "line_wavelength_nm": Quantity(drift.line_nm, "nm", "of titanium, in vacuum", line),
        "line_residual_px": Quantity(drift.residual_px, "1", "found - fitted, pixels; NaN: not found", line),
        "line_used": Quantity(drift.used, "", "whether it took part", line),
    }
    time_ns, bits = np.repeat(mean.shots.time_ns[:1], n), np.repeat(_flagged(mean, wrong).quality, n)
    lineage = {"wavelength_medium": "vacuum", "point_id": int(np.asarray(mean.shots.columns["POINT_ID"])[0])}
    return Draft(DRIFT, mean.shots, time_ns, arrays, bits, lineage)


def signal_of(mean: MeanSpectrum, parts: Sequence[SpectrometerPart]) -> Floats:
    """Net counts without noise (where asked) and continuum [channels], each spectrometer by itself."""
    signal = np.full(len(mean.net), np.nan)
    for part, net, found in parts:
        signal[part] = net - found.counts
    return signal


def separate(mean: MeanSpectrum, parts: Sequence[SpectrometerPart], calibration: LibsCalibration) -> Separated:
    """`signal_of` with its uncertainty. The continuum is H y, so that the signal is (1 - H) y; y has `mean.sigma`."""
    sigma, under, own = (np.full(len(mean.net), np.nan) for _ in range(3))
    usable, total = usable_channels(calibration, len(mean.net)), 0.0
    for part, _, found in parts:
        variance = mean.sigma[part] ** 2
        leverage, of_continuum = found.noise(variance)
        under[part] = np.sqrt(of_continuum)
        sigma[part] = np.sqrt(np.maximum(variance * (1 - 2 * leverage) + of_continuum, 0.0))
        of_sum = float(((usable[part] - found.shares(usable[part])) ** 2) @ variance)
        own[part] = np.sqrt(of_sum)
        total += of_sum
    return Separated(signal_of(mean, parts), sigma, under, float(np.sqrt(total)), own)


def spectrometer_parts(mean: MeanSpectrum, calibration: LibsCalibration) -> list[SpectrometerPart]:
    """Those of the spectrometers that have channels in the spectrum."""
    how, parts = calibration.continuum, []
    for first, last in pairwise(starts(calibration.wavelength.spectrometer)):
        part = slice(first, min(last, len(mean.net)))
        if mean.net[part].size:
            net = denoise(mean.net[None, part], how.denoise_scales, how.denoise_sigma)[0]
            parts.append(SpectrometerPart(part, net, continuum(net, mean.sigma[part], how.smoothness)))
    return parts


def usable_channels(calibration: LibsCalibration, n_channels: int) -> NDArray[np.bool_]:
    """bool[channels]: not at an edge of a spectrometer, nor beyond the last."""
    usable = np.zeros(n_channels, np.bool_)
    for one, start in zip(
        calibration.wavelength.spectrometer, starts(calibration.wavelength.spectrometer), strict=False
    ):
        usable[start + one.edge_pixels : start + one.n_pixels - one.edge_pixels] = True
    return usable


def photons_per_count(calibration: LibsCalibration, wavelength_nm: Floats, distance_mm: float) -> Floats:
    """photons/(mm2 sr nm) of the target's light for a net count [channels]; NaN without a distance."""
    per_count = np.full(len(wavelength_nm), np.nan)
    for one, start in zip(
        calibration.wavelength.spectrometer, starts(calibration.wavelength.spectrometer), strict=False
    ):
        part = slice(start, start + one.n_pixels)
        per_count[part] = one.photons_per_count / np.gradient(wavelength_nm[part])
    return per_count / _etendue(calibration.telescope, distance_mm)


def _etendue(telescope: Telescope, distance_mm: float) -> float:
    """Solid angle times area, mm2 sr."""
    if distance_mm <= 0:
        return float("nan")
    omega = np.pi * (telescope.opening_mm / 2 / distance_mm) ** 2
    return float(omega * np.pi / 4 * (telescope.field_mrad * 1e-3 * distance_mm) ** 2)


def _spectrum(mean: MeanSpectrum, separated: Separated, calibration: LibsCalibration) -> Draft:
    signal = separated.signal
    usable = usable_channels(calibration, len(signal))
    kept = np.where(usable, signal, np.nan)
    own_sum = np.full(len(kept), np.nan)
    for first, last in pairwise(starts(calibration.wavelength.spectrometer)):
        own_sum[first:last] = np.nansum(kept[first:last])
    distance_mm = float(np.asarray(mean.shots.columns["DISTANCE"], np.float64).mean())
    light = photons_per_count(calibration, mean.wavelength_nm, distance_mm)
    quality = mean if distance_mm > 0 else _flagged(mean, Quality.OUT_OF_RANGE)
    arrays = {
        "signal_counts": Quantity(signal[None], "1", "net counts without continuum", _SPECTRUM),
        "signal_counts_sigma": Quantity(separated.sigma[None], "1", _OF_SIGNAL, _SPECTRUM),
        "continuum_counts": Quantity((mean.net - signal)[None], "1", "what was taken off", _SPECTRUM),
        "continuum_counts_sigma": Quantity(separated.continuum_sigma[None], "1", _OF_CONTINUUM, _SPECTRUM),
        "norm1": Quantity((kept / np.nansum(kept))[None], "1", "share in the sum of all spectrometers", _SPECTRUM),
        "norm1_sigma": Quantity(
            norm_sigma(kept, separated.sigma, np.nansum(kept), separated.total_sigma), "1", _OF_NORM, _SPECTRUM
        ),
        "norm3": Quantity((kept / own_sum)[None], "1", "share in the sum of its spectrometer", _SPECTRUM),
        "norm3_sigma": Quantity(
            norm_sigma(kept, separated.sigma, own_sum, separated.own_sum_sigma), "1", _OF_NORM, _SPECTRUM
        ),
        "radiance": Quantity((kept * light)[None], "mm-2 sr-1 nm-1", "photons of one shot", _SPECTRUM),
        "radiance_sigma": Quantity(
            (np.where(usable, separated.sigma, np.nan) * light)[None], "mm-2 sr-1 nm-1", _OF_SIGNAL, _SPECTRUM
        ),
        "wavelength_nm": Quantity(mean.wavelength_nm[None], "nm", "in vacuum", _SPECTRUM),
        "wavelength_nm_sigma": Quantity(mean.wavelength_sigma_nm, "nm", _OF_WAVELENGTH, ("channel",)),
        "channel_usable": Quantity(usable, "", "not at an edge of a spectrometer", ("channel",)),
        "distance_mm": Quantity(np.array([distance_mm]), "mm", "of the target"),
        "total_signal_counts": Quantity(np.array([np.nansum(kept)]), "1", "sum over the usable channels"),
        "total_signal_counts_sigma": Quantity(np.array([separated.total_sigma]), "1", _OF_SIGNAL),
    }
    arrays |= _at_reference(separated, mean, calibration, distance_mm)
    small = {name: _single(one) for name, one in arrays.items()}
    return quality.draft(SPECTRUM, small)


def norm_sigma(kept: Floats, sigma: Floats, total: Floats | float, total_sigma: Floats | float) -> Floats:
    """One sigma of the shares kept / total, [1, channels]: a channel's noise is in the total too."""
    share = kept / total
    variance = sigma**2 * (1 - 2 * share) + share**2 * np.square(total_sigma)
    return np.asarray(np.sqrt(np.maximum(variance, 0)) / np.abs(total))[None]


def _at_reference(
    separated: Separated, mean: MeanSpectrum, calibration: LibsCalibration, distance_mm: float
) -> dict[str, Quantity]:
    """The signal as it would be at the distance of reference; nothing where the calibration has none."""
    if calibration.distance is None:
        return {}
    factor = factors(calibration.distance, calibration.wavelength, len(mean.net), distance_mm)
    what = f"signal_counts, at {calibration.distance.reference_mm:g} mm by a power of distance"
    sigma = "one sigma, that of signal_counts; the exponent's is not in it"
    return {
        "signal_at_reference_counts": Quantity((separated.signal * factor)[None], "1", what, _SPECTRUM),
        "signal_at_reference_counts_sigma": Quantity((separated.sigma * factor)[None], "1", sigma, _SPECTRUM),
    }


def _single(quantity: Quantity) -> Quantity:
    """In float32, but for wavelengths and single numbers."""
    if quantity.values.dtype != np.float64 or quantity.unit == "nm" or quantity.values.size == 1:
        return quantity
    return Quantity(quantity.values.astype(np.float32), quantity.unit, quantity.description, quantity.dims)


def _flagged(mean: MeanSpectrum, bit: Quality) -> MeanSpectrum:
    return replace(mean, quality=mean.quality | np.uint32(bit))
