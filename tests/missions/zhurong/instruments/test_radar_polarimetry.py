"""Ratios and coherences of noise whose covariance is known, one independent value a sample."""

import numpy as np
import pytest
from downlink_pipeline.missions.zhurong.gpr.radar_polarimetry import looks, nearest, polarimetry, same_cycle

WINDOW = (7, 9)


@pytest.fixture(scope="module")
def found():
    """VV half of HH's power, coherence 0.6 at 40 degrees; HV and VH a tenth of it, coherence 0.8, apart from HH."""
    rng = np.random.default_rng(8)

    def white():
        return (rng.normal(size=(350, 450)) + 1j * rng.normal(size=(350, 450))) / np.sqrt(2)

    hh, hv = white(), white()
    vv = np.sqrt(0.5) * (0.6 * np.exp(-1j * np.deg2rad(40)) * hh + 0.8 * white())
    vh = 0.8 * hv + 0.6 * white()
    traces = {"HH": hh, "HV": hv * np.sqrt(0.1), "VH": vh * np.sqrt(0.1), "VV": vv}
    return polarimetry({k: v.astype(np.complex64) for k, v in traces.items()}, *WINDOW, n_looks=63)


INDEPENDENT = np.s_[4:-4:7, 5:-5:9]


@pytest.mark.parametrize(
    ("name", "true"),
    [("vv_over_hh_db", -3.0103), ("cross_over_hh_db", -10.0), ("coherence_hh_vv", 0.6), ("coherence_hv_vh", 0.8)],
)
def test_the_truth_is_found_and_the_errors_are_those_that_it_has(found, name, true):
    values, sigma = getattr(found, name)[INDEPENDENT], getattr(found, f"{name}_sigma")[INDEPENDENT]
    assert values.mean() == pytest.approx(true, abs=0.01 if name.startswith("coherence") else 0.1)
    assert values.std() / np.sqrt(np.mean(sigma**2)) == pytest.approx(1.0, abs=0.1)


def test_the_phase_between_hh_and_vv_is_found(found):
    assert found.phase_hh_vv_deg[INDEPENDENT].mean() == pytest.approx(40, abs=0.5)


def test_the_same_wave_in_both_coheres_and_nothing_is_no_number():
    wave = np.ones((9, 9), np.complex64)
    one = polarimetry({"HH": wave, "HV": 0 * wave, "VH": 0 * wave, "VV": 2j * wave}, 3, 3, 9)
    assert (one.coherence_hh_vv[0, 0], one.vv_over_hh_db[0, 0]) == (
        pytest.approx(1),
        pytest.approx(6.0206, abs=1e-4),
    )
    assert one.phase_hh_vv_deg[0, 0] == pytest.approx(-90)
    assert np.isnan(one.coherence_hv_vh).all()
    assert np.isneginf(one.cross_over_hh_db).all()


def test_looks_are_duration_times_bandwidth():
    """5 traces by 40 samples of 0.098 ns in 1.7 GHz: 5 times 6.66."""
    assert looks(5, 40, 0.098, (450.0, 2150.0)) == pytest.approx(33.3, abs=0.1)


def test_traces_of_one_cycle_belong_together():
    """VV comes three quarters of a cycle after HH: the one before is nearer, but another cycle's. One is missing."""
    hh = np.arange(0, 900, 90)
    vv = np.delete(hh + 68, 4)
    assert same_cycle(vv, hh).tolist() == [0, 1, 2, 3, 3, 4, 5, 6, 7, 8]
    assert same_cycle(hh, hh).tolist() == list(range(10))


def test_the_nearest_trace_is_taken():
    times = np.array([0, 10, 20])
    assert nearest(times, np.array([-5, 4, 6, 19, 99])).tolist() == [0, 0, 1, 2, 2]
    assert nearest(times[:1], np.array([3])).tolist() == [0]
