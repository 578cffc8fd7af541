"""`calibration/libs.toml`: spectrometers, titanium, continuum, light, and the lines that are looked for."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from ....products.calibration import Calibration, Finite, Positive, Source, Table

Share = Annotated[float, Field(ge=0, le=1)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Spectrometer(Table):
    """Pixels, their wavelengths c0 + c1 u + c2 u^2, their drift s0 + s1 (T - T0) in pixels, and the width of a line.

    `edge_pixels` at either end are not used; `photons_per_count`: at the opening of the telescope.
    """

    name: str
    n_pixels: Annotated[int, Field(ge=2, le=8192)]
    wavelength_nm: Annotated[list[Finite], Field(min_length=3, max_length=3)]
    drift_px: Annotated[list[Finite], Field(min_length=2, max_length=2)]
    fwhm_nm: Positive
    edge_pixels: Annotated[int, Field(ge=0, le=1024)]
    photons_per_count: Positive


class Wavelength(Table):
    """The three spectrometers in the order of their pixels in the packet."""

    source: Source
    reference_temperature_degc: Finite
    spectrometer: Annotated[list[Spectrometer], Field(min_length=1, max_length=8)]


class Titanium(Table):
    """Lines of the target in vacuum, and when a fit to them is believed."""

    source: Source
    lines_nm: Annotated[list[Positive], Field(min_length=2, max_length=500)]
    search_px: Positive
    min_snr: Positive
    min_lines: Annotated[int, Field(ge=2, le=500)]
    max_rms_px: Positive


class Shots(Table):
    """Shots of a point that only clean it."""

    source: Source
    n_dust_shots: Annotated[int, Field(ge=0, le=254)]


class Noise(Table):
    """One sigma of a channel of one spectrum: sqrt(read^2 + photon net) counts."""

    source: Source
    read_counts: Positive
    photon_counts: NotNegative


class Continuum(Table):
    """The smoother's l, and denoising by wavelets: scales (0: none) and threshold in sigma."""

    source: Source
    smoothness: Annotated[float, Field(ge=1, le=1e12)]
    denoise_scales: Annotated[int, Field(ge=0, le=6)]
    denoise_sigma: Positive


class Telescope(Table):
    """Its opening, and the angle that a pixel sees on the target."""

    source: Source
    opening_mm: Positive
    field_mrad: Positive


class Distance(Table):
    """Distance correction: the distance of reference, and the power of distance by which each signal falls."""

    source: Source
    reference_mm: Positive
    exponent: Annotated[list[Finite], Field(min_length=1, max_length=8)]


class Line(Table):
    """A line, its wavelength in vacuum, and what it is wider than others by nature (added in squares)."""

    species: Annotated[str, Field(min_length=1, max_length=8)]
    nm: Positive
    extra_fwhm_nm: NotNegative = 0.0


class Lines(Table):
    """The lines that are looked for, and what makes their confidence."""

    source: Source
    search_fwhm: Positive
    position_sigma_fwhm: Positive
    half_snr: Positive
    width_sigma: Positive
    min_snr: Positive
    min_confidence: Share
    line: Annotated[list[Line], Field(min_length=1, max_length=2000)]


class LibsCalibration(Calibration):
    """`calibration/libs.toml`; without `distance` there is no distance correction."""

    wavelength: Wavelength
    titanium: Titanium
    shots: Shots
    noise: Noise
    continuum: Continuum
    telescope: Telescope
    lines: Lines
    distance: Distance | None = None

    @model_validator(mode="after")
    def _an_exponent_each(self) -> Self:
        if self.distance is not None and len(self.distance.exponent) != len(self.wavelength.spectrometer):
            raise ValueError("distance: every spectrometer has an exponent")
        return self
