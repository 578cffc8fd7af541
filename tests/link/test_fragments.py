"""Packets that a gap cut, on a channel that wants them all the same."""

import numpy as np
import pytest
from downlink_pipeline.link.receiver import Receiver
from downlink_pipeline.link.settings import ChannelSettings, LinkSettings
from downlink_pipeline.model.batches import ByteBatch, Quality

AOS = LinkSettings("frames", frame_length_bytes=108)
WANTS_ALL = ChannelSettings(245, 5, "images", hand_on_fragments=True)


def receive(frames, pieces=1, channels=(WANTS_ALL,)):
    receiver = Receiver(AOS, channels)
    stream = np.frombuffer(b"".join(frames), np.uint8)
    outputs = [receiver.receive(ByteBatch.of(piece)) for piece in np.array_split(stream, pieces)]
    outputs.append(receiver.flush())
    found = [
        (batch.data[start : start + length].tobytes(), bool(quality & Quality.FRAGMENT))
        for batch in (output.packets for output in outputs)
        for start, length, quality in zip(
            batch.start.tolist(), batch.length.tolist(), batch.quality.tolist(), strict=True
        )
    ]
    return found, receiver.report()


def images(sender):
    """Ten packets of 1,000 bytes: ten frames each."""
    sent = [sender.packet(1, k, bytes([k + 1]) * 994) for k in range(10)]
    return sent, [sender.aos_frame(zone, at, k) for k, (zone, at) in enumerate(sender.zones(sent, 100))]


def blanked(packet, start, length):
    return packet[:start] + bytes(length) + packet[start + length :]


@pytest.mark.parametrize("pieces", [1, 3, 99])
def test_a_packet_that_goes_on_behind_the_gap_keeps_its_place(sender, pieces):
    sent, frames = images(sender)
    kept = [frame for k, frame in enumerate(frames) if k not in (34, 35, 37)]  # two holes in the fourth packet
    found, report = receive(kept, pieces)
    expected = [(packet, False) for packet in sent]
    expected[3] = (blanked(blanked(sent[3], 400, 200), 700, 100), True)
    assert found == expected
    assert report["channels"][0]["fragments"] == 1
    assert report["channels"][0]["truncated_packets"] == 0


@pytest.mark.parametrize("pieces", [1, 3, 97])
def test_a_packet_whose_end_is_lost_is_filled_up(sender, pieces):
    sent, frames = images(sender)
    del frames[37:44]  # the end of the fourth packet, the beginning of the fifth
    found, report = receive(frames, pieces)
    assert found[3] == (blanked(sent[3], 700, 300), True)
    assert [packet for packet, cut in found if not cut] == sent[:3] + sent[5:]
    assert report["packets"]["read"] == sum(report["packets"]["by_apid"].values()) == 9


def test_the_end_of_the_recording_fills_up_the_last_packet(sender):
    sent, frames = images(sender)
    found, _ = receive(frames[:96])
    assert found == [*((packet, False) for packet in sent[:9]), (blanked(sent[9], 600, 400), True)]


def test_a_channel_that_does_not_ask_gets_whole_packets_only(sender):
    sent, frames = images(sender)
    del frames[34]
    found, report = receive(frames, channels=[ChannelSettings(245, 5, "images")])
    assert [packet for packet, _ in found] == sent[:3] + sent[4:]
    assert report["channels"][0]["truncated_packets"] == 1


def test_a_bridged_packet_keeps_its_place_among_those_of_all_channels(sender):
    sent, frames = images(sender)
    other = [sender.aos_frame(sender.packet(2, k, bytes(94)), 0, k, vcid=6) for k in range(len(frames))]
    mixed = [frame for pair in zip(frames, other, strict=True) for frame in pair if frame != frames[34]]
    found, _ = receive(mixed, channels=[ChannelSettings(245, 6, "other"), WANTS_ALL])
    assert [packet for packet, cut in found if cut] == [blanked(sent[3], 400, 100)]
    assert [packet for packet, _ in found if len(packet) == 1000][3] == blanked(sent[3], 400, 100)
