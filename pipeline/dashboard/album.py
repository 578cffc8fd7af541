"""Image products in; pictures for the page out: small enough to send, flagged line by line, with what was noted.

Of each camera and filter the latest is kept for as long as `MAX_BYTES` has room for them all; of the others as many of
the last as fit beside them. Pixels beyond `MAX_SIDE` are averaged in squares; `factor` is the side of a square.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.printable import printable

MAX_SIDE = 640
MAX_BYTES = 32 << 20
MAX_PICTURES = 200
MAX_FLAGGED = 200
"""Runs of flagged lines that are listed; further ones are one run."""
MAX_CAMERAS = 40
THUMBNAIL = 72

_MISSING_WORDS = {1: "missing", 2: "does not decode"}
_MAX_META = 40
_UNITS = frozenset({"s", "ms", "us", "nm", "mm", "m", "km", "deg", "degc", "k", "pa", "au", "db"})
"""Name endings that are units: the unit stands beside the value instead."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One image: `pixels` float32[line, sample] in `unit`, or uint8[line, sample, 3] for a screen.

    Each of them is `factor` of the image's pixels wide, and `shape` is the image's own.
    `flagged`: (first line, line after the last, why) of lines that are not good. `key`: its camera and filter.
    """

    key: str
    kind: str
    id: str
    time_ns: int
    sol: int | None
    pixels: NDArray[Any]
    unit: str
    factor: int
    shape: tuple[int, int]
    flagged: tuple[tuple[int, int, str], ...]
    quality: int
    pair: int | None
    thumbnail: NDArray[np.uint32]
    noted: Mapping[str, str] = field(default_factory=dict)

    @property
    def n_bytes(self) -> int:
        return self.pixels.nbytes + self.thumbnail.nbytes


class Album:
    """The pictures of one stream, in order of time. `n_changes` grows with each."""

    def __init__(self) -> None:
        self.latest: dict[str, Picture] = {}
        self.pictures: deque[Picture] = deque(maxlen=MAX_PICTURES)
        self.arrived_s = 0.0
        self.n_changes = 0

    def add(self, picture: Picture, arrived_s: float) -> None:
        if picture.key not in self.latest and len(self.latest) >= MAX_CAMERAS:
            raise ValueError("more cameras than a page shows")
        before = self.latest.get(picture.key)
        if before is None or before.time_ns <= picture.time_ns:
            self.latest[picture.key] = picture
        late = bool(self.pictures) and picture.time_ns < self.pictures[-1].time_ns
        self.pictures.append(picture)
        if late:
            self.pictures = deque(sorted(self.pictures, key=lambda one: one.time_ns), MAX_PICTURES)
        while self.n_bytes > MAX_BYTES and len(self.pictures) > 1:
            self.pictures.popleft()
        while self.n_bytes > MAX_BYTES and len(self.latest) > 1:
            del self.latest[min(self.latest.keys() - {picture.key}, key=lambda key: self.latest[key].time_ns)]
        self.arrived_s = arrived_s
        self.n_changes += 1

    @property
    def n_bytes(self) -> int:
        """Bytes of all pixels that are kept."""
        kept = {id(one): one for one in (*self.latest.values(), *self.pictures)}
        return sum(one.n_bytes for one in kept.values())

    def of_last_sol(self) -> list[Picture]:
        """What is kept of the last sol that pictures are of; where none is of a sol, as an orbiter's, all of them."""
        last = next((one.sol for one in reversed(self.pictures) if one.sol is not None), None)
        return [one for one in self.pictures if one.sol == last]

    def partner(self, picture: Picture) -> Picture | None:
        """The other picture of a stereo pair: the latest one, of another camera."""
        if picture.pair is None:
            return None
        same = (one for one in reversed(self.pictures) if one.pair == picture.pair and one.kind == picture.kind)
        return next((one for one in same if one.key != picture.key), None)


def read_picture(kind: str, name: str, product: Mapping[str, Any]) -> Picture:
    """The picture of a product of the camera of this name; ValueError, KeyError or TypeError for what has none."""
    arrays = product["arrays"]
    image = arrays["image"]["values"][0]
    shape = image.shape[:2]
    if image.ndim not in {2, 3} or min(image.shape) < 1:
        raise ValueError("its image has no pixels")
    line_quality = (
        np.asarray(arrays["line_quality"]["values"][0]) if "line_quality" in arrays else np.zeros(shape[0])
    )
    if len(line_quality) != shape[0]:
        raise ValueError("its lines and their quality do not agree")
    factor = -(-max(shape) // MAX_SIDE)
    pixels = np.array(_coloured(_reduced(image, factor)))  # a view would keep the whole message
    sol = (product["time"].get("sol") or [None])[0]
    return Picture(
        key=_key(name, arrays),
        kind=kind,
        id=str(product["id"])[:200],
        time_ns=int(arrays["time_utc_ns"]["values"][0]),
        sol=None if sol is None else int(sol),
        pixels=pixels,
        unit=printable(str(arrays["image"].get("unit") or "")[:40]),
        factor=factor,
        shape=(int(shape[0]), int(shape[1])),
        flagged=tuple(_runs(line_quality)),
        quality=int(product["quality"][0]),
        pair=_pair(arrays),
        thumbnail=rgba(_reduced(pixels, -(-max(pixels.shape[:2]) // THUMBNAIL))),
        noted=dict(_noted(arrays)),
    )


def rgba(pixels: NDArray[Any], span: tuple[float, float] | None = None) -> NDArray[np.uint32]:
    """Pixels for a screen; values from `span` (else nearly all) as greys."""
    if pixels.ndim == 2:
        low, high = span or stretch(pixels)
        grey = np.clip(np.nan_to_num((pixels - low) / max(high - low, 1e-30)), 0, 1)
        pixels = np.repeat((grey * 255).astype(np.uint8)[..., None], 3, axis=2)
    made = np.full((*pixels.shape[:2], 4), 255, np.uint8)
    made[..., :3] = pixels[..., :3]
    return made.view("<u4")[..., 0]


def stretch(pixels: NDArray[Any], share: float = 0.01) -> tuple[float, float]:
    """The values between which all but `share` at either end lie."""
    known = pixels[np.isfinite(pixels) & (pixels != 0)]  # 0: no value, as lines that are missing
    if not known.size:
        return 0.0, 1.0
    low, high = np.quantile(known, [share, 1 - share])
    return float(low), float(high if high > low else low + 1)


def _reduced(image: NDArray[Any], factor: int) -> NDArray[Any]:
    """Means of squares; what does not fill one at the ends is left out, but never all of it."""
    if image.ndim == 3:
        image = image[..., 0] if image.shape[2] == 1 else image[..., :3]
    dtype = image.dtype if image.ndim == 3 else np.dtype(np.float32)
    if factor <= 1:
        return image.astype(dtype, copy=False)
    lines, samples = (max(n // factor, 1) for n in image.shape[:2])
    rows, columns = min(factor, image.shape[0]), min(factor, image.shape[1])
    parts = image[: lines * rows, : samples * columns].reshape(lines, rows, samples, columns, *image.shape[2:])
    return np.asarray(parts.mean(axis=(1, 3), dtype=np.float32).astype(dtype))


def _coloured(pixels: NDArray[Any]) -> NDArray[Any]:
    """Bands for a screen: the first three as red, green and blue, radiances between their extremes."""
    if pixels.ndim == 2 or pixels.dtype == np.uint8:
        return pixels
    low, high = stretch(pixels)
    bands = np.clip(np.nan_to_num((pixels - low) / (high - low)), 0, 1) * 255
    shown = [min(k, bands.shape[2] - 1) for k in range(3)]
    return np.asarray(bands[..., shown].astype(np.uint8))


def _runs(line_quality: NDArray[Any]) -> Iterator[tuple[int, int, str]]:
    edges = np.flatnonzero(np.diff(line_quality.astype(np.int16), prepend=0, append=0))
    few = edges[: 2 * MAX_FLAGGED].tolist()
    for first, stop in pairwise(few):
        if quality := int(line_quality[first]):
            yield first, stop, _MISSING_WORDS.get(quality, f"quality {quality}")
    if len(few) < len(edges):
        yield few[-1], int(edges[-1]), "missing in parts"


def _key(name: str, arrays: Mapping[str, Any]) -> str:
    words = [name]
    if "camera" in arrays:
        words.append(str(arrays["camera"]["values"][0])[:24])
    if "filter_nm" in arrays:
        words.append(f"{float(arrays['filter_nm']['values'][0]):.0f} nm")
    return printable(" ".join(word for word in words if word))


def _pair(arrays: Mapping[str, Any]) -> int | None:
    if "pair_id" not in arrays:
        return None
    number = int(arrays["pair_id"]["values"][0])
    return number if number >= 0 else None


def _noted(arrays: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Metadata of the image: each array of one value a row, as text with its unit."""
    single = [(name, one) for name, one in arrays.items() if one["values"].shape == (1,) and "time" not in name]
    for name, one in single[:_MAX_META]:
        value, unit = one["values"][0], str(one.get("unit") or "")
        text = f"{value:.6g}" if isinstance(value, np.floating) else str(value)[:60]
        stem, _, last = name[:60].rpartition("_")
        shown = stem if unit and stem and last in _UNITS else name[:60]
        yield printable(shown), printable(f"{text} {unit[:40] if unit != '1' else ''}".strip())
