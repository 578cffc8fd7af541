"""Radargrams of the bundled passes against the ground that the simulator drew: permittivity 3.2, rocks, layers."""

from typing import Any

import numpy as np
import pytest
from downlink_pipeline.missions.zhurong.gpr.radar_depth import fit_hyperbola, pick_hyperbola
from downlink_pipeline.model.batches import Quality

Decoded = Any
FIRST_TRACE_M = {"high": 0.054, "low": 0.5}


def test_a_radargram_spans_the_drive_of_the_truth(decoded: Decoded) -> None:
    for band, container in (("high", "gpr_hf"), ("low", "gpr_lf")):
        science = decoded.arrived(container) & ~decoded.truth[f"{container}_self_test"]
        place = decoded.truth[f"{container}_position_ned_m"][science]
        driven = np.linalg.norm(np.diff(place, axis=0), axis=1).sum()
        distance = decoded.rows("gpr", f"radargram_{band}", "distance_m")
        assert distance[-1] == pytest.approx(driven, abs=FIRST_TRACE_M[band])
        assert np.diff(distance) == pytest.approx(FIRST_TRACE_M[band], rel=0.01)


def test_rocks_are_hyperbolas_of_the_true_permittivity_and_depth(clean: Decoded) -> None:
    (product,) = clean.of("gpr", "radargram_high")
    envelope, twt_ns = product.arrays["envelope"].values, product.arrays["twt_ns"].values
    along = product.arrays["distance_m"].values + FIRST_TRACE_M["high"]
    found = []
    for x, depth in zip(clean.truth["gpr_hf_rock_along_m"], clean.truth["gpr_hf_rock_depth_m"], strict=True):
        apex = (x, 2 * depth * np.sqrt(3.2) / 0.299792458)
        picked = pick_hyperbola(envelope, along, twt_ns, apex, 3.2, reach_m=1.2, width_ns=0.8)
        found.append(fit_hyperbola(*picked))
        assert found[-1].permittivity == pytest.approx(3.2, abs=4 * found[-1].permittivity_sigma)
        assert found[-1].depth_m == pytest.approx(depth, abs=0.1)
    assert np.mean([one.permittivity for one in found]) == pytest.approx(3.2, abs=0.15)


def test_the_strongest_rock_stands_at_its_depth_in_the_product(clean: Decoded) -> None:
    (product,) = clean.of("gpr", "radargram_high")
    x, depth = clean.truth["gpr_hf_rock_along_m"][2], clean.truth["gpr_hf_rock_depth_m"][2]
    row = np.argmin(np.abs(product.arrays["distance_m"].values + FIRST_TRACE_M["high"] - x))
    near = np.abs(product.arrays["depth_m"].values - depth) < 0.3
    trace = np.where(near, product.arrays["envelope"].values[row], 0.0)
    assert product.arrays["depth_m"].values[trace.argmax()] == pytest.approx(depth, abs=0.05)


def test_the_jitter_of_the_direct_wave_is_what_the_simulator_says(clean: Decoded) -> None:
    """0.1 ns, cut at two sigma (0.088 ns is left of it); a line between two traces makes it less."""
    (product,) = clean.of("gpr", "radargram_high")
    assert product.arrays["time_shift_ns"].values.std() == pytest.approx(0.088, abs=0.02)


def test_missing_traces_are_flagged_where_the_faults_took_them(damaged: Decoded) -> None:
    science = ~damaged.truth["gpr_hf_self_test"]
    taken = (science & ~damaged.arrived("gpr_hf")).sum()
    quality = damaged.quality("gpr", "radargram_high")
    assert taken > 0
    assert ((quality & (Quality.FRAGMENT | Quality.AFTER_GAP)) != 0).any()
