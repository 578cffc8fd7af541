"""Image strips of MoRIC and HiRIC: cratered plains from above, in files sent by CFDP class 1 [assumed].

CFDP: CCSDS 727.0-B-5, as on the packets' page: metadata, file data, EOF.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from . import chance
from .arrays import Reals
from .image_records import expose
from .octets import EPOCH_UTC_NS, unsigned
from .packets import Measurement, photon_noise, records_at

APID = 1340
_BIAS_DN = 70
_READ_DN, _PHOTON_DN = 1.5, 0.05
GROUND = 1
SEGMENT_BYTES = 960
_FILE_DATA = 0x10
_UNACKNOWLEDGED = 0x04
_VERSION = 0x20


@dataclass(frozen=True, slots=True)
class _Camera:
    name: str
    entity: int
    rad_per_pixel: float
    binning: int
    samples: int
    lines: int
    altitude_m: int
    exposure_us: int
    line_us: int
    dn_per_radiance: tuple[float, ...]
    """Per second."""
    brightness: tuple[float, ...]
    """Radiance of the plain in each band, W m-2 sr-1 um-1."""


MORIC = _Camera(
    "moric", 33, 65.0 / 265_000.0, 16, 256, 128, 268_400, 9000, 340_000, (1200.0, 1350.0, 980.0), (88.0, 52.0, 30.0)
)
HIRIC = _Camera("hiric", 34, 0.5 / 265_000.0, 12, 384, 256, 271_900, 1400, 2_000, (21_000.0,), (62.0,))


def take_strip(camera: _Camera, taken_ns: int, sent_ns: tuple[int, int], seed: int) -> Measurement:
    """A strip taken at one time, its file sent between two others."""
    draw = chance.stream(seed, camera.name)
    metres = camera.altitude_m * camera.rad_per_pixel * camera.binning
    albedo = _plains(camera.lines, camera.samples, draw)
    radiance = albedo[..., None] * np.array(camera.brightness)
    exposure_s = camera.exposure_us * 1e-6
    signal = radiance * np.array(camera.dn_per_radiance) * exposure_s
    dn = expose(_BIAS_DN + signal, draw, _READ_DN, _PHOTON_DN, float(_BIAS_DN))
    taken_ns = taken_ns // 100_000 * 100_000
    place = int(draw.integers(105_000_000, 115_000_000)), int(draw.integers(20_000_000, 28_000_000))
    content = _header(camera, taken_ns, place) + unsigned(dn.transpose(0, 2, 1).reshape(1, -1), 2).tobytes()
    transaction = int(draw.integers(1000, 60_000))
    sent = list(pdus(content, f"{camera.name}_{transaction}.strip", camera.entity, transaction))
    times = np.linspace(*sent_ns, len(sent) + 2)[1:-1].astype(np.int64)
    kept_line, kept_sample = np.arange(3, camera.lines, 8), np.arange(5, camera.samples, 16)
    truth = {
        "taken_utc_ns": np.array([taken_ns]),
        "file_crc32": np.array([zlib.crc32(content)]),
        "transaction": np.array([transaction]),
        "pixel_scale_m": np.array([metres]),
        "swath_m": np.array([metres * camera.samples]),
        "altitude_m": np.array([camera.altitude_m]),
        "longitude_latitude_deg": np.array(place) * 1e-6,
        "kept_line": kept_line,
        "kept_sample": kept_sample,
        "kept_radiance_w_m2_sr_um": radiance[np.ix_(kept_line, kept_sample)],
    }
    records = records_at(APID, times, sent, secondary_header=False)
    return Measurement(f"{camera.name}_pdu", records, truth, photon_noise("image_dn", _READ_DN, _PHOTON_DN))


def _header(camera: _Camera, taken_ns: int, place: tuple[int, int]) -> bytes:
    """48 bytes."""
    ticks = (taken_ns - EPOCH_UTC_NS) // 100_000
    fields = (
        (ticks, 6),
        (camera.entity, 1),
        (len(camera.brightness), 1),
        (camera.lines, 2),
        (camera.samples, 2),
        (camera.binning, 2),
        (0, 2),
        (camera.line_us, 4),
        (camera.exposure_us, 4),
        (camera.altitude_m, 4),
        (place[0], 4),
        (place[1], 4),
        (17_800, 2),
        (_BIAS_DN, 2),
        (0, 4),
    )
    return b"TW1S" + b"".join(value.to_bytes(n_bytes, "big") for value, n_bytes in fields)


def _plains(lines: int, samples: int, draw: np.random.Generator) -> Reals:
    """Brightness about 1: wide patches, and craters lit from one side; float64[lines, samples]."""
    line, sample = np.mgrid[0.0:lines, 0.0:samples]
    bright = np.ones((lines, samples))
    for period in np.geomspace(12.0, 300.0, 10):
        angle, phase = 2.0 * np.pi * draw.random(2)
        bright += 0.03 * np.sin(2.0 * np.pi * (line * np.cos(angle) + sample * np.sin(angle)) / period + phase)
    for _ in range(40):
        radius = 1.5 + 14.0 * draw.random() ** 4
        x, y = (sample - samples * draw.random()) / radius, (line - lines * draw.random()) / radius
        rho = np.hypot(x, y)
        bowl = np.where(rho < 1.0, x * 0.35, 0.0) + 0.18 * np.exp(-(((rho - 1.0) / 0.15) ** 2)) * -x
        bright += bowl
    return np.clip(bright, 0.15, None)


def pdus(content: bytes, name: str, entity: int, transaction: int) -> Iterator[bytes]:
    """All PDUs of one file, in the order of sending."""
    names = b"".join(bytes([len(one)]) + one for one in (name.encode(), name.encode()))
    size = len(content).to_bytes(4, "big")
    yield _pdu(b"\x07\x00" + size + names, entity, transaction)
    for at in range(0, len(content), SEGMENT_BYTES):
        segment = at.to_bytes(4, "big") + content[at : at + SEGMENT_BYTES]
        yield _pdu(segment, entity, transaction, _FILE_DATA)
    yield _pdu(b"\x04\x00" + modular_checksum(content).to_bytes(4, "big") + size, entity, transaction)


def modular_checksum(content: bytes) -> int:
    """The sum of all words of four bytes, the last filled with zeros (4.2.2)."""
    words = (int.from_bytes(content[at : at + 4].ljust(4, b"\0"), "big") for at in range(0, len(content), 4))
    return sum(words) % 2**32


def _pdu(field: bytes, entity: int, transaction: int, kind: int = 0) -> bytes:
    head = bytes([_VERSION | kind | _UNACKNOWLEDGED]) + len(field).to_bytes(2, "big")
    return head + bytes([0x01, entity]) + transaction.to_bytes(2, "big") + bytes([GROUND]) + field
