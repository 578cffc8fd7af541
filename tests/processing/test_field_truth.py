"""The field of the crust, without what the rover adds: per sample, and per place from the turns of the mast."""

from typing import Any

import numpy as np
import pytest
from downlink_pipeline.model.batches import Quality

Decoded = Any


def known(decoded: Decoded) -> np.ndarray:
    found: np.ndarray = decoded.quality("magnetometer", "field") & (Quality.NO_ATTITUDE | Quality.NO_REFERENCE) == 0
    return found


@pytest.mark.parametrize("sensor", ["a", "b"])
def test_the_corrected_field_is_that_of_the_crust_within_noise(clean: Decoded, sensor: str) -> None:
    """All along: standing, scanning, driving. Its scatter is the sensor's noise, which the product says too."""
    left = clean.rows("magnetometer", "field", f"field_{sensor}_enu_nt") - clean.truth["magnetometer_field_enu_nt"]
    sigma = clean.told["noise"]["magnetometer"]["field_nt"]
    assert known(clean).all()
    assert np.abs(left).max() < 6 * sigma
    assert left.std() == pytest.approx(sigma, rel=0.06)
    assert np.abs(left.mean(axis=0)).max() < 0.005
    (reported,) = {
        tuple(one.arrays[f"field_{sensor}_sensor_nt_sigma"].values) for one in clean.of("magnetometer", "field")
    }
    assert reported == pytest.approx([sigma] * 3, rel=0.01)
    random = clean.of("magnetometer", "field")[0].arrays[f"field_{sensor}_enu_nt_sigma_random"].values
    assert np.sqrt(np.mean((left / random) ** 2)) == pytest.approx(1, abs=0.06)


def test_the_drive_motors_would_be_seen_if_they_were_not_taken_off(clean: Decoded) -> None:
    """(6.5, -3.1, 8.2) nT at sensor B, from docs/zhurong-packets.md: 10.9 nT."""
    added = clean.rows("magnetometer", "field", "interference_b_rover_nt")
    step = np.abs(np.linalg.norm(np.diff(added, axis=0), axis=1))
    assert step.max() == pytest.approx(10.9, abs=0.1)


def test_the_gradient_is_the_rovers_own_field_between_the_sensors(clean: Decoded) -> None:
    """At rest A less B over 1 m: (38 - 312, -21 + 154, 64 - 420) and (0.22 - 0.85, -0.1 + 0.4, 0.31 - 1.1) a 5.86 A."""
    gradient = clean.rows("magnetometer", "field", "gradient_rover_nt_m")[:320].mean(axis=0)
    assert gradient == pytest.approx([-277.7, 134.8, -360.6], abs=0.3)


def test_the_vector_of_a_site_is_the_field_that_stood_there(clean: Decoded) -> None:
    (site,) = clean.of("magnetometer", "site_vector")
    begin, end = (clean.truth["navigation_time_utc_ns"][index] for index in _first_rest(clean))
    time_ns = clean.truth["magnetometer_time_utc_ns"]
    true = clean.truth["magnetometer_field_enu_nt"][(time_ns >= begin) & (time_ns < end)]
    for sensor in "ab":
        found = site.arrays[f"field_{sensor}_enu_nt"].values[0]
        covariance = site.arrays[f"covariance_{sensor}_nt2_random"].values[0]
        off = found - true.mean(axis=0)
        assert off @ np.linalg.solve(covariance, off) < 14.2  # three sigma of three, the vertical with them
        assert np.abs(off).max() < 0.25  # the field itself wandered by 0.3 nT rms while the mast turned
        sigma = site.arrays[f"field_{sensor}_enu_nt_sigma_random"].values[0]
        assert sigma == pytest.approx(np.sqrt(np.diag(covariance)))
        unknown = site.arrays[f"field_{sensor}_enu_nt_sigma_systematic"].values[0]
        assert unknown == pytest.approx([{"a": 2.0, "b": 4.0}[sensor]] * 3, rel=0.01)
        assert site.arrays[f"horizontal_{sensor}_nt"].values[0] == pytest.approx(np.hypot(*found[:2]))


def test_the_mast_finds_no_offset_that_calibration_left(clean: Decoded) -> None:
    (site,) = clean.of("magnetometer", "site_vector")
    assert np.abs(site.arrays["offset_a_mast_nt"].values).max() < 1.0


def _first_rest(decoded: Decoded) -> tuple[int, int]:
    driving = np.flatnonzero(decoded.truth["navigation_drive_mode"] == 1)
    return 0, int(driving[0])
