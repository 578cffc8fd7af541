import numpy as np
import pytest
from downlink_pipeline.missions.zhurong.simulator import Faults, Scenario, simulate
from downlink_pipeline.model.errors import ConfigError


def product(n_records, seconds=170_338_860):
    """A high-frequency product in the genuine layout."""
    draw = np.random.default_rng(7)
    rows = draw.integers(0, 256, (n_records, 16_453), np.uint8)
    rows[:, :4] = (0x14, 0x6F, 0x22, 0x22)
    for k, row in enumerate(rows):
        row[4:10] = np.frombuffer((seconds + k).to_bytes(4, "big") + (250).to_bytes(2, "big"), np.uint8)
    return rows


def test_the_part_from_the_rover_rides_unchanged(tmp_path, ground):
    rows = product(5)
    (tmp_path / "a.2B").write_bytes(rows.tobytes())
    simulate(tmp_path / "out", Scenario(duration_s=60.0, radar_files=(tmp_path / "a.2B",)))
    assert np.array_equal(ground["read_pass"](tmp_path / "out").fields(273), rows[:, :16_420])


def test_the_stay_covers_the_times_in_the_records(tmp_path, ground):
    (tmp_path / "a.2B").write_bytes(product(100).tobytes())
    simulate(tmp_path / "out", Scenario(duration_s=60.0, sol=200, radar_files=(tmp_path / "a.2B",)))
    books = ground["read_pass"](tmp_path / "out").books
    assert (books["sol"], books["start_utc"]) == (11, "2021-05-25T04:21:00.000Z")
    assert books["stop_utc"] >= "2021-05-25T04:22:39.250Z"


def test_no_radar_is_simulated_beside_genuine_records(tmp_path):
    (tmp_path / "a.2B").write_bytes(product(2).tobytes())
    packets = simulate(tmp_path / "out", Scenario(duration_s=60.0, radar_files=(tmp_path / "a.2B",))).packets
    assert 274 not in packets
    assert packets[273] == 10


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not a level-2B radar product"),
        (b"PDS_VERSION_ID = PDS3", "not a level-2B radar product"),
        (product(3).tobytes()[:-1], "cut short: 2 records of 16453 bytes, then 16452 bytes"),
        (product(1).tobytes() + bytes(16_453), "record 1 has another channel word"),
    ],
)
def test_a_file_that_is_none_is_told_in_one_line(tmp_path, content, said):
    (tmp_path / "bad.2B").write_bytes(content)
    with pytest.raises(ConfigError, match=said) as error:
        simulate(tmp_path / "out", Scenario(radar_files=(tmp_path / "bad.2B",)))
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(ConfigError, match="No such file"):
        simulate(tmp_path / "out", Scenario(radar_files=(tmp_path / "gone.2B",)))


def test_all_bad_files_are_told_at_once(tmp_path):
    for name in ("one.2B", "two.2B"):
        (tmp_path / name).write_bytes(b"nothing")
    with pytest.raises(ConfigError) as error:
        simulate(tmp_path / "out", Scenario(radar_files=(tmp_path / "one.2B", tmp_path / "two.2B")))
    assert len(error.value.problems) == 2


def test_records_days_apart_do_not_fit_one_stay(tmp_path):
    (tmp_path / "a.2B").write_bytes(product(1).tobytes())
    (tmp_path / "b.2B").write_bytes(product(1, 170_338_860 + 86_400).tobytes())
    with pytest.raises(ConfigError, match="more than one stay"):
        simulate(tmp_path / "out", Scenario(radar_files=(tmp_path / "a.2B", tmp_path / "b.2B")))


def test_zhurongs_own_records_ride_unchanged(real_radar, tmp_path, ground):
    scenario = Scenario(radar_files=tuple(real_radar))
    simulate(tmp_path / "out", scenario)
    received = ground["read_pass"](tmp_path / "out")
    for path, apid, product_bytes, packet_bytes in zip(
        real_radar, (273, 274), (16_453, 12_069), (16_420, 12_036), strict=True
    ):  # fmt: skip
        rows = np.fromfile(path, np.uint8).reshape(-1, product_bytes)
        assert np.array_equal(received.fields(apid), rows[:, :packet_bytes])


def test_zhurongs_own_self_tests_are_found(real_radar, tmp_path, ground):
    simulate(tmp_path / "out", Scenario(radar_files=tuple(real_radar), faults=Faults()))
    truth = ground["read_pass"](tmp_path / "out").truth
    assert np.flatnonzero(truth["gpr_hf_self_test"]).tolist() == [0, 64, 128]
    assert np.flatnonzero(truth["gpr_lf_self_test"]).tolist() == [0]
