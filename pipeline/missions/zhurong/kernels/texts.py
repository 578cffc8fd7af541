"""Text kernels: leap seconds, frames, instruments, and the meta-kernel that names them all.

Sources: NAIF's Required Reading for kernels, frames and time, and the I-kernels of its missions. All text is ASCII, in
lines of at most 132 characters; equal inputs give equal text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import erfa
import numpy as np
from numpy.typing import NDArray

from .names import PLANET_FRAME, Names

_Floats = NDArray[np.float64]
_PIECE = 70  # characters of a string in a kernel, of 80 at most
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_MAST_FROM_CAMERA = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
"""Camera axes (right, down, forward) in mast axes (forward, right, down)."""


@dataclass(frozen=True, slots=True)
class Camera:
    """One camera on the mast. `corners [4, 3]`: unit vectors of the detector's corners in the camera's axes (right,
    down, forward), without distortion. `distortion`: k1, k2, p1, p2 of Brown and Conrady. `basis`: where the numbers
    are from.
    """

    word: str
    focal_length_mm: float
    pixel_mm: float
    detector_pixels: int
    principal_point_mm: tuple[float, float]
    distortion: tuple[float, ...]
    corners: _Floats
    basis: str


def level_axes(longitude_deg: float, latitude_deg: float) -> _Floats:
    """North, east and down as the columns of a matrix: from the local level frame to the planet's."""
    lon, lat = np.deg2rad([longitude_deg, latitude_deg])
    north = [-np.sin(lat) * np.cos(lon), -np.sin(lat) * np.sin(lon), np.cos(lat)]
    east = [-np.sin(lon), np.cos(lon), 0.0]
    down = [-np.cos(lat) * np.cos(lon), -np.cos(lat) * np.sin(lon), -np.sin(lat)]
    return np.array([north, east, down]).T


def leap_second_kernel() -> str:
    """All leap seconds that the library of the IAU knows; constants of ET - TT as in NAIF's naif0012.tls."""
    table = erfa.leap_seconds.get()
    since = [(int(row["tai_utc"]), int(row["year"]), int(row["month"])) for row in table if row["year"] >= 1972]
    steps = [f"{leap_s}, @{year}-{_MONTHS[month - 1]}-1" for leap_s, year, month in since]
    values = {
        "DELTET/DELTA_T_A": "32.184",
        "DELTET/K": "1.657D-3",
        "DELTET/EB": "1.671D-2",
        "DELTET/M": "( 6.239996D0 1.99096871D-7 )",
        "DELTET/DELTA_AT": _list(steps),
    }
    return _kernel("LSK", "Leap seconds, by the table of the IAU's SOFA library.", [values])


def frame_kernel(names: Names, site: Mapping[str, float | str], cameras: Sequence[Camera]) -> str:
    """Frames of site, body, mast and cameras, and the names of the objects."""
    level = level_axes(float(site["longitude_deg"]), float(site["latitude_deg"]))
    blocks = [
        _frame(names.level_frame, names.level_id, 4, names.site_id) | _fixed(names.level_id, PLANET_FRAME, level),
        _frame(names.body_frame, names.body_id, 3, names.spacecraft) | _moving(names.body_id, names.spacecraft),
        _frame(names.mast_frame, names.mast_id, 3, names.spacecraft) | _moving(names.mast_id, names.spacecraft),
    ]
    for number, camera in enumerate(cameras):
        own, id_ = names.camera(camera.word), names.camera_id(number)
        blocks.append(_frame(own, id_, 4, names.spacecraft) | _fixed(id_, names.mast_frame, _MAST_FROM_CAMERA))
    objects = {names.rover: names.spacecraft, names.site: names.site_id}
    objects |= {names.camera(camera.word): names.camera_id(number) for number, camera in enumerate(cameras)}
    blocks += [{"NAIF_BODY_NAME": f"+= '{name}'", "NAIF_BODY_CODE": f"+= {id_}"} for name, id_ in objects.items()]
    about = (
        f"Frames of {names.words}. The numbers are not NAIF's: it has given none. "
        f"{names.level_frame}: X north, Y east, Z down at the site, longitude {site['longitude_deg']} and latitude "
        f"{site['latitude_deg']} degrees of {site['frame']}, which is taken for {PLANET_FRAME}. "
        f"{names.body_frame}: X forward, Y right, Z down. {names.mast_frame}: as the body, turned by yaw about Z, then "
        "by pitch about Y; where the mast stands on the rover is not known. Cameras: X right, Y down, Z forward, fixed "
        "to the mast."
    )
    return _kernel("FK", about, blocks)


def instrument_kernel(names: Names, cameras: Sequence[Camera]) -> str:
    """Field of view, boresight, focal length, pixels, principal point and distortion of each camera."""
    blocks = []
    for number, camera in enumerate(cameras):
        key, half = f"INS{names.camera_id(number)}", camera.detector_pixels / 2
        centre = [half + one / camera.pixel_mm for one in camera.principal_point_mm]
        values = {
            "FOV_CLASS_SPEC": "'CORNERS'",
            "FOV_SHAPE": "'POLYGON'",
            "FOV_FRAME": f"'{names.camera(camera.word)}'",
            "BORESIGHT": "( 0.0 0.0 1.0 )",
            "FOV_BOUNDARY_CORNERS": _numbers(camera.corners.ravel()),
            "FOCAL_LENGTH": f"( {camera.focal_length_mm!r} )",
            "PIXEL_SIZE": f"( {camera.pixel_mm!r} {camera.pixel_mm!r} )",
            "PIXEL_SAMPLES": f"( {camera.detector_pixels} )",
            "PIXEL_LINES": f"( {camera.detector_pixels} )",
            "CCD_CENTER": _numbers(np.array(centre)),
            "IFOV": f"( {camera.pixel_mm / camera.focal_length_mm!r} )",
            "DISTORTION": _numbers(np.array(camera.distortion)),
        }
        blocks.append({f"{key}_{name}": value for name, value in values.items()})
    bases = " ".join(f"{names.camera(camera.word)}: {camera.basis}." for camera in cameras)
    about = (
        f"Cameras on the mast of {names.words}. FOV_BOUNDARY_CORNERS: corners of the whole detector, without "
        "distortion. FOCAL_LENGTH and PIXEL_SIZE in mm; CCD_CENTER: where the boresight meets the detector, in pixels "
        "(sample, line) from its first corner; DISTORTION: k1, k2, p1, p2 of Brown and Conrady in units of the focal "
        f"length. {bases}"
    )
    return _kernel("IK", about, blocks)


def meta_kernel(names: Names, paths: Iterable[Path]) -> str:
    """The kernels, in the order in which SPICE is to load them, by the places where they are."""
    pieces = []
    for path in paths:
        text = str(path.resolve()).replace("'", "''")
        parts = [text[start : start + _PIECE] for start in range(0, len(text), _PIECE)]
        pieces += [f"'{part}+'" for part in parts[:-1]] + [f"'{parts[-1]}'"]
    about = (
        f"Kernels of {names.words}. To be loaded together: they are complete for what is asked in the frames of the "
        "site: for anything beyond it load NAIF's planetary constants and ephemerides too (pck00011.tpc, mar097.bsp). "
        "Where the folder is moved, its place has to be changed here."
    )
    return _kernel("MK", about, [{"KERNELS_TO_LOAD": _list(pieces)}])


def _frame(name: str, id_: int, class_: int, centre: int) -> dict[str, str]:
    return {
        f"FRAME_{name}": f"{id_}",
        f"FRAME_{id_}_NAME": f"'{name}'",
        f"FRAME_{id_}_CLASS": f"{class_}",
        f"FRAME_{id_}_CLASS_ID": f"{id_}",
        f"FRAME_{id_}_CENTER": f"{centre}",
    }


def _fixed(id_: int, relative: str, matrix: _Floats) -> dict[str, str]:
    """`matrix` takes vectors of the frame to those of `relative`; SPICE wants it column by column."""
    return {
        f"TKFRAME_{id_}_RELATIVE": f"'{relative}'",
        f"TKFRAME_{id_}_SPEC": "'MATRIX'",
        f"TKFRAME_{id_}_MATRIX": _numbers(matrix.T.ravel()),
    }


def _moving(id_: int, spacecraft: int) -> dict[str, str]:
    return {f"CK_{id_}_SCLK": f"{spacecraft}", f"CK_{id_}_SPK": f"{spacecraft}"}


def _numbers(values: _Floats) -> str:
    return _list([repr(float(value)) for value in values])


def _list(values: Sequence[str]) -> str:
    return "\n".join(["(", *(f"    {value}" for value in values), ")"])


def _kernel(kind: str, about: str, blocks: Sequence[Mapping[str, str]]) -> str:
    lines = [f"KPL/{kind}", "", *_wrapped(about)]
    for block in blocks:
        assignments = (
            f"{key:32} {value}" if value.startswith("+=") else f"{key:32} = {value}" for key, value in block.items()
        )
        lines += ["", "\\begindata", "", *assignments, "", "\\begintext"]
    return "\n".join([*lines, ""])


def _wrapped(text: str) -> list[str]:
    """In lines of 80 characters, ASCII alone."""
    lines, line = [], ""
    for word in text.encode("ascii", "replace").decode().split():
        if len(line) + len(word) > 79:
            lines.append(line)
            line = ""
        line = f"{line} {word}".strip()
    return [*lines, line]
