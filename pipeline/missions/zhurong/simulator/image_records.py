"""Images to stripe records, as the packets' page has them: plain, packed, or JPEG 2000 by Pillow."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .arrays import Longs, Octets, Reals
from .octets import counts, onboard_time, signed, temperature, unsigned
from .packets import Record

STRIPE_LINES = 32
DETECTOR_PIXELS = 2048
NONE, PACKED, LOSSLESS, LOSSY = 0, 1, 2, 3
SINGLE, PANORAMA, STEREO, VIDEO = 0, 1, 2, 3
_READOUT_NS, _STRIPE_NS = 1_200_000_000, 120_000_000
"""From the exposure to the first stripe, and from stripe to stripe [assumed]."""


@dataclass(frozen=True, slots=True)
class Shot:
    """One image: time, camera or filter, window of the detector, and compression."""

    time_ns: int
    image_id: int
    sequence_id: int
    camera: int
    side_pixels: int
    binning: int
    exposure_us: int
    mode: int
    compress: int
    ratio: float = 1.0

    @property
    def window_first(self) -> int:
        """Line and sample of the detector at which the window begins: it is in the middle."""
        return (DETECTOR_PIXELS - self.side_pixels * self.binning) // 2

    def centres(self) -> Reals:
        """Detector places of the pixels along one side."""
        return self.window_first + self.binning * (np.arange(float(self.side_pixels)) + 0.5)


def stripe_records(
    apid: int, shot: Shot, dn: Longs, degc: float, angles_deg: Sequence[float], drift_ppm: float, *, colour: bool
) -> list[Record]:
    """The records of one image; `angles_deg`: rover yaw, pitch, roll, mast yaw, pitch, roll."""
    firsts = range(0, len(dn), STRIPE_LINES)
    records = []
    for k, first in enumerate(firsts):
        stripe = dn[first : first + STRIPE_LINES]
        body = _coded(stripe, shot, colour=colour)
        ratio = 2.0 * stripe.size / len(body)
        head = np.hstack(
            [
                onboard_time(np.array([shot.time_ns]), drift_ppm),
                unsigned(np.array([[shot.image_id, shot.sequence_id]]), 2),
                unsigned(np.array([[shot.camera, k, len(firsts)]]), 1),
                unsigned(np.array([[first, len(stripe), *dn.shape, *2 * [shot.window_first]]]), 2),
                unsigned(np.array([[shot.binning, shot.compress]]), 1),
                unsigned(counts(np.array([[ratio]]), 0.01), 2),
                unsigned(np.array([shot.exposure_us]), 4),
                temperature(np.array([degc])),
                signed(counts(np.array([angles_deg]), 0.01), 2),
                unsigned(np.array([[shot.mode, 0, 1, 4]]), 1),
                unsigned(np.array([shot.image_id]), 2),
                unsigned(np.array([[0, 0]]), 1),
                unsigned(np.array([len(body)]), 2),
            ]
        )
        complete = shot.time_ns + _READOUT_NS + k * _STRIPE_NS
        records.append(Record(apid, complete, head.tobytes() + body))
    return records


def expose(dn: Reals, draw: np.random.Generator, read_dn: float, photon_dn: float, bias_dn: float) -> Longs:
    """Counts of 12 bits with the noise of reading and of photons."""
    sigma = np.sqrt(read_dn**2 + photon_dn * np.maximum(dn - bias_dn, 0.0))
    noisy = dn + sigma * draw.standard_normal(dn.shape)
    return np.clip(np.rint(noisy), 0, 4095).astype(np.int64)


def _coded(stripe: Longs, shot: Shot, *, colour: bool) -> bytes:
    if shot.compress == NONE:
        return unsigned(stripe.reshape(1, -1), 2).tobytes()
    if shot.compress == PACKED:
        flat = np.append(stripe.ravel(), np.zeros(stripe.size % 2, np.int64))
        return unsigned((flat[0::2] << 12 | flat[1::2])[None], 3).tobytes()
    return _jpeg_2000(_planes(stripe) if colour else stripe, shot)


def _planes(stripe: Longs) -> Longs:
    """R, G and G, B in the quarters."""
    top = np.hstack([stripe[0::2, 0::2], stripe[0::2, 1::2]])
    return np.vstack([top, np.hstack([stripe[1::2, 0::2], stripe[1::2, 1::2]])])


def _jpeg_2000(samples: Longs, shot: Shot) -> bytes:
    from PIL import Image  # noqa: PLC0415 -- slow to import

    stream = io.BytesIO()
    options: dict[str, object] = {"irreversible": False}
    if shot.compress == LOSSY:
        options = {"irreversible": True, "quality_mode": "rates", "quality_layers": [shot.ratio]}
    Image.fromarray(samples.astype(np.uint16)).save(stream, "JPEG2000", no_jp2=True, **options)
    return stream.getvalue()


def vignetting(shot: Shot, a: float, b: float) -> Reals:
    """1 + a rho^2 + b rho^4 over the window: float64[lines, samples]."""
    place = (shot.centres() - DETECTOR_PIXELS / 2) / (DETECTOR_PIXELS / 2 * np.sqrt(2.0))
    rho2 = place[:, None] ** 2 + place[None, :] ** 2
    flat: Reals = 1.0 + a * rho2 + b * rho2**2
    return flat


def of_record(images: Sequence[Sequence[Record]]) -> Octets:
    """Which image each record belongs to."""
    return np.repeat(np.arange(len(images), dtype=np.uint8), [len(records) for records in images])
