"""Single images of a collection, and pictures of them.

In: collections of products with an array `image` of lines and samples. Out: a PNG for each image, pixel by pixel
without axes, and an animated PNG for each sequence of images of a camera. Colour images are not changed; radiance is
stretched between its percentiles 0.5 and 99.5, which are in the text of the file; missing pixels are black.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.batches import NO_TIME
from ..system.files import whole_path
from .collection import PRODUCT, ROW, Collection, Origin
from .jobs import Job
from .netcdf_attributes import iso
from .product_names import image_arrays, image_stem
from .provenance import notes

_DIMS = (ROW, "line", "sample")
_FRAME_MS = 400
_MOST_FRAMES = 256
_STRETCH = (0.5, 99.5)
_WHOLE = re.compile(r"-?\d+")


@dataclass(frozen=True, slots=True)
class ImageProduct:
    """One image of a collection: the product with index `number`."""

    collection: Collection
    number: int

    def array(self, name: str) -> NDArray[Any]:
        """One of its arrays, without the axis of rows or products. Raises KeyError if there is none."""
        column = self.collection.columns[name]
        if column.dims[:1] in {(PRODUCT,), (ROW,)}:
            return np.asarray(column.array.part(self.number)[0])
        return column.array.whole()

    def text(self, name: str) -> str:
        """A value as text; empty if there is none."""
        return str(self.array(name)) if name in self.collection.columns else ""

    def value(self, name: str) -> float | str | None:
        """A real number as float, other values as text; None if there is none."""
        if name not in self.collection.columns:
            return None
        found = self.array(name)
        return float(found) if found.dtype.kind == "f" else str(found)

    @property
    def utc_ns(self) -> int:
        return int(self.array("time_utc_ns"))

    @property
    def stop_ns(self) -> int:
        """UTC at its end: after its duration or exposure, if known."""
        lasts = [name for name in ("duration_s", "exposure_s") if name in self.collection.columns]
        span_s = float(self.array(lasts[0])) if lasts else 0.0
        timed = self.utc_ns != NO_TIME and np.isfinite(span_s)
        return self.utc_ns + round(span_s * 1e9) if timed else self.utc_ns

    @property
    def on_ground(self) -> bool:
        """Whether it was taken at the mission's site."""
        return "sol" in self.collection.local_times

    @property
    def sequence(self) -> int | None:
        """Number for the archive: the sol at the site, the CFDP transaction from an orbiter; None if unknown."""
        if self.on_ground:
            sol = self.local_time("sol")
            return int(sol) if np.isfinite(sol) else None
        return int(self.array("transaction")) if self.text("transaction") else None

    def lineage(self, key: str) -> Any:
        """Entry of its lineage, or None."""
        return self.collection.lineages[self.number].get(key)

    def local_time(self, name: str) -> float:
        """`sol`, `lmst`, `ltst`, `ls`; NaN without a site."""
        times = self.collection.local_times.get(name)
        return float("nan") if times is None else float(times.part(self.number)[0])

    def stem(self, origin: Origin, ending: str = "") -> str:
        """Name of its files, without extension."""
        row = (self.utc_ns, self.stop_ns, (self.sequence or 0) % 100_000)
        texts = {name: self.text(name) for name in image_arrays(origin)}
        values = {name: int(text) if _WHOLE.fullmatch(text) else text for name, text in texts.items() if text}
        return image_stem(self.collection, origin, values, row, ending)


def image_products(collections: Sequence[Collection]) -> Iterator[ImageProduct]:
    """Yield the images of collections that have an array `image` and one row for each product."""
    for collection in collections:
        image = collection.columns.get("image")
        if image is not None and image.dims[:3] == _DIMS and all(n == 1 for n in collection.n_rows):
            yield from (ImageProduct(collection, number) for number in range(len(collection.ids)))


def plan_pictures(collections: Sequence[Collection], origin: Origin) -> Iterator[Job]:
    """Plan a PNG for each image, and an animation for each sequence of a camera with several images."""
    films: dict[tuple[int, str, str], list[ImageProduct]] = {}
    for image in image_products(collections):
        files = (("picture", ".png"),)
        yield _job(image.stem(origin), files, partial(_write_picture, image, origin), [image])
        if image.text("image_mode") in ("PANORAMA", "VIDEO"):
            key = id(image.collection), image.text("camera"), image.text("sequence_id")
            films.setdefault(key, []).append(image)
    for film in films.values():
        if len(film) > 1:
            files = (("animation", ".apng"),)
            shown = film[:_MOST_FRAMES]
            yield _job(film[0].stem(origin, "-SEQ"), files, partial(_write_film, shown, origin), shown)


def as_seen(image: NDArray[Any]) -> tuple[NDArray[np.uint8], tuple[float, float]]:
    """Convert to uint8, [lines, samples] or [lines, samples, 3]; also returns the values shown black and white."""
    if image.ndim == 3 and image.shape[2] not in (1, 3):
        image = image[..., :1]
    image = image[..., 0] if image.ndim == 3 and image.shape[2] == 1 else image
    if image.dtype == np.uint8:
        return image, (0.0, 255.0)
    good = image[np.isfinite(image)]
    low, high = (float(end) for end in np.percentile(good, _STRETCH)) if len(good) else (0.0, 1.0)
    scaled = (np.nan_to_num(image, nan=low) - low) / max(high - low, 1e-30)
    return np.asarray(np.rint(255 * np.clip(scaled, 0, 1)).astype(np.uint8)), (low, high)


def _job(stem: str, files: Any, write: Any, seen: Sequence[ImageProduct]) -> Job:
    first = seen[0]
    ends = first.utc_ns, seen[-1].utc_ns
    ids = tuple(one.collection.ids[one.number] for one in seen)
    return Job(stem, files, write, (first.collection,), ends, len(seen), ids)


def _write_picture(image: ImageProduct, origin: Origin, paths: Sequence[Path]) -> None:
    from PIL import Image  # noqa: PLC0415 -- slow to import

    pixels, ends = as_seen(image.array("image"))
    with whole_path(paths[0]) as part:
        Image.fromarray(pixels).save(part, "PNG", pnginfo=_words([image], origin, ends), optimize=False)


def _write_film(film: Sequence[ImageProduct], origin: Origin, paths: Sequence[Path]) -> None:
    from PIL import Image  # noqa: PLC0415 -- slow to import

    frames = (Image.fromarray(as_seen(one.array("image"))[0]) for one in film)
    with whole_path(paths[0]) as part:
        next(frames).save(
            part,
            "PNG",
            save_all=True,
            append_images=list(frames),
            duration=_FRAME_MS,
            loop=0,
            pnginfo=_words(film, origin, (0.0, 255.0)),
        )


def _words(seen: Sequence[ImageProduct], origin: Origin, ends: tuple[float, float]) -> Any:
    """Text chunks of the file that describe the picture."""
    from PIL.PngImagePlugin import PngInfo  # noqa: PLC0415 -- slow to import

    first = seen[0]
    collection = first.collection
    unit = collection.columns["image"].unit
    found = {
        "Title": f"{origin.mission} {collection.instrument}/{collection.product}",
        "Creation Time": ", ".join(iso(one.utc_ns) for one in (seen if len(seen) == 1 else (first, seen[-1]))),
        "Source": ", ".join(origin.recordings),
        "Description": f"black {ends[0]:.6g}, white {ends[1]:.6g} {unit}".strip(),
    }
    found |= {key.replace("_", " ").capitalize(): one for key, one in notes(collection, origin).items()}
    words = PngInfo()
    for key, value in found.items():
        words.add_text(key, value)
    return words
