"""Positions and attitudes of the rover as kernels for NAIF's SPICE: what `downlink spice` writes of this mission.

products -> navigation and waypoints -> SPK, CK
mission file, calibrations, leap seconds -> LSK, SCLK, FK, IK; a meta-kernel names all
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....clock.correlation_file import iso_ns
from ....clock.onboard import ClockSegment, OnboardClock
from ....clock.sclk_kernel import kernel_text
from ....model.batches import NO_TIME, Product, usable
from ....model.errors import ConfigError, RunError
from ....products.rotations import Floats, normalized
from ....products.track import rows_at
from ....system.files import whole_file, whole_path
from ..rover.traverse import MARS_RADIUS_M
from ..shared.attitude import is_attitude
from ..shared.optics import Optics, directions
from .binary import ephemeris_times, spice_module, write_pointing, write_positions
from .names import Names
from .texts import Camera, frame_kernel, instrument_kernel, leap_second_kernel, level_axes, meta_kernel

_NAVIGATION = (
    "time_utc_ns",
    "time_onboard_ns",
    "position_enu_m",
    "quaternion",
    "mast_yaw_deg",
    "mast_pitch_deg",
    "frame_id",
)
_WAYPOINTS = ("time_utc_ns", "position_enu_m", "frame_id", "longitude_deg")
_STATE_INSTRUMENTS = ("rover", "traverse")
"""The instruments whose products hold position and attitude."""
_NO_STATES = "the passes have no usable navigation: there is no place and no attitude to tell"
_TEXTS = ("tls", "tsc", "tf", "ti")


@dataclass(frozen=True, slots=True)
class States:
    """Of a rover at n instants, in the order of time. `position_m [n, 3]`: north, east, down of the site; `body [n, 4]`
    and `mast [n, 4]`: quaternions, scalar first, to local level axes and to those of the body.
    """

    utc_ns: NDArray[np.int64]
    onboard_ns: NDArray[np.int64]
    position_m: Floats
    body: Floats
    mast: Floats


class Kernels:
    """The kernel writer of the package, for `downlink spice`. `instruments`: those with position and attitude."""

    instruments = _STATE_INSTRUMENTS
    endings = (*_TEXTS, "bsp", "bc", "tm")

    @staticmethod
    def check(mission: Any) -> None:
        """Raise ConfigError where the mission has no site or no such instruments, or spiceypy is missing."""
        spice_module()
        _check_mission(mission)

    @staticmethod
    def write(paths: Mapping[str, Path], mission: Any, products: Iterable[Product], spacecraft: int) -> None:
        """Write the kernels, the meta-kernel last. RunError where the products have no position and attitude."""
        _write(paths, mission, Names(mission.name, spacecraft, mission.simulated), _states(products))


def cameras_of(mission: Any) -> list[Camera]:
    """The cameras of the mission that look from the mast: those whose calibration has optics."""
    found = []
    for instrument, calibration in mission.calibrations.items():
        if "optics" not in calibration:
            continue
        optics = Optics.model_validate(dict(calibration["optics"]))
        several = calibration.get("cameras", {}).get("camera", ())
        words = [f"{instrument}_{one['name']}" for one in several] or [instrument]
        found += [_camera(word, optics) for word in words]
    return found


def _check_mission(mission: Any) -> None:
    if mission.site is None:
        raise ConfigError(f"mission {mission.name} has no [site]: SPICE kernels tell places from there")
    lacking = set(_STATE_INSTRUMENTS) - set(mission.instruments)
    if lacking:
        raise ConfigError(
            f"mission {mission.name} has no instrument {', '.join(sorted(lacking))}: it tells the places"
        )


def _camera(word: str, optics: Optics) -> Camera:
    last = float(optics.detector_pixels)
    edges = np.array([[0, 0], [last, 0], [last, last], [0, last]])
    place = optics.undistort(optics.focal_plane(edges[:, 0], edges[:, 1]))
    forward, right, down = directions(place).T
    return Camera(
        word,
        optics.focal_length_mm,
        optics.pixel_mm,
        optics.detector_pixels,
        (optics.principal_point_mm[0], optics.principal_point_mm[1]),
        tuple(optics.distortion),
        np.stack([right, down, forward], axis=1),
        optics.source,
    )


def _states(products: Iterable[Product]) -> States:
    """Usable rows of navigation, each at its place from the site. RunError where there are none."""
    sent: dict[str, list[NDArray[Any]]] = {name: [] for name in _NAVIGATION}
    waypoints: dict[str, list[NDArray[Any]]] = {name: [] for name in _WAYPOINTS}
    for product in products:
        for wanted, found in ((_NAVIGATION, sent), (_WAYPOINTS, waypoints)):
            if product.arrays.keys() >= set(wanted):
                good = usable(product.quality) & (product.arrays["time_utc_ns"].values != NO_TIME)
                for name in wanted:
                    found[name].append(product.arrays[name].values[good])
    if not sent["time_utc_ns"] or not waypoints["time_utc_ns"]:
        raise RunError(_NO_STATES)
    rows, places = _joined(sent), _joined(waypoints)
    origin = _origins(rows, places)
    good = np.isfinite(origin).all(axis=1) & is_attitude(rows["quaternion"]) & np.isfinite(rows["mast_yaw_deg"])
    if not good.any():
        raise RunError(_NO_STATES)
    east, north, up = (rows["position_enu_m"] + origin)[good].T
    return States(
        rows["time_utc_ns"][good],
        rows["time_onboard_ns"][good],
        np.stack([north, east, -up], axis=1),
        normalized(rows["quaternion"][good].astype(np.float64)),
        mast_quaternion(rows["mast_yaw_deg"][good], rows["mast_pitch_deg"][good]),
    )


def _joined(found: Mapping[str, Sequence[NDArray[Any]]]) -> dict[str, NDArray[Any]]:
    """All rows in the order of time, one for each instant."""
    arrays = {name: np.concatenate(parts) for name, parts in found.items()}
    _, order = np.unique(arrays["time_utc_ns"], return_index=True)
    return {name: array[order] for name, array in arrays.items()}


def _origins(rows: Mapping[str, NDArray[Any]], places: Mapping[str, NDArray[Any]]) -> Floats:
    """East, north, up [n, 3] of where the position of each row is counted from: by the waypoint of its frame that is
    nearest in time; NaN where there is none.
    """
    at, same = rows_at(rows["time_utc_ns"], places["time_utc_ns"])
    same &= rows["frame_id"][at] == places["frame_id"]
    base = (places["position_enu_m"] - rows["position_enu_m"][at])[same]
    time_ns, frame_id = places["time_utc_ns"][same], places["frame_id"][same]
    found = np.full(rows["position_enu_m"].shape, np.nan)
    for one in np.unique(frame_id).tolist():
        own, of_frame = np.flatnonzero(rows["frame_id"] == one), frame_id == one
        right = np.clip(np.searchsorted(time_ns[of_frame], rows["time_utc_ns"][own]), 0, of_frame.sum() - 1)
        left = np.maximum(right - 1, 0)
        before = (
            rows["time_utc_ns"][own] - time_ns[of_frame][left] < time_ns[of_frame][right] - rows["time_utc_ns"][own]
        )
        found[own] = base[of_frame][np.where(before, left, right)]
    return found


def mast_quaternion(yaw_deg: NDArray[Any], pitch_deg: NDArray[Any]) -> Floats:
    """Of Rz(yaw) Ry(pitch), scalar first [n, 4]: it takes vectors of the mast to those of the body."""
    yaw, pitch = np.deg2rad(np.asarray(yaw_deg, np.float64)) / 2, np.deg2rad(np.asarray(pitch_deg, np.float64)) / 2
    (cy, sy), (cp, sp) = ((np.cos(one), np.sin(one)) for one in (yaw, pitch))
    return np.stack([cy * cp, -sy * sp, cy * sp, sy * cp], axis=1)


def _write(paths: Mapping[str, Path], mission: Any, names: Names, states: States) -> None:
    """Write the text kernels, load them, and let SPICE write the others by them."""
    assert mission.site is not None
    site, cameras = asdict(mission.site), cameras_of(mission)
    clock = mission.clock
    if not clock.segments:
        first_ns = int(states.onboard_ns.min())
        first_utc_ns = int(clock.utc_ns(np.array([first_ns]))[0])
        clock = OnboardClock(clock.epoch_utc_ns, (ClockSegment(first_ns, first_utc_ns),))
    try:
        clock_text = kernel_text(clock, names.words, names.spacecraft)
    except ValueError as error:
        raise ConfigError(f"{paths['tsc']}: {error}") from error
    texts = {
        "tls": leap_second_kernel(),
        "tsc": clock_text,
        "tf": frame_kernel(names, site, cameras),
        "ti": instrument_kernel(names, cameras),
    }
    for ending in _TEXTS:
        _write_text(paths[ending], texts[ending])
    spice = spice_module()
    loaded = [str(paths[ending]) for ending in _TEXTS]
    try:
        spice.furnsh(loaded)
        _write_binary(paths, names, site, states)
    except spice.utils.exceptions.SpiceyError as error:
        raise RunError(f"cannot write {paths['bsp']}: {error.short}: {error.long}") from error
    finally:
        spice.unload(loaded)
    order = ("tls", "tsc", "tf", "ti", "bsp", "bc")
    _write_text(paths["tm"], meta_kernel(names, [paths[ending] for ending in order]))


def _write_binary(paths: Mapping[str, Path], names: Names, site: Mapping[str, Any], states: States) -> None:
    et = ephemeris_times([iso_ns(one).removesuffix("Z") for one in states.utc_ns.tolist()])
    radius_km = (MARS_RADIUS_M + site["altitude_m"]) / 1000
    down = level_axes(site["longitude_deg"], site["latitude_deg"])[:, 2]
    with whole_path(paths["bsp"]) as part:
        write_positions(part, names, -radius_km * down, et, states.position_m)
    with whole_path(paths["bc"]) as part:
        write_pointing(part, names, et, states.body, states.mast)


def _write_text(path: Path, text: str) -> None:
    with whole_file(path) as file:
        file.write(text.encode())
