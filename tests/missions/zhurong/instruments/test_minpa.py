"""A single count by hand; a Maxwellian by the closed form of its moments."""

import numpy as np
import pytest
from downlink_pipeline.missions.zhurong.minpa.minpa import moments
from downlink_pipeline.model.batches import Quality

EV = 1.602176634e-19
PROTON_KG = 1.00728 * 1.66053906660e-27


@pytest.fixture
def spectrum(rows, products):
    def make(counts, species="H+", accumulation=3125):
        columns = {"SPECIES": species, "ACCUMULATION": accumulation, "COUNTS": counts}
        return products(rows("MINPA", [100.0], columns=columns), names=("minpa",))["minpa/spectrum"]

    return make


def one(product, name):
    return product.arrays[name].values[0]


def test_energies_run_from_2_8_ev_to_25_9_kev(spectrum):
    energy = spectrum(np.zeros((32, 4, 16))).arrays["energy_ev"].values
    assert energy[[0, -1]] == pytest.approx([2.8, 25_900.0])
    assert np.diff(np.log(energy)) == pytest.approx(np.full(31, np.log(25_900 / 2.8) / 31))


def test_a_count_is_flux_by_time_geometry_and_efficiency(spectrum):
    """1000 counts in 31.25 ms through 5e-4 x 0.5: 1.28e8, in one of 64 directions."""
    counts = np.zeros((32, 4, 16))
    counts[10] = 1000
    assert one(spectrum(counts), "energy_flux")[10] == pytest.approx(1000 / (0.03125 * 5e-4 * 0.5))


def test_ions_fly_away_from_where_they_are_seen(spectrum):
    """Seen in azimuth bin 0 (11.25 deg), elevations alike: the velocity points to 191.25 deg."""
    counts = np.zeros((32, 4, 16))
    counts[18, :, 0] = 100
    vx, vy, vz = one(spectrum(counts), "velocity_km_s")
    assert np.degrees(np.arctan2(vy, vx)) % 360 == pytest.approx(191.25)
    assert vz == pytest.approx(0, abs=1e-9)


def test_heavier_ions_of_one_energy_are_slower_by_the_root_of_their_mass(spectrum):
    counts = np.zeros((32, 4, 16))
    counts[18, 1, 3] = 100
    light, heavy = (one(spectrum(counts, species), "speed_km_s") for species in ("H+", "O+"))
    assert light / heavy == pytest.approx(np.sqrt(15.9944 / 1.00728))


def test_twice_the_charge_is_twice_the_energy(spectrum):
    counts = np.zeros((32, 4, 16))
    counts[18, 1, 3] = 100
    once, twice = (one(spectrum(counts, species), "speed_km_s") for species in ("HE+", "HE2+"))
    assert twice / once == pytest.approx(np.sqrt(2), rel=1e-4)


def test_moments_of_a_maxwellian_on_a_fine_grid_are_its_own():
    """Over the whole sphere in fine steps: 5 per cm3, 100 km/s along x, 20 eV, to a part in a hundred."""
    energy = np.geomspace(0.5, 4000.0, 120)
    elevation, azimuth = np.radians(np.arange(-88, 90, 4.0)), np.radians(np.arange(2, 360, 4.0))
    level = np.cos(elevation)[:, None] * np.ones_like(azimuth)
    look = np.stack(
        [level * np.cos(azimuth), level * np.sin(azimuth), np.sin(elevation)[:, None] * np.ones_like(azimuth)], -1
    )
    solid = level * np.radians(4) ** 2
    speed = np.sqrt(2 * energy * EV / PROTON_KG)[:, None, None, None]
    apart = ((-speed * look - np.array([1e5, 0, 0])) ** 2).sum(axis=-1)
    thermal = 20 * EV / PROTON_KG
    f = 5e6 / (2 * np.pi * thermal) ** 1.5 * np.exp(-apart / 2 / thermal)
    flux = (f * speed[..., 0] ** 4 / 2 * 1e-4)[None]
    found = moments(flux, np.ones(1), energy, np.ones(1), np.array([PROTON_KG]), look, solid)
    assert found["density_cm3"].values[0] == pytest.approx(5.0, rel=0.01)
    assert found["velocity_km_s"].values[0] == pytest.approx([100.0, 0.0, 0.0], abs=1.0)
    assert found["temperature_ev"].values[0] == pytest.approx(20.0, rel=0.01)


def test_nothing_counted_has_no_moments_and_is_flagged(spectrum):
    product = spectrum(np.zeros((32, 4, 16)))
    assert product.quality[0] & Quality.NO_REFERENCE
    assert np.isnan(one(product, "speed_km_s"))


def test_a_full_counter_and_an_unknown_species_are_flagged(spectrum):
    counts = np.ones((32, 4, 16))
    counts[0, 0, 0] = 65535
    assert spectrum(counts).quality[0] & Quality.SATURATED
    assert spectrum(np.ones((32, 4, 16)), "9").quality[0] & Quality.OUT_OF_RANGE
