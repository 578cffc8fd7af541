"""MarSCoDe SWIR: counts of the AOTF spectrometer become radiance, and reflectance against the white panel.

In: SWIR, one packet a spectrum: dark, panel and targets of a point. Out: `swir/radiance` (panel and targets),
`swir/reflectance` and `swir/bands` (targets), with one sigma. Dropped: darks of a point without any other spectrum.

    lambda = a0 + a1/f + a2/f^2 + at (T - T0) nm, f in MHz, T of the AOTF; f = RF_START - i RF_STEP
    L = (DN - DN_dark) / (R(lambda, T) t G),  R = (r0 + r1 (x - x0) + r2 (x - x0)^2) (1 + rt (T - T0)), x in um
    reflectance = L / L_panel * rho_panel,  rho_panel = p0 + p1 (x - x0)
    sigma_DN^2 = read^2 + photon (DN - DN_dark);  of the dark read^2 / number of darks
    sigma_L = sigma_DN / (R t G),  (sigma_reflectance / reflectance)^2 = (sigma_L / L)^2 + (sigma_panel / L_panel)^2

Depths of bands: `bands`. Range and number of channels are recalled, the other numbers assumed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ....model.batches import ColumnBatch, Quality, Quantity
from ....products.calibration import Calibration, Finite, Positive, Source, Table
from ....products.context import Context
from ....products.draft import Draft, any_beyond_row, column_quantity, flag
from ....products.kinds import ProductKind
from ....products.rotations import Floats
from ....products.rows import take
from ..shared.on_rover import OnRover
from .bands import Bands, band_depths
from .kinds import BANDS, RADIANCE, REFLECTANCE

_END_OF_SCALE = 65535
_SPECTRUM = ("row", "channel")
_RADIANCE_UNIT = "W m-2 sr-1 um-1"
Polynomial = Annotated[list[Finite], Field(min_length=1, max_length=6)]


class Wavelength(Table):
    """Terms in 1/f (nm, nm MHz, nm MHz^2) and of temperature."""

    source: Source
    inverse_mhz_nm: Polynomial
    nm_per_degc: Finite
    reference_temperature_degc: Finite


class Response(Table):
    """DN per (s W m-2 sr-1 um-1), a polynomial in wavelength about a centre, and its temperature term."""

    source: Source
    dn_per_s_radiance: Polynomial
    center_um: Finite
    per_degc: Finite
    reference_temperature_degc: Finite


class Panel(Table):
    """Reflectance of the white panel, a polynomial in wavelength about a centre."""

    source: Source
    reflectance: Polynomial
    center_um: Finite


class Noise(Table):
    """One sigma of a channel: sqrt(read^2 + photon net) counts."""

    source: Source
    read_counts: Positive
    photon_counts: Annotated[float, Field(ge=0, allow_inf_nan=False)]


@dataclass(frozen=True, slots=True)
class Spectra:
    """Values and one sigma of each, and their wavelengths: float64[n, channels]."""

    wavelength_nm: Floats
    values: Floats
    sigma: Floats

    def __getitem__(self, rows: NDArray[np.bool_]) -> Spectra:
        return Spectra(self.wavelength_nm[rows], self.values[rows], self.sigma[rows])


class SwirCalibration(Calibration):
    """`calibration/swir.toml`."""

    wavelength: Wavelength
    response: Response
    panel: Panel
    noise: Noise
    bands: Bands


class Swir(OnRover):
    """SWIR, a point at a time. State: dark and panel of the point seen last, for a point cut by `max_rows`."""

    containers: ClassVar[Mapping[str, frozenset[str]]] = {
        "SWIR": frozenset(
            {"POINT_ID", "KIND", "GAIN", "AOTF_TEMPERATURE", "EXPOSURE", "RF_START", "RF_STEP", "SPECTRUM"}
        )
    }
    model = SwirCalibration
    max_rows = 512
    calibration: SwirCalibration

    def __init__(self, calibration: Mapping[str, Any], context: Context) -> None:
        super().__init__(calibration, context)
        self._point = -1
        self._dark: Floats | None = None
        self._n_darks = 1
        self._panel: tuple[Floats, Floats] | None = None

    def keys(self, rows: ColumnBatch) -> NDArray[np.int64]:
        return np.asarray(rows.columns["POINT_ID"]).astype(np.int64)[:, None]

    def drafts(self, rows: ColumnBatch) -> Iterator[Draft]:
        kind = np.asarray(rows.columns["KIND"])
        self._see_point(rows, kind)
        lit = take(rows, kind != "DARK")
        if not len(lit):
            return
        radiance = self._radiance(lit, self._wavelength_nm(lit))
        is_panel = np.asarray(lit.columns["KIND"]) == "PANEL"
        if is_panel.any():
            panel = radiance[is_panel]
            self._panel = panel.values.mean(axis=0), np.sqrt((panel.sigma**2).sum(axis=0)) / is_panel.sum()
        quality = self._quality(lit, radiance)
        point = {"wavelength_medium": "vacuum", "point_id": self._point}
        yield self._draft(RADIANCE, lit, radiance, quality, point)
        targets = np.asarray(lit.columns["KIND"]) == "TARGET"
        if targets.any():
            ratio = self._reflectance(radiance[targets])
            bits = quality[targets] | self._against_panel(ratio.values)
            rows = take(lit, targets)
            yield self._draft(REFLECTANCE, rows, ratio, bits, point)
            yield self._bands(rows, ratio, bits, point)

    def _see_point(self, rows: ColumnBatch, kind: NDArray[Any]) -> None:
        point = int(np.asarray(rows.columns["POINT_ID"])[0])
        if point != self._point:
            self._point, self._dark, self._panel = point, None, None
        if (kind == "DARK").any():
            self._dark = np.asarray(rows.columns["SPECTRUM"])[kind == "DARK"].mean(axis=0, dtype=np.float64)
            self._n_darks = int((kind == "DARK").sum())

    def _wavelength_nm(self, rows: ColumnBatch) -> Floats:
        """Wavelength [n, channels] of each row's radio frequencies; NaN where one is not above zero."""
        start, step = (np.asarray(rows.columns[name], np.float64)[:, None] for name in ("RF_START", "RF_STEP"))
        n_channels = np.asarray(rows.columns["SPECTRUM"]).shape[1]
        f_mhz = (start - step * np.arange(n_channels)) / 1000
        inverse = np.where(f_mhz > 0, 1 / f_mhz, np.nan)
        model = self.calibration.wavelength
        wavelength = np.polynomial.polynomial.polyval(inverse, model.inverse_mhz_nm)
        return np.asarray(wavelength + model.nm_per_degc * self._warmer(rows, model.reference_temperature_degc))

    def _radiance(self, rows: ColumnBatch, wavelength_nm: Floats) -> Spectra:
        model, noise = self.calibration.response, self.calibration.noise
        x = wavelength_nm / 1000 - model.center_um
        response = np.polynomial.polynomial.polyval(x, model.dn_per_s_radiance)
        response = response * (1 + model.per_degc * self._warmer(rows, model.reference_temperature_degc))
        exposure_s = np.asarray(rows.columns["EXPOSURE"], np.float64)[:, None] * 1e-6
        gain = np.asarray(rows.columns["GAIN"], np.float64)[:, None]
        net = np.asarray(rows.columns["SPECTRUM"], np.float64) - (np.nan if self._dark is None else self._dark)
        variance = noise.read_counts**2 * (1 + 1 / self._n_darks) + noise.photon_counts * np.maximum(net, 0)
        counts = response * exposure_s * gain
        return Spectra(wavelength_nm, _finite(net / counts), _finite(np.sqrt(variance) / np.abs(counts)))

    def _reflectance(self, radiance: Spectra) -> Spectra:
        model = self.calibration.panel
        known = np.polynomial.polynomial.polyval(radiance.wavelength_nm / 1000 - model.center_um, model.reflectance)
        panel, panel_sigma = self._panel or (np.nan, np.nan)
        ratio = radiance.values / panel * known
        sigma = np.abs(ratio) * np.hypot(radiance.sigma / radiance.values, panel_sigma / panel)
        return Spectra(radiance.wavelength_nm, _finite(ratio), _finite(sigma))

    def _quality(self, rows: ColumnBatch, radiance: Spectra) -> NDArray[np.uint32]:
        saturated = any_beyond_row(np.asarray(rows.columns["SPECTRUM"]) >= _END_OF_SCALE)
        bad = any_beyond_row(~np.isfinite(radiance.wavelength_nm))
        if self._dark is not None:
            bad = bad | any_beyond_row(~np.isfinite(radiance.values))
        no_dark = np.full(len(rows), self._dark is None)
        bits = rows.quality | flag(saturated, Quality.SATURATED) | flag(no_dark, Quality.NO_REFERENCE)
        return bits | flag(bad, Quality.OUT_OF_RANGE)

    def _against_panel(self, reflectance: Floats) -> NDArray[np.uint32]:
        if self._panel is None or self._dark is None:
            return np.full(len(reflectance), Quality.NO_REFERENCE, np.uint32)
        return flag(any_beyond_row(~np.isfinite(reflectance)), Quality.OUT_OF_RANGE)

    def _draft(
        self,
        kind: ProductKind,
        rows: ColumnBatch,
        spectra: Spectra,
        quality: NDArray[np.uint32],
        lineage: Mapping[str, Any],
    ) -> Draft:
        product = kind.name
        unit = _RADIANCE_UNIT if product == "radiance" else "1"
        what = "spectral radiance" if product == "radiance" else "reflectance against the white panel"
        temperature = np.asarray(rows.columns["AOTF_TEMPERATURE"], np.float64)
        arrays = {
            product: Quantity(spectra.values, unit, what, _SPECTRUM),
            f"{product}_sigma": Quantity(spectra.sigma, unit, "one sigma, read and photon noise", _SPECTRUM),
            "wavelength_nm": Quantity(spectra.wavelength_nm, "nm", "in vacuum", _SPECTRUM),
            f"mean_{product}": Quantity(spectra.values.mean(axis=1), unit, "mean over the channels"),
            "aotf_temperature_degc": Quantity(temperature, "degC", "of the AOTF"),
            "point_id": column_quantity(rows, "POINT_ID"),
            "kind": column_quantity(rows, "KIND"),
            "gain": column_quantity(rows, "GAIN", "1", "factor"),
            "exposure_us": column_quantity(rows, "EXPOSURE", "us", "exposure time"),
        }
        return Draft(kind, rows, rows.time_ns, arrays, quality, lineage)

    def _bands(
        self, rows: ColumnBatch, reflectance: Spectra, quality: NDArray[np.uint32], lineage: Mapping[str, Any]
    ) -> Draft:
        bands = self.calibration.bands
        depth, sigma = band_depths(bands, reflectance.wavelength_nm, reflectance.values, reflectance.sigma)
        present = (depth >= bands.min_depth) & (depth >= bands.n_sigma * sigma)
        each, of_band = ("row", "band"), ("band",)
        arrays = {
            "band_depth": Quantity(depth, "1", "1 - reflectance / continuum between the shoulders", each),
            "band_depth_sigma": Quantity(sigma, "1", "one sigma, read and photon noise", each),
            "band_present": Quantity(present, "", "deep enough to count, by its depth and sigma", each),
            "band": Quantity(np.array([one.name for one in bands.band]), "", "", of_band),
            "band_marks": Quantity(np.array([one.marks for one in bands.band]), "", "what absorbs there", of_band),
            "band_centre_nm": Quantity(np.array([one.centre_nm for one in bands.band]), "nm", "in vacuum", of_band),
            "point_id": column_quantity(rows, "POINT_ID"),
        }
        return Draft(BANDS, rows, rows.time_ns, arrays, quality, lineage)

    @staticmethod
    def _warmer(rows: ColumnBatch, reference_degc: float) -> Floats:
        return (np.asarray(rows.columns["AOTF_TEMPERATURE"], np.float64) - reference_degc)[:, None]


def _finite(values: Floats) -> Floats:
    return np.where(np.isfinite(values), values, np.nan)
