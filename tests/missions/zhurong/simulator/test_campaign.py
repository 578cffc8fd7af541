"""Two sols in two passes each, heard by two stations, decoded as one."""

import json
from itertools import pairwise

import numpy as np
import pytest
from downlink_pipeline import open_pass
from downlink_pipeline.missions.zhurong.simulator import Campaign, Faults, Scenario, simulate, simulate_campaign
from downlink_pipeline.missions.zhurong.simulator.campaign import parts, pass_path
from downlink_pipeline.missions.zhurong.simulator.packets import Record, queue
from downlink_pipeline.model.errors import ConfigError

FAULTS = Faults(lost_frames=40, symbol_errors=3, symbol_error_share=0.05, uncorrectable_frames=3)


@pytest.fixture(scope="module")
def campaign(tmp_path_factory):
    out = tmp_path_factory.mktemp("campaign") / "c.cadu"
    asked = Campaign(Scenario(duration_s=1200.0, seed=3, night=True, faults=FAULTS), sols=2, passes=2, stations=2)
    made = simulate_campaign(out, asked)
    return out, asked, made


def test_each_pass_of_each_sol_has_a_file_for_each_station(campaign):
    out, _, made = campaign
    names = [one.files[-1].name for one in made]
    assert names[:3] == ["c-sol011-1.station1.cadu", "c-sol011-1.station2.cadu", "c-sol011-2.station1.cadu"]
    assert len(names) == 8
    assert all((out.parent / f"{name}{end}").is_file() for name in names for end in ("", ".times", ".truth.npz"))


def test_two_stations_miss_less_than_one_and_what_both_miss_is_told(campaign):
    out, asked, _ = campaign
    told = json.loads((out.parent / "c.campaign.json").read_text())["passes"]
    (entry, *_) = told.values()
    paths = [pass_path(out, asked, 11, 0, station) for station in (0, 1)]
    both = open_pass(*paths, mission="zhurong", merge=True).report()
    alone = [open_pass(path, mission="zhurong").report()["channels"][0]["frames"] for path in paths]
    channel = both["channels"][0]
    assert channel["lost_frames"] == entry["relay_missing_at_all_stations"]
    assert (
        channel["frames"] - channel["duplicates"] == entry["relay_frames"] - entry["relay_missing_at_all_stations"]
    )
    assert max(alone) < channel["frames"]


def test_stations_rise_late_and_set_early(campaign):
    out, asked, _ = campaign
    first, second = (
        np.fromfile(f"{pass_path(out, asked, 11, 0, station)}.times", "<i8")[1::2] for station in (0, 1)
    )
    assert second[0] < first[0]
    assert second[-1] < first[-1]


def test_counters_go_on_from_pass_to_pass(campaign):
    out, asked, _ = campaign
    last = -1
    for sol, j in ((11, 0), (11, 1), (12, 0), (12, 1)):
        with np.load(f"{pass_path(out, asked, sol, j, 0)}.truth.npz") as truth:
            first = int(truth["magnetometer_sequence_count"][0])
            n = len(truth["magnetometer_sequence_count"])
        if sol == 12 and j == 0:
            assert first == (last + 1) % 16384
        last = (first + n - 1) % 16384


def test_a_sol_in_two_passes_gives_each_record_once(campaign):
    out, asked, _ = campaign
    arrived = []
    for j in (0, 1):
        gone = json.loads((out.parent / "c.campaign.json").read_text())["passes"]
        assert f"c-sol011-{j + 1}" in gone
        with np.load(f"{pass_path(out, asked, 11, j, 1)}.truth.npz") as truth:
            arrived.append(truth["magnetometer_arrived"])
    assert not (arrived[0] & arrived[1]).any()
    assert (arrived[0] | arrived[1]).mean() > 0.3


def test_passes_follow_one_another_by_hours_and_sols(campaign):
    told = json.loads((campaign[0].parent / "c.campaign.json").read_text())["passes"].values()
    sent = [np.datetime64(entry["relay"]["send_from_utc"][:-1]) for entry in told]
    assert [later > earlier + np.timedelta64(1, "h") for earlier, later in pairwise(sent)] == [True] * 3


def test_one_of_everything_is_the_pass_itself(tmp_path):
    scenario = Scenario(duration_s=60.0, night=True)
    simulate(tmp_path / "a.cadu", scenario)
    simulate_campaign(tmp_path / "b.cadu", Campaign(scenario))
    for end in ("", ".times", ".truth.npz", ".truth.json"):
        assert (tmp_path / f"a.cadu{end}").read_bytes() == (tmp_path / f"b.cadu{end}").read_bytes()


def test_parts_are_cut_between_packets_and_leave_none_out():
    stream = queue([Record(300, k, bytes(100 + k)) for k in range(20)], 1, {})
    cuts = parts(stream, 3)
    assert (cuts[0][0], cuts[-1][1]) == (0, 20)
    assert all(earlier[1] == later[0] for earlier, later in pairwise(cuts))
    assert b"".join(stream.cut(*cut).octets.tobytes() for cut in cuts) == stream.octets.tobytes()


@pytest.mark.parametrize(
    ("key", "values"), [("sols", {"sols": 0}), ("passes", {"passes": 9}), ("stations", {"stations": 4})]
)
def test_a_number_that_makes_no_sense_is_named(tmp_path, key, values):
    with pytest.raises(ConfigError, match=f"^{key}: "):
        simulate_campaign(tmp_path / "c", Campaign(Scenario(), **values))


def test_at_night_the_rover_sleeps_its_wings_are_dark_and_its_heaters_live_off_the_battery(tmp_path, ground):
    simulate(tmp_path / "n.cadu", Scenario(duration_s=1200.0, night=True))
    night = ground["read_pass"](tmp_path / "n.cadu")
    assert {packet.apid for packet in night.packets} - {2047} == {257, 258, 261, 289, 305}
    truth = night.truth
    assert set(truth["engineering_activity"]) == {"SLEEPING"}
    assert np.abs(truth["engineering_wing_current_a"]).max() == 0
    assert truth["engineering_battery_current_a"].max() < 0
    assert truth["engineering_battery_charge_percent"][-1] < truth["engineering_battery_charge_percent"][0]
    assert truth["engineering_battery_current_a"].min() < -1.8  # heaters on
    assert truth["weather_air_temperature_degc"].mean() < -70
    assert np.ptp(truth["rover_position_ned_m"], axis=0).max() == 0


def test_during_a_conjunction_the_rover_stays_idle(tmp_path):
    made = simulate(tmp_path / "c.cadu", Scenario(sol=140, duration_s=60.0))
    assert 273 not in made.packets
