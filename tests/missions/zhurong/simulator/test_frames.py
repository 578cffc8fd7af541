from itertools import pairwise

import numpy as np
from downlink_pipeline.missions.zhurong.simulator import Scenario, frames, simulate
from downlink_pipeline.missions.zhurong.simulator.octets import EPOCH_UTC_NS


def test_every_cadu_begins_with_the_marker(clean):
    assert np.all(clean.cadus[:, :4] == (0x1A, 0xCF, 0xFC, 0x1D))


def test_frames_are_aos_of_spacecraft_245_on_channel_5(clean):
    assert np.all(clean.frames[:, :2] == (0x7D, 0x45))  # version 01, 11110101, 000101


def test_the_frame_counter_grows_by_one_and_wraps_at_24_bits(clean):
    count = clean.frames[:, 2].astype(int) << 16 | clean.frames[:, 3].astype(int) << 8 | clean.frames[:, 4]
    assert np.all(np.diff(count) % 2**24 == 1)
    assert count.max() == 2**24 - 1
    assert count.min() == 0


def test_the_insert_zone_counts_100_us_from_the_start_of_2016_in_beijing(clean):
    ticks = clean.frames[:, 6:12].astype(np.int64) @ (256 ** np.arange(5, -1, -1))
    received_ns = np.fromfile(f"{clean.path}.times", "<i8")[1::2]
    assert np.all(
        np.abs(received_ns - round(clean.books["link"]["light_time_s"] * 1e9) - EPOCH_UTC_NS - ticks * 100_000)
        < 100_000
    )
    assert np.all(clean.frames[:, 12:14] == (0x4A, 0xAA))


def test_a_pointer_names_the_first_packet_that_starts_in_the_zone():
    starts = np.array([0, 90, 100, 350])
    assert frames.first_header_pointers(starts, 4, 100).tolist() == [0, 0, 0x7FF, 50]


def test_every_pointer_leads_to_the_start_of_a_packet(clean):
    pointer = clean.frames[:, 14].astype(int) << 8 | clean.frames[:, 15]
    at = np.flatnonzero(pointer != 0x7FF) * 876 + pointer[pointer != 0x7FF]
    starts = np.cumsum([0] + [6 + len(packet.octets) for packet in clean.packets])
    assert np.all(np.isin(at, starts))


def test_one_idle_packet_fills_the_last_frame(clean):
    assert [packet.apid for packet in clean.packets].index(2047) == len(clean.packets) - 1


def test_receive_times_say_where_each_cadu_begins_and_when(clean):
    offset, received_ns = np.fromfile(f"{clean.path}.times", "<i8").reshape(-1, 2).T
    assert np.array_equal(offset, np.arange(len(clean.cadus)) * 1024)
    assert np.all(np.diff(received_ns) == 4_000_000)


def test_frames_of_the_low_rate_have_220_bytes(tmp_path, ground):
    path = tmp_path / "low.cadu"
    simulate(path, Scenario(duration_s=60.0, profile="low"))
    cadus = np.fromfile(path, np.uint8).reshape(-1, 256)
    assert np.all(ground["derandomize"](cadus[:, 4:])[:, :2] == (0x7D, 0x45))


def test_sequence_counts_grow_by_one_for_each_apid(clean):
    for apid in (257, 273, 289, 321):
        counts = [packet.count for packet in clean.packets if packet.apid == apid]
        assert all((later - earlier) % 16384 == 1 for earlier, later in pairwise(counts))


def test_a_radar_record_goes_in_four_segments_of_4096_bytes_and_a_rest(clean):
    segments = [packet for packet in clean.packets if packet.apid == 273][:5]
    assert [(packet.flags, len(packet.octets)) for packet in segments] == [
        (1, 4096),
        (0, 4096),
        (0, 4096),
        (0, 4096),
        (2, 36),
    ]


def test_only_the_first_segment_of_a_spectrum_has_a_secondary_header(clean):
    segments = [packet for packet in clean.packets if packet.apid == 321][:3]
    assert [packet.secondary_header for packet in segments] == [True, False, False]


def test_a_magnetometer_packet_comes_after_the_navigation_of_the_second_after(clean, ground):
    latest_ns = 0
    due = {int(at) for at in clean.truth["navigation_time_utc_ns"]}
    for packet in clean.packets:
        if packet.apid == 257:
            latest_ns = int(ground["clock_ns"](np.frombuffer(packet.octets, np.uint8)[None])[0])
        if packet.apid == 289:
            end_ns = int(ground["clock_ns"](np.frombuffer(packet.octets, np.uint8)[None])[0]) + 1_000_000_000
            assert end_ns not in due or latest_ns == end_ns
