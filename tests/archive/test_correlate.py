"""`downlink clock`: from recorded passes of a drifting clock to times that are right."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from downlink_pipeline.api import open_pass
from downlink_pipeline.commands.clock import write_correlation
from downlink_pipeline.commands.recordings import write_products
from downlink_pipeline.mission.loading import load_mission
from downlink_pipeline.missions.zhurong.simulator import Faults, Scenario, simulate
from downlink_pipeline.model.errors import ConfigError, RunError
from forked_commands import FORKED

CONFIGS = Path(__file__).parents[2] / "configs"
DRIFT = Faults(clock_drift_ppm=2.5)  # 425 s since the epoch


@pytest.fixture(scope="module")
def passes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drifting")
    made = [folder / f"sol{sol}.cadu" for sol in (11, 12)]
    for sol, path in zip((11, 12), made, strict=True):
        simulate(path, Scenario(sol=sol, seed=sol, duration_s=120.0, faults=DRIFT))
    return made


@pytest.fixture(scope="module")
def mission(passes, tmp_path_factory):
    """Zhurong with the correlation that the command makes of the passes."""
    folder = tmp_path_factory.mktemp("missions") / "zhurong"
    shutil.copytree(CONFIGS / "zhurong", folder)
    files = ("--out", folder / "clock.toml", "--kernel", folder / "clock.tsc")
    done = FORKED.run("clock", *passes, "-m", "zhurong", *files)
    assert done.stderr.startswith("partition 1: ")
    path = folder / "mission.toml"
    path.write_text(path.read_text().replace("[clock]", '[clock]\ncorrelation = "clock.toml"', 1))
    return str(folder)


def test_utc_of_products_is_that_of_the_truth_within_a_millisecond(passes, mission):
    for path in passes:
        found = [one for one in open_pass(path, mission=mission).products() if one.instrument == "weather"]
        with np.load(f"{path}.truth.npz") as truth:
            first_ns = truth["weather_packet_time_utc_ns"][0]
        assert abs(found[0].arrays["time_utc_ns"].values[0] - first_ns) < 1_500_000


def test_the_kernel_is_one_that_spice_reads(mission):
    spiceypy = pytest.importorskip("spiceypy")
    spiceypy.furnsh(str(Path(mission) / "clock.tsc"))
    try:
        assert spiceypy.scencd(-245, "1/170338800:601") == 170_338_800_601
    finally:
        spiceypy.kclear()


def test_passes_without_correlation_packets_are_one_line(tmp_path):
    (tmp_path / "empty.cadu").write_bytes(b"")
    with pytest.raises(RunError, match="0 correlation pairs in 1 passes"):
        write_correlation([tmp_path / "empty.cadu"], load_mission("zhurong"), tmp_path / "x.toml", lambda _: None)
    assert not (tmp_path / "x.toml").exists()


def test_a_mission_without_the_instrument_is_reported(tmp_path):
    with pytest.raises(ConfigError, match="has no instrument 'clock'"):
        write_correlation([], load_mission("stereo-a"), tmp_path / "x.toml", lambda _: None)


def test_files_say_which_correlation_they_have(passes, mission, tmp_path):
    xarray = pytest.importorskip("xarray")
    pytest.importorskip("netCDF4")
    known = load_mission(mission)
    write_products(passes[:1], known, tmp_path, lambda _: None, file_format="netcdf")
    with xarray.open_dataset(next(tmp_path.glob("*_MCS_*.nc"))) as found:
        assert found.attrs["clock_correlation"] == known.clock.correlation_id


def test_decoded_packets_have_the_same_utc_as_products_and_those_of_the_orbiters_clock_their_own(passes, mission):
    pytest.importorskip("xarray")
    found, plain = open_pass(passes[0], mission=mission), open_pass(passes[0], mission="zhurong")
    [first, *_] = [one for one in found.products() if one.instrument == "weather"]
    times = found.to_xarray("WEATHER")["time"].values.astype(np.int64)
    assert times[0] == first.arrays["time_utc_ns"].values[0]
    ticks = ["ORBITER_TICKS"], np.array([1_703_388_000_000 * 100_000])
    assert found.mission.utc_ns(*ticks) == plain.mission.utc_ns(*ticks)
