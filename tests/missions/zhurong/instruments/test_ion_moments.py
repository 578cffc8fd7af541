"""Moments against Maxwellians that an instrument written here has seen, and against SciPy's fit to the same counts.

The instrument: bins of a third in energy and 22.5 degrees, each averaged over 7 x 17 x 17 points that are equally far
apart in ln E, the sine of elevation, and azimuth; Poisson counts.
"""

from functools import lru_cache

import numpy as np
import pytest
from scipy.optimize import least_squares

EV, U_KG = 1.602176634e-19, 1.66053906660e-27
MASS_U = {"H+": 1.00728, "HE2+": 4.0015, "O+": 15.9944, "O2+": 31.9893, "CO2+": 43.9892}
SEEN = 5e-4 * 0.5 * 0.03125  # cm2 sr s: geometric factor, efficiency, time of a step
PLASMAS = {  # per cm3, km/s, eV
    "sheath": ("H+", 6.0, (-160.0, 70.0, 25.0), 90.0),
    "cold wind": ("H+", 3.0, (-390.0, 25.0, -60.0), 12.0),
    "alphas": ("HE2+", 1.5, (-230.0, 50.0, 20.0), 120.0),
    "oxygen": ("O2+", 45.0, (-6.0, 9.0, -2.0), 2.2),
    "carbon dioxide": ("CO2+", 60.0, (5.0, 5.5, 3.0), 1.5),
}
N_SCANS = 80


@lru_cache
def expected(species, density_cm3, velocity_km_s, temperature_ev, of_energy=7, finer=17):
    """Mean counts [32, 4, 16]."""
    charge = 2 if species == "HE2+" else 1
    mass = MASS_U[species] * U_KG
    within, of_step = ((np.arange(n) + 0.5) / n for n in (finer, of_energy))
    step = np.log(25_900 / 2.8) / 31
    energy_ev = 2.8 * np.exp(step * (np.arange(32)[:, None] + of_step - 0.5)).ravel()
    edges = np.sin(np.radians(np.linspace(-45, 45, 5)))
    sine = (edges[:-1, None] + np.diff(edges)[:, None] * within).ravel()
    azimuth = np.radians(22.5 * (np.arange(16)[:, None] + within)).ravel()
    level = np.sqrt(1 - sine**2)[:, None]
    look = np.stack([level * np.cos(azimuth), level * np.sin(azimuth), sine[:, None] + 0 * azimuth])
    speed = np.sqrt(2 * energy_ev * charge * EV / mass)
    drift = 1e3 * np.array(velocity_km_s)
    thermal = temperature_ev * EV / mass
    along = np.tensordot(drift, look, 1)
    apart = speed[:, None, None] ** 2 + drift @ drift + 2 * speed[:, None, None] * along
    f = 1e6 * density_cm3 * (2 * np.pi * thermal) ** -1.5 * np.exp(-apart / (2 * thermal))  # s3 m-6
    flux = f * speed[:, None, None] ** 4 / 2 * 1e-4  # per cm2 s sr, times energy
    return SEEN * flux.reshape(32, of_energy, 4, finer, 16, finer).mean(axis=(1, 3, 5))


def counted(name, n, seed=3):
    return np.random.default_rng(seed).poisson(np.broadcast_to(expected(*PLASMAS[name]), (n, 32, 4, 16)))


@pytest.fixture
def spectrum(rows, products):
    def make(counts, species, longer=1):
        columns = {"SPECIES": species, "ACCUMULATION": 3125 * longer, "COUNTS": counts}
        batch = rows("MINPA", 100 + np.arange(len(counts)) * 1e-2, columns=columns)
        return products(batch, names=("minpa",))["minpa/spectrum"]

    return make


def truths(name):
    _, density, velocity, temperature = PLASMAS[name]
    return {
        "density_cm3": density,
        "velocity_km_s": np.array(velocity),
        "speed_km_s": np.linalg.norm(velocity),
        "temperature_ev": temperature,
    }


@pytest.mark.parametrize("name", list(PLASMAS))
def test_what_is_off_is_what_the_sigma_says(spectrum, name):
    """Root mean square of (found - true) / sigma over 80 scans, in density, each axis, speed and temperature."""
    product = spectrum(counted(name, N_SCANS), PLASMAS[name][0])
    for array, true in truths(name).items():
        found, sigma = (product.arrays[array + end].values for end in ("", "_sigma"))
        assert sigma.shape == found.shape
        chi = np.sqrt(np.mean(((found - true) / sigma) ** 2, axis=0))
        assert np.all((chi > 0.8) & (chi < 1.25)), (array, chi)


@pytest.mark.parametrize("name", list(PLASMAS))
def test_nothing_is_left_of_the_width_of_the_bins_and_of_the_view(spectrum, name):
    """The mean counts of a time that is five times as long."""
    product = spectrum(np.rint(5 * expected(*PLASMAS[name]))[None], PLASMAS[name][0], 5)
    for array, true in truths(name).items():
        assert product.arrays[array].values[0] == pytest.approx(true, rel=0.01, abs=0.01 * np.max(np.abs(true)))


def test_a_fit_of_a_maxwellian_by_scipy_finds_the_same_within_counting(spectrum):
    """Least squares of 2 (root of the counts - root of the mean), started at the truth."""
    (counts,) = counted("sheath", 1, seed=8)
    species, *start = PLASMAS["sheath"]

    def left(p):
        mean = expected.__wrapped__(species, np.exp(p[0]), p[1:4], np.exp(p[4]), of_energy=2, finer=5)
        return 2 * (np.sqrt(counts + 0.375) - np.sqrt(mean + 0.375)).ravel()

    fit = least_squares(left, [np.log(start[0]), *start[1], np.log(start[2])], x_scale=[0.01, 1, 1, 1, 0.01])
    told = np.sqrt(np.diag(np.linalg.inv(fit.jac.T @ fit.jac)))
    arrays = spectrum(counts[None], species).arrays
    ours = (arrays["density_cm3"].values[0], *arrays["velocity_km_s"].values[0], arrays["temperature_ev"].values[0])
    sigma = (
        arrays["density_cm3_sigma"].values[0] / ours[0],
        *arrays["velocity_km_s_sigma"].values[0],
        arrays["temperature_ev_sigma"].values[0] / ours[4],
    )
    theirs = (np.exp(fit.x[0]), *fit.x[1:4], np.exp(fit.x[4]))
    apart = np.array(
        [np.log(ours[0] / theirs[0]), *np.subtract(ours[1:4], theirs[1:4]), np.log(ours[4] / theirs[4])]
    )
    assert np.all(np.abs(apart) < 2 * np.array(sigma))
    assert np.array(sigma) == pytest.approx(told, rel=0.5)


def test_counts_in_too_few_bins_give_plain_sums_and_no_sigma(spectrum):
    counts = np.zeros((1, 32, 4, 16))
    counts[0, 18, 1, 3] = 100
    arrays = spectrum(counts, "H+").arrays
    assert arrays["speed_km_s"].values[0] == pytest.approx(
        np.sqrt(2 * arrays["energy_ev"].values[18] * EV / U_KG / 1.00728) / 1e3
    )
    for name in ("velocity_km_s", "speed_km_s", "temperature_ev"):
        assert np.isnan(arrays[f"{name}_sigma"].values).all()


def test_counts_that_are_no_maxwellian_do_not_end_the_stream(spectrum):
    counts = np.zeros((3, 32, 4, 16))
    counts[0] = 60_000
    counts[1, ::7, ::2, ::5] = 1
    counts[2, 0, :2, :3] = 5
    arrays = spectrum(counts, "O+").arrays
    assert np.isfinite(arrays["density_cm3"].values).all()


def test_the_flux_has_the_sigma_of_its_counts(spectrum):
    """100 counts in each of 64 directions: mean within a tenth of 1 / 64^0.5; directions are not equally large."""
    arrays = spectrum(np.full((1, 32, 4, 16), 100), "H+").arrays
    ratio = arrays["energy_flux_sigma"].values / arrays["energy_flux"].values
    assert ratio == pytest.approx(np.full((1, 32), 0.0125), rel=0.02)
    ratio = arrays["direction_flux_sigma"].values / arrays["direction_flux"].values
    assert ratio == pytest.approx(np.full((1, 4, 16), 0.1 / np.sqrt(32)))
