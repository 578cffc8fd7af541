"""MSCAM: nine filters on the rock that LIBS shoots at; counts by the numbers of the packets' page."""

from __future__ import annotations

import numpy as np

from . import chance
from .aim import Lens, corner_vectors, stance
from .arrays import Anything, Reals
from .heavens import sun_over_rover
from .image_records import LOSSLESS, LOSSY, PACKED, SINGLE, Shot, expose, of_record, stripe_records, vignetting
from .packets import Measurement, Record, photon_noise
from .scene import Scene
from .timeline import Timeline
from .traverse import Traverse

APID = 353
_FILTERS = (
    # code, nm, DN per s W m-2 sr-1 um-1, exposure us, Sun at 1 au in W m-2 um-1 (of Gueymard 2004 over 20 nm or 500)
    (0x11, 525.0, 9000.0, 6000, 1846.0),
    (0x22, 480.0, 7400.0, 8959, 1980.0),
    (0x33, 650.0, 11800.0, 3000, 1562.0),
    (0x44, 700.0, 11200.0, 3160, 1427.0),
    (0x55, 800.0, 8900.0, 4757, 1134.0),
    (0x66, 900.0, 6100.0, 8396, 916.0),
    (0x77, 950.0, 4700.0, 12187, 819.0),
    (0x88, 1000.0, 3300.0, 19195, 741.0),
    (0x99, 650.0, 2900.0, 12175, 1517.0),
)
_LENS = Lens(0.0055, 27.5, (0.0, 0.0), k1=0.012)
_SIDE, _BINNING = 160, 8
_KEPT = np.arange(5, _SIDE, 10)
_READ_DN, _PHOTON_DN = 1.6, 0.05
_FIRST_IMAGE, _SEQUENCE = 410, 77


def take_filter_images(
    timeline: Timeline, rover: Traverse, scene: Scene, seed: int, drift_ppm: float
) -> Measurement:
    """An image through each filter; the first packed, the panchromatic lossy, the others lossless."""
    draw = chance.stream(seed, "mscam")
    begin, end = timeline.phase("LIBS POINT 1")
    times = timeline.at_seconds(np.linspace(begin + 2.2, end - 2.4, 9))
    distance, incidence, _ = sun_over_rover(times)
    degc = -6.0 + 2.0 * draw.random()
    images: list[list[Record]] = []
    radiance, pointing = [], []
    factors = _reflectance(timeline, rover, scene, int(times[4]))
    for k, (code, _, response, exposure_us, irradiance) in enumerate(_FILTERS):
        compress = PACKED if k == 0 else LOSSY if k == 8 else LOSSLESS
        shot = Shot(
            int(times[k]), _FIRST_IMAGE + k, _SEQUENCE, code, _SIDE, _BINNING, exposure_us, SINGLE, compress, 8.0
        )
        how = stance(timeline, rover, shot.time_ns)
        bright = factors[..., k] * irradiance * np.cos(np.radians(incidence[k])) / (np.pi * distance[k] ** 2)
        dn = expose(_dn(bright, shot, response, degc), draw, _READ_DN, _PHOTON_DN, _bias(degc))
        images.append(stripe_records(APID, shot, dn, degc, how.angles_deg, drift_ppm, colour=False))
        radiance.append(bright[np.ix_(_KEPT, _KEPT)])
        pointing.append(corner_vectors(_LENS, shot, how, bent=True))
    truth: dict[str, Anything] = {
        "time_utc_ns": times,
        "image_of_record": of_record(images),
        "filter_nm": np.array([nm for _, nm, *_ in _FILTERS]),
        "exposure_s": np.array([us for *_, us, _ in _FILTERS]) * 1e-6,
        "solar_incidence_deg": incidence,
        "sun_distance_au": distance,
        "pointing_enu": np.stack(pointing),
        "kept": _KEPT,
        "kept_radiance_w_m2_sr_um": np.stack(radiance),
        "kept_reflectance": np.moveaxis(factors[np.ix_(_KEPT, _KEPT)], -1, 0),
    }
    noise = photon_noise("image_dn", _READ_DN, _PHOTON_DN)
    return Measurement("mscam", [record for records in images for record in records], truth, noise)


def _reflectance(timeline: Timeline, rover: Traverse, scene: Scene, time_ns: int) -> Reals:
    """Reflectance factors [lines, samples, filters]: the mast rests, and shadows stay where they are."""
    shot = Shot(time_ns, 0, 0, 0, _SIDE, _BINNING, 0, SINGLE, PACKED)
    how = stance(timeline, rover, time_ns)
    rays = _LENS.all_rays(shot) @ how.mast_to_ned.T
    return scene.look(
        how.eye(), rays, sun_over_rover(np.array([time_ns]))[2][0], tuple(nm for _, nm, *_ in _FILTERS)
    )


def _bias(degc: float) -> float:
    return 64.0 + 0.15 * (degc - 20.0)


def _dn(radiance: Reals, shot: Shot, response: float, degc: float) -> Reals:
    exposure_s = shot.exposure_us * 1e-6
    dark = 8.0 * 2.0 ** ((degc - 20.0) / 8.0)
    dn: Reals = _bias(degc) + (dark + radiance * response) * exposure_s * vignetting(shot, -0.18, -0.04)
    return dn
