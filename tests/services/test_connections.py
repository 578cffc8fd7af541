"""A connection that breaks inside a frame: what it cut is not joined to what the next connection brings."""

import fastcrc
import numpy as np
import pytest
from downlink_pipeline.link.receiver import Receiver
from downlink_pipeline.link.settings import ChannelSettings, LinkSettings
from downlink_pipeline.recordings.log import Policy, Recorder
from downlink_pipeline.recordings.reader import read_pass
from downlink_pipeline.services.dispatch import Pace
from downlink_pipeline.services.station_recorder import StationRecorder
from downlink_pipeline.stations.tcp import Arrival

LENGTH, N_FRAMES = 120, 40
CHANNEL = ChannelSettings(spacecraft_id=9, virtual_channel=1, name="x")


def aos_frame(count, fecf):
    """732.0-B-4 4.1.2: version 01, a count of 24 bits; an M_PDU of one packet of 133.0-B-2, idle data behind it."""
    n_data = LENGTH - 6 - 2 - 6 - (2 if fecf else 0)
    packet = bytes([0x00, 0x05, 0xC0 | count >> 8 & 0x3F, count & 0xFF]) + (n_data - 1).to_bytes(2, "big")
    frame = (
        ((1 << 14) | (9 << 6) | 1).to_bytes(2, "big")
        + count.to_bytes(3, "big")
        + b"\0\0\0"
        + packet
        + bytes([count & 0xFF]) * n_data
    )
    return frame + fastcrc.crc16.ibm_3740(frame).to_bytes(2, "big") if fecf else frame


def recorded(folder, *connections):
    """The pass that a station's connections become, each ending where it broke."""
    desk = StationRecorder("s", Recorder(folder, Policy()), Policy(), Pace(), marks_connections=True)
    for octets in connections:
        for number, piece in enumerate((octets[: len(octets) // 2], octets[len(octets) // 2 :])):
            assert desk.record(Arrival([piece], [1], reconnected=number == 0)) is None
    desk.end()
    return read_pass(desk.recorder.passes()[0].path)


@pytest.mark.parametrize("fecf", [True, False])
@pytest.mark.parametrize("cut_bytes", [1, 50, 119])
def test_one_frame_is_lost_with_a_connection_that_breaks_inside_it(tmp_path, fecf, cut_bytes):
    frames = [aos_frame(count, fecf) for count in range(N_FRAMES)]
    before = b"".join(frames[:20]) + frames[20][:cut_bytes]
    receiver = Receiver(LinkSettings("frames", frame_length_bytes=LENGTH, fecf=fecf), [CHANNEL])
    outputs = [receiver.receive(batch) for batch in recorded(tmp_path, before, b"".join(frames[21:]))]
    outputs.append(receiver.flush())
    data = [
        one.packets.data[start : start + n]
        for one in outputs
        for start, n in zip(one.packets.start, one.packets.length, strict=True)
    ]
    counts = [int(packet[3]) for packet in data]
    assert counts == [*range(20), *range(21, N_FRAMES)]
    assert all((packet[6:] == packet[3]).all() for packet in data)
    report = receiver.report()
    assert report["frames"]["clean"] == N_FRAMES - 1
    assert (report["channels"][0]["gaps"], report["channels"][0]["lost_frames"]) == (1, 1)


def test_a_packet_that_a_broken_connection_cut_is_not_joined_to_the_next(tmp_path):
    packets = [bytes([0, 5, 0xC0, i, 0, 19]) + bytes([i]) * 20 for i in range(20)]
    receiver = Receiver(LinkSettings("packets"), [])
    outputs = [
        receiver.receive(batch)
        for batch in recorded(tmp_path, b"".join(packets[:7]) + packets[7][:9], b"".join(packets[8:]))
    ]
    outputs.append(receiver.flush())
    sizes = np.concatenate([one.packets.length for one in outputs])
    assert sizes.tolist() == [26] * 19
    assert receiver.report()["packets"]["truncated_packets"] == 1


def test_a_connection_that_ends_between_frames_costs_nothing(tmp_path):
    frames = [aos_frame(count, fecf=False) for count in range(N_FRAMES)]
    receiver = Receiver(LinkSettings("frames", frame_length_bytes=LENGTH), [CHANNEL])
    for batch in recorded(tmp_path, b"".join(frames[:20]), b"".join(frames[20:])):
        receiver.receive(batch)
    receiver.flush()
    report = receiver.report()
    assert report["packets"]["read"] == N_FRAMES
    assert report["channels"][0]["gaps"] == 0
