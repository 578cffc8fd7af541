"""MSCam, the multispectral camera: counts through nine filters become radiance and reflectance factor.

In: MSCAM, one packet a stripe, and the attitude of rover and mast. Out: `mscam/image`, one row, for each image:

    L = (DN - bias(T) - dark(T) t F) / F / (R t)     bias = b0 + b1 (T - T0), dark = d0 2^((T - T0) / Td)
    reflectance factor = pi L d^2 / (E cos i)        d the Sun's distance in au, i its incidence at the site

F is the flat field (vignetting); E the Sun at 1 au, a measured spectrum over the filter's band. Lines that are missing
are NaN. Filter codes and wavelengths are those of readers of the archived products, the Sun is published; every other
number is assumed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ....clock.mars import mars_time, solar_position, sun_distance_au
from ....model.batches import ColumnBatch, Quality, Quantity
from ....products.calibration import Calibration, Finite, Positive, Source, Table
from ....products.context import Context
from ....products.draft import Draft
from ....products.rotations import Floats
from ..shared.image_noise import OF_NOISE, ImageNoise
from ..shared.images import STRIPE_COLUMNS, Picture, assemble, aux_arrays, whole
from ..shared.optics import (
    Agreement,
    Optics,
    Window,
    corners,
    navigation_apart_deg,
    pointing_arrays,
    pointing_of,
    saturated_share,
    vignetting,
    window_of,
)
from ..shared.stripe_camera import StripeCamera
from .kinds import IMAGE, REJECTED

_IMAGE = ("row", "line", "sample")
_RADIANCE_UNIT = "W m-2 sr-1 um-1"
_MOST_INCIDENCE_DEG = 85.0
"""With the Sun lower, a level surface says little of what is lit."""


class Detector(Table):
    """Bias, dark current and vignetting of the detector."""

    source: Source
    bias_dn: Finite
    bias_dn_per_degc: Finite
    dark_dn_per_s: Finite
    dark_doubles_degc: Positive
    reference_temperature_degc: Finite
    full_scale_dn: Annotated[int, Field(ge=1, le=65535)]
    vignetting: Annotated[list[Finite], Field(min_length=2, max_length=2)]  # of rho^2, rho^4


class Filter(Table):
    """One position of the filter wheel. `sun_w_m2_um`: of the Sun at 1 au, mean over `bandwidth_nm`."""

    code: Annotated[int, Field(ge=0, le=255)]
    name: str
    wavelength_nm: Positive
    bandwidth_nm: Positive
    dn_per_s_radiance: Positive
    sun_w_m2_um: Positive


class Filters(Table):
    """The filter wheel."""

    source: Source
    filter: Annotated[list[Filter], Field(min_length=1, max_length=16)]


class MscamCalibration(Calibration):
    """`calibration/mscam.toml`."""

    optics: Optics
    detector: Detector
    noise: ImageNoise
    filters: Filters
    attitude: Agreement


class Mscam(StripeCamera):
    """MSCam, an image at a time."""

    rejected = REJECTED
    containers: ClassVar[Mapping[str, frozenset[str]]] = {"MSCAM": STRIPE_COLUMNS}
    singles = frozenset({"MSCAM"})
    model = MscamCalibration
    calibration: MscamCalibration

    def __init__(self, calibration: Mapping[str, Any], context: Context) -> None:
        super().__init__(calibration, context)
        self._filters = {one.code: one for one in self.calibration.filters.filter}
        self._last_corners: tuple[Window, Floats] | None = None

    def cameras(self) -> Mapping[int, Any]:
        return self._filters

    def image(self, rows: ColumnBatch) -> Iterator[Draft]:
        picture = assemble(rows)
        band = self._filters[whole(rows, "CAMERA")]
        position = [one.code for one in self.calibration.filters.filter].index(band.code) + 1
        radiance, noise = self._radiance(rows, picture, band)
        sun = self._sun(rows)
        scale = _reflectance_scale(sun, band)
        pointing = pointing_of(rows)
        apart_deg = navigation_apart_deg(rows, pointing, self.calibration.attitude)
        directions = self._corners(window_of(rows))
        arrays = {
            "image": Quantity(radiance[None].astype(np.float32), _RADIANCE_UNIT, "spectral radiance", _IMAGE),
            "image_sigma": Quantity(noise[None].astype(np.float32), _RADIANCE_UNIT, OF_NOISE, _IMAGE),
            "reflectance": Quantity(
                (radiance * scale)[None].astype(np.float32), "1", "reflectance factor of a level surface", _IMAGE
            ),
            "reflectance_sigma": Quantity((noise * scale)[None].astype(np.float32), "1", OF_NOISE, _IMAGE),
            "filter_nm": Quantity(np.array([band.wavelength_nm]), "nm", "centre of the filter"),
            "filter_width_nm": Quantity(np.array([band.bandwidth_nm]), "nm", "of the filter, between its edges"),
            "filter_position": Quantity(np.array([position]), "", "on the filter wheel, from 1"),
            "filter_name": Quantity(np.array([band.name]), "", ""),
            "mean_radiance": Quantity(np.array([_mean(radiance)]), _RADIANCE_UNIT, "over the good lines"),
            "mean_reflectance": Quantity(_mean(radiance) * scale, "1", "over the good lines"),
            "saturated_share": Quantity(np.array([self._saturated(picture)]), "1", "pixels at the end of scale"),
            "solar_incidence_deg": Quantity(sun["incidence_deg"], "degree", "of the Sun from the zenith"),
            "solar_azimuth_deg": Quantity(sun["azimuth_deg"], "degree", "of the Sun clockwise from north"),
            "sun_distance_au": Quantity(sun["sun_distance_au"], "au", "of the Sun"),
            **aux_arrays(rows, picture),
            **pointing_arrays(pointing, directions, apart_deg),
        }
        bits = self._quality(
            rows,
            picture,
            doubtful=apart_deg > self.calibration.attitude.most_apart_deg,
            sunless=not np.isfinite(scale).all(),
        )
        about = {
            "frames": {"pointing": "local east, north, up"},
            "camera_model": self.calibration.optics.words(undistorted=False),
        }
        yield Draft(IMAGE, rows, rows.time_ns[:1], arrays, bits, about)

    def _radiance(self, rows: ColumnBatch, picture: Picture, band: Filter) -> tuple[Floats, Floats]:
        """W m-2 sr-1 um-1 of each pixel, and one sigma; NaN where its line is not good, or without an exposure time."""
        model = self.calibration.detector
        warmer = float(np.asarray(rows.columns["DETECTOR_TEMPERATURE"])[0]) - model.reference_temperature_degc
        exposure_s = whole(rows, "EXPOSURE") * 1e-6
        bias = model.bias_dn + model.bias_dn_per_degc * warmer
        dark = model.dark_dn_per_s * 2 ** (warmer / model.dark_doubles_degc) * exposure_s
        a, b = model.vignetting
        flat = vignetting(window_of(rows), self.calibration.optics, (a, b))
        per_radiance = np.where(
            picture.line_quality[:, None] == 0, band.dn_per_s_radiance * exposure_s or np.nan, np.nan
        )
        radiance = ((picture.counts - bias) / flat - dark) / per_radiance
        return radiance, self.calibration.noise.sigma_dn(picture.counts, bias) / (flat * per_radiance)

    def _corners(self, window: Window) -> Floats:
        """Directions of corners and centre, computed anew where the last picture had another window."""
        if self._last_corners is None or self._last_corners[0] != window:
            self._last_corners = window, corners(window, self.calibration.optics, distorted=True)
        return self._last_corners[1]

    def _sun(self, rows: ColumnBatch) -> dict[str, Floats]:
        """Incidence, azimuth (degrees) and distance (au), each [1]; NaN without a site."""
        site = self.context.site
        if site is None:
            return {name: np.full(1, np.nan) for name in ("incidence_deg", "azimuth_deg", "sun_distance_au")}
        time = mars_time(self.context.clock.utc_ns(rows.time_ns[:1]), site.longitude_deg, site.sol_offset)
        sun = solar_position(time, site.latitude_deg)
        return {
            "incidence_deg": sun.incidence_deg,
            "azimuth_deg": sun.azimuth_deg,
            "sun_distance_au": sun_distance_au(time),
        }

    def _saturated(self, picture: Picture) -> float:
        return saturated_share(picture.counts, self.calibration.detector.full_scale_dn)

    def _quality(self, rows: ColumnBatch, picture: Picture, *, doubtful: bool, sunless: bool) -> NDArray[np.uint32]:
        bits = Quality(int(np.bitwise_or.reduce(rows.quality))) | picture.quality()
        bits |= Quality.SATURATED if self._saturated(picture) > 0 else Quality(0)
        bits |= Quality.NO_ATTITUDE if doubtful else Quality(0)
        bits |= Quality.NO_REFERENCE if sunless else Quality(0)
        bits |= Quality.OUT_OF_RANGE if whole(rows, "EXPOSURE") == 0 else Quality(0)
        return np.array([bits], np.uint32)


def _reflectance_scale(sun: Mapping[str, Floats], band: Filter) -> Floats:
    """Reflectance factor per radiance [1]; NaN where the Sun is not known or too low."""
    incidence = sun["incidence_deg"]
    lit = np.where(incidence < _MOST_INCIDENCE_DEG, np.cos(np.deg2rad(incidence)), np.nan)
    return np.asarray(np.pi * sun["sun_distance_au"] ** 2 / (band.sun_w_m2_um * lit))


def _mean(values: Floats) -> float:
    good = values[np.isfinite(values)]
    return float(good.mean()) if len(good) else float("nan")
