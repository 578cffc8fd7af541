"""Runs of two sols become one radargram, whose coordinates are worked out by hand."""

import numpy as np
import pytest
from downlink_pipeline.missions.zhurong.gpr.radar_traverse import TraverseRadargram
from downlink_pipeline.products.context import Site

SITE = Site(109.908440, 25.083319, -4918.556, "MARS_COORDINATE_SYSTEM", 52386, "landing site")

N = 41
SOL_S = 88_775.244
RADIUS_M = 3_396_190.0 - 4918.556


@pytest.fixture
def batches(rows):
    """Sol 1: 2 m north from the site, where the frame is zeroed; sol 2: 2 m east and 0.2 m up. A row each second."""

    def radar(start_s, north_m, east_m, down_m, order):
        time = np.arange(2048) * 0.098
        samples = np.exp(-0.5 * ((time - 16.9) / 0.5) ** 2) * np.exp(-2j * np.pi * 0.94 * time)
        samples = samples * (1 + 0.1 * np.random.default_rng(order).normal(size=(N, 1)))
        columns = {
            "EFFECTIVE_LENGTH_BYTES": 16384, "FRAME_COUNT": (1 + 4 * np.arange(N)) % 256, "WORK_MODE": "SCIENCE",
            "POLARIZATION": "HH", "POSITION_X": north_m, "POSITION_Y": east_m, "POSITION_Z": down_m,
            "SAMPLES": np.stack([samples.real, samples.imag], axis=-1).reshape(N, -1),
        }  # fmt: skip
        at = order + 2 * np.arange(N) + 1
        return rows("GPR_HF", start_s + np.arange(N), columns=columns, seq_count=at, order=at)

    def navigation(start_s, frame_id, north_m, east_m, down_m, order):
        columns = {
            "FRAME_ID": frame_id, "DRIVE_MODE": "DRIVE", "POSITION_NORTH": north_m, "POSITION_EAST": east_m,
            "POSITION_DOWN": down_m, "Q_SCALAR": 1.0,
        }  # fmt: skip
        at = order + 2 * np.arange(N)
        return rows("NAVIGATION", start_s + np.arange(N), columns=columns, seq_count=at, order=at)

    way, still = 0.05 * np.arange(N), np.zeros(N)
    return [
        navigation(1e8, 1, way, still, still, 0), radar(1e8, way, still, still, 0),
        navigation(1e8 + SOL_S, 2, still, way, -0.1 * way, 100), radar(1e8 + SOL_S, still, way, -0.1 * way, 100),
    ]  # fmt: skip


@pytest.fixture
def made(suite):
    """What is joined of batches, two of each pass: a suite of its own each, as passes have."""

    def run(batches):
        joiner = TraverseRadargram(SITE)
        for first in range(0, len(batches), 2):
            one = suite("radargram", "rover")
            joiner.add_products(one.make_products(batches[first : first + 2]))
            joiner.add_products(one.flush())
        return joiner.finish()

    return run


def values(product, name):
    return product.arrays[name].values


def test_two_sols_are_one_radargram_with_coordinates(made, batches):
    (product,) = made(batches)
    assert (product.instrument, product.product, product.level) == ("gpr", "traverse_high", "2C")
    assert values(product, "amplitude").shape[0] == 2 * N
    assert product.time.sol[1] - product.time.sol[0] == 1
    assert values(product, "run").tolist() == [0] * N + [1] * N
    east, north, up = values(product, "position_enu_m").T
    assert (east[-1], north[-1], up[-1]) == pytest.approx((2.0, 2.0, 0.2), abs=0.01)
    to_deg = 180 / np.pi / RADIUS_M
    assert values(product, "latitude_deg")[[0, -1]] - 25.083319 == pytest.approx([0, 2 * to_deg], abs=2e-7)
    longitude = values(product, "longitude_deg")[[0, -1]] - 109.908440
    assert longitude == pytest.approx([0, 2 * to_deg / np.cos(np.deg2rad(25.083319))], abs=2e-7)


def test_distance_goes_on_from_run_to_run(made, batches):
    (product,) = made(batches)
    assert values(product, "distance_m")[-1] == pytest.approx(4.0, abs=0.05)
    assert (np.diff(values(product, "distance_m")) >= -1e-9).all()


def test_traces_are_those_of_the_radargrams(made, batches, suite):
    alone = suite("radargram")
    runs = [p for p in [*alone.make_products(batches), *alone.flush()] if p.product == "radargram_high"]
    (product,) = made(batches)
    np.testing.assert_array_equal(
        values(product, "amplitude"), np.concatenate([values(run, "amplitude") for run in runs])
    )


def test_over_altitude_all_runs_share_one_grid(made, batches):
    (product,) = made(batches)
    levels, image = values(product, "elevation_m"), values(product, "amplitude_topographic")
    top = np.array([levels[np.flatnonzero(np.isfinite(row))[0]] for row in image])
    assert top[-1] - top[0] == pytest.approx(0.2, abs=0.06)
    assert levels[0] == pytest.approx(-4918.556 + 0.2, abs=0.5)


def test_without_navigation_there_are_no_coordinates(made, batches):
    (product,) = made([batches[1]])
    assert np.isnan(values(product, "longitude_deg")).all()
    assert np.isfinite(values(product, "amplitude")).all()


def test_what_is_joined_has_an_id_of_its_runs_and_their_time(made, batches):
    (one,), (two,), (other,) = made(batches), made(batches), made(batches[:2])
    assert one.id == two.id != other.id
    assert one.time.onboard_ns == (batches[1].time_ns[0], batches[3].time_ns[-1])
    assert one.lineage["n_runs"] == 2


def test_without_radargrams_there_is_nothing(made, batches):
    assert made([batches[0]]) == []
