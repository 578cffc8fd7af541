"""What MoRIC and HiRIC share: files of image strips, received by CFDP, become radiance on a scale of the ground.

In: PDUs of one camera's files. Out: `strip`, one row, for each file:

    L = (DN - bias) / (t c)        ground sample = altitude x IFOV x binning, swath = samples x ground sample

Samples that are missing are NaN, and their lines flagged. A file whose header is missing or makes no sense becomes
`rejected`. The file's layout is assumed (docs/zhurong-packets.md).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ....model.batches import NO_TIME, ColumnBatch, Quality, Quantity
from ....products.calibration import Calibration, Positive, Source, Table
from ....products.cfdp import FileReceiver, ReceivedFile, is_eof
from ....products.context import Context
from ....products.draft import Draft
from ....products.instrument import Instrument
from ....products.kinds import ProductKind
from ....products.rows import with_columns
from .attitude import Navigation
from .image_noise import OF_NOISE, ImageNoise
from .images import LINE_QUALITY

_HEAD = struct.Struct(">4s6sBBHHHHIIIiiHH4x")
_MAGIC = b"TW1S"
_TICK_NS = 100_000
_IMAGE = ("row", "line", "sample", "band")
_RADIANCE_UNIT = "W m-2 sr-1 um-1"


class Scale(Table):
    """What a pixel sees, and how many there are across the track."""

    source: Source
    ifov_rad: Positive
    detector_samples: Annotated[int, Field(ge=1, le=65535)]
    highest_altitude_m: Positive

    def words(self) -> dict[str, Any]:
        """The numbers as lineage of a strip, with where they come from."""
        return {
            "model": "line scanner across the track, a line at a time; not map-projected",
            "ifov_rad": self.ifov_rad,
            "detector_samples": self.detector_samples,
            "source": self.source,
        }


class Band(Table):
    """A colour."""

    name: str
    dn_per_s_radiance: Positive


class Response(Table):
    """The bands in the order of the file."""

    source: Source
    code: Annotated[int, Field(ge=0, le=255)]
    full_scale_dn: Annotated[int, Field(ge=1, le=65535)]
    band: Annotated[list[Band], Field(min_length=1, max_length=8)]


class StripCalibration(Calibration):
    """`calibration/moric.toml`, `calibration/hiric.toml`."""

    scale: Scale
    response: Response
    noise: ImageNoise


class StripCamera(Instrument):
    """State: the files that are being received, and how many ends of files have come."""

    model = StripCalibration
    max_rows = 4096
    strip: ClassVar[ProductKind]
    rejected: ClassVar[ProductKind]
    landed = False
    calibration: StripCalibration

    def __init__(self, calibration: Mapping[str, Any], context: Context) -> None:
        super().__init__(calibration, context)
        self._receiver = FileReceiver()
        self._n_ends = 0

    def attach(
        self,
        rows: ColumnBatch,
        navigation: Navigation,  # noqa: ARG002 - it has none
        until: NDArray[np.int64],  # noqa: ARG002
    ) -> ColumnBatch:
        ends = np.cumsum(is_eof(rows))
        before = self._n_ends + np.concatenate([[0], ends[:-1]])
        self._n_ends += int(ends[-1])
        return with_columns(rows, {"n_files_before": before})

    def keys(self, rows: ColumnBatch) -> NDArray[np.int64]:
        names = ("TRANSACTION", "n_files_before")
        return np.stack([np.asarray(rows.columns[name]).astype(np.int64) for name in names], axis=1)

    def drafts(self, rows: ColumnBatch) -> Iterator[Draft]:
        """Of PDUs of one transaction."""
        for file in self._receiver.receive(rows):
            yield self._strip(file)

    def end(self) -> Iterator[Draft]:
        for file in self._receiver.flush():
            yield self._strip(file)

    def _strip(self, file: ReceivedFile) -> Draft:
        head = self._header(file)
        if head is None:
            return _rejected(self.rejected, file)
        _, ticks, _, n_bands, n_lines, n_samples, binning, _, line_us, exposure_us, altitude_m, *rest = head
        longitude, latitude, azimuth, bias = rest
        counts, have = _samples(file, (n_lines, n_bands, n_samples))
        response = np.array([band.dn_per_s_radiance for band in self.calibration.response.band[:n_bands]])
        per_radiance = np.where(have, response[:, None] * (exposure_us * 1e-6 or np.nan), np.nan)
        image = np.asarray((counts - float(bias)) / per_radiance, np.float32).transpose(0, 2, 1)
        sigma = self.calibration.noise.sigma_dn(counts, float(bias)) / per_radiance
        sample_m = altitude_m * self.calibration.scale.ifov_rad * binning
        missing = np.asarray(~have.all(axis=(1, 2)))
        numbers: dict[str, tuple[float, str, str]] = {
            "pixel_scale_m": (sample_m, "m", "on the ground, of a sample at line 0"),
            "swath_m": (sample_m * n_samples, "m", "across the track at line 0"),
            "altitude_m": (altitude_m, "m", "above the ground at line 0"),
            "longitude_deg": (longitude * 1e-6, "degree", "east, of the first line's centre, planetocentric"),
            "latitude_deg": (latitude * 1e-6, "degree", "of the first line's centre, planetocentric"),
            "flight_azimuth_deg": (azimuth * 0.01, "degree", "clockwise from north"),
            "exposure_s": (exposure_us * 1e-6, "s", "exposure time of a line"),
            "line_interval_s": (line_us * 1e-6, "s", "from line to line"),
            "duration_s": (
                (n_lines - 1) * line_us * 1e-6 + exposure_us * 1e-6,
                "s",
                "from first to last line's end",
            ),
            "mean_radiance": (_mean(image), _RADIANCE_UNIT, "over what is there"),
            "received_share": (float(file.have.mean()), "1", "of the file's bytes"),
        }
        names = np.array([band.name for band in self.calibration.response.band[:n_bands]])
        arrays = {
            "image": Quantity(image[None], _RADIANCE_UNIT, "spectral radiance", _IMAGE),
            "image_sigma": Quantity(
                np.asarray(sigma, np.float32).transpose(0, 2, 1)[None], _RADIANCE_UNIT, OF_NOISE, _IMAGE
            ),
            "line_quality": Quantity(missing.astype(np.uint8)[None], "", LINE_QUALITY, ("row", "line")),
            "band_name": Quantity(names, "", "", ("band",)),
            "binning": Quantity(np.array([binning]), "", "detector pixels that became one"),
            "transaction": Quantity(np.array([file.transaction]), "", "number of the file"),
            "checksum": Quantity(np.array([file.checksum]), "", "1 verified, 0 failed, -1 not checked"),
            "n_rejected_pdus": Quantity(np.array([file.n_rejected]), "1", "PDUs that could not be used"),
            **{name: Quantity(np.array([value]), unit, words) for name, (value, unit, words) in numbers.items()},
        }
        bits = file.quality() | (Quality.SATURATED if self._saturated(counts, have) else Quality(0))
        bits |= (
            Quality.OUT_OF_RANGE if not 0 < altitude_m <= self.calibration.scale.highest_altitude_m else Quality(0)
        )
        lineage = {
            "file_name": file.name,
            "frames": {"place": "IAU Mars, planetocentric, east"},
            "camera_model": self.calibration.scale.words(),
        }
        time_ns = np.array([int.from_bytes(ticks, "big") * _TICK_NS], np.int64)
        return Draft(self.strip, file.rows, time_ns, arrays, np.array([bits], np.uint32), lineage)

    def _header(self, file: ReceivedFile) -> tuple[Any, ...] | None:
        """Fields of a file's header; None where it is not whole or cannot be true."""
        if len(file.content) < _HEAD.size or not file.have[: _HEAD.size].all():
            return None
        head = _HEAD.unpack_from(file.content[: _HEAD.size].tobytes())
        magic, ticks, code, n_bands, n_lines, n_samples, binning = head[:7]
        known = (magic, code) == (_MAGIC, self.calibration.response.code)
        small = n_samples * binning <= self.calibration.scale.detector_samples
        whole = 1 <= n_bands <= len(self.calibration.response.band) and min(n_lines, n_samples, binning) > 0
        n_bytes = _HEAD.size + 2 * n_lines * n_samples * n_bands
        timed = int.from_bytes(ticks, "big") * _TICK_NS < np.iinfo(np.int64).max
        return head if known and small and whole and timed and n_bytes == len(file.content) else None

    def _saturated(self, counts: NDArray[np.uint16], have: NDArray[np.bool_]) -> bool:
        return bool((counts[have] >= self.calibration.response.full_scale_dn).any())


def _samples(file: ReceivedFile, shape: tuple[int, ...]) -> tuple[NDArray[np.uint16], NDArray[np.bool_]]:
    """Counts [lines, bands, samples] and which of them came whole."""
    counts = file.content[_HEAD.size :].copy().view(">u2").astype(np.uint16).reshape(shape)
    return counts, file.have[_HEAD.size :].reshape(-1, 2).all(axis=1).reshape(shape)


def _rejected(kind: ProductKind, file: ReceivedFile) -> Draft:
    """A file that is no strip."""
    arrays = {
        "transaction": Quantity(np.array([file.transaction]), "", "number of the file"),
        "file_bytes": Quantity(np.array([len(file.content)]), "1", "size, as far as it is known"),
        "received_bytes": Quantity(np.array([int(file.have.sum())]), "1", "bytes that came"),
        "n_rejected_pdus": Quantity(np.array([file.n_rejected]), "1", "PDUs that could not be used"),
    }
    bits = np.array([file.quality() | Quality.OUT_OF_RANGE], np.uint32)
    return Draft(
        kind,
        file.rows,
        np.array([NO_TIME]),
        arrays,
        bits,
        {"file_name": file.name, "uncertainty": "not an image"},
    )


def _mean(image: NDArray[np.float32]) -> float:
    good = image[np.isfinite(image)]
    return float(good.mean()) if len(good) else float("nan")
