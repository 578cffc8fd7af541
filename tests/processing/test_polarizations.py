"""All four polarisations of the radar, from the simulator to radargrams."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from downlink_pipeline.missions.zhurong.simulator import Scenario, simulate

Decoded = Any
SUFFIX = {"HH": "", "HV": "_hv", "VH": "_vh", "VV": "_vv"}


@pytest.fixture(scope="module")
def four(tmp_path_factory: pytest.TempPathFactory, decode_pass: Callable[..., Decoded]) -> Decoded:
    path = tmp_path_factory.mktemp("four") / "pass.cadu"
    simulate(path, Scenario(duration_s=90.0, seed=3, all_polarizations=True))
    return decode_pass(path)


def test_each_polarization_is_a_radargram(four: Decoded) -> None:
    made = {one.lineage["polarization"]: one for one in four.products if one.product.startswith("radargram_high")}
    assert {name: one.product for name, one in made.items()} == {
        name: f"radargram_high{suffix}" for name, suffix in SUFFIX.items()
    }


def test_one_counter_runs_through_all_four_and_has_no_gap(four: Decoded) -> None:
    count = four.rows("gpr", "high_frequency", "frame_count").astype(int)
    assert (np.diff(count[4:]) % 256 == 1).all()
    assert not four.quality("gpr", "high_frequency").any()


@pytest.mark.parametrize(("polarization", "over_hh"), [("HV", 0.25), ("VH", 0.25), ("VV", 0.8)])
def test_echoes_are_as_strong_as_the_packets_page_says(four: Decoded, polarization: str, over_hh: float) -> None:
    def level(name: str) -> float:
        (one,) = four.of("gpr", f"radargram_high{SUFFIX[name]}")
        early = (one.arrays["twt_ns"].values > 5) & (one.arrays["twt_ns"].values < 40)
        return float(np.sqrt(np.mean(one.arrays["envelope"].values[:, early].astype(np.float64) ** 2)))

    assert level(polarization) / level("HH") == pytest.approx(over_hh, rel=0.1)


def test_the_polarizations_see_one_ground_a_quarter_of_the_spacing_apart(four: Decoded) -> None:
    east = {
        name: four.rows("gpr", f"radargram_high{suffix}", "position_enu_m")[:, :2]
        for name, suffix in SUFFIX.items()
    }
    apart = np.linalg.norm(east["HV"][0] - east["HH"][0])
    assert apart == pytest.approx(0.054 / 4, abs=0.01)
