"""NaTeCam, the navigation and terrain cameras: the mosaics of two cameras become colour pictures.

In: NATECAM, one packet a stripe, and the attitude of rover and mast. Out: `natecam/image`, one row, for each image:
bias and dark subtracted, vignetting divided out, white balance, demosaiced (Malvar, He and Cutler 2004), colour
matrix, undistorted (Brown-Conrady) to a pinhole of the same focal length, coded by the curve of sRGB. And
`natecam/panorama` for the images of a mast sweep (IMAGE_MODE PANORAMA, one SEQUENCE_ID).

Focal length, pixel and principal point are those of archived labels (2C); the other numbers are assumed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ....model.batches import ColumnBatch, Quality, Quantity
from ....products.calibration import Calibration, Finite, Matrix, Positive, Source, Table, Vector
from ....products.context import Context
from ....products.draft import Draft
from ....products.rotations import Floats
from ....products.rows import join
from ..shared.image_noise import ImageNoise
from ..shared.images import STRIPE_COLUMNS, Picture, assemble, aux_arrays, whole
from ..shared.optics import (
    Agreement,
    Optics,
    Window,
    navigation_apart_deg,
    pointing_arrays,
    pointing_of,
    saturated_share,
    vignetting,
    window_of,
)
from ..shared.stripe_camera import StripeCamera
from .colour import REACH, demosaic, srgb, srgb_codes
from .kinds import IMAGE, PANORAMA, REJECTED
from .panorama import MAX_IMAGES, Panorama, PanoramaGrid, View, lessened, panorama
from .resampling import Remap, bands_of

_IMAGE = ("row", "line", "sample", "band")
_OF_CODES = "one sigma of each colour: noise in the middle of the picture, and 8 bits; not of a lossy compression"
_FRAMES = {"frames": {"pointing": "local east, north, up"}}


class Detector(Table):
    """Counts of the two detectors, alike."""

    source: Source
    bias_dn: Finite
    dark_dn_per_s: Finite
    full_scale_dn: Annotated[int, Field(ge=1, le=65535)]
    white_dn: Positive
    vignetting: Annotated[list[Finite], Field(min_length=2, max_length=2)]  # of rho^2, rho^4


class Colour(Table):
    """From the camera's colours to linear sRGB."""

    source: Source
    white_balance: Vector
    matrix: Matrix


class Camera(Table):
    """One of the two."""

    code: Annotated[int, Field(ge=0, le=255)]
    name: str
    side: str


class Cameras(Table):
    """Both."""

    source: Source
    camera: Annotated[list[Camera], Field(min_length=1, max_length=4)]


class NatecamCalibration(Calibration):
    """`calibration/natecam.toml`."""

    cameras: Cameras
    optics: Optics
    detector: Detector
    noise: ImageNoise
    colour: Colour
    panorama: PanoramaGrid
    attitude: Agreement


class Natecam(StripeCamera):
    """NaTeCam, an image at a time. State: the sweep that goes on and the last image of a pair, by camera."""

    rejected = REJECTED
    containers: ClassVar[Mapping[str, frozenset[str]]] = {"NATECAM": STRIPE_COLUMNS}
    singles = frozenset({"NATECAM"})
    model = NatecamCalibration
    no_uncertainty = "overlapping pictures are averaged with weights; natecam/image has the sigma of each picture"
    calibration: NatecamCalibration

    def __init__(self, calibration: Mapping[str, Any], context: Context) -> None:
        super().__init__(calibration, context)
        self._cameras = {one.code: one for one in self.calibration.cameras.camera}
        self._sweeps: dict[int, tuple[int, list[View]]] = {}
        self._half_pair: tuple[int, int, int, int] | None = None  # sequence, camera, image, time
        self._last_remap: Remap | None = None
        self._about = {**_FRAMES, "camera_model": self.calibration.optics.words(undistorted=True)}

    def cameras(self) -> Mapping[int, Any]:
        return self._cameras

    def image(self, rows: ColumnBatch) -> Iterator[Draft]:
        code, sequence = whole(rows, "CAMERA"), whole(rows, "SEQUENCE_ID")
        sweeping = str(np.asarray(rows.columns["IMAGE_MODE"])[0]) == "PANORAMA"
        going_on, views = self._sweeps.get(code, (-1, []))
        if views and (not sweeping or going_on != sequence or len(views) >= MAX_IMAGES):
            yield from self._end_sweep(code)
        draft, view = self._picture(rows)
        yield draft
        if sweeping:
            view = lessened(view, self.calibration.optics, self.calibration.panorama)
            self._sweeps.setdefault(code, (sequence, []))[1].append(view)

    def end(self) -> Iterator[Draft]:
        yield from super().end()
        for code in list(self._sweeps):
            yield from self._end_sweep(code)

    def _picture(self, rows: ColumnBatch) -> tuple[Draft, View]:
        picture = assemble(rows, quartered=True)
        window, pointing = window_of(rows), pointing_of(rows)
        apart_deg = navigation_apart_deg(rows, pointing, self.calibration.attitude)
        image, line_quality = self._undistorted(self._linear(rows, picture, window), picture, window)
        camera = self._cameras[whole(rows, "CAMERA")]
        saturated = saturated_share(picture.counts, self.calibration.detector.full_scale_dn)
        arrays = {
            "image": Quantity(image[None], "1", "red, green, blue by the curve of sRGB", _IMAGE),
            "image_sigma": Quantity(
                self._noise(rows, picture, window, line_quality == 0)[None], "1", _OF_CODES, ("row", "band")
            ),
            "camera": Quantity(np.array([camera.name]), "", camera.side),
            "saturated_share": Quantity(np.array([saturated]), "1", "pixels at the end of scale"),
            **self._pair(rows),
            **aux_arrays(rows, replace(picture, line_quality=line_quality)),
            **pointing_arrays(pointing, self._remap(window).corners, apart_deg),
        }
        bits = Quality(int(np.bitwise_or.reduce(rows.quality))) | picture.quality()
        bits |= Quality.SATURATED if saturated > 0 else Quality(0)
        bits |= Quality.NO_ATTITUDE if apart_deg > self.calibration.attitude.most_apart_deg else Quality(0)
        quality = np.array([bits], np.uint32)
        draft = Draft(IMAGE, rows, rows.time_ns[:1], arrays, quality, self._about)
        slim = replace(rows, columns={}, raw={})
        return draft, View(slim, image, line_quality == 0, window, pointing, bool(bits & Quality.NO_ATTITUDE))

    def _linear(self, rows: ColumnBatch, picture: Picture, window: Window) -> NDArray[np.float32]:
        """Linear sRGB float32[lines, samples, 3], 1 is white; as the lens drew it."""
        return self._colours(self._net(rows, picture.counts, self._flat(window)))

    def _flat(self, window: Window) -> Floats:
        a, b = self.calibration.detector.vignetting
        return vignetting(window, self.calibration.optics, (a, b))

    def _net(self, rows: ColumnBatch, counts: NDArray[Any], flat: Floats) -> NDArray[np.float32]:
        """The mosaic without dark and vignetting, 1 is white."""
        model = self.calibration.detector
        dark = model.bias_dn + model.dark_dn_per_s * whole(rows, "EXPOSURE") * 1e-6
        return ((counts - dark) / (flat * model.white_dn)).astype(np.float32)

    def _colours(self, net: NDArray[np.float32]) -> NDArray[np.float32]:
        """Linear sRGB of mosaics [..., lines, samples], which are changed.

        White balance comes first: the demosaicing takes an edge for as high in one colour as in the others.
        """
        colour = self.calibration.colour
        red, green, blue = np.array(colour.white_balance, np.float32)
        for line, sample, gain in ((0, 0, red), (0, 1, green), (1, 0, green), (1, 1, blue)):
            net[..., line::2, sample::2] *= gain
        return np.asarray(np.clip(demosaic(net, bounded=True) @ np.array(colour.matrix, np.float32).T, 0, 1))

    def _noise(self, rows: ColumnBatch, picture: Picture, window: Window, good: NDArray[np.bool_]) -> Floats:
        """One sigma of each colour [3] in codes, in the middle of the picture; NaN where nothing is good there.

        A drawn noise of the counts goes the way of the picture, beside the picture without it: colours are made of
        several counts each. `good`: of the lines of the picture.
        """
        remap = self._remap(window)
        part = remap.middle
        if not good[part[0]].any():
            return np.full(3, np.nan)
        counts, flat = picture.counts[part], self._flat(window)[part]
        noisy = counts + remap.drawn * self.calibration.noise.sigma_dn(counts, self.calibration.detector.bias_dn)
        both = self._colours(self._net(rows, np.stack([counts, noisy]), flat))
        shown = remap.in_middle.inside & good[part[0]][:, None]
        plain, disturbed = (srgb_codes(remap.in_middle(bands_of(seen))[shown]) for seen in both)
        square = ((disturbed - plain).astype(np.float64) ** 2).sum(axis=0) / (len(plain) or np.nan)
        return np.asarray(np.sqrt(square + 1 / 12))

    def _remap(self, window: Window) -> Remap:
        """That of the window, computed anew where the last picture had another."""
        if self._last_remap is None or self._last_remap.window != window:
            self._last_remap = Remap.of(window, self.calibration.optics)
        return self._last_remap

    def _undistorted(
        self, linear: NDArray[np.float32], picture: Picture, window: Window
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """The picture of a pinhole in 8 bits, and the quality of its lines: the worst of the lines that they come from.

        A missing line spoils the colours of its neighbours too.
        """
        remap = self._remap(window)
        worst = picture.line_quality.copy()
        for apart in range(1, REACH + 1):
            worst[apart:] = np.maximum(worst[apart:], picture.line_quality[:-apart])
            worst[:-apart] = np.maximum(worst[:-apart], picture.line_quality[apart:])
        image, line_quality = np.empty(linear.shape, np.uint8), np.zeros_like(worst)
        bands = bands_of(linear)
        for lines, places in remap.blocks:
            image[lines], black = srgb(places(bands)), ~places.inside
            if worst.any():
                source = remap.source_line[lines].astype(np.intp)
                spoilt = np.maximum(worst[source], worst[np.minimum(source + 1, len(worst) - 1)])
                line_quality[lines] = spoilt.max(axis=1)
                black |= spoilt != 0
            image[lines][black] = 0
        return image, line_quality

    def _pair(self, rows: ColumnBatch) -> dict[str, Quantity]:
        """The other image of a stereo pair, once both are there."""
        code, sequence, image = (whole(rows, name) for name in ("CAMERA", "SEQUENCE_ID", "IMAGE_ID"))
        is_stereo = str(np.asarray(rows.columns["IMAGE_MODE"])[0]) == "STEREO"
        time_ns, other, apart_s = int(rows.time_ns[0]), -1, np.nan
        half = self._half_pair
        if is_stereo and half is not None and half[0] == sequence and half[1] != code:
            other, apart_s = half[2], (time_ns - half[3]) / 1e9
        self._half_pair = (sequence, code, image, time_ns) if is_stereo and other < 0 else None
        return {
            "pair_id": Quantity(np.array([sequence if is_stereo else -1]), "", "of a stereo pair; -1: none"),
            "pair_image_id": Quantity(np.array([other]), "", "the pair's other image, if it came before; -1: none"),
            "pair_interval_s": Quantity(np.array([apart_s]), "s", "since the pair's other exposure"),
        }

    def _end_sweep(self, code: int) -> Iterator[Draft]:
        sequence, views = self._sweeps.pop(code)
        rows = join([view.rows for view in views])
        found = panorama(views, self.calibration.optics, self.calibration.panorama)
        bits = np.array([np.bitwise_or.reduce(rows.quality)], np.uint32)
        bits |= np.uint32(Quality.NO_ATTITUDE if any(view.doubtful for view in views) else 0)
        if not all(view.good.all() for view in views):
            bits |= np.uint32(Quality.FRAGMENT)
        arrays = self._strip(found, code, sequence, len(views))
        last_s = (rows.time_ns.max() - rows.time_ns[0]) / 1e9
        arrays["duration_s"] = Quantity(np.array([last_s]), "s", "from the first image's exposure to the last's")
        yield Draft(PANORAMA, rows, rows.time_ns[:1], arrays, bits, self._about)

    def _strip(self, found: Panorama, code: int, sequence: int, n_images: int) -> dict[str, Quantity]:
        return {
            "image": Quantity(found.image[None], "", "red, green, blue by the curve of sRGB", _IMAGE),
            "n_views": Quantity(found.n_views[None], "1", "images that show this direction", _IMAGE[:3]),
            "azimuth_deg": Quantity(found.azimuth_deg, "degree", "clockwise from north", ("sample",)),
            "elevation_deg": Quantity(found.elevation_deg, "degree", "above the level", ("line",)),
            "camera": Quantity(np.array([self._cameras[code].name]), "", self._cameras[code].side),
            "sequence_id": Quantity(np.array([sequence]), "", "of the images"),
            "n_images": Quantity(np.array([n_images]), "1", "in the sweep"),
        }
