"""Damage that costs other decoders frames, channels or packets, and must cost nothing here: one truth each."""

import numpy as np
import pytest
from downlink_pipeline.link.receiver import Receiver
from downlink_pipeline.link.settings import ChannelSettings, LinkSettings, ReedSolomonSettings
from downlink_pipeline.model.batches import ByteBatch

RELAY = [ChannelSettings(245, 5, "relay")]
BARE = LinkSettings("frames", frame_length_bytes=108)
CODED = LinkSettings(
    "cadu", frame_length_bytes=220, randomizer=True, reed_solomon=ReedSolomonSettings(32, 1, "conventional", 3)
)
MARKER_BYTES = 4


def receive(octets, settings):
    receiver = Receiver(settings, RELAY)
    outputs = [receiver.receive(ByteBatch.of(octets)), receiver.flush()]
    packets = [
        batch.data[start : start + length].tobytes()
        for batch in (output.packets for output in outputs)
        for start, length in zip(batch.start.tolist(), batch.length.tolist(), strict=True)
    ]
    return packets, receiver.report()


def some_packets(n=60):
    rng = np.random.default_rng(n)
    return [
        (1 + k % 4).to_bytes(2, "big")
        + (0xC000 | k // 4).to_bytes(2, "big")
        + (len(payload) - 1).to_bytes(2, "big")
        + payload
        for k, payload in enumerate(rng.bytes(int(size)) for size in rng.integers(1, 300, n))
    ]


def aos_frames(sender, sent, first_count=0):
    return [sender.aos_frame(zone, at, first_count + k) for k, (zone, at) in enumerate(sender.zones(sent, 100))]


def cadus(sender, sent):
    frames = [sender.aos_frame(zone, at, k) for k, (zone, at) in enumerate(sender.zones(sent, 212))]
    return [sender.cadu(frame) for frame in frames]


def flipped(octets, place, mask):
    return octets[:place] + bytes([octets[place] ^ mask]) + octets[place + 1 :]


def assert_a_hit_changes_nothing(sender, place, mask=0xFF):
    """On byte `place` of the fourth frame."""
    sent = some_packets()
    blocks = cadus(sender, sent)
    blocks[3] = flipped(blocks[3], MARKER_BYTES + place, mask)
    packets, report = receive(b"".join(blocks), CODED)
    (channel,) = report["channels"]
    assert packets == sent
    assert report["frames"]["corrected"] == 1
    assert (channel["frames"], channel["gaps"], channel["lost_frames"]) == (len(blocks), 0, 0)
    assert (report["frames"]["other_channel"], report["packets"]["sequence_gaps"]) == (0, 0)


@pytest.mark.parametrize("mask", [0x40, 0x80, 0xFF])
def test_a_correctable_hit_on_the_version_byte_changes_nothing(sender, mask):
    assert_a_hit_changes_nothing(sender, 0, mask)


@pytest.mark.parametrize("mask", [0x01, 0x20, 0xC0])
def test_a_correctable_hit_on_the_channel_id_changes_nothing(sender, mask):
    assert_a_hit_changes_nothing(sender, 1, mask)


@pytest.mark.parametrize("place", [2, 3, 4, 5])
def test_a_correctable_hit_on_the_counter_changes_nothing(sender, place):
    assert_a_hit_changes_nothing(sender, place)


@pytest.mark.parametrize("place", [6, 7])
def test_a_correctable_hit_on_the_pointer_changes_nothing(sender, place):
    assert_a_hit_changes_nothing(sender, place)


def test_a_duplicate_frame_costs_nothing(sender):
    sent = some_packets()
    frames = aos_frames(sender, sent)
    packets, report = receive(b"".join(frame * (1 + (k % 3 == 0)) for k, frame in enumerate(frames)), BARE)
    (channel,) = report["channels"]
    assert packets == sent
    assert (channel["gaps"], channel["lost_frames"], channel["duplicates"]) == (0, 0, (len(frames) + 2) // 3)


@pytest.mark.parametrize("first", [0xFFFFFF, 0xFFFFF0])
def test_a_wrap_of_the_counter_costs_nothing(sender, first):
    sent = some_packets()
    packets, report = receive(b"".join(aos_frames(sender, sent, first)), BARE)
    (channel,) = report["channels"]
    assert packets == sent
    assert (channel["gaps"], channel["lost_frames"], channel["restarts"]) == (0, 0, 0)


def test_a_restart_of_the_counter_costs_nothing(sender):
    sent = some_packets(100)
    frames = aos_frames(sender, sent)
    half = len(frames) // 2
    again = [frame[:2] + k.to_bytes(3, "big") + frame[5:] for k, frame in enumerate(frames[half:])]
    packets, report = receive(b"".join(frames[:half] + again), BARE)
    (channel,) = report["channels"]
    assert packets == sent
    assert (channel["restarts"], channel["gaps"], channel["lost_frames"]) == (1, 0, 0)


@pytest.mark.parametrize("n_lost", [1, 2, 10, 25])
def test_no_packet_is_spliced_across_a_gap(sender, n_lost):
    """Ten frames a packet, all alike but for their filling: a reader that goes on would fill one from another."""
    sent = [sender.packet(1, k, bytes([k + 1]) * 994) for k in range(10)]
    frames = aos_frames(sender, sent)
    for first in range(31, 40):
        packets, report = receive(b"".join(frames[:first] + frames[first + n_lost :]), BARE)
        whole = [packet for k, packet in enumerate(sent) if not (10 * k < first + n_lost and first < 10 * k + 10)]
        assert packets == whole
        assert report["channels"][0]["lost_frames"] == n_lost


@pytest.mark.parametrize("bit", range(32))
def test_one_wrong_bit_in_a_marker_loses_no_frame(sender, bit):
    sent = some_packets()
    blocks = cadus(sender, sent)
    hit = bit % len(blocks)
    blocks[hit] = flipped(blocks[hit], bit // 8, 0x80 >> bit % 8)
    packets, report = receive(b"".join(blocks), CODED)
    assert packets == sent
    assert report["frames"]["clean"] == len(blocks)
    assert report["synchronizer"]["marker_bit_errors"] <= 1


def test_an_inverted_recording_decodes(sender):
    sent = some_packets()
    blocks = cadus(sender, sent)
    packets, report = receive(bytes(octet ^ 0xFF for octet in b"".join(blocks)), CODED)
    assert packets == sent
    assert report["frames"]["clean"] == len(blocks)
    assert (report["synchronizer"]["inversions"], report["bytes"]["skipped"]) == (1, 0)
