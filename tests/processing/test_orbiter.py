"""The orbiter's own products on channel 245/VC1 meet the simulator's truth."""

from typing import Any

import numpy as np
import pytest

Decoded = Any


def test_the_state_vector_is_what_was_sent_bit_for_bit(decoded: Decoded) -> None:
    for name in ("position_icrf_km", "velocity_icrf_km_s"):
        sent = decoded.truth[f"orbiter_state_{name}"]
        assert np.array_equal(decoded.rows("orbiter", "state", name), sent)
    assert np.array_equal(
        decoded.rows("orbiter", "state", "time_utc_ns"), decoded.truth["orbiter_state_time_utc_ns"]
    )


@pytest.mark.parametrize("name", ["longitude_deg", "latitude_deg", "altitude_km"])
def test_the_point_below_is_where_the_simulator_turned_mars_to(decoded: Decoded, name: str) -> None:
    found, true = decoded.rows("orbiter", "state", name), decoded.truth[f"orbiter_state_{name}"]
    assert np.abs(found - true).max() < 1e-6


@pytest.mark.parametrize("sensor", ["outer", "inner"])
def test_the_field_of_each_sensor_is_the_truth_within_its_noise(decoded: Decoded, sensor: str) -> None:
    sigma = decoded.told["noise"]["momag"]["field_nt"]
    error = decoded.rows("momag", "field", f"field_{sensor}_nt") - decoded.truth[f"momag_field_{sensor}_nt"]
    assert np.abs(error).max() < 5.5 * sigma
    assert np.std(error) == pytest.approx(sigma, rel=0.03)


def test_the_ambient_field_is_free_of_the_spacecraft(decoded: Decoded) -> None:
    """The noise of two sensors, weighted by the cubes of their distances: (32.46^2 + 12.01^2)^0.5 / 20.45."""
    sigma = decoded.told["noise"]["momag"]["field_nt"] * 1.6925
    error = decoded.rows("momag", "field", "field_ambient_nt") - decoded.truth["momag_field_ambient_nt"]
    assert np.std(error) == pytest.approx(sigma, rel=0.03)
    assert np.abs(error.mean(axis=0)).max() < 0.005
    body = decoded.truth["momag_field_outer_nt"] - decoded.truth["momag_field_ambient_nt"]
    assert np.abs(body).mean() > 1.0


@pytest.mark.parametrize("detector", ["visible", "infrared"])
def test_radiance_is_the_truth_within_noise(decoded: Decoded, detector: str) -> None:
    truth = decoded.truth
    error = decoded.rows("mms", "radiance", f"{detector}_radiance") - truth[f"mms_{detector}_radiance"]
    scale = error / truth[f"mms_{detector}_sigma"]
    assert np.abs(scale).max() < 6
    assert np.std(scale) == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("array", ["density_cm3", "velocity_km_s", "speed_km_s", "temperature_ev"])
def test_moments_are_those_of_the_maxwellian_within_their_sigmas(decoded: Decoded, array: str) -> None:
    """Root mean square of (found - true) / sigma, of some 30 scans of three species."""
    truth, species = decoded.truth, decoded.rows("minpa", "spectrum", "species")
    found, sigma = (decoded.rows("minpa", "spectrum", array + end) for end in ("", "_sigma"))
    off = []
    for k, name in enumerate(truth["minpa_species"]):
        velocity = truth["minpa_velocity_km_s"][k]
        true = {
            "density_cm3": truth["minpa_density_cm3"][:, k],
            "velocity_km_s": velocity,
            "speed_km_s": np.linalg.norm(velocity),
            "temperature_ev": truth["minpa_temperature_ev"][k],
        }
        off.append(((found[species == name] - true[array]) / sigma[species == name]).ravel())
    assert np.sqrt(np.mean(np.concatenate(off) ** 2)) == pytest.approx(1, abs=0.35)


@pytest.mark.parametrize("kind", ["electron", "proton", "ion"])
def test_particle_flux_is_the_truth_within_counting(decoded: Decoded, kind: str) -> None:
    true = decoded.truth[f"mepa_{kind}_flux"]
    scale = (decoded.rows("mepa", "flux", f"{kind}_flux") - true) / decoded.rows(
        "mepa", "flux", f"{kind}_flux_sigma"
    )
    assert np.abs(scale).max() < 5
    assert np.std(scale) == pytest.approx(1, abs=0.3)  # of some 140 numbers


@pytest.mark.parametrize(("code", "name", "within_m"), [(1, "10_15", 4), (2, "15_20", 4), (3, "30_50", 1)])
def test_the_strongest_echo_is_the_ground_below(decoded: Decoded, code: int, name: str, within_m: float) -> None:
    true = decoded.truth["mosir_surface_range_m"][decoded.truth["mosir_band"] == code]
    found = decoded.rows("mosir", f"echo_{name}", "echo_range_m")
    assert np.abs(found - true).max() < within_m


def test_the_layer_below_the_ground_is_where_and_as_weak_as_it_was_made(decoded: Decoded) -> None:
    depth = decoded.told["noise"]["mosir"]["layer_m"]
    (first, *_) = decoded.of("mosir", "echo_30_50")
    range_m, trace = first.arrays["range_m"].values, first.arrays["amplitude_hann"].values[0]
    surface = range_m[trace.argmax()]
    below = range_m > surface + 100
    assert range_m[below][trace[below].argmax()] - surface == pytest.approx(depth, abs=2)
    assert 20 * np.log10(trace[below].max() / trace.max()) == pytest.approx(-18, abs=1)
