"""`downlink packets`: a file for each APID, lists, bytes; and packets on topics where they are asked for."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from downlink_pipeline.commands.packets import list_packets, write_packets
from downlink_pipeline.mission.loading import Mission, load_mission
from downlink_pipeline.model.batches import ByteBatch
from downlink_pipeline.model.errors import ConfigError
from downlink_pipeline.processing.chain import ProcessingChain
from downlink_pipeline.processing.stream_run import StreamRun
from downlink_pipeline.recordings.reader import read_pass

Run = Callable[..., subprocess.CompletedProcess[str]]
KISS = Path(__file__).parents[1] / "link" / "cases" / "erminaz_like.kss"
PACKETS = KISS.with_suffix(".packets")
LINK = """name = "beacon"

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


@pytest.fixture
def mission(tmp_path: Path) -> Mission:
    folder = tmp_path / "mission"
    folder.mkdir()
    (folder / "mission.toml").write_text(LINK)
    return load_mission(str(folder))


def two_apids(tmp_path: Path) -> tuple[Path, bytes, bytes]:
    """A file of packets of two APIDs in turn, and the packets of each."""
    packets = [
        [
            (apid << 48 | 3 << 46 | k << 32 | 3 << 16).to_bytes(8, "big")[:6] + bytes([apid, k, 1, 2])
            for k in range(5)
        ]
        for apid in (7, 300 & 0xFF)
    ]
    path = tmp_path / "two.packets"
    path.write_bytes(b"".join(one + other for one, other in zip(*packets, strict=True)))
    return path, b"".join(packets[0]), b"".join(packets[1])


def test_by_apid_each_has_a_file(tmp_path: Path) -> None:
    path, first, second = two_apids(tmp_path)
    (tmp_path / "mission.toml").write_text('name = "test"\n[link]\nframing = "packets"\n')
    known, out = load_mission(str(tmp_path)), tmp_path / "out"
    report = write_packets([path], known, out, lambda _: None, by_apid=True)
    assert report["files"] == ["44.packets", "7.packets"]
    assert (out / "7.packets").read_bytes() == first
    assert (out / "44.packets").read_bytes() == second
    with pytest.raises(ConfigError, match=r"7\.packets|44\.packets"):
        write_packets([path], known, out, lambda _: None, by_apid=True)


def test_a_list_has_time_apid_count_length_channel_and_quality(mission: Mission) -> None:
    lines: list[str] = []
    list_packets([KISS], mission, lines.append, lambda _: None)
    assert len(lines) == 1 + 80
    assert lines[0].split() == ["received", "(UTC)", "apid", "count", "bytes", "channel", "quality"]
    assert re.split(r"  +", lines[1].strip()) == [
        "2025-09-20T20:26:40.200000Z",  # 0x19968CEB000 ms, and the 200 of the second frame
        "100",
        "0",
        "235",
        "50/1 real time",
        "good",
    ]


def test_with_bytes_each_packet_can_be_read_back_from_the_list(mission: Mission) -> None:
    lines: list[str] = []
    list_packets([KISS], mission, lines.append, lambda _: None, with_bytes=True)
    rows = [line for line in lines if re.match(r"  [0-9a-f]{5}  ", line)]
    assert b"".join(bytes.fromhex(row[9:56]) for row in rows) == PACKETS.read_bytes()


def messages(mission: Mission, piece_bytes: int = 1 << 20) -> list[tuple[str, bytes, str, bool, str]]:
    run = StreamRun(ProcessingChain(mission, "live"), mission.name, "live", lambda _: Path(), pass_name="p")
    batches = [*read_pass(KISS, piece_bytes), ByteBatch.of(b"")]
    made = [
        one
        for number, batch in enumerate(batches)
        for found, _ in run.decode(batch, ended=number == len(batches) - 1)
        for one in found
    ]
    return [
        (one.message.topic, one.message.payload, one.message.content_type, one.message.retain, one.key)
        for one in made
        if "/packet/" in one.message.topic
    ]


def test_packets_are_published_as_they_came_where_the_mission_says_so(mission: Mission) -> None:
    assert messages(mission) == []
    path = mission.folder / "mission.toml"
    path.write_text(path.read_text() + "\n[products]\npackets = true\n")
    found = messages(load_mission(str(mission.folder)))
    assert {topic for topic, *_ in found} == {"beacon/live/packet/100"}
    assert b"".join(payload for _, payload, *_ in found) == PACKETS.read_bytes()
    assert {(kind, kept) for _, _, kind, kept, _ in found} == {("application/octet-stream", False)}
    keys = [key for *_, key in found]
    assert len(set(keys)) == len(keys) == 80
    assert [key for *_, key in messages(load_mission(str(mission.folder)), 500)] == keys


def test_a_replay_with_packets_counts_their_messages(downlink: Run, mission: Mission) -> None:
    counts = []
    for more in ([], ["--packets"]):
        done = downlink("replay", KISS, "--mission", mission.folder, "--json", *more)
        assert done.returncode == 0
        counts.append(int(re.search(r'"messages": (\d+)', done.stdout)[1]))
    assert counts[1] - counts[0] >= 80


def test_what_does_not_go_together_is_told(downlink: Run, mission: Mission) -> None:
    for words in ([], ["--list", "--out", "x"]):
        done = downlink("packets", KISS, "--mission", mission.folder, *words)
        assert (done.returncode, "--list" in done.stderr) == (2, True)


def test_fields_are_listed_with_bits_values_and_rule(downlink: Run, bundled: Path) -> None:
    done = downlink("packets", bundled / "clean.cadu", "--mission", "zhurong", "--fields")
    assert done.returncode == 0
    lines = [re.sub(r"  +", "  ", line.strip()) for line in done.stdout.splitlines()]
    rule = "16-bit signed integer (two's complement); polynomial 0.01 x"
    assert f"40 +16  WHEEL_RATE[0]  0 -> 0 deg/s  {rule}" in lines
    assert "56.1 +7  SLIP  0  7-bit unsigned integer; polynomial 0.01 x" in lines


def test_a_list_can_be_cut_by_who_reads_it(mission: Mission) -> None:
    command = f"{sys.executable} -m downlink_pipeline packets {KISS} -m {mission.folder} --hex | head -n 2"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert len(done.stdout.splitlines()) == 2
    assert "Traceback" not in done.stderr
