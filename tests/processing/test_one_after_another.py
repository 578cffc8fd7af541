"""Recordings that are named together are read one after the other; stations are merged where that is asked for."""

import itertools
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
from downlink_pipeline import open_pass
from downlink_pipeline.model.errors import ConfigError
from forked_commands import FORKED

BUNDLED = {"clean.cadu": 2288, "damaged.cadu": 2053, "night.cadu": 841}
"""Packets of each, as its truth says (replay_data/README.md): 5,182 in all."""

LINK = """
name = "made"
[link]
framing = "{framing}"
{link}
"""
CHANNEL = """
[[channel]]
spacecraft_id = {scid}
virtual_channel = 5
name = "science"
"""


STATIONS = """
[[station]]
name = "N"
files = "north_*"
[[station]]
name = "S"
files = "south_*"
"""


def packets_of(*paths, mission="zhurong"):
    return [
        batch.data[start : start + length].tobytes()
        for batch in open_pass(*paths, mission=str(mission)).packets()
        for start, length in zip(batch.start.tolist(), batch.length.tolist(), strict=True)
    ]


def in_pieces(folder: Path, octets: bytes, cuts):
    """Write what lies between the cuts to files of their own, and give them in order."""
    paths = []
    for number, (start, stop) in enumerate(itertools.pairwise([0, *sorted(set(cuts)), len(octets)])):
        paths.append(folder / f"piece-{number}")
        paths[-1].write_bytes(octets[start:stop])
    return paths


# -- different passes ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", list(itertools.permutations(BUNDLED)))
def test_the_bundled_passes_have_5182_packets_separately_and_together(bundled, order):
    report = open_pass(*(bundled / name for name in order), mission="zhurong").report()
    assert report["packets"]["read"] == sum(BUNDLED.values()) == 5182
    assert report["passes"] == 3


def test_the_report_of_several_passes_is_the_sum_of_theirs(bundled):
    apart = [open_pass(bundled / name, mission="zhurong").report() for name in BUNDLED]
    together = open_pass(*(bundled / name for name in BUNDLED), mission="zhurong").report()
    for section in ("bytes", "frames"):
        for key, value in together[section].items():
            if isinstance(value, int):
                assert value == sum(report[section][key] for report in apart), (section, key)
    for number, channel in enumerate(together["channels"]):
        for key in ("frames", "duplicates", "gaps", "lost_frames", "late_frames", "packets", "truncated_packets"):
            assert channel[key] == sum(report["channels"][number][key] for report in apart), key
    apids = {apid for report in apart for apid in report["packets"]["by_apid"]}
    assert together["packets"]["by_apid"] == {
        apid: sum(report["packets"]["by_apid"].get(apid, 0) for report in apart) for apid in sorted(apids, key=int)
    }


def test_products_of_several_passes_are_those_of_each(bundled):
    def ids(*names):
        return sorted(
            (product.instrument, product.product, product.time.onboard_ns, len(product.quality))
            for product in open_pass(*(bundled / name for name in names), mission="zhurong").products()
        )

    assert ids("damaged.cadu", "night.cadu") == sorted(ids("damaged.cadu") + ids("night.cadu"))


def test_the_order_of_decoded_rows_goes_on_over_passes(bundled):
    found = open_pass(bundled / "night.cadu", bundled / "clean.cadu", mission="zhurong")
    numbers = np.sort(np.concatenate([batch.order for batch in found.columns()]))
    assert (np.diff(numbers) == 1).all()


def test_two_passes_of_a_tm_mission_share_no_packet(tmp_path):
    """Counts of 8 bits that happen to be near each other do not join passes: packet counts are unrelated."""
    mission = made_mission(tmp_path, "frames", 'frame_type = "tm"\nframe_length_bytes = 106', scid=234)
    rng = np.random.default_rng(8)
    for trial in range(10):
        first = [packet(apid, int(rng.integers(1 << 14)) + k, rng) for apid in (1, 2, 3) for k in range(30)]
        second = [packet(apid, int(rng.integers(1 << 14)) + k, rng) for apid in (1, 2, 3) for k in range(30)]
        a, b = tmp_path / f"a{trial}", tmp_path / f"b{trial}"
        frames = tm_frames(first, 3)
        a.write_bytes(b"".join(frames))
        b.write_bytes(b"".join(tm_frames(second, 3 + len(frames) + int(rng.integers(1, 40)))))
        assert len(packets_of(a, b, mission=mission)) == len(packets_of(a, mission=mission)) + len(
            packets_of(b, mission=mission)
        )


# -- pieces of one recording --------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
def test_pieces_of_a_recording_give_what_the_uncut_recording_gives(bundled, tmp_path, seed):
    octets = (bundled / "damaged.cadu").read_bytes()
    rng = np.random.default_rng(seed)
    cuts = rng.integers(1, len(octets), 3).tolist() + [1024 * int(rng.integers(1, 4000)) for _ in range(2)]
    pieces = in_pieces(tmp_path, octets, [*cuts, cuts[0] + 11])
    whole = tmp_path / "whole"
    whole.write_bytes(octets)
    assert packets_of(*pieces) == packets_of(whole)
    assert open_pass(*pieces, mission="zhurong").report() == open_pass(whole, mission="zhurong").report()


def test_a_recording_cut_where_frames_are_lost_is_one_with_that_gap(bundled, tmp_path):
    octets = (bundled / "clean.cadu").read_bytes()
    lost = octets[: 1024 * 1000] + octets[1024 * 1007 :]
    (tmp_path / "whole").write_bytes(lost)
    pieces = in_pieces(tmp_path, lost, [1024 * 1000])
    report = open_pass(*pieces, mission="zhurong").report()
    assert report == open_pass(tmp_path / "whole", mission="zhurong").report()
    assert sum(channel["lost_frames"] for channel in report["channels"]) == 7


def packet(apid, count, rng):
    payload = rng.integers(0, 256, int(rng.integers(20, 200)), np.uint8).tobytes()
    head = (apid, 3 << 14 | count & 0x3FFF, len(payload) - 1)
    return b"".join(field.to_bytes(2, "big") for field in head) + payload


def zones(packets, size):
    stream, starts = b"".join(packets), [0, *itertools.accumulate(map(len, packets))][:-1]
    for at in range(0, len(stream) - size, size):
        inside = [start - at for start in starts if at <= start < at + size]
        yield stream[at : at + size], inside[0] if inside else 0x7FF


def tm_frames(packets, first):
    return [
        (234 << 4 | 5 << 1).to_bytes(2, "big")
        + bytes([first + k & 0xFF, first + k & 0xFF])
        + (3 << 11 | pointer).to_bytes(2, "big")
        + zone
        for k, (zone, pointer) in enumerate(zones(packets, 100))
    ]


def aos_frames(packets, first):
    return [
        (1 << 14 | 245 << 6 | 5).to_bytes(2, "big")
        + (first + k).to_bytes(3, "big")
        + b"\0"
        + pointer.to_bytes(2, "big")
        + zone
        for k, (zone, pointer) in enumerate(zones(packets, 100))
    ]


def made_mission(folder, framing, link, scid=245):
    mission = folder / "made"
    mission.mkdir(exist_ok=True)
    channel = CHANNEL.format(scid=scid) if framing != "packets" else ""
    (mission / "mission.toml").write_text(LINK.format(framing=framing, link=link) + channel)
    return mission


@pytest.mark.parametrize("kind", ["aos", "tm", "packets", "plain cadu"])
def test_a_recording_without_checks_may_be_cut_at_any_byte(tmp_path, kind):
    rng = np.random.default_rng(5)
    sent = [packet(1 + k % 3, k // 3, rng) for k in range(120)]
    if kind == "packets":
        mission, octets = made_mission(tmp_path, "packets", ""), b"".join(sent)
    elif kind == "tm":
        mission = made_mission(tmp_path, "frames", 'frame_type = "tm"\nframe_length_bytes = 106', scid=234)
        octets = b"".join(tm_frames(sent, 250))
    elif kind == "aos":
        mission = made_mission(tmp_path, "frames", "frame_length_bytes = 108")
        octets = b"".join(aos_frames(sent, 1000))
    else:
        mission = made_mission(tmp_path, "cadu", "frame_length_bytes = 108")
        octets = b"".join(bytes.fromhex("1ACFFC1D") + frame for frame in aos_frames(sent, 1000))
    whole = packets_of(*in_pieces(tmp_path, octets, []), mission=mission)
    assert len(whole) > 115
    assert whole == sent[: len(whole)]
    for cut in rng.integers(1, len(octets), 12).tolist():
        pieces = in_pieces(tmp_path, octets, [cut, cut + 30])
        assert packets_of(*pieces, mission=mission) == whole, cut


@pytest.mark.parametrize("kind", ["aos", "tm", "packets", "plain cadu"])
@pytest.mark.parametrize("seed", range(3))
def test_a_pass_that_ends_inside_a_packet_is_not_filled_up_from_the_next(tmp_path, kind, seed):
    """The count of a packet or frame that is cut follows on those before it, whatever stands behind."""
    rng = np.random.default_rng(seed)
    first = [packet(7, k, rng) for k in range(60)]
    second = [packet(9, 5000 + k, rng) for k in range(60)]
    if kind == "packets":
        mission, unit = made_mission(tmp_path, "packets", ""), len(first[-1])
        octets = [b"".join(first), b"".join(second)]
    elif kind == "tm":
        mission = made_mission(tmp_path, "frames", 'frame_type = "tm"\nframe_length_bytes = 106', scid=234)
        octets, unit = [b"".join(tm_frames(first, 0)), b"".join(tm_frames(second, 200))], 106
    else:
        mission = made_mission(tmp_path, "cadu" if "cadu" in kind else "frames", "frame_length_bytes = 108")
        marker = bytes.fromhex("1ACFFC1D") if "cadu" in kind else b""
        both = aos_frames(first, 1000), aos_frames(second, 9000)
        octets, unit = [b"".join(marker + frame for frame in frames) for frames in both], 108
    paths = [tmp_path / "first", tmp_path / "second"]
    paths[0].write_bytes(octets[0][: -int(rng.integers(1, unit - 10))])
    paths[1].write_bytes(octets[1])
    separate = [packets_of(path, mission=mission) for path in paths]
    assert {len(found) for found in separate} <= set(range(50, 61))
    assert packets_of(*paths, mission=mission) == separate[0] + separate[1]
    assert all(found in first + second for found in separate[0] + separate[1])


def capture(datagrams, first=0):
    """A pcap file of raw IPv4 (link type 101): headers by RFC 791 and 768, port 5000, a record for each datagram."""
    out = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101)
    for number, payload in enumerate(datagrams, first):
        udp = struct.pack(">HHHH", 4000, 5000, 8 + len(payload), 0) + payload
        ip = (
            struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), number & 0xFFFF, 0, 64, 17, 0, bytes(4), bytes(4))
            + udp
        )
        out += struct.pack("<IIII", 1_600_000_000 + number, 0, len(ip), len(ip)) + ip
    return out


@pytest.fixture
def captured(tmp_path):
    """A mission of TM frames that come in datagrams, and 60 of its frames."""
    mission = made_mission(
        tmp_path, "frames", 'container = "pcap"\nframe_type = "tm"\nframe_length_bytes = 106', scid=234
    )
    rng = np.random.default_rng(11)
    frames = tm_frames([packet(apid, k, rng) for k in range(40) for apid in (1, 2, 3)], 3)
    return mission, frames


def test_captures_that_follow_each_other_with_a_header_each_are_one_pass(captured, tmp_path):
    """As `tcpdump -C` and `-G` write them."""
    mission, frames = captured
    (tmp_path / "whole").write_bytes(capture(frames))
    pieces = [tmp_path / "one.pcap", tmp_path / "two.pcap", tmp_path / "three.pcap"]
    for path, (start, stop) in zip(pieces, [(0, 21), (21, 22), (22, len(frames))], strict=True):
        path.write_bytes(capture(frames[start:stop], start))
    assert packets_of(*pieces, mission=mission) == packets_of(tmp_path / "whole", mission=mission)
    whole, report = (open_pass(*paths, mission=str(mission)).report() for paths in ([tmp_path / "whole"], pieces))
    assert "passes" not in report
    assert {**report, "bytes": None} == {**whole, "bytes": None}


@pytest.mark.parametrize("seed", range(4))
def test_a_capture_may_be_cut_at_any_byte(captured, tmp_path, seed):
    mission, frames = captured
    octets = capture(frames)
    (tmp_path / "whole").write_bytes(octets)
    pieces = in_pieces(tmp_path, octets, np.random.default_rng(seed).integers(600, len(octets), 3).tolist())
    assert (
        open_pass(*pieces, mission=str(mission)).report()
        == open_pass(tmp_path / "whole", mission=str(mission)).report()
    )


def test_captures_of_unrelated_passes_are_passes_of_their_own(captured, tmp_path):
    mission, frames = captured
    rng = np.random.default_rng(12)
    others = tm_frames([packet(apid, 9000 + 7 * apid + k, rng) for k in range(40) for apid in (1, 2, 3)], 150)
    for name, sent in (("a.pcap", frames), ("b.pcap", others)):
        (tmp_path / name).write_bytes(capture(sent))
    report = open_pass(tmp_path / "a.pcap", tmp_path / "b.pcap", mission=str(mission)).report()
    assert report["passes"] == 2
    assert sum(channel["gaps"] for channel in report["channels"]) == 0


def test_the_last_piece_may_be_the_rest_of_one_packet(tmp_path):
    rng = np.random.default_rng(3)
    sent = [packet(7, k, rng) for k in range(60)]
    pieces = in_pieces(tmp_path, b"".join(sent), [len(b"".join(sent)) - 13])
    assert packets_of(*pieces, mission=made_mission(tmp_path, "packets", "")) == sent


def test_packets_that_look_like_others_at_a_wrong_place_may_be_cut(tmp_path):
    """Inside each packet of 71 bytes stands what looks like the header of one: reading must not begin there."""
    mission = made_mission(tmp_path, "packets", "")
    inside = (7).to_bytes(2, "big") + b"\xc0\x00" + (64).to_bytes(2, "big")
    sent = [
        (5).to_bytes(2, "big")
        + (3 << 14 | k).to_bytes(2, "big")
        + (64).to_bytes(2, "big")
        + bytes(14)
        + inside
        + bytes(45)
        for k in range(8000)
    ]
    octets = b"".join(sent)
    for cut in (300_000, 300_031, 71 * 5000, 71 * 6000 + 30):
        assert packets_of(*in_pieces(tmp_path, octets, [cut]), mission=mission) == sent


# -- stations, names, order ---------------------------------------------------------------------------------------


@pytest.fixture
def two_stations(bundled, tmp_path):
    """The clean pass as two stations heard it: each lost 100 frames that the other has."""
    cadus = np.fromfile(bundled / "clean.cadu", np.uint8).reshape(-1, 1024)
    kept = [np.r_[0:1000, 1100 : len(cadus)], np.r_[0:2000, 2100 : len(cadus)]]
    paths = [tmp_path / "north_1.cadu", tmp_path / "south_1.cadu"]
    for path, rows in zip(paths, kept, strict=True):
        cadus[rows].tofile(path)
    return paths


def test_stations_are_merged_where_that_is_asked_for(two_stations):
    assert open_pass(*two_stations, mission="zhurong", merge=True).report()["packets"]["read"] == 2288


def test_stations_of_the_mission_file_are_merged_and_their_files_follow_each_other(two_stations, tmp_path):
    north, south = two_stations
    octets = north.read_bytes()
    (tmp_path / "north_1.cadu").write_bytes(octets[:1_000_001])
    (tmp_path / "north_2.cadu").write_bytes(octets[1_000_001:])
    mission = zhurong_with(tmp_path, STATIONS)
    report = open_pass(north, tmp_path / "north_2.cadu", south, mission=str(mission)).report()
    assert report["packets"]["read"] == 2288
    assert [station["name"] for station in report["stations"]] == ["N", "S"]


def test_a_recording_of_no_station_is_refused_beside_those_of_several(two_stations, bundled, tmp_path):
    mission = zhurong_with(tmp_path, STATIONS)
    with pytest.raises(ConfigError, match=r"night\.cadu: no \[\[station\]\]"):
        open_pass(*two_stations, bundled / "night.cadu", mission=str(mission)).report()


def zhurong_with(tmp_path, text):
    root = Path(__file__).parents[2] / "configs/zhurong"
    mission = tmp_path / "zhurong-stations"
    shutil.copytree(root, mission)
    with (mission / "mission.toml").open("a") as file:
        file.write("\n" + text)
    return mission


def test_a_recording_named_twice_is_one_clear_line(bundled):
    path = bundled / "night.cadu"
    done = run("inspect", path, path, "--mission", "zhurong")
    assert done.returncode == 2
    assert done.stderr.splitlines() == [f"downlink: {path}: a recording is named twice"]


def test_a_recording_under_a_second_name_is_reported_in_one_line(bundled, tmp_path):
    shutil.copy(bundled / "night.cadu", tmp_path / "copy.cadu")
    words = ("inspect", bundled / "night.cadu", tmp_path / "copy.cadu")
    done = run(*words, "-m", "zhurong")
    assert done.returncode == 0
    assert sum("copy.cadu holds the same bytes" in line for line in done.stderr.splitlines()) == 1
    merged = run(*words, "-m", "zhurong", "--merge")
    assert "same bytes" not in merged.stderr


def test_recordings_out_of_order_of_time_are_reported_in_one_line(bundled, tmp_path):
    earlier, later = bundled / "clean.cadu", bundled / "night.cadu"
    first_times = [int(np.fromfile(f"{path}.times", "<i8")[1]) for path in (earlier, later)]
    assert first_times[0] < first_times[1]
    right = run("packets", earlier, later, "--mission", "zhurong", "--out", tmp_path / "p")
    wrong = run("inspect", later, earlier, "--mission", "zhurong")
    assert "received before" not in right.stderr
    [line] = [line for line in wrong.stderr.splitlines() if "received before" in line]
    assert str(earlier) in line
    assert str(later) in line


def run(*arguments):
    return FORKED.run(*arguments)
