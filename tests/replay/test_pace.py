"""At what pace a recording is replayed: by its receive times, else by what in it tells time, else by a given rate."""

import asyncio
import bz2
import gzip
import shutil
import struct
import time
from pathlib import Path

import numpy as np
import pytest
import zstandard
from downlink_pipeline.archive.passes import recording_sha256
from downlink_pipeline.cli.options import rate_of, speed_factor
from downlink_pipeline.mission.loading import load_mission
from downlink_pipeline.model.batches import ByteBatch
from downlink_pipeline.model.errors import ConfigError
from downlink_pipeline.recordings.reader import all_at_rate, read_pass, received_span
from downlink_pipeline.recordings.receive_times import TIME_RECORD
from downlink_pipeline.replay.pace import OnboardPace, choose_pace
from downlink_pipeline.replay.player import END, Player
from forked_commands import FORKED

MISSION = """
name = "paced"

[link]
framing = "packets"

[dictionary]
csv = "fields.csv"

[clock]
epoch = "2020-01-01T00:00:00Z"
terms = [{ parameter = "SECONDS", unit_ns = 1_000_000_000 }]
"""
FIELDS = "name,data_type,bit_length,apid\nSECONDS,uint,32,1 2\n"
SECOND = 10**9


def packet(apid, count, seconds, n_fill=90):
    body = struct.pack(">I", seconds) + bytes(n_fill)
    return struct.pack(">HHH", apid, 0xC000 | count & 0x3FFF, len(body) - 1) + body


@pytest.fixture
def mission(tmp_path):
    (tmp_path / "fields.csv").write_text(FIELDS)
    (tmp_path / "mission.toml").write_text(MISSION)
    return load_mission(str(tmp_path))


def due(mission, octets, pieces=(None,)):
    """When each byte is due, in ns since the first, as far as the pace tells."""
    pace = choose_pace(mission, ByteBatch.of(octets), None, merged=False)
    found, position = {}, 0
    for part in pieces:
        data = octets[position:part]
        timed = pace.timed(ByteBatch.of(data), position)
        assert (np.diff(timed.mark_start) > 0).all()
        found |= dict(zip((timed.mark_start + position).tolist(), timed.mark_ns.tolist(), strict=True))
        position += len(data)
    return found


def test_packets_without_receive_times_are_due_as_their_onboard_clock_goes_on(mission):
    octets = b"".join(packet(1, k, 5000 + 2 * k) for k in range(50))  # 100 bytes each, 2 s apart
    found = due(mission, octets)
    assert max(found.values()) == 98 * SECOND
    assert all(when == 2 * SECOND * (place // 100) for place, when in found.items())  # when it is whole


def test_the_pace_is_the_same_in_pieces(mission):
    octets = b"".join(packet(1, k, 5000 + 2 * k) for k in range(50))
    assert max(due(mission, octets, (1050, 1051, 3333, None)).values()) == 98 * SECOND


def test_clocks_of_stored_and_of_live_packets_are_each_followed_by_itself(mission):
    live = [packet(1, k, 900_000 + k) for k in range(20)]
    stored = [packet(2, k, 1000 + k) for k in range(20)]  # of ten days ago
    octets = b"".join(one for pair in zip(live, stored, strict=True) for one in pair)
    assert max(due(mission, octets).values()) == 19 * SECOND


def test_a_clock_that_jumps_or_goes_back_does_not_stop_the_replay(mission):
    seconds = [10, 11, 12, 4_000_000_000, 13, 14, 5, 6]
    octets = b"".join(packet(1, k, at) for k, at in enumerate(seconds))
    assert max(due(mission, octets).values()) == (2 + 1 + 1) * SECOND


def test_the_insert_zones_of_tianwen_2_set_its_pace(real_data):
    path = real_data / "tianwen-2" / "2026-05-25.frames"
    octets = path.read_bytes()
    frames = np.frombuffer(octets, np.uint8).reshape(-1, 892)
    known = [k for k in range(len(frames)) if octets[892 * k : 892 * k + 2] == octets[:2]]
    stamps = [int.from_bytes(octets[892 * k + 6 : 892 * k + 12], "little") / 65536 for k in known]  # 2^-16 s
    found = due(load_mission("tianwen-2"), octets)
    assert max(found.values()) / SECOND == pytest.approx(stamps[-1] - stamps[0], abs=1e-3)


def test_the_clock_of_jpss_1_sets_its_pace(real_data, tmp_path):
    (tmp_path / "mission.toml").write_text(
        f'name = "j"\n[link]\nframing = "packets"\n[dictionary]\nxtce = "{real_data}/jpss-1/geolocation.xml"\n'
        '[clock]\nepoch = "1958-01-01"\nterms = [{ parameter = "DOY", unit_ns = 86_400_000_000_000 }, '
        '{ parameter = "MSEC", unit_ns = 1_000_000 }, { parameter = "USEC", unit_ns = 1_000 }]\n'
    )
    found = due(load_mission(str(tmp_path)), (real_data / "jpss-1/J01_G011_LZ_2021-04-09.packets").read_bytes())
    assert max(found.values()) / SECOND == pytest.approx(7198.998, abs=0.001)  # 00:00:00.007 to 01:59:59.005


async def played_s(tape):
    """How long a tape plays, in seconds."""
    begun = time.monotonic()
    async for item in tape.play():
        if item == END:
            return time.monotonic() - begun
    return 0.0


async def test_a_replay_keeps_the_pace_of_the_onboard_clock(mission, tmp_path):
    recording = tmp_path / "p.packets"
    recording.write_bytes(b"".join(packet(1, k, k) for k in range(60)))
    lines = []
    tape = Player(mission, [recording], 100.0, print_line=lines.append)
    assert await played_s(tape) >= 0.5  # 59 s at 100 times
    assert lines == ["p.packets has no receive times: its pace is that of the onboard clock of its packets"]


async def test_a_replay_at_a_rate_takes_as_long_as_the_link_would(mission, tmp_path):
    recording = tmp_path / "p.packets"
    recording.write_bytes(b"".join(packet(1, k, 0) for k in range(100)))  # 80,000 bits
    tape = Player(mission, [recording], 1.0, rate_bits_per_s=100_000)
    assert await played_s(tape) >= 0.8 - 0.06


async def test_a_recording_without_times_is_reported_in_a_line(tmp_path):
    (tmp_path / "mission.toml").write_text('name = "plain"\n[link]\nframing = "packets"\n')
    recording = tmp_path / "p.packets"
    recording.write_bytes(b"".join(packet(1, k, k) for k in range(100)))
    known, lines = load_mission(str(tmp_path)), []
    async with asyncio.timeout(20):
        await played_s(Player(known, [recording], 1.0, print_line=lines.append))
    (line,) = lines
    assert "p.packets has no receive times, and there are no times in it" in line
    assert "--rate" in line


async def test_packets_whose_container_has_no_time_are_reported_to_have_none(mission, tmp_path):
    recording = tmp_path / "p.packets"
    recording.write_bytes(b"".join(packet(7, k, k) for k in range(100)))
    lines = []
    async with asyncio.timeout(20):
        await played_s(Player(mission, [recording], 1.0, print_line=lines.append))
    assert "there are no times in it" in lines[0]


async def test_at_full_speed_nothing_is_reported(mission, tmp_path):
    recording = tmp_path / "p.packets"
    recording.write_bytes(b"".join(packet(1, k, k) for k in range(100)))
    lines = []
    await played_s(Player(mission, [recording], None, print_line=lines.append))
    assert lines == []


def test_receive_times_go_before_onboard_times_and_a_rate_before_both(mission):
    with_times = ByteBatch.of(packet(1, 0, 0), received_ns=5)
    assert choose_pace(mission, with_times, None, merged=False).description == "its receive times"
    assert choose_pace(mission, with_times, 64_000.0, merged=False).description == "64 kbit/s"
    assert isinstance(choose_pace(mission, ByteBatch.of(packet(1, 0, 0)), None, merged=False), OnboardPace)


def test_a_rate_marks_each_byte_by_its_place():
    batches = [ByteBatch.of(bytes(1000)), ByteBatch.of(bytes(500))]
    first, second = all_at_rate(batches, 8000)  # a byte a millisecond
    assert first.mark_ns[0] == 0
    assert second.mark_ns[0] == SECOND
    assert (np.diff(first.mark_ns) == np.diff(first.mark_start) * 1_000_000).all()


@pytest.mark.parametrize(("text", "rate"), [("2048000", 2_048_000), ("2048k", 2_048_000), ("2.048M", 2_048_000)])
def test_a_rate_is_in_bits_per_second(text, rate):
    assert rate_of(text) == pytest.approx(rate)


@pytest.mark.parametrize("text", ["", "0", "-5", "k", "fast", "nan", "inf", "1e99", "5 kk", "5P"])
def test_what_is_no_rate_is_wrong_usage(text):
    with pytest.raises(ConfigError, match="--rate"):
        rate_of(text)


def test_a_rate_sets_a_pace_by_itself():
    assert speed_factor(None, 64_000.0) == 1.0
    assert speed_factor("10", 64_000.0) == 10.0
    assert speed_factor(None, None) is None
    with pytest.raises(ConfigError):
        speed_factor("max", 64_000.0)


PACK = {".gz": gzip.compress, ".bz2": bz2.compress, ".zst": zstandard.compress}


@pytest.mark.parametrize("suffix", sorted(PACK))
def test_a_packed_recording_has_the_receive_times_of_the_plain_one(suffix, tmp_path):
    octets = bytes(range(250)) * 4
    records = np.array([(0, 100), (400, 200), (800, 300)], TIME_RECORD)
    (tmp_path / "x.cadu.times").write_bytes(records.tobytes())
    packed = tmp_path / f"x.cadu{suffix}"
    packed.write_bytes(PACK[suffix](octets))
    (batch,) = read_pass(packed)
    assert batch.data.tobytes() == octets
    assert batch.mark_start.tolist() == [0, 400, 800]
    assert batch.mark_ns.tolist() == [100, 200, 300]
    assert received_span(packed) == (100, 300)
    before = recording_sha256(packed)
    (tmp_path / "x.cadu.times").unlink()
    assert recording_sha256(packed) != before  # an archive is made anew where receive times change


def test_times_of_the_packed_name_itself_go_first(tmp_path):
    for name, when in (("x.cadu.times", 100), ("x.cadu.gz.times", 700)):
        (tmp_path / name).write_bytes(np.array([(0, when)], TIME_RECORD).tobytes())
    (tmp_path / "x.cadu.gz").write_bytes(gzip.compress(bytes(100)))
    assert received_span(tmp_path / "x.cadu.gz") == (700, 700)


def test_a_plain_recording_does_not_take_the_times_of_another(tmp_path):
    (tmp_path / "x.times").write_bytes(np.array([(0, 100)], TIME_RECORD).tobytes())
    (tmp_path / "x.cadu").write_bytes(bytes(100))
    assert received_span(tmp_path / "x.cadu") is None


def test_the_command_says_what_sets_the_pace(tmp_path, mission):
    recording = tmp_path / "p.packets"
    recording.write_bytes(b"".join(packet(1, k, k) for k in range(20)))
    if not shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin"):
        pytest.importorskip("amqtt")
    done = FORKED.run("replay", recording, "-m", mission.folder, "--speed", 100)
    assert done.returncode == 0, done.stderr
    assert "p.packets has no receive times: its pace is that of the onboard clock of its packets" in done.stderr


KISS_MISSION = """
name = "beacon"

[link]
framing = "frames"
frame_type = "tm"
frame_length_bytes = 128
fecf = true
container = "kiss"

[[channel]]
spacecraft_id = 50
virtual_channel = 1
name = "real time"
"""


def test_a_recording_with_times_in_its_records_is_paced_by_them(tmp_path):
    """Its frames came every 200 ms, by the time stamps between them."""
    (tmp_path / "mission.toml").write_text(KISS_MISSION)
    known = load_mission(str(tmp_path))
    octets = (Path(__file__).parents[1] / "link" / "cases" / "erminaz_like.kss").read_bytes()
    pace = choose_pace(known, ByteBatch.of(octets), None, merged=False)
    assert pace.description == "the receive times in its records"
    marks = pace.timed(ByteBatch.of(octets), 0)
    assert marks.mark_ns[-1] - marks.mark_ns[0] > 0.9 * 125 * 200_000_000
    assert (np.diff(marks.mark_ns) % 200_000_000 == 0).all()
    assert marks.mark_start[-1] < len(octets)


def test_a_container_without_times_leaves_the_pace_to_others(tmp_path):
    (tmp_path / "mission.toml").write_text(KISS_MISSION)
    known = load_mission(str(tmp_path))
    assert choose_pace(known, ByteBatch.of(b"\xc0\x00" + bytes(128) + b"\xc0"), None, merged=False) is None
