"""MarSCoDe SWIR: counts of the AOTF spectrometer become radiance, and reflectance against the white panel.

In: SWIR, one packet a spectrum: dark, panel and targets of a point. Out: `swir/radiance` (panel and targets) and
`swir/reflectance` (targets). Dropped: darks of a point without any other spectrum.

    lambda = a0 + a1/f + a2/f^2 + at (T - T0) nm, f in MHz, T of the AOTF; f = RF_START - i RF_STEP
    L = (DN - DN_dark) / (R(lambda, T) t G),  R = (r0 + r1 (x - x0) + r2 (x - x0)^2) (1 + rt (T - T0)), x in um
    reflectance = L / L_panel * rho_panel,  rho_panel = p0 + p1 (x - x0)

Range and number of channels are recalled, the other numbers assumed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pipeline.batches import ColumnBatch, Quality, Quantity
from pipeline.instruments.calibration import Calibration, Finite, Source, Table
from pipeline.instruments.context import Context
from pipeline.instruments.instrument import Instrument
from pipeline.instruments.products import Draft, any_beyond_row, column_quantity, flag
from pipeline.instruments.rotations import Floats
from pipeline.instruments.rows import take

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


class SwirCalibration(Calibration):
    """`calibration/swir.toml`."""

    wavelength: Wavelength
    response: Response
    panel: Panel


class Swir(Instrument):
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
        self._panel: Floats | None = None

    def keys(self, rows: ColumnBatch) -> NDArray[np.int64]:
        return np.asarray(rows.columns["POINT_ID"]).astype(np.int64)[:, None]

    def drafts(self, rows: ColumnBatch) -> Iterator[Draft]:
        kind = np.asarray(rows.columns["KIND"])
        self._see_point(rows, kind)
        lit = take(rows, kind != "DARK")
        if not len(lit):
            return
        wavelength = self._wavelength_nm(lit)
        radiance = self._radiance(lit, wavelength)
        is_panel = np.asarray(lit.columns["KIND"]) == "PANEL"
        if is_panel.any():
            self._panel = radiance[is_panel].mean(axis=0)
        quality = self._quality(lit, wavelength, radiance)
        point = {"wavelength_medium": "vacuum", "point_id": self._point}
        yield self._draft("radiance", "2A", lit, wavelength, radiance, quality, point)
        targets = np.asarray(lit.columns["KIND"]) == "TARGET"
        if targets.any():
            ratio = self._reflectance(wavelength[targets], radiance[targets])
            bits = quality[targets] | self._against_panel(ratio)
            yield self._draft("reflectance", "2C", take(lit, targets), wavelength[targets], ratio, bits, point)

    def _see_point(self, rows: ColumnBatch, kind: NDArray[Any]) -> None:
        point = int(np.asarray(rows.columns["POINT_ID"])[0])
        if point != self._point:
            self._point, self._dark, self._panel = point, None, None
        if (kind == "DARK").any():
            self._dark = np.asarray(rows.columns["SPECTRUM"])[kind == "DARK"].mean(axis=0, dtype=np.float64)

    def _wavelength_nm(self, rows: ColumnBatch) -> Floats:
        """Wavelength [n, channels] of each row's radio frequencies; NaN where one is not above zero."""
        start, step = (np.asarray(rows.columns[name], np.float64)[:, None] for name in ("RF_START", "RF_STEP"))
        n_channels = np.asarray(rows.columns["SPECTRUM"]).shape[1]
        f_mhz = (start - step * np.arange(n_channels)) / 1000
        inverse = np.where(f_mhz > 0, 1 / f_mhz, np.nan)
        model = self.calibration.wavelength
        wavelength = np.polynomial.polynomial.polyval(inverse, model.inverse_mhz_nm)
        return np.asarray(wavelength + model.nm_per_degc * self._warmer(rows, model.reference_temperature_degc))

    def _radiance(self, rows: ColumnBatch, wavelength_nm: Floats) -> Floats:
        model = self.calibration.response
        x = wavelength_nm / 1000 - model.center_um
        response = np.polynomial.polynomial.polyval(x, model.dn_per_s_radiance)
        response = response * (1 + model.per_degc * self._warmer(rows, model.reference_temperature_degc))
        exposure_s = np.asarray(rows.columns["EXPOSURE"], np.float64)[:, None] * 1e-6
        gain = np.asarray(rows.columns["GAIN"], np.float64)[:, None]
        net = np.asarray(rows.columns["SPECTRUM"], np.float64) - (np.nan if self._dark is None else self._dark)
        return _finite(net / (response * exposure_s * gain))

    def _reflectance(self, wavelength_nm: Floats, radiance: Floats) -> Floats:
        model = self.calibration.panel
        panel = np.polynomial.polynomial.polyval(wavelength_nm / 1000 - model.center_um, model.reflectance)
        return _finite(radiance / (np.nan if self._panel is None else self._panel) * panel)

    def _quality(self, rows: ColumnBatch, wavelength_nm: Floats, radiance: Floats) -> NDArray[np.uint32]:
        saturated = any_beyond_row(np.asarray(rows.columns["SPECTRUM"]) >= _END_OF_SCALE)
        bad = any_beyond_row(~np.isfinite(wavelength_nm))
        if self._dark is not None:
            bad = bad | any_beyond_row(~np.isfinite(radiance))
        no_dark = np.full(len(rows), self._dark is None)
        bits = rows.quality | flag(saturated, Quality.SATURATED) | flag(no_dark, Quality.NO_REFERENCE)
        return bits | flag(bad, Quality.OUT_OF_RANGE)

    def _against_panel(self, reflectance: Floats) -> NDArray[np.uint32]:
        if self._panel is None or self._dark is None:
            return np.full(len(reflectance), Quality.NO_REFERENCE, np.uint32)
        return flag(any_beyond_row(~np.isfinite(reflectance)), Quality.OUT_OF_RANGE)

    def _draft(
        self,
        product: str,
        level: str,
        rows: ColumnBatch,
        wavelength_nm: Floats,
        values: Floats,
        quality: NDArray[np.uint32],
        lineage: Mapping[str, Any],
    ) -> Draft:
        unit = _RADIANCE_UNIT if product == "radiance" else "1"
        what = "spectral radiance" if product == "radiance" else "reflectance against the white panel"
        temperature = np.asarray(rows.columns["AOTF_TEMPERATURE"], np.float64)
        arrays = {
            product: Quantity(values, unit, what, _SPECTRUM),
            "wavelength_nm": Quantity(wavelength_nm, "nm", "in vacuum", _SPECTRUM),
            f"mean_{product}": Quantity(values.mean(axis=1), unit, "mean over the channels"),
            "aotf_temperature_degc": Quantity(temperature, "degC", "of the AOTF"),
            "point_id": column_quantity(rows, "POINT_ID"),
            "kind": column_quantity(rows, "KIND"),
            "gain": column_quantity(rows, "GAIN", "1", "factor"),
            "exposure_us": column_quantity(rows, "EXPOSURE", "us", "exposure time"),
        }
        latest = (f"mean_{product}", "point_id", "kind")
        return Draft(product, level, rows, rows.time_ns, arrays, quality, latest, lineage)

    @staticmethod
    def _warmer(rows: ColumnBatch, reference_degc: float) -> Floats:
        return (np.asarray(rows.columns["AOTF_TEMPERATURE"], np.float64) - reference_degc)[:, None]


def _finite(values: Floats) -> Floats:
    return np.where(np.isfinite(values), values, np.nan)
