"""Recordings of one pass by several stations, merged frame by frame."""

import os

import numpy as np
import pytest
from downlink_pipeline.link.receiver import Receiver
from downlink_pipeline.link.settings import ChannelSettings, LinkSettings, ReedSolomonSettings
from downlink_pipeline.link.stations import StationsReceiver
from downlink_pipeline.model.batches import ByteBatch
from downlink_pipeline.model.errors import ConfigError
from hypothesis import given, settings
from hypothesis import strategies as st

RELAY = [ChannelSettings(245, 5, "relay")]
SCIENCE = [ChannelSettings(234, 7, "science")]
AOS = LinkSettings("frames", frame_length_bytes=108)
TM = LinkSettings("frames", frame_type="tm", frame_length_bytes=106)
CODED = LinkSettings(
    "cadu", frame_length_bytes=100, randomizer=True, reed_solomon=ReedSolomonSettings(32, 1, "conventional", 123)
)


def merge(recordings, settings=AOS, channels=RELAY, piece=500):
    """Feed whichever station is behind, a piece at a time."""
    receiver = StationsReceiver(settings, channels, [f"station {k}" for k in range(len(recordings))])
    rest = [np.frombuffer(recording, np.uint8) for recording in recordings]
    outputs = []
    while (station := receiver.next_station()) is not None:
        if len(rest[station]) == 0:
            outputs.append(receiver.end(station))
        else:
            outputs.append(receiver.receive(station, ByteBatch.of(rest[station][:piece])))
            rest[station] = rest[station][piece:]
    outputs.append(receiver.flush())
    return outputs, receiver.report()


def packets_of(outputs):
    return [
        batch.data[start : start + length].tobytes()
        for batch in (output.packets for output in outputs)
        for start, length in zip(batch.start.tolist(), batch.length.tolist(), strict=True)
    ]


def a_pass(sender, n=300, first=0, tm=False):
    rng = np.random.default_rng(n)
    sent = [
        sender.packet(1, k, rng.integers(0, 256, int(rng.integers(1, 200)), np.uint8).tobytes()) for k in range(n)
    ]
    build = sender.tm_frame if tm else sender.aos_frame
    return sent, [build(zone, at, first + k) for k, (zone, at) in enumerate(sender.zones(sent, 100))]


def heard(frames, rng, share):
    return [frame for frame in frames if rng.random() < share]


@pytest.mark.parametrize("tm", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_what_one_station_missed_another_gives(sender, tm, seed):
    sent, frames = a_pass(sender, 300 + seed, first=0xFFFFF0 if not tm else 250, tm=tm)
    rng = np.random.default_rng(seed)
    first, second = heard(frames[:-40], rng, 0.9), heard(frames[30:], rng, 0.9)
    third = [frame for frame in frames if frame not in first and frame not in second]
    some = third + heard(frames, rng, 0.2)
    third = [frame for frame in frames if frame in some]
    outputs, report = merge(
        [b"".join(first), b"".join(second), b"".join(third)], TM if tm else AOS, SCIENCE if tm else RELAY
    )
    assert packets_of(outputs) == sent
    (channel,) = report["channels"]
    assert channel["lost_frames"] == 0
    assert channel["frames"] == len(first) + len(second) + len(third)
    assert channel["duplicates"] == channel["frames"] - len(frames)


@settings(max_examples=int(os.environ.get("DOWNLINK_EXAMPLES", "40")), deadline=None)
@given(seed=st.integers(0, 2**32), tm=st.booleans(), n_stations=st.integers(1, 4))
def test_the_merged_pass_is_that_of_all_frames_anyone_heard(sender, read_plainly, seed, tm, n_stations):
    rng = np.random.default_rng(seed)
    sent = [sender.packet(1, k, rng.bytes(int(rng.integers(1, 150)))) for k in range(int(rng.integers(100, 400)))]
    cut = sender.zones(sent, 100)
    modulus, first = (1 << 8, int(rng.integers(256))) if tm else (1 << 24, int(rng.choice([0, 0xFFFFF0])))
    build = sender.tm_frame if tm else sender.aos_frame
    rows = [((first + k) % modulus, pointer, zone) for k, (zone, pointer) in enumerate(cut)]
    ears = [rng.random(len(rows)) < rng.choice([0.5, 0.9, 0.99]) for _ in range(n_stations)]
    recordings = [
        b"".join(
            build(zone, pointer, count) for (count, pointer, zone), ear in zip(rows, heard_by, strict=True) if ear
        )
        for heard_by in ears
    ]
    outputs, report = merge(
        recordings, TM if tm else AOS, SCIENCE if tm else RELAY, piece=int(rng.integers(100, 9000))
    )
    anyone = np.any(ears, axis=0)
    plain = read_plainly([row for row, ear in zip(rows, anyone, strict=True) if ear], modulus)
    (channel,) = report["channels"]
    assert packets_of(outputs) == plain.packets
    assert (channel["gaps"], channel["lost_frames"]) == (plain.gaps, plain.lost)
    assert channel["frames"] == sum(int(ear.sum()) for ear in ears)


def test_the_report_says_what_only_one_station_gave(sender):
    _, frames = a_pass(sender, 100)
    _, report = merge([b"".join(frames[:30]), b"".join(frames[20:])])
    one, two = report["stations"]
    assert (one["name"], one["only_frames"], two["only_frames"]) == ("station 0", 20, len(frames) - 30)
    assert one["used_frames"] + two["used_frames"] == len(frames)
    assert one["copies_frames"] + two["copies_frames"] == 10
    assert report["bytes"]["read"] == 108 * (len(frames) + 10)


def test_a_clean_copy_is_taken_before_a_corrected_one(sender):
    sent, frames = a_pass(sender, 60)
    frames = [sender.aos_frame(zone, at, k) for k, (zone, at) in enumerate(sender.zones(sent, 92))]
    blocks = [sender.cadu(frame) for frame in frames]
    hit = [block[:50] + bytes([block[50] ^ 1]) + block[51:] for block in blocks]
    gone = [block[:50] + bytes(60) + block[110:] for block in blocks]
    outputs, report = merge([b"".join(gone[:9] + hit[9:]), b"".join(hit[:9] + blocks[9:])], CODED)
    corrected = np.concatenate([output.frames.n_corrected for output in outputs if output.frames])
    assert packets_of(outputs) == sent
    assert corrected.tolist() == [1] * 9 + [0] * (len(blocks) - 9)
    assert report["frames"]["read"] == 2 * len(blocks)
    assert report["frames"]["uncorrectable"] == 9


def test_one_station_gives_what_a_receiver_gives(sender):
    _, frames = a_pass(sender, 200)
    del frames[50:53]
    stream = b"".join(frames)
    receiver = Receiver(AOS, RELAY)
    expected = packets_of([receiver.receive(ByteBatch.of(stream)), receiver.flush()])
    outputs, report = merge([stream])
    assert packets_of(outputs) == expected
    assert report["channels"] == receiver.report()["channels"]
    assert report["packets"] == receiver.report()["packets"]


def test_a_restarted_count_is_followed_at_every_station(sender):
    sent, frames = a_pass(sender, 300)
    half = len(frames) // 2
    again = [frame[:2] + k.to_bytes(3, "big") + frame[5:] for k, frame in enumerate(frames[half:])]
    whole = frames[:half] + again
    rng = np.random.default_rng(3)
    first = heard(whole, rng, 0.95)
    second = [frame for frame in whole if frame not in first or rng.random() < 0.9]
    outputs, report = merge([b"".join(first), b"".join(second)])
    assert packets_of(outputs) == sent
    assert report["channels"][0]["restarts"] == 1


def test_a_station_that_heard_nothing_changes_nothing(sender):
    sent, frames = a_pass(sender, 100)
    outputs, _ = merge([b"", b"".join(frames), bytes(1000)])
    assert packets_of(outputs) == sent


def test_packet_files_cannot_be_merged():
    with pytest.raises(ConfigError, match="cannot be merged"):
        StationsReceiver(LinkSettings("packets"), [], ["one"])
