from pathlib import Path

import pytest
from downlink_pipeline.missions.zhurong.simulator import Faults, Scenario, simulate
from downlink_pipeline.model.errors import ConfigError, RunError

ENDINGS = ("", ".times", ".truth.npz", ".truth.json")


def contents(path):
    return [Path(f"{path}{ending}").read_bytes() for ending in ENDINGS]


def test_the_same_scenario_gives_the_same_bytes(tmp_path):
    scenario = Scenario(duration_s=60.0, faults=Faults(symbol_errors=3, noise_bytes=99, lost_frames=2))
    simulate(tmp_path / "a", scenario)
    simulate(tmp_path / "b", scenario)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_another_seed_gives_another_pass(tmp_path):
    simulate(tmp_path / "a", Scenario(duration_s=60.0, seed=1))
    simulate(tmp_path / "b", Scenario(duration_s=60.0, seed=2))
    assert (tmp_path / "a").read_bytes() != (tmp_path / "b").read_bytes()


def test_nothing_but_the_four_files_is_left(tmp_path):
    simulate(tmp_path / "a", Scenario(duration_s=60.0))
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(f"a{ending}" for ending in ENDINGS)


def test_a_drift_changes_nothing_but_the_clock(tmp_path, ground):
    for name, ppm in (("a", 0.0), ("b", 1.0)):
        simulate(tmp_path / name, Scenario(duration_s=60.0, faults=Faults(clock_drift_ppm=ppm)))
    a, b = (ground["read_pass"](tmp_path / name) for name in "ab")
    assert [record[6:] for record in a.records(289)] == [record[6:] for record in b.records(289)]


@pytest.mark.parametrize(
    ("scenario", "key"),
    [
        (Scenario(sol=0), "sol"),
        (Scenario(seed=-1), "seed"),
        (Scenario(duration_s=5.0), "duration_s"),
        (Scenario(duration_s=float("nan")), "duration_s"),
        (Scenario(duration_s=1e6), "duration_s"),
        (Scenario(profile="medium"), "profile"),
        (Scenario(faults=Faults(symbol_errors=17)), "symbol_errors"),
        (Scenario(faults=Faults(symbol_error_share=1.5)), "symbol_error_share"),
        (Scenario(faults=Faults(lost_frames=-1)), "lost_frames"),
        (Scenario(faults=Faults(noise_bytes=10**12)), "noise_bytes"),
        (Scenario(faults=Faults(clock_drift_ppm=float("inf"))), "clock_drift_ppm"),
    ],
)
def test_a_value_that_makes_no_sense_is_named(tmp_path, scenario, key):
    with pytest.raises(ConfigError, match=f"^{key}: "):
        simulate(tmp_path / "out", scenario)
    assert list(tmp_path.iterdir()) == []


def test_all_values_that_make_no_sense_are_named_at_once(tmp_path):
    with pytest.raises(ConfigError) as error:
        simulate(tmp_path / "out", Scenario(sol=0, seed=-1, faults=Faults(lost_frames=-1)))
    assert [problem.key for problem in error.value.problems] == ["lost_frames", "sol", "seed"]


def test_more_faults_than_frames_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="the pass has only"):
        simulate(tmp_path / "out", Scenario(duration_s=60.0, faults=Faults(lost_frames=100_000)))


def test_a_missing_folder_is_one_line(tmp_path):
    with pytest.raises(RunError, match="its folder does not exist"):
        simulate(tmp_path / "gone" / "out", Scenario(duration_s=60.0))


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_folder_in_the_place_of_a_file_is_one_line(tmp_path, ending):
    (tmp_path / f"out{ending}").mkdir()
    with pytest.raises(RunError, match="is not a regular file"):
        simulate(tmp_path / "out", Scenario(duration_s=60.0))
    assert len(list(tmp_path.iterdir())) == 1


def test_a_device_is_not_replaced():
    with pytest.raises(RunError, match="is not a regular file"):
        simulate(Path("/dev/full"), Scenario(duration_s=60.0))


def test_progress_rises_to_one(tmp_path):
    told = []
    simulate(tmp_path / "out", Scenario(duration_s=60.0), told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0


@pytest.mark.parametrize(("sol", "day"), [(11, "2021-05-25T04:20:00.000Z"), (12, "2021-05-26T04:59:35.000Z")])
def test_a_sol_is_39_minutes_longer_than_a_day(tmp_path, ground, sol, day):
    summary = simulate(tmp_path / "out", Scenario(sol=sol, duration_s=60.0))
    assert summary.sol == sol
    assert ground["read_pass"](tmp_path / "out").books["start_utc"] == day
