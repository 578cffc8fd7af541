"""The frame header error control against published vectors (those of Yamcs' own test) and by brute force."""

import numpy as np
import pytest
from downlink_pipeline.link.coding.header_error_control import correct_headers
from downlink_pipeline.link.receiver import Receiver
from downlink_pipeline.link.settings import ChannelSettings, LinkSettings
from downlink_pipeline.model.batches import ByteBatch


def a_header(ids, signalling, parity):
    return np.array([[ids >> 8, ids & 0xFF, 9, 9, 9, signalling, parity >> 8, parity & 0xFF]], np.uint8)


VECTORS = [(0x1234, 0x56, 0x94DC), (0x369C, 0xFA, 0x457C)]


@pytest.mark.parametrize("vector", VECTORS)
def test_published_headers_are_right(vector):
    assert correct_headers(a_header(*vector)).tolist() == [0]


@pytest.mark.parametrize("received", [(0x1234, 0x56, 0x9400), (0x1211, 0x56, 0x94DC), (0x1234, 0xAA, 0x94DC)])
def test_two_wrong_symbols_are_corrected(received):
    header = a_header(*received)
    assert correct_headers(header).tolist() == [2]
    assert (header == a_header(*VECTORS[0])).all()


def test_four_wrong_symbols_are_told():
    header = a_header(0x1230, 0x00, 0x94DC)
    before = header.copy()
    assert correct_headers(header).tolist() == [-1]
    assert (header == before).all()


def test_a_hit_header_keeps_its_frame_and_one_beyond_repair_is_counted():
    settings = LinkSettings("frames", frame_length_bytes=40, header_error_control=True)
    # The vector's version is 0, so these frames are of no wanted channel, but their header's code is right.
    frames = np.zeros((3, 40), np.uint8)
    frames[:, :8] = a_header(*VECTORS[0])
    frames[1, 0] ^= 0x10
    frames[2, [0, 1, 5]] ^= 0xFF
    receiver = Receiver(settings, [ChannelSettings(245, 5, "relay")])
    receiver.receive(ByteBatch.of(frames.reshape(-1)))
    counts = receiver.report()["frames"]
    assert (counts["clean"], counts["corrected"], counts["failed_check"]) == (1, 1, 1)
    assert counts["corrected_headers"] == 1
