"""What a calibration may ask of radargrams: nothing changes unless it does."""

import copy
import tomllib
from pathlib import Path

import numpy as np
import pytest
from downlink_pipeline.missions.zhurong.gpr.radar_calibration import GprCalibration
from downlink_pipeline.missions.zhurong.gpr.radargram import Radargram

TIME_NS = np.arange(2048) * 0.098
SAID = {"source": "assumed: a test"}
LOSS = {
    **SAID, "span_ns": [20.0, 80.0], "window_ns": 8.0, "band_mhz": [600.0, 2000.0], "spreading_power": 1.0,
    "spreading_power_sigma": 0.5,
}  # fmt: skip


def pulse(at_ns, amplitude=1e6):
    """1.3 GHz as the samples have it: 0.36 GHz lower, and turned round."""
    time_ns = TIME_NS - np.asarray(at_ns)[:, None]
    return amplitude * np.exp(-0.5 * (time_ns / 0.5) ** 2) * np.exp(2j * np.pi * (0.36 * TIME_NS - 1.3 * time_ns))


@pytest.fixture
def run(rows):
    """A drive up a slope of 10 %, 5 cm a trace: a direct wave, the hyperbola of a point 1.5 m down, and noise."""

    def make(n=60, polarizations=("HH",), seed=1):
        rng = np.random.default_rng(seed)
        at_m = np.repeat(0.05 * np.arange(n), len(polarizations))
        echo_ns = 16.9 + 2 * np.sqrt(1.5**2 + (at_m - 1.5) ** 2) * np.sqrt(3.2) / 0.299792458
        samples = pulse(np.full(len(at_m), 16.9)) + pulse(echo_ns, 3e4)
        samples += 1e3 * (rng.normal(size=samples.shape) + 1j * rng.normal(size=samples.shape))
        columns = {
            "EFFECTIVE_LENGTH_BYTES": 16384, "FRAME_COUNT": (1 + 4 * np.repeat(np.arange(n), len(polarizations))) % 256,
            "WORK_MODE": "SCIENCE", "POLARIZATION": np.tile(polarizations, n), "POSITION_X": np.round(at_m, 2),
            "POSITION_Z": np.round(-0.1 * at_m, 2),
            "SAMPLES": np.stack([samples.real, samples.imag], axis=-1).reshape(len(at_m), -1),
        }  # fmt: skip
        order = np.arange(len(at_m))
        return rows("GPR_HF", 100.0 + 0.25 * order, columns=columns, seq_count=order, order=order)

    return make


@pytest.fixture
def made(suite, calibrations):
    """Products of a batch by name, with tables of `radargram_high` added."""

    def run_(batch, **tables):
        table = copy.deepcopy(calibrations["gpr"])
        for name in ("noise", "migration", "topography", "loss_tangent", "polarimetry"):
            table["radargram_high"].pop(name, None)
        table["radargram_high"] |= tables
        one = suite("radargram")
        one._instruments["radargram"] = Radargram(table, one._context)
        return {p.product: p for p in [*one.make_products([batch]), *one.flush()]}

    return run_


def values(product, name):
    return product.arrays[name].values


@pytest.mark.parametrize(
    "tables",
    [
        {"topography": SAID},
        {"loss_tangent": LOSS},
        {"polarimetry": {**SAID, "n_traces": 5, "n_samples": 20}},
    ],
    ids=lambda tables: next(iter(tables)),
)
def test_what_adds_to_a_radargram_changes_none_of_its_arrays(run, made, tables):
    batch = run(30, ("HH", "HV", "VH", "VV"))
    plain, more = made(batch), made(batch, **tables)
    assert set(plain) == {"radargram_high", "radargram_high_hv", "radargram_high_vh", "radargram_high_vv"}
    for name, product in plain.items():
        for array, one in product.arrays.items():
            np.testing.assert_array_equal(one.values, values(more[name], array))
        assert product.lineage["processing"] == more[name].lineage["processing"]


@pytest.mark.parametrize("method", ["stolt", "kirchhoff", "phase_shift"])
def test_a_rock_is_gathered_where_it_lies_by_each_migration(run, made, method):
    """1.5 m down, 1.5 m along the track."""
    found = made(run(), migration={**SAID, "method": method, "aperture_deg": 60.0})["radargram_high"]
    envelope = values(found, "envelope")[:, values(found, "twt_ns") > 8]
    row, sample = np.unravel_index(envelope.argmax(), envelope.shape)
    assert values(found, "distance_m")[row] == pytest.approx(1.5, abs=0.06)
    assert values(found, "depth_m")[values(found, "twt_ns") > 8][sample] == pytest.approx(1.5, abs=0.06)
    assert "migration" in found.lineage["processing"][-1]


@pytest.mark.parametrize(
    "noise",
    [
        {"method": "median", "n_traces": 3},
        {"method": "svd", "n_samples": 256},
        {"method": "fx", "n_traces": 20, "n_samples": 128, "n_before": 4},
    ],
    ids=lambda noise: noise["method"],
)
def test_noise_is_less_where_nothing_reflects_and_is_told(run, made, noise):
    plain, quiet = (made(run(), **tables)["radargram_high"] for tables in ({}, {"noise": {**SAID, **noise}}))
    late = values(plain, "twt_ns") > 60
    power = [np.mean(values(one, "amplitude")[:, late].astype(np.float64) ** 2) for one in (plain, quiet)]
    assert power[1] < 0.75 * power[0]
    assert quiet.lineage["processing"][-1].startswith("noise: ")
    np.testing.assert_array_equal(values(plain, "amplitude_unaligned"), values(quiet, "amplitude_unaligned"))


def test_over_elevation_the_surface_follows_the_slope(run, made):
    """10 %: 0.3 m over 3 m."""
    found = made(run(), topography={**SAID, "step_m": 0.02})["radargram_high"]
    image, levels = values(found, "amplitude_topographic"), values(found, "elevation_m")
    top = np.array([levels[np.flatnonzero(np.isfinite(row))[0]] for row in image])
    assert np.polyfit(values(found, "distance_m"), top, 1)[0] == pytest.approx(0.1, abs=0.01)
    assert np.diff(levels) == pytest.approx(-0.02)


def test_a_loss_tangent_is_a_row_a_run_and_nothing_without_echoes(run, made):
    assert "loss_tangent_high" not in made(run(), loss_tangent={**LOSS, "noise_from_ns": 90.0})
    found = made(run(), loss_tangent=LOSS)["loss_tangent_high"]  # of noise, if nobody says that it is noise
    assert (found.level, len(found.quality)) == ("2C", 1)
    assert np.isfinite([values(found, name)[0] for name in found.arrays]).all()
    assert found.lineage["n_windows"] == 8


def test_polarisations_that_are_the_same_cohere(run, made):
    """Each cycle's four traces are copies of HH."""
    batch = run(30, ("HH", "HV", "VH", "VV"))
    batch.columns["SAMPLES"][:] = np.repeat(batch.columns["SAMPLES"][::4], 4, axis=0)
    found = made(batch, polarimetry={**SAID, "n_traces": 5, "n_samples": 20})["polarimetry_high"]
    assert values(found, "coherence_hh_vv").shape == values(made(batch)["radargram_high"], "amplitude").shape
    assert values(found, "coherence_hh_vv") == pytest.approx(1, abs=1e-4)
    assert values(found, "vv_over_hh_db") == pytest.approx(0, abs=1e-3)
    assert found.lineage["n_looks"] == pytest.approx(5 * 20 * 0.098 * 1.7)


def test_without_all_polarisations_there_is_no_polarimetry(run, made):
    how = {**SAID, "n_traces": 5, "n_samples": 20}
    assert "polarimetry_high" not in made(run(30, ("HH", "VV")), polarimetry=how)


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ({"noise": {**SAID, "method": "fx", "n_traces": 6, "n_before": 4}}, "more than twice n_before"),
        ({"noise": {**SAID, "method": "svd"}}, "32 samples or more"),
        ({"migration": {**SAID, "method": "finite"}}, "'stolt', 'kirchhoff' or 'phase_shift'"),
    ],
    ids=["narrow", "short", "unknown"],
)
def test_what_cannot_be_done_is_told(calibrations, tables, said, calibration_problems):
    table = copy.deepcopy(calibrations["gpr"])
    table["radargram_high"] |= tables
    assert any(said in text for text in calibration_problems(GprCalibration, table))


def test_two_migrations_at_once_are_told(calibrations, calibration_problems):
    table = copy.deepcopy(calibrations["gpr"])
    table["radargram_high"]["filters"]["migrate"] = True
    table["radargram_high"]["migration"] = {**SAID, "method": "stolt"}
    assert any("filters.migrate is Stolt's" in text for text in calibration_problems(GprCalibration, table))


def test_the_tables_that_the_delivered_calibration_has_as_comments_are_right(calibrations, calibration_problems):
    text = (Path(__file__).parents[4] / "configs/zhurong/calibration/gpr.toml").read_text()
    commented = [
        line[2:] for line in text.splitlines() if line.startswith("# [") or (" = " in line and line[:2] == "# ")
    ]
    tables = tomllib.loads("\n".join(commented))["radargram_high"]
    table = copy.deepcopy(calibrations["gpr"])
    table["radargram_high"] |= tables
    assert set(tables) == {"loss_tangent", "polarimetry", "topography", "noise", "migration"}
    assert calibration_problems(GprCalibration, table) == []
