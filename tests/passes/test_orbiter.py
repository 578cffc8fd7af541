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
