"""The corpus, damaged at random: whatever comes in gives counts and never an exception, the books close, and any split
of the input gives the same output.

Cases are numbered and each number is always the same case, so a failure names what to run again:
`DOWNLINK_FUZZ_FIRST=<number> DOWNLINK_FUZZ_SECONDS=0`. `DOWNLINK_FUZZ_SECONDS` says for how long each of the two tests
goes on, for a longer soak.
"""

import dataclasses
import itertools
import os
import runpy
import time
from pathlib import Path

import numpy as np
import pytest
from downlink_pipeline.link.receiver import Receiver
from downlink_pipeline.link.settings import ChannelSettings, InsertZoneTime, LinkSettings, ReedSolomonSettings
from downlink_pipeline.link.stations import StationsReceiver
from downlink_pipeline.model.batches import ByteBatch

CORPUS = Path(__file__).parent / "corpus"
SECONDS = float(os.environ.get("DOWNLINK_FUZZ_SECONDS", "4"))
FIRST = int(os.environ.get("DOWNLINK_FUZZ_FIRST", "0"))

PACKETS = (ChannelSettings(245, 5, "one"), ChannelSettings(245, 6, "two", hand_on_fragments=True))
SERVICES = (ChannelSettings(245, 5, "bits", "bitstream"), ChannelSettings(245, 6, "field", "data"))
STEREO = (ChannelSettings(234, 7, "science", hand_on_fragments=True),)
LINKS = {
    "coded": LinkSettings(
        "cadu", frame_length_bytes=59, randomizer=True, reed_solomon=ReedSolomonSettings(16, 1, "conventional", 180)
    ),
    "interleaved": LinkSettings(
        "cadu", frame_length_bytes=98, reed_solomon=ReedSolomonSettings(16, 2, "dual", 190), reorder_window_frames=0
    ),
    "checked": LinkSettings("cadu", frame_length_bytes=60, randomizer=True, fecf=True),
    "unchecked": LinkSettings("cadu", frame_length_bytes=59),
    "frames": LinkSettings("frames", frame_length_bytes=59, reorder_window_frames=2),
    "encapsulation": LinkSettings("frames", frame_length_bytes=59),
    "stamped": LinkSettings(
        "frames",
        frame_length_bytes=64,
        insert_zone_bytes=8,
        insert_zone_time=InsertZoneTime(6, 10_000, 0),
        operational_control_field=True,
    ),
    "telemetry": LinkSettings("frames", frame_type="tm", frame_length_bytes=75, fecf=True),
    "unified": LinkSettings("frames", frame_type="uslp", frame_length_bytes=64),
    "packets": LinkSettings("packets", packet_prefix_bytes=2),
}
ODD = [
    LinkSettings("cadu", frame_length_bytes=9, sync_marker=b"\x1a\xcf", flywheel_frames=0),
    LinkSettings(
        "cadu", frame_length_bytes=59, marker_errors_searching=6, marker_errors_locked=8, flywheel_frames=9
    ),
    LinkSettings("frames", frame_length_bytes=59, header_error_control=True, fecf=True),
    LinkSettings("frames", frame_type="tm", frame_length_bytes=59),
    LinkSettings("frames", frame_type="uslp", frame_length_bytes=59, insert_zone_bytes=40),
    LinkSettings("packets"),
]
TELLING = [bytes(2), b"\xff\xff", b"\x07\xff", b"\x07\xfe", b"\xe0" * 9, b"\x1a\xcf\xfc\x1d", b"\xe5\x30\x03\xe2"]


# -- damage --------------------------------------------------------------------------------------------------------


def a_slice(rng, stream, longest=200):
    first = int(rng.integers(len(stream) + 1))
    return slice(first, first + int(rng.integers(longest)))


def bits_flipped(rng, stream):
    array = np.frombuffer(stream, np.uint8).copy()
    if len(array):
        places = rng.integers(len(array), size=int(rng.integers(1, 30)))
        array[places] ^= rng.choice(np.array([1, 2, 4, 8, 16, 32, 64, 128, 255], np.uint8), len(places))
    return array.tobytes()


def part_left_out(rng, stream):
    part = a_slice(rng, stream)
    return stream[: part.start] + stream[part.stop :]


def part_repeated(rng, stream):
    part = a_slice(rng, stream)
    return stream[: part.stop] + stream[part] * int(rng.integers(1, 4)) + stream[part.stop :]


def part_moved(rng, stream):
    part, place = a_slice(rng, stream), int(rng.integers(len(stream) + 1))
    rest = stream[: part.start] + stream[part.stop :]
    return rest[:place] + stream[part] + rest[place:]


def part_inverted(rng, stream):
    part = a_slice(rng, stream, 2000)
    return stream[: part.start] + bytes(octet ^ 0xFF for octet in stream[part]) + stream[part.stop :]


def garbage_put_in(rng, stream):
    place = int(rng.integers(len(stream) + 1))
    return stream[:place] + rng.bytes(int(rng.integers(1, 200))) + stream[place:]


def tail_shifted(rng, stream):
    place = int(rng.integers(len(stream) + 1))
    tail = np.unpackbits(np.frombuffer(stream[place:], np.uint8))
    return stream[:place] + np.packbits(np.concatenate((np.zeros(rng.integers(1, 8), np.uint8), tail))).tobytes()


def telling_bytes_written(rng, stream):
    for _ in range(int(rng.integers(1, 12))):
        place, octets = int(rng.integers(len(stream) + 1)), TELLING[rng.integers(len(TELLING))]
        stream = stream[:place] + octets + stream[place + len(octets) :]
    return stream


def cut_short(rng, stream):
    return stream[: rng.integers(len(stream) + 1)]


DAMAGE = [
    bits_flipped,
    part_left_out,
    part_repeated,
    part_moved,
    part_inverted,
    garbage_put_in,
    tail_shifted,
    telling_bytes_written,
    cut_short,
]


def damaged(rng, stream, others):
    for _ in range(int(rng.integers(0, 7))):
        if rng.random() < 0.05:
            stream += others[rng.integers(len(others))]
        stream = DAMAGE[rng.integers(len(DAMAGE))](rng, stream)
    return stream


def a_case(number, corpus):
    """Random numbers, settings, channels, and a way to damage the recording that belongs to them."""
    rng = np.random.default_rng(number)
    name = sorted(corpus)[number % len(corpus)]
    settings = LINKS[name] if rng.random() < 0.85 else ODD[rng.integers(len(ODD))]
    channels = STEREO if settings.frame_type == "tm" else PACKETS if rng.random() < 0.9 else SERVICES
    return rng, settings, channels, lambda: damaged(rng, corpus[name], list(corpus.values()))


# -- what must hold ------------------------------------------------------------------------------------------------


def receive(stream, settings, channels, marks, cuts=(), *, unordered=False):
    """Everything that comes out, as plain values, and the report. Byte `marks[k]` came in at k + 1 ns."""
    receiver = Receiver(settings, channels)
    outputs, octets = [], np.frombuffer(stream, np.uint8)
    bounds = [0, *cuts, len(stream)]
    for first, stop in itertools.pairwise(bounds):
        here = np.nonzero((marks >= first) & (marks < stop))[0]
        outputs.append(
            receiver.receive(ByteBatch(octets[first:stop], marks[here] - first, here + 1, unordered=unordered))
        )
    outputs.append(receiver.flush())
    return everything(outputs), receiver.report()


def everything(outputs):
    out = {"packets": [], "frames": [], "events": []}
    for output in outputs:
        out["events"] += output.events
        out["packets"] += rows_of_packets(output.packets)
        if output.frames is not None:
            columns = [getattr(output.frames, field.name) for field in dataclasses.fields(output.frames)]
            out["frames"] += [tuple(value.tobytes() for value in row) for row in zip(*columns, strict=True)]
    return out


def rows_of_packets(batch):
    names = [field.name for field in dataclasses.fields(batch) if field.name not in {"data", "start"}]
    columns = [getattr(batch, name).tolist() for name in names]
    octets = [
        batch.data[a : a + n].tobytes() for a, n in zip(batch.start.tolist(), batch.length.tolist(), strict=True)
    ]
    assert [len(packet) for packet in octets] == batch.length.tolist()
    return list(zip(octets, *columns, strict=True))


def assert_books_close(report, n_bytes):
    frames = report["frames"]
    assert report["bytes"]["read"] == n_bytes
    assert 0 <= report["bytes"]["skipped"] <= n_bytes
    assert frames["read"] == sum(frames[fate] for fate in ("clean", "corrected", "uncorrectable", "failed_check"))
    used = sum(channel["frames"] for channel in report["channels"])
    assert frames["clean"] + frames["corrected"] == used + frames["other_channel"]
    assert report["packets"]["read"] == sum(report["packets"]["by_apid"].values())


def assert_holds(number, corpus):
    rng, settings, channels, damage = a_case(number, corpus)
    stream = damage()
    marks = np.unique(rng.integers(0, len(stream) + 1, int(rng.integers(30))))
    cuts = sorted(rng.integers(0, len(stream) + 1, int(rng.integers(1, 40))).tolist())
    unordered = bool(rng.integers(2))
    whole, report = receive(stream, settings, channels, marks, unordered=unordered)
    split, split_report = receive(stream, settings, channels, marks, cuts, unordered=unordered)
    assert split == whole
    assert split_report == report
    assert_books_close(report, len(stream))
    assert len(whole["packets"]) == report["packets"]["read"]


def assert_stations_hold(number, corpus):
    rng, settings, channels, damage = a_case(number, corpus)
    if settings.framing == "packets":
        return
    recordings = [damage() for _ in range(int(rng.integers(1, 4)))]
    receiver = StationsReceiver(settings, channels, [str(k) for k in range(len(recordings))])
    rest, outputs = list(recordings), []
    while (station := receiver.next_station()) is not None:
        n_bytes = int(rng.integers(1, 3000))
        piece, rest[station] = rest[station][:n_bytes], rest[station][n_bytes:]
        outputs.append(receiver.receive(station, ByteBatch.of(piece)) if piece else receiver.end(station))
    outputs.append(receiver.flush())
    report = receiver.report()
    assert_books_close(report, sum(map(len, recordings)))
    assert len(everything(outputs)["packets"]) == report["packets"]["read"]


def go_on(check, corpus):
    number, end = FIRST, time.monotonic() + SECONDS
    while number == FIRST or time.monotonic() < end:
        try:
            check(number, corpus)
        except Exception as error:
            error.add_note(f"case {number}: DOWNLINK_FUZZ_FIRST={number} DOWNLINK_FUZZ_SECONDS=0")
            raise
        number += 1


@pytest.fixture(scope="module")
def corpus():
    return {path.stem: path.read_bytes() for path in CORPUS.glob("*.bin")}


def test_the_corpus_is_what_its_maker_makes(sender, corpus):
    assert runpy.run_path(str(CORPUS.parent / "make_corpus.py"))["corpus"](sender) == corpus


@pytest.mark.parametrize("name", LINKS)
def test_an_undamaged_recording_of_the_corpus_is_read_whole(corpus, name):
    channels = STEREO if name == "telemetry" else PACKETS
    _, report = receive(corpus[name], LINKS[name], channels, np.empty(0, np.int64))
    assert report["bytes"] == {"read": len(corpus[name]), "skipped": 0}
    assert report["frames"]["clean"] == report["frames"]["read"]
    assert report["packets"]["read"] > 10
    assert report["packets"]["bad_headers"] == 0


def test_a_damaged_recording_gives_counts_that_close_whatever_its_split(corpus):
    go_on(assert_holds, corpus)


def test_damaged_recordings_of_several_stations_give_counts_that_close(corpus):
    go_on(assert_stations_hold, corpus)
