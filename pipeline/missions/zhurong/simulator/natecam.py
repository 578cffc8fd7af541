"""NATECAM: a sweep of the mast, a video of the drive, and a stereo pair; colour mosaics of a lens with distortion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import chance
from .aim import BASELINE_M, Lens, Stance, corner_vectors, stance
from .arrays import Anything, Longs, Reals
from .heavens import sun_over_rover
from .image_records import (
    LOSSLESS,
    LOSSY,
    PANORAMA,
    STEREO,
    VIDEO,
    Shot,
    expose,
    of_record,
    stripe_records,
    vignetting,
)
from .packets import Measurement, Record, photon_noise
from .scene import Scene
from .timeline import Timeline
from .traverse import Traverse

APID = 354
_RIGHT, _LEFT = 0x0A, 0x0B
_LENS = Lens(0.0055, 13.174201, (0.010239, 0.022188), k1=-0.085, k2=0.011, p1=0.00012, p2=-0.00008)
_NM = (640.0, 540.0, 480.0)
_WHITE_DN = 3400.0
_BALANCE = np.array([1.52, 1.00, 1.83])
_MATRIX = np.array([[1.42, -0.34, -0.08], [-0.21, 1.38, -0.17], [0.03, -0.46, 1.43]])
_DISPLAY = 2.6
"""Linear white is a reflectance factor of 1 / 2.6."""
_EXPOSURE_US = 4000
_READ_DN, _PHOTON_DN = 1.8, 0.05
_FIRST_IMAGE = 1201
_N_SWEEP, _N_VIDEO = 5, 8
_KEPT_EACH = 16
_SMOOTH = 0.03
_PAIR_S = 17.0
"""Between the two cameras, as real names of files have it (fact sheet 7)."""


@dataclass(frozen=True, slots=True)
class _View:
    """The scene of one exposure."""

    scene: Scene
    shot: Shot
    how: Stance

    def linear(self, mast_rays: Reals) -> Reals:
        """Linear sRGB [lines, samples, 3] along unit vectors of mast axes."""
        rays = mast_rays @ self.how.mast_to_ned.T
        to_sun = sun_over_rover(np.array([self.shot.time_ns]))[2][0]
        side = BASELINE_M / 2.0 if self.shot.camera == _RIGHT else -BASELINE_M / 2.0
        return np.clip(self.scene.look(self.how.eye(side), rays, to_sun, _NM) * _DISPLAY, 0.0, 1.0)

    def truth(self) -> dict[str, Anything]:
        """Of the pinhole's picture: colours at a grid of pixels, and where there is no edge beside them."""
        kept = np.linspace(4, self.shot.side_pixels - 5, _KEPT_EACH).astype(np.int64)
        sample, line = np.meshgrid(kept.astype(np.float64), kept.astype(np.float64))
        beside = [(sample + i, line + j) for i in (-2, 0, 2) for j in (-2, 0, 2)]
        around = np.stack([self.linear(_LENS.rays(self.shot, *at, bent=False)) for at in beside])
        return {
            "kept": kept,
            "kept_linear": around[4],
            "kept_smooth": (np.ptp(around, axis=0) < _SMOOTH).all(axis=-1),
            "pointing_enu": corner_vectors(_LENS, self.shot, self.how, bent=False),
        }


def take_images(timeline: Timeline, rover: Traverse, scene: Scene, seed: int, drift_ppm: float) -> Measurement:
    """All images of the stay, in the order of time."""
    draw = chance.stream(seed, "natecam")
    degc = -10.0 + 3.0 * draw.random()
    views = [_View(scene, shot, stance(timeline, rover, shot.time_ns)) for shot in _shots(timeline)]
    images: list[list[Record]] = []
    for view in views:
        dn = _mosaic(view.linear(_LENS.all_rays(view.shot)), view.shot)
        counts = expose(dn, draw, _READ_DN, _PHOTON_DN, 60.0)
        images.append(stripe_records(APID, view.shot, counts, degc, view.how.angles_deg, drift_ppm, colour=True))
    truths = [view.truth() for view in views]
    truth = {
        "time_utc_ns": np.array([view.shot.time_ns for view in views]),
        "image_of_record": of_record(images),
        "camera": np.array(["A" if view.shot.camera == _RIGHT else "B" for view in views]),
        "mode": np.array([view.shot.mode for view in views]),
        "sequence_id": np.array([view.shot.sequence_id for view in views]),
        **{name: np.stack([one[name] for one in truths]) for name in truths[0]},
    }
    noise = photon_noise("image_dn", _READ_DN, _PHOTON_DN)
    return Measurement("natecam", [one for records in images for one in records], truth, noise)


def _shots(timeline: Timeline) -> list[Shot]:
    begin, end = timeline.phase("MAST SCAN")
    drive, stop = timeline.phase("DRIVING")
    rest, last = timeline.phase("RESTING")
    # the mast turns from one side to the other between a third and two thirds of its scan
    sweep = begin + (end - begin) * np.linspace(0.345, 0.655, _N_SWEEP)
    video = np.linspace(drive + 0.5, stop - 0.5, _N_VIDEO)
    second = max(min(rest + 0.4 + _PAIR_S, last - 0.3), rest + 0.45)
    plan = [(at, 31, _RIGHT, 192, 8, PANORAMA, LOSSY, 8.0) for at in sweep]
    plan += [(at, 32, _RIGHT, 128, 16, VIDEO, LOSSY, 12.0) for at in video]
    plan += [(rest + 0.4, 33, _RIGHT, 192, 8, STEREO, LOSSLESS, 1.0)]
    plan += [(second, 33, _LEFT, 192, 8, STEREO, LOSSLESS, 1.0)]
    return [
        Shot(
            timeline.start_ns + round(at * 1000) * 1_000_000,
            _FIRST_IMAGE + k,
            sequence,
            camera,
            side,
            binning,
            _EXPOSURE_US,
            mode,
            compress,
            ratio,
        )
        for k, (at, sequence, camera, side, binning, mode, compress, ratio) in enumerate(plan)
    ]


def _mosaic(linear: Reals, shot: Shot) -> Reals:
    """DN of the pixels, each of one colour, for a linear sRGB image."""
    signal = _WHITE_DN * np.clip(linear @ np.linalg.inv(_MATRIX).T, 0.0, None) / _BALANCE
    place: Longs = np.arange(shot.side_pixels) % 2
    colour = place[:, None] + place[None, :]
    one = np.choose(colour, np.moveaxis(signal, -1, 0))
    return 60.0 + 4.0 * shot.exposure_us * 1e-6 + one * vignetting(shot, -0.22, 0.0)
