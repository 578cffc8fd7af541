"""MMS, the orbiter's mineralogical spectrometer: counts of two detectors become radiance.

In: MMS, one spectrum of a place a packet, darks in between. Out: `mms/radiance`, one row a scene. Dropped: darks, once
they are kept; a scene before the first dark is NaN and flagged.

    sigma_DN^2 = read^2 + photon (DN - DN_dark) + 1/12, of the one dark that is taken off read^2 + 1/12
    L = (DN - DN_dark) / (R t);  R = r (1 + c (x - x0)^2) (1 + rt (T - T0));  wavelength = w0 + w1 i, x the same in um

Ranges and sampling (0.379-1.076 um at 2.73 nm, 1.033-3.425 um at 7.5 nm): He et al. 2021 (Space Sci. Rev., doi
10.1007/s11214-021-00804-z). The response is assumed. Nothing is taken off for the atmosphere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ....model.batches import ColumnBatch, Quality, Quantity
from ....products.calibration import Calibration, Finite, Positive, Source, Table
from ....products.context import Context
from ....products.draft import Draft, column_quantity, flag
from ....products.instrument import Instrument
from ....products.rotations import Floats
from ....products.rows import take, with_columns
from .kinds import RADIANCE

_DETECTORS = ("visible", "infrared")
_END_OF_SCALE = 65535
_UNIT = "W m-2 sr-1 um-1"
_OF_NOISE = "one sigma: photons, reading and counting, of the spectrum and of its dark; not of the response"


class Detector(Table):
    """One detector: its wavelengths, and its response in DN per (s W m-2 sr-1 um-1)."""

    source: Source
    first_nm: Positive
    step_nm: Positive
    dn_per_s_radiance: Positive
    curvature_per_um2: Finite
    center_um: Finite
    per_degc: Finite
    reference_temperature_degc: Finite

    def wavelength_nm(self, n: int) -> Floats:
        return np.asarray(self.first_nm + self.step_nm * np.arange(n))

    def response(self, wavelength_nm: Floats, temperature_degc: Floats) -> Floats:
        """[n, k] of temperatures [n] and wavelengths [k]."""
        shape = 1 + self.curvature_per_um2 * (wavelength_nm / 1000 - self.center_um) ** 2
        warm = 1 + self.per_degc * (temperature_degc - self.reference_temperature_degc)
        return np.asarray(self.dn_per_s_radiance * shape * warm[:, None])


class Noise(Table):
    """One sigma of a channel of one spectrum: sqrt(read^2 + photon net) counts."""

    source: Source
    read_counts: Positive
    photon_counts: Annotated[float, Field(ge=0)]


class Pixel(Table):
    """What a spectrum is of."""

    source: Source
    ifov_mrad: Positive
    samples_per_bin: Annotated[int, Field(ge=1, le=416)]
    n_bins: Annotated[int, Field(ge=1, le=416)]


class MmsCalibration(Calibration):
    """`calibration/mms.toml`."""

    visible: Detector
    infrared: Detector
    pixel: Pixel
    noise: Noise


class Mms(Instrument):
    """Both detectors. State: the last dark."""

    containers: ClassVar[Mapping[str, frozenset[str]]] = {
        "MMS": frozenset(
            {"KIND", "BIN", "EXPOSURE_VISIBLE", "EXPOSURE_INFRARED", "DETECTOR_TEMPERATURE"}
            | {"SPECTRUM_VISIBLE", "SPECTRUM_INFRARED"}
        )
    }
    model = MmsCalibration
    max_rows = 256
    landed = False
    calibration: MmsCalibration

    def __init__(self, calibration: Mapping[str, Any], context: Context) -> None:
        super().__init__(calibration, context)
        self._dark: dict[str, Floats] = {}

    def attach(
        self,
        rows: ColumnBatch,
        auxiliary: None,  # noqa: ARG002
        until: NDArray[np.int64],  # noqa: ARG002
    ) -> ColumnBatch:
        """The last dark before each row; NaN before the first."""
        is_dark = np.asarray(rows.columns["KIND"]) == "DARK"
        latest = np.maximum.accumulate(np.where(is_dark, np.arange(len(rows)), -1))
        more: dict[str, Floats] = {}
        for name in _DETECTORS:
            spectrum = np.asarray(rows.columns[f"SPECTRUM_{name.upper()}"], np.float64)
            dark = self._dark.get(name, np.full(spectrum.shape[1], np.nan))
            more[f"{name}_dark"] = np.concatenate([spectrum, dark[None]])[
                latest
            ]  # -1: the last one of the rows before
            self._dark[name] = more[f"{name}_dark"][-1].copy()
        return with_columns(rows, more)

    def drafts(self, rows: ColumnBatch) -> Iterator[Draft]:
        lit = take(rows, np.asarray(rows.columns["KIND"]) != "DARK")
        if not len(lit):
            return
        bins = np.asarray(lit.columns["BIN"])
        quality = lit.quality | flag(np.asarray(bins >= self.calibration.pixel.n_bins), Quality.OUT_OF_RANGE)
        arrays: dict[str, Quantity] = {"bin": column_quantity(lit, "BIN", "", "across the track, from 0")}
        for name in _DETECTORS:
            found, bits = self._radiance(lit, name)
            arrays |= found
            quality |= bits
        wide_mrad = self.calibration.pixel.ifov_mrad * self.calibration.pixel.samples_per_bin
        lineage = {
            "frames": {"bin": "across the track of the orbiter; pointing is not sent"},
            "wavelength_medium": "vacuum",
            "bin_width_mrad": wide_mrad,
        }
        arrays["mean_radiance"] = Quantity(
            arrays["visible_radiance"].values.mean(axis=1), _UNIT, "mean of the visible detector"
        )
        sigma = arrays["visible_radiance_sigma"].values
        of_mean = np.sqrt((sigma**2).sum(axis=1)) / sigma.shape[1]
        arrays["mean_radiance_sigma"] = Quantity(of_mean, _UNIT, _OF_NOISE)
        yield Draft(RADIANCE, lit, lit.time_ns, arrays, quality, lineage)

    def _radiance(self, lit: ColumnBatch, name: str) -> tuple[dict[str, Quantity], NDArray[np.uint32]]:
        detector: Detector = getattr(self.calibration, name)
        spectrum = np.asarray(lit.columns[f"SPECTRUM_{name.upper()}"], np.float64)
        dark = np.asarray(lit.columns[f"{name}_dark"])
        seconds = np.asarray(lit.columns[f"EXPOSURE_{name.upper()}"], np.float64) * 1e-6
        wavelength = detector.wavelength_nm(spectrum.shape[1])
        temperature = np.asarray(lit.columns["DETECTOR_TEMPERATURE"], np.float64)
        per_radiance = detector.response(wavelength, temperature) * seconds[:, None]
        net, noise = spectrum - dark, self.calibration.noise
        variance = noise.photon_counts * np.maximum(net, 0) + 2 * (noise.read_counts**2 + 1 / 12)
        radiance, sigma = net / per_radiance, np.sqrt(variance) / per_radiance
        what = f"{name} detector"
        quantities = {
            f"{name}_radiance": Quantity(radiance, _UNIT, what, ("row", f"{name}_channel")),
            f"{name}_radiance_sigma": Quantity(sigma, _UNIT, _OF_NOISE, ("row", f"{name}_channel")),
            f"{name}_wavelength_nm": Quantity(wavelength, "nm", f"{what}, in vacuum", (f"{name}_channel",)),
        }
        absent = np.asarray(np.isnan(dark).any(axis=1))
        strange = np.asarray(~np.isfinite(radiance).all(axis=1) & ~absent)
        full = np.asarray((spectrum >= _END_OF_SCALE).any(axis=1))
        bits = flag(absent, Quality.NO_REFERENCE) | flag(strange, Quality.OUT_OF_RANGE)
        return quantities, bits | flag(full, Quality.SATURATED)
