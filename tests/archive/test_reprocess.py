"""Product files are made again only if they are not up to date; an interrupted run continues, here or on Dask."""

import multiprocessing
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures.process import BrokenProcessPool
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
from downlink_pipeline.archive.passes import find_passes
from downlink_pipeline.clock.correlation import Correlation
from downlink_pipeline.clock.correlation_file import text_of
from downlink_pipeline.clock.onboard import ClockSegment, OnboardClock
from downlink_pipeline.commands.reprocess import Wanted, make, reprocess, tasks_of
from downlink_pipeline.missions.zhurong.simulator import Scenario, simulate
from downlink_pipeline.model.errors import ConfigError, RunError
from waiting import wait_until

xarray = pytest.importorskip("xarray")
pytest.importorskip("netCDF4")
CONFIGS = Path(__file__).parents[2] / "configs"
EPOCH_NS = 1_451_577_600 * 10**9


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """Three small passes, one of them in a folder below, and one as ingest records it."""
    folder = tmp_path_factory.mktemp("recordings")
    (folder / "below").mkdir()
    simulate(folder / "one.cadu", Scenario(duration_s=60.0, seed=1))
    shutil.copy(folder / "one.cadu", folder / "below" / "two.cadu")
    for name, ended in (("20210525T075000Z", True), ("20210525T090000Z", False)):
        (folder / name).mkdir()
        shutil.copy(folder / "one.cadu", folder / name / f"{0:015d}.raw")
        if ended:
            (folder / name / "ended").touch()
    return folder


@pytest.fixture
def mission(tmp_path):
    """Zhurong's radar-less part, so that a pass takes a second, and a function that gives it a correlation."""
    folder = tmp_path / "mission" / "zhurong"
    shutil.copytree(CONFIGS / "zhurong", folder)
    path = folder / "mission.toml"
    few = re.sub(
        r"(?s)^instruments = \[.*?\]", 'instruments = ["rover", "weather"]', path.read_text(), flags=re.MULTILINE
    )
    path.write_text(few)
    return folder


def correlate(mission):
    clock = OnboardClock(EPOCH_NS, (ClockSegment(0, EPOCH_NS - 425 * 10**9, 1.0, 1, 10**18, 300_000),))
    (mission / "clock.toml").write_text(text_of(clock, Correlation((), *(None,) * 3), "zhurong"))
    path = mission / "mission.toml"
    path.write_text(path.read_text().replace("[clock]", '[clock]\ncorrelation = "clock.toml"', 1))
    return clock.correlation_id


@pytest.fixture
def wanted(recordings, mission, tmp_path):
    return Wanted(recordings, str(mission), tmp_path / "out", "netcdf", stream="live")


def run(wanted, tasks=None):
    """In this process, task by task: what a worker does, without the time that a process takes to start."""
    return {done.name: done.state for done in map(make, tasks or tasks_of(wanted))}


def weather(wanted, name="one.cadu"):
    return xarray.open_dataset(next((wanted.out / name).glob("*_MCS_*.nc")))


def listed(wanted, columns="file"):
    database = sqlite3.connect(wanted.out / "products.sqlite")
    found = database.execute(f"select {columns} from files order by file").fetchall()
    database.close()
    return found


def test_recordings_below_are_found_and_passes_that_are_still_received_are_not(recordings):
    names = [path.relative_to(recordings).as_posix() for path in find_passes(recordings)]
    assert names == ["20210525T075000Z", "below/two.cadu", "one.cadu"]


def test_a_folder_that_is_not_there_is_reported(tmp_path):
    with pytest.raises(ConfigError, match="there is no such folder"):
        find_passes(tmp_path / "nowhere")


def test_links_do_not_give_a_recording_twice(tmp_path):
    (tmp_path / "day").mkdir()
    for name in ("a.cadu", "day/b.cadu"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "loop").symlink_to(".")
    (tmp_path / "day" / "up").symlink_to("..")
    (tmp_path / "day" / "again.cadu").symlink_to("b.cadu")
    assert find_passes(tmp_path) == [tmp_path / "a.cadu", tmp_path / "day" / "b.cadu"]


def test_what_is_up_to_date_is_not_changed(wanted):
    tasks = tasks_of(wanted)[:2]
    assert set(run(wanted, tasks).values()) == {"made"}
    before = {path: path.stat().st_mtime_ns for path in wanted.out.rglob("*.nc")}
    assert set(run(wanted, tasks).values()) == {"left alone"}
    assert {path: path.stat().st_mtime_ns for path in wanted.out.rglob("*.nc")} == before


def test_a_new_correlation_makes_all_anew_with_its_id_and_the_same_product_ids(wanted, mission):
    [task] = [task for task in tasks_of(wanted) if task.name == "one.cadu"]
    make(task)
    with weather(wanted) as found:
        old_ids, old_time = found["product_id"].values.tolist(), found["time"].values
        assert found.attrs["clock_correlation"] == "none: epoch + count"
    reported = correlate(mission)
    [task] = [task for task in tasks_of(wanted) if task.name == "one.cadu"]
    assert make(task).state == "made"
    with weather(wanted) as found:
        assert found.attrs["clock_correlation"] == reported
        assert found["product_id"].values.tolist() == old_ids
        assert ((old_time - found["time"].values) / 10**9).astype(int).tolist() == [425] * len(old_time)
    assert len(list((wanted.out / "one.cadu").glob("*_MCS_*.nc"))) == 1


@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: path.write_bytes(b"half")])
def test_a_file_that_is_gone_or_cut_short_is_made_again(wanted, spoil):
    tasks = [task for task in tasks_of(wanted) if task.name == "one.cadu"]
    run(wanted, tasks)
    spoil(next((wanted.out / "one.cadu").glob("*_MCS_*.nc")))
    assert run(wanted, tasks) == {"one.cadu": "made"}


def test_other_bytes_or_a_calibration_of_another_value_make_a_pass_anew(wanted, mission, recordings, tmp_path):
    folder = tmp_path / "copies"
    folder.mkdir()
    shutil.copy(recordings / "one.cadu", folder)
    mine = replace(wanted, folder=folder)
    assert run(mine) == {"one.cadu": "made"}
    with (folder / "one.cadu").open("ab") as file:
        file.write(b"more")
    assert run(mine) == {"one.cadu": "made"}
    path = mission / "calibration" / "rover.toml"
    path.write_text(path.read_text().replace("max_speed_m_s = 0.1", "max_speed_m_s = 0.2"))
    assert run(mine) == {"one.cadu": "made"}


def test_a_pass_that_fails_leaves_what_was_there_and_does_not_stop_the_others(wanted, tmp_path):
    tasks = tasks_of(wanted)
    gone = replace(tasks[0], recording=tmp_path / "gone.cadu", name="gone.cadu", out=wanted.out / "gone.cadu")
    gone.out.mkdir(parents=True)
    (gone.out / "old.nc").write_bytes(b"old")
    assert run(wanted, [gone, tasks[-1]]) == {"gone.cadu": "failed", "one.cadu": "made"}
    assert [path.name for path in gone.out.iterdir()] == ["old.nc"]


def test_a_worker_with_another_mission_refuses(wanted):
    done = make(replace(tasks_of(wanted)[0], made_with="0" * 64))
    assert (done.state, "another mission or version" in done.text) == ("failed", True)


def test_ids_are_those_of_the_live_stream_where_it_is_named(wanted):
    run(wanted)
    ids = set()
    for name in ("one.cadu", "below/two.cadu", "20210525T075000Z"):
        with weather(wanted, name) as found:
            ids.add(tuple(found["product_id"].values))
    assert len(ids) == 1


def test_a_dask_cluster_makes_each_pass_and_one_index_of_all(wanted):
    distributed = pytest.importorskip("distributed")
    reported = []
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None, protocol="tcp", host="127.0.0.1"
    ) as cluster:
        mine = replace(wanted, scheduler=cluster.scheduler_address)
        assert reprocess(mine, tasks_of(mine), reported.append) == {"made": 3, "left alone": 0, "failed": 0}
        assert reprocess(mine, tasks_of(mine), reported.append) == {"made": 0, "left alone": 3, "failed": 0}
    assert sorted(done.name for done in reported[:3]) == ["20210525T075000Z", "below/two.cadu", "one.cadu"]
    files = {path.relative_to(wanted.out).as_posix() for path in wanted.out.rglob("*.nc")}
    assert {file for (file,) in listed(wanted)} == files
    assert {row[0] for row in listed(wanted, "sol")} == {11}


def test_a_scheduler_that_does_not_answer_is_one_line(wanted, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr("downlink_pipeline.commands.reprocess.CONNECT_S", 0.3)
    mine = replace(wanted, scheduler="tcp://127.0.0.1:9")
    with pytest.raises(RunError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9"):
        reprocess(mine, tasks_of(mine), lambda _: None)


def command(wanted):
    words = ["-m", "downlink_pipeline", "reprocess", wanted.folder, "-m", wanted.mission, "--out", wanted.out]
    return [sys.executable, *map(str, words), "--format", "netcdf", "--stream", "live", "--workers", "1"]


def test_ctrl_c_leaves_complete_passes_and_the_next_run_goes_on(wanted):
    process = subprocess.Popen(
        command(wanted),
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - a background shell ignores it
    )
    deadline = time.monotonic() + 60
    while not list(wanted.out.glob("*/made.json")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)  # not rglob: it fails where a file that is being written goes
    process.send_signal(signal.SIGINT)
    _, reported = process.communicate(timeout=60)
    assert process.returncode == 130
    assert reported.splitlines()[-1] == "downlink: interrupted; nothing half-written is left"
    assert not list(wanted.out.rglob(".*"))
    n_made = len(list(wanted.out.rglob("made.json")))
    done = subprocess.run(command(wanted), capture_output=True, text=True, check=True)
    assert done.stderr.endswith(f"{3 - n_made} made, {n_made} left alone, 0 failed\n")


def test_a_worker_that_dies_before_all_passes_are_handed_out_takes_none_along(tmp_path, monkeypatch):
    class Broken:
        def submit(self, *_):
            raise BrokenProcessPool

    monkeypatch.setattr("downlink_pipeline.commands.reprocess._workers", lambda _: nullcontext(Broken()))
    sat = CONFIGS.parent / "tests" / "messages" / "sat"
    (tmp_path / "recordings").mkdir()
    shutil.copy(sat.with_suffix(".packets"), tmp_path / "recordings" / "one.packets")
    wanted = Wanted(tmp_path / "recordings", str(sat), tmp_path / "out", "file")
    assert reprocess(wanted, tasks_of(wanted), lambda _: None) == {"made": 1, "left alone": 0, "failed": 0}


def test_a_worker_that_dies_takes_no_other_pass_along(tmp_path):
    sat = CONFIGS.parent / "tests" / "messages" / "sat"
    recordings = tmp_path / "recordings"
    recordings.mkdir()
    for name in ("one", "two"):
        shutil.copy(sat.with_suffix(".packets"), recordings / f"{name}.packets")
    wanted = Wanted(recordings, str(sat), tmp_path / "out", "file")

    def kill_the_first():
        wait_until(multiprocessing.active_children)
        multiprocessing.active_children()[0].kill()

    killer = threading.Thread(target=kill_the_first)
    killer.start()
    counts = reprocess(wanted, tasks_of(wanted), lambda _: None)
    killer.join()
    assert counts == {"made": 2, "left alone": 0, "failed": 0}
