"""The rover's way of a sol: its frames joined, its odometer, how sure its place is, and its stops.

In: NAVIGATION. Out: `rover/traverse`, the waypoints of a sol (each second of driving; of a stop the first and the last
row), and `rover/sol_drive`, one row of sums. Dropped: rows without a time or a position.

Where the position is zeroed again (FRAME_ID) the new frame begins where the rover last was in the old one. The first
frame is taken to begin at the mission's site: east, north, up there become longitude and latitude of the site's own
frame, on a sphere of 3,396.19 km. The covariance is that of scale and heading errors, the same all the way, and of
errors of each metre by itself, with d the way from the first position and L the distance driven:

    C = s0^2 I + (scale d)(scale d)^T + (heading z x d)(heading z x d)^T + wander^2 L I;   up: s0^2 + (heading L)^2
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ....clock.mars import mars_time
from ....model.batches import NO_TIME, ColumnBatch, Quantity
from ....products.context import Context, Site
from ....products.draft import Draft
from ....products.rotations import Floats, east_north_up, normalized, roll_pitch_yaw_deg
from ....products.rows import take, with_columns
from ..shared.attitude import Navigation, is_attitude, quaternions
from ..shared.on_rover import OnRover
from .kinds import SOL_DRIVE, TRAVERSE
from .rover_calibration import DeadReckoning, RoverCalibration

MARS_RADIUS_M = 3_396_190.0
_POSITION = ("POSITION_NORTH", "POSITION_EAST", "POSITION_DOWN")
_FARTHEST_M = 1e6
_DAY_NS = 86_400_000_000_000
_ENU = ("row", "east_north_up")


@dataclass(slots=True)
class _Way:
    """Of one APID, after its last row: the frame, where it began, and all that is added up."""

    frame_id: int = -1
    base_m: Floats = field(default_factory=lambda: np.zeros(3))
    position_m: Floats = field(default_factory=lambda: np.full(3, np.nan))
    start_m: Floats | None = None
    distance_m: float = 0.0
    driving: bool = False
    n_stops: int = 0


class Traverse(OnRover):
    """Waypoints and sums of a sol. State: the way so far."""

    containers: ClassVar[Mapping[str, frozenset[str]]] = {
        "NAVIGATION": frozenset({*_POSITION, "FRAME_ID", "DRIVE_MODE", "SLIP", "Q_SCALAR", "Q_X", "Q_Y", "Q_Z"})
    }
    model = RoverCalibration
    no_uncertainty = "rover/traverse has the sigma of dead reckoning for each position"
    max_rows = 16384
    family = "rover"
    calibration: RoverCalibration

    def __init__(self, calibration: Mapping[str, Any], context: Context) -> None:
        super().__init__(calibration, context)
        self._ways: dict[int, _Way] = {}

    def attach(
        self,
        rows: ColumnBatch,
        navigation: Navigation,  # noqa: ARG002 - it is the source
        until: NDArray[np.int64],  # noqa: ARG002
    ) -> ColumnBatch:
        good = (np.abs(_together(rows)) <= _FARTHEST_M).all(axis=1) & (rows.time_ns != NO_TIME)
        rows = rows if good.all() else take(rows, good)
        if not len(rows):
            return with_columns(rows, dict.fromkeys(("joined_m", "odometer_m", "stop", "start_m"), np.empty(0)))
        return with_columns(rows, self._advance(rows, self._ways.setdefault(int(rows.apid[0]), _Way())))

    def keys(self, rows: ColumnBatch) -> NDArray[np.int64]:
        return sols(rows.time_ns, self.context)[:, None]

    def drafts(self, rows: ColumnBatch) -> Iterator[Draft]:
        joined, odometer = np.asarray(rows.columns["joined_m"]), np.asarray(rows.columns["odometer_m"])
        way = joined - np.asarray(rows.columns["start_m"])
        yield self._waypoints(take(rows, _telling(np.asarray(rows.columns["stop"]))))
        driving = np.asarray(rows.columns["stop"]) < 0
        spent_s = np.diff(rows.time_ns, prepend=rows.time_ns[:1]) / 1e9
        tilt = np.deg2rad(_angles_deg(rows)[:, :2])
        sums = {
            "distance_m": ((odometer[-1] - odometer[0]), "m", "driven in this sol"),
            "odometer_m": (odometer[-1], "m", "driven since the stream began"),
            "displacement_m": (np.linalg.norm(joined[-1] - joined[0]), "m", "from where the sol began, straight"),
            "away_m": (np.linalg.norm(way[-1]), "m", "from where the stream began, straight"),
            "driving_s": (float(spent_s[driving].sum()), "s", "on the move"),
            "n_stops": (len(np.unique(np.asarray(rows.columns["stop"])[~driving])), "1", "places where it stood"),
            "largest_tilt_deg": (
                np.rad2deg(np.nanmax(np.arccos(np.cos(tilt).prod(axis=1)), initial=0.0)),
                "degree",
                "of the rover's deck from level",
            ),
            "largest_slip": (np.asarray(rows.columns["SLIP"], np.float64).max(), "1", "fraction"),
        }
        arrays = {
            name: Quantity(np.array([value], np.float64), unit, words)
            for name, (value, unit, words) in sums.items()
        }
        quality = np.bitwise_or.reduce(rows.quality)[None]
        yield Draft(SOL_DRIVE, rows, rows.time_ns[-1:], arrays, quality)

    def _advance(self, rows: ColumnBatch, way: _Way) -> dict[str, NDArray[Any]]:
        """Joined positions, odometer and stops of rows with a position; the way goes on."""
        position = _together(rows)
        frame_id = np.asarray(rows.columns["FRAME_ID"]).astype(np.int64)
        driving = np.asarray(rows.columns["DRIVE_MODE"]) != "STOPPED"
        base = way.base_m + frame_shifts(position, frame_id, way.position_m, way.frame_id)
        joined = base + position
        last = np.where(np.isfinite(way.position_m), way.base_m + way.position_m, joined[0])
        step = np.linalg.norm(np.diff(np.vstack([last, joined]), axis=0), axis=1)
        was_driving = np.append(way.driving, driving[:-1])
        counts = driving | was_driving | (step > self.calibration.dead_reckoning.least_step_m)
        odometer = np.cumsum(np.append(way.distance_m, np.where(counts, step, 0.0)))[1:]
        n_stops = way.n_stops + np.cumsum(was_driving & ~driving)
        start = joined[0] if way.start_m is None else way.start_m
        way.frame_id, way.base_m, way.position_m = int(frame_id[-1]), base[-1], position[-1]
        way.start_m, way.distance_m = start, float(odometer[-1])
        way.driving, way.n_stops = bool(driving[-1]), int(n_stops[-1])
        return {
            "joined_m": joined,
            "odometer_m": odometer,
            "stop": np.where(driving, -1, n_stops),
            "start_m": np.broadcast_to(start, joined.shape),
        }

    def _waypoints(self, rows: ColumnBatch) -> Draft:
        joined, odometer = np.asarray(rows.columns["joined_m"]), np.asarray(rows.columns["odometer_m"])
        enu = east_north_up(joined)
        covariance = covariance_m2(
            enu - east_north_up(np.asarray(rows.columns["start_m"])), odometer, self.calibration.dead_reckoning
        )
        angles = _angles_deg(rows)
        arrays = {
            "position_enu_m": Quantity(enu, "m", "east, north, up of where the first frame began", _ENU),
            "position_enu_m_sigma": Quantity(
                np.sqrt(np.diagonal(covariance, axis1=1, axis2=2)), "m", "one sigma of dead reckoning", _ENU
            ),
            "position_covariance_m2": Quantity(
                covariance, "m2", "of east, north, up", ("row", "east_north_up", "east_north_up_2")
            ),
            **coordinates(enu, self.context.site),
            "distance_m": Quantity(odometer, "m", "driven since the stream began: the odometer"),
            "attitude_deg": Quantity(
                angles, "degree", "roll, pitch, yaw to north-east-down", ("row", "roll_pitch_yaw")
            ),
            "heading_deg": Quantity(angles[:, 2] % 360, "degree", "clockwise from north"),
            "stop": Quantity(
                np.asarray(rows.columns["stop"]).astype(np.int32), "1", "number of the stop; -1: drives"
            ),
            "frame_id": Quantity(np.asarray(rows.columns["FRAME_ID"]), "1", "of the frame it was sent in"),
        }
        frames = {"position": "local east, north, up", "site": self.context.site.frame if self.context.site else ""}
        return Draft(TRAVERSE, rows, rows.time_ns, arrays, rows.quality.copy(), {"frames": frames})


def coordinates(enu: Floats, site: Site | None) -> dict[str, Quantity]:
    """Longitude, latitude, altitude of places [n, 3] of the first frame; nothing without a site."""
    if site is None:
        return {}
    radius = MARS_RADIUS_M + site.altitude_m
    north_deg = np.rad2deg(enu[:, 1] / radius)
    east_deg = np.rad2deg(enu[:, 0] / (radius * np.cos(np.deg2rad(site.latitude_deg))))
    where = f"in {site.frame}, the first frame beginning at the site"
    return {
        "longitude_deg": Quantity(site.longitude_deg + east_deg, "degree", f"east, {where}"),
        "latitude_deg": Quantity(site.latitude_deg + north_deg, "degree", f"north, {where}"),
        "altitude_m": Quantity(site.altitude_m + enu[:, 2], "m", where),
    }


def frame_shifts(position: Floats, frame_id: NDArray[np.int64], last_position: Floats, last_frame: int) -> Floats:
    """How far the frame of each position [n, 3] begins from that of the last position before them: [n, 3].

    Where the frame changes the position was zeroed: the new one begins where the rover last was in the old one. The
    first keeps the frame where the last position is not known (NaN).
    """
    before = np.vstack([last_position, position[:-1]])
    again = (frame_id != np.append(last_frame, frame_id[:-1])) & np.isfinite(before[:, 0])
    return np.asarray(np.cumsum(np.where(again[:, None], before, 0.0), axis=0))


def covariance_m2(way_enu_m: Floats, distance_m: Floats, errors: DeadReckoning) -> Floats:
    """Covariance [n, 3, 3] of positions `way_enu_m [n, 3]` from the first, after `distance_m [n]` driven."""
    turn = np.deg2rad(errors.heading_deg)
    east, north = way_enu_m[:, 0], way_enu_m[:, 1]
    found = np.zeros((len(way_enu_m), 3, 3))
    alone = errors.start_m**2 + errors.wander_m_per_root_m**2 * distance_m
    found[:, 0, 0] = alone + (errors.scale * east) ** 2 + (turn * north) ** 2
    found[:, 1, 1] = alone + (errors.scale * north) ** 2 + (turn * east) ** 2
    found[:, 0, 1] = found[:, 1, 0] = (errors.scale**2 - turn**2) * east * north
    found[:, 2, 2] = errors.start_m**2 + (turn * distance_m) ** 2
    return found


def sols(time_ns: NDArray[np.int64], context: Context) -> NDArray[np.int64]:
    """The sol of each onboard time; without a site its day."""
    utc_ns = context.clock.utc_ns(time_ns)
    if context.site is None:
        return np.asarray(utc_ns // _DAY_NS)
    return mars_time(utc_ns, context.site.longitude_deg, context.site.sol_offset).sol


def _telling(stop: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Rows while it drives, and the first and last of each stop."""
    change = stop[1:] != stop[:-1]
    return np.asarray((stop < 0) | np.append(True, change) | np.append(change, True))


def _angles_deg(rows: ColumnBatch) -> Floats:
    sent = quaternions(rows)
    return roll_pitch_yaw_deg(np.where(is_attitude(sent)[:, None], normalized(sent), np.nan))


def _together(rows: ColumnBatch) -> Floats:
    """Position north, east, down [n, 3], as sent."""
    return np.stack([np.asarray(rows.columns[name], np.float64) for name in _POSITION], axis=1)
