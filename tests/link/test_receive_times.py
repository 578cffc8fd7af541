"""When a frame or a packet was received: when its last byte came in, however the bytes before it came."""

import dataclasses

import numpy as np
import pytest
from downlink_pipeline.link.receiver import Receiver
from downlink_pipeline.link.settings import ChannelSettings, LinkSettings, ReedSolomonSettings
from downlink_pipeline.model.batches import ByteBatch

RELAY = [ChannelSettings(245, 5, "relay")]
BARE = LinkSettings("frames", frame_length_bytes=108)
UNCHECKED = LinkSettings("cadu", frame_length_bytes=108)
CODED = dataclasses.replace(UNCHECKED, reed_solomon=ReedSolomonSettings(16, 1, "conventional", 131))


def receive(reads, settings):
    """Each of `reads` comes in at 1, 2, 3... ns."""
    receiver = Receiver(settings, RELAY)
    outputs = [receiver.receive(ByteBatch.of(read, k)) for k, read in enumerate(reads, 1)]
    return [*outputs, receiver.flush()]


def times_of_frames(outputs):
    return [time for output in outputs if output.frames for time in output.frames.received_ns.tolist()]


def times_of_packets(outputs):
    return [time for output in outputs for time in output.packets.received_ns.tolist()]


def three_frames(sender, settings):
    """One packet in each."""
    sent = [sender.packet(1, k, bytes([k]) * 94) for k in range(3)]
    frames = [sender.aos_frame(packet, 0, k) for k, packet in enumerate(sent)]
    if settings.framing == "frames":
        return frames
    return [sender.cadu(frame, parity=16 if settings.reed_solomon else 0, random=False) for frame in frames]


@pytest.mark.parametrize("settings", [BARE, UNCHECKED, CODED])
@pytest.mark.parametrize("n_late", [1, 50, 100])
def test_a_frame_split_over_two_reads_carries_the_time_of_the_second(sender, settings, n_late):
    first, second, third = three_frames(sender, settings)
    outputs = receive([first + second[:-n_late], second[-n_late:] + third], settings)
    assert times_of_frames(outputs) == times_of_packets(outputs) == [1, 2, 2]


@pytest.mark.parametrize("settings", [BARE, UNCHECKED, CODED])
def test_a_frame_that_a_read_completes_carries_its_time_whatever_comes_later(sender, settings):
    assert times_of_frames(receive(three_frames(sender, settings), settings)) == [1, 2, 3]


def test_a_frame_whose_last_bit_is_in_the_next_read_carries_its_time(sender):
    bits = np.unpackbits(np.frombuffer(b"".join(three_frames(sender, UNCHECKED)), np.uint8))
    shifted = np.packbits(np.concatenate((np.zeros(1, np.uint8), bits))).tobytes()
    assert times_of_frames(receive([shifted[:112], shifted[112:]], UNCHECKED)) == [2, 2, 2]
    assert times_of_frames(receive([shifted[:113], shifted[113:]], UNCHECKED)) == [1, 2, 2]


def test_a_packet_of_a_file_of_packets_carries_the_time_of_its_last_byte(sender):
    one, two, three = (b"pre" + sender.packet(1, k, bytes(20)) for k in range(3))
    outputs = receive([one + two[:-1], two[-1:] + three], LinkSettings("packets", packet_prefix_bytes=3))
    assert times_of_packets(outputs) == [1, 2, 2]


@pytest.mark.parametrize("settings", [BARE, UNCHECKED, CODED])
def test_marks_inside_a_read_tell_the_same_as_reads_of_their_own(sender, settings):
    stream = np.frombuffer(b"".join(three_frames(sender, settings)), np.uint8)
    starts = np.array([0, 60, len(stream) - 1])
    receiver = Receiver(settings, RELAY)
    outputs = [receiver.receive(ByteBatch(stream, starts, np.array([1, 2, 3]))), receiver.flush()]
    reads = [part.tobytes() for part in np.split(stream, starts[1:])]
    assert times_of_frames(outputs) == times_of_frames(receive(reads, settings)) == [2, 2, 3]
