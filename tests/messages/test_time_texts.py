"""Texts of instants and local times against NumPy's datetime64 and by hand."""

import numpy as np
import pytest
from downlink_pipeline.messages.time_texts import clock_text, iso_utc

EDGES = [0, -1, 1, 59_999_999_999, 60_000_000_000, -60_000_000_001, 86_399_999_999_999, 951_782_400_000_000_000]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_an_instant_is_written_as_numpy_writes_it(unit):
    anywhere = np.random.default_rng(7).integers(-(2**63) + 1, 2**63 - 1, 2000).tolist()
    for ns in (*EDGES, *anywhere):
        assert iso_utc(ns, unit) == f"{np.datetime_as_string(np.datetime64(ns, 'ns'), unit=unit)}Z"


@pytest.mark.parametrize(
    ("hours", "text"),
    [
        (0.0, "00:00:00.000"),
        (0.25, "00:15:00.000"),
        (12.0 + 34 / 60 + 56.789 / 3600, "12:34:56.789"),
        (23.9999999, "23:59:59.999"),
        (24.0, "23:59:59.999"),
        (-0.5, "00:00:00.000"),
    ],
)
def test_a_local_time_never_reaches_the_next_sol(hours, text):
    assert clock_text(hours) == text
