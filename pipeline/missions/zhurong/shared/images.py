"""Stripes become images: collected by camera, put together with what is missing flagged line by line.

In: rows of an image container (`STRIPE_COLUMNS`), one at a time, in order of arrival. Out: the rows of an image when
its last missing stripe came, when the next image of that camera begins, or at the end; and the picture made of them.
Set aside: stripes whose header makes no sense, and repeats of an image that is closed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ....model.batches import ColumnBatch, Quality, Quantity, Ragged
from ....products.draft import Draft, column_quantity, flag
from ....products.kinds import ProductKind
from ....products.rows import join, owned
from .image_codecs import MAX_SAMPLES, decode_stripe

GOOD, MISSING, UNDECODABLE = 0, 1, 2
"""`line_quality`."""
LINE_QUALITY = "of each line: 0 good, 1 missing, 2 does not decode"
MAX_SIDE = 4096
MAX_ROWS = 512
"""Of one image: twice as many as it can have stripes."""

AUX = {
    "IMAGE_ID": ("image_id", "", "number of the image"),
    "SEQUENCE_ID": ("sequence_id", "", "images taken for one purpose share it"),
    "WINDOW_LINE": ("window_line", "", "detector line at which the window begins"),
    "WINDOW_SAMPLE": ("window_sample", "", "detector sample at which the window begins"),
    "BINNING": ("binning", "", "detector pixels that became one, in each direction"),
    "COMPRESS_MODE": ("compress_mode", "", "how the first stripe that came was sent"),
    "COMPRESS_RATIO": ("compress_ratio", "1", "bits at 16 a sample over bits sent"),
    "DETECTOR_TEMPERATURE": ("detector_temperature_degc", "degC", "of the detector"),
    "ROVER_YAW": ("rover_yaw_deg", "degree", "of the image record, to north-east-down"),
    "ROVER_PITCH": ("rover_pitch_deg", "degree", "of the image record"),
    "ROVER_ROLL": ("rover_roll_deg", "degree", "of the image record"),
    "MAST_YAW": ("mast_yaw_deg", "degree", "positive to the right"),
    "MAST_PITCH": ("mast_pitch_deg", "degree", "positive up"),
    "MAST_ROLL": ("mast_roll_deg", "degree", ""),
    "IMAGE_MODE": ("image_mode", "", "what it was taken for"),
    "EXPOSURE_MODE": ("exposure_mode", "", ""),
    "FOCUS_MODE": ("focus_mode", "", ""),
    "FOCUS_GEAR": ("focus_gear", "", "1 to 7, defocusing compensation"),
    "FRAME_COUNT": ("frame_count", "", "images since the instrument was switched on"),
    "AUX_QUALITY": ("aux_quality", "", "as sent; 0 good"),
}
"""Columns of the archived level 01 that go with an image: name, unit and meaning in the product."""
_STRIPE = ("CAMERA", "STRIPE", "N_STRIPES", "FIRST_LINE", "N_LINES", "IMAGE_LINES", "IMAGE_SAMPLES")
STRIPE_COLUMNS = frozenset({*AUX, *_STRIPE, "EXPOSURE", "STRIPE_DATA"})


@dataclass(frozen=True, slots=True)
class Picture:
    """`counts uint16[lines, samples]`, 0 where a line is not good; `line_quality uint8[lines]`; stripes counted."""

    counts: NDArray[np.uint16]
    line_quality: NDArray[np.uint8]
    n_missing: int
    n_undecodable: int
    n_repeated: int

    def quality(self) -> Quality:
        return Quality.FRAGMENT if self.line_quality.any() else Quality(0)


@dataclass(slots=True)
class _Open:
    key: tuple[int, ...]
    rows: list[ColumnBatch] = field(default_factory=list)
    stripes: set[int] = field(default_factory=set)
    n_copied: int = 0
    """Of the rows, from the first on: copies; the others are views of the batch that they came in."""


class ImageCollector:
    """State: of each camera the open image's rows, and which image was closed last."""

    def __init__(self) -> None:
        self._open: dict[int, _Open] = {}
        self._closed: dict[int, tuple[int, ...]] = {}

    def collect(self, row: ColumnBatch) -> Iterator[ColumnBatch]:
        """Images that one sound stripe closes. A late one, `is_late`, must not come here."""
        camera, key = whole(row, "CAMERA"), _key(row)
        image = self._open.get(camera)
        if image is not None and image.key != key:
            yield self._close(camera)
        image = self._open.setdefault(camera, _Open(key))
        image.rows.append(row)
        image.stripes.add(whole(row, "STRIPE"))
        if len(image.stripes) == whole(row, "N_STRIPES") or len(image.rows) >= MAX_ROWS:
            yield self._close(camera)

    def copy_views(self) -> None:
        """Copy the rows that are views of a batch. Most images come whole in one batch and need no copies."""
        for image in self._open.values():
            image.rows[image.n_copied :] = map(owned, image.rows[image.n_copied :])
            image.n_copied = len(image.rows)

    def rest(self) -> Iterator[ColumnBatch]:
        """The images still open."""
        for camera in list(self._open):
            yield self._close(camera)

    def is_late(self, row: ColumnBatch) -> bool:
        """Whether it is of the image of that camera that was closed last."""
        return self._closed.get(whole(row, "CAMERA")) == _key(row)

    def _close(self, camera: int) -> ColumnBatch:
        image = self._open.pop(camera)
        self._closed[camera] = image.key
        return join(image.rows)


def is_sound(row: ColumnBatch) -> bool:
    """Whether the header of a stripe can be true."""
    lines, samples, n_lines = whole(row, "IMAGE_LINES"), whole(row, "IMAGE_SAMPLES"), whole(row, "N_LINES")
    fits = n_lines > 0 and whole(row, "FIRST_LINE") + n_lines <= lines and n_lines * samples <= MAX_SAMPLES
    counted = whole(row, "STRIPE") < whole(row, "N_STRIPES")
    return fits and counted and 0 < samples <= MAX_SIDE and lines <= MAX_SIDE and whole(row, "BINNING") > 0


def assemble(rows: ColumnBatch, *, quartered: bool = False) -> Picture:
    """The picture of the rows of one image. `quartered`: codestreams hold a colour mosaic as its four planes."""
    counts = np.zeros((whole(rows, "IMAGE_LINES"), whole(rows, "IMAGE_SAMPLES")), np.uint16)
    line_quality = np.full(len(counts), MISSING, np.uint8)
    data = rows.columns["STRIPE_DATA"]
    assert isinstance(data, Ragged)
    stripe_no = np.asarray(rows.columns["STRIPE"]).tolist()
    good: set[int] = set()
    for i, stripe in enumerate(stripe_no):
        if stripe in good:
            continue
        first, n = whole(rows, "FIRST_LINE", i), whole(rows, "N_LINES", i)
        lines = slice(first, first + n)
        octets = data.values[data.start[i] : data.start[i] + max(int(data.length[i]), 0)]
        mode = str(np.asarray(rows.columns["COMPRESS_MODE"])[i])
        found = decode_stripe(mode, octets, n, counts.shape[1])
        if found is None:
            line_quality[lines][line_quality[lines] == MISSING] = UNDECODABLE
            continue
        counts[lines] = mosaic(found) if quartered and mode in ("LOSSLESS", "LOSSY") else found
        line_quality[lines] = GOOD
        good.add(stripe)
    n_missing = whole(rows, "N_STRIPES") - len(set(stripe_no))
    n_undecodable = len(set(stripe_no) - good)
    return Picture(counts, line_quality, n_missing, n_undecodable, len(stripe_no) - len(set(stripe_no)))


def mosaic(quarters: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """A colour mosaic from its four planes in the quarters of a picture; as it is where it has no quarters."""
    lines, samples = quarters.shape
    if lines % 2 or samples % 2:
        return quarters
    return quarters.reshape(2, lines // 2, 2, samples // 2).transpose(1, 0, 3, 2).reshape(lines, samples)


def aux_arrays(rows: ColumnBatch, picture: Picture) -> dict[str, Quantity]:
    """What goes with an image, as arrays of one row."""
    first = {name: column_quantity(rows, column, unit, words) for column, (name, unit, words) in AUX.items()}
    exposure = np.asarray(rows.columns["EXPOSURE"], np.float64)[:1] * 1e-6
    counted = {
        "n_stripes": (whole(rows, "N_STRIPES"), "stripes that the image was cut into"),
        "n_stripes_missing": (picture.n_missing, "stripes that never came"),
        "n_stripes_undecodable": (picture.n_undecodable, "stripes that came and do not decode"),
        "n_stripes_repeated": (picture.n_repeated, "stripes that came again"),
    }
    return {
        "line_quality": Quantity(picture.line_quality[None], "", LINE_QUALITY, ("row", "line")),
        "exposure_s": Quantity(exposure, "s", "exposure time"),
        **{name: Quantity(one.values[:1], one.unit, one.description) for name, one in first.items()},
        **{name: Quantity(np.array([n], np.int32), "1", words) for name, (n, words) in counted.items()},
    }


def rejected(kind: ProductKind, row: ColumnBatch) -> Draft:
    """A stripe that cannot be part of an image: its header, flagged."""
    arrays = {name.lower(): column_quantity(row, name) for name in (*_STRIPE, "IMAGE_ID", "SEQUENCE_ID")}
    bits = row.quality | flag(np.ones(len(row), np.bool_), Quality.OUT_OF_RANGE)
    return Draft(kind, row, row.time_ns, arrays, bits, {"uncertainty": "not an image"})


def whole(rows: ColumnBatch, column: str, row: int = 0) -> int:
    """One value of a column."""
    return int(np.asarray(rows.columns[column])[row])


def _key(row: ColumnBatch) -> tuple[int, ...]:
    names = ("IMAGE_ID", "N_STRIPES", "IMAGE_LINES", "IMAGE_SAMPLES")
    return (int(row.time_ns[0]), *(whole(row, name) for name in names))
