"""Frames that are missing, late or sent twice: the gap is counted and marked, and packets go on behind it."""

import numpy as np
import pytest
from downlink_pipeline.link.receiver import Receiver
from downlink_pipeline.link.settings import ChannelSettings, LinkSettings
from downlink_pipeline.model.batches import ByteBatch, Quality
from receiving import (
    AOS,
    CODED,
    RELAY,
    STEREO,
    TM,
    aos_frames,
    coded,
    events_of,
    packets_of,
    qualities_of,
    receive,
    some_packets,
)


def test_an_uncorrectable_frame_is_a_gap(sender):
    sent = some_packets(sender, 60)
    blocks = coded(sender, aos_frames(sender, sent, zone=212))
    blocks[7] = blocks[7][:20] + bytes(100) + blocks[7][120:]
    outputs, report = receive(b"".join(blocks), CODED)
    got = packets_of(outputs)
    assert set(got) <= set(sent)
    assert report["frames"]["uncorrectable"] == 1
    assert (report["channels"][0]["gaps"], report["channels"][0]["lost_frames"]) == (1, 1)


def test_the_first_packet_after_a_gap_is_marked(sender):
    sent = [sender.packet(k % 2, k // 2, bytes(44)) for k in range(40)]  # 50 bytes: two a frame
    frames = aos_frames(sender, sent)
    del frames[10:12]
    outputs, _ = receive(b"".join(frames))
    after_gap = [k for k, quality in enumerate(qualities_of(outputs)) if quality & Quality.AFTER_GAP]
    assert after_gap == [20, 21]  # the first packet, and the first of the other APID, by its count


def test_a_gap_tells_an_event_with_its_loss(sender):
    frames = aos_frames(sender, some_packets(sender, 60))
    del frames[10:13]
    outputs, _ = receive(b"".join(frames))
    (event,) = events_of(outputs)
    assert (event.severity, event.kind) == ("warning", "gap")
    assert event.details == {"scid": 245, "vcid": 5, "channel": "relay", "lost_frames": 3}


def test_the_report_lists_gaps_with_their_times(sender):
    frames = aos_frames(sender, some_packets(sender, 60))
    stream = np.frombuffer(b"".join(frames[:10] + frames[13:]), np.uint8)
    marks = np.arange(0, len(stream), 108)
    receiver = Receiver(AOS, [RELAY])
    receiver.receive(ByteBatch(stream, marks, 1000 + marks // 108))
    receiver.flush()
    (channel,) = receiver.report()["channels"]
    assert channel["gap_list"] == [{"lost_frames": 3, "vc_count": 13, "received_ns": 1010}]
    assert (channel["first_received_ns"], channel["last_received_ns"]) == (1000, 1000 + len(frames) - 4)


def test_losses_across_the_wrap_are_counted_right(sender):
    frames = aos_frames(sender, some_packets(sender, 100), first_count=0xFFFFF0)
    del frames[12:20]
    _, report = receive(b"".join(frames))
    assert (report["channels"][0]["gaps"], report["channels"][0]["lost_frames"]) == (1, 8)


def test_a_burst_that_is_repeated_is_dropped(sender):
    sent = some_packets(sender, 60)
    frames = aos_frames(sender, sent)
    outputs, report = receive(b"".join(frames[:15] + frames[5:]))
    assert packets_of(outputs) == sent
    assert report["channels"][0]["duplicates"] == 10


def test_datagrams_that_come_a_little_late_are_put_in_order(sender):
    sent = some_packets(sender, 60)
    frames = aos_frames(sender, sent)
    frames[8], frames[9] = frames[9], frames[8]
    frames.insert(20, frames.pop(17))
    outputs, report = receive(b"".join(frames), pieces=9, unordered=True)
    assert packets_of(outputs) == sent
    assert report["channels"][0]["gaps"] == 0


def test_a_datagram_that_comes_too_late_is_counted_and_not_used(sender):
    sent = some_packets(sender, 80)
    frames = aos_frames(sender, sent)
    frames.insert(25, frames.pop(5))
    outputs, report = receive(b"".join(frames), unordered=True)
    assert set(packets_of(outputs)) < set(sent)
    channel = report["channels"][0]
    assert (channel["gaps"], channel["lost_frames"], channel["late_frames"]) == (1, 1, 1)


@pytest.mark.parametrize("n_lost", range(2, 7))
def test_no_frame_of_one_receiver_is_late_behind_a_long_gap(sender, n_lost):
    """TM: behind a short gap follows one of almost a turn of the count, so that the missing counts come after all."""
    sent = some_packets(sender, 400)
    frames = [sender.tm_frame(zone, at, k, fecf=True) for k, (zone, at) in enumerate(sender.zones(sent, 120))]
    kept = [*range(40), *range(40 + n_lost, 60), *range(40 + 256, len(frames))]
    assert len(kept) > 100
    outputs, report = receive(b"".join(frames[k] for k in kept), TM, (STEREO,), pieces=7)
    (channel,) = report["channels"]
    assert (channel["late_frames"], channel["duplicates"], channel["reordered_frames"]) == (0, 0, 0)
    assert sum(len(output.frames.data) for output in outputs if output.frames) == len(kept)


def test_frames_of_one_receiver_wait_for_none(sender):
    frames = aos_frames(sender, some_packets(sender, 60))
    receiver = Receiver(AOS, [RELAY])
    assert len(receiver.receive(ByteBatch.of(b"".join(frames[:9]))).frames.data) == 9
    assert len(receiver.receive(ByteBatch.of(b"".join(frames[10:12]))).frames.data) == 2


def test_a_jump_of_the_count_is_a_loss_of_that_many(sender):
    sent = some_packets(sender, 40)
    frames = aos_frames(sender, sent) + aos_frames(sender, sent, first_count=1_000_000)
    _, report = receive(b"".join(frames))
    assert report["channels"][0]["lost_frames"] == 1_000_000 - len(frames) // 2


@pytest.mark.parametrize("n_lost", [1, 100, 200, 254])
def test_losses_of_an_8_bit_count_are_right(sender, n_lost):
    frames = [
        sender.tm_frame(part, pointer, k, fecf=True)
        for k, (part, pointer) in enumerate(sender.zones(some_packets(sender, 400), 120))
    ]
    del frames[100 : 100 + n_lost]
    _, report = receive(b"".join(frames), TM, (STEREO,))
    assert (report["channels"][0]["gaps"], report["channels"][0]["lost_frames"]) == (1, n_lost)


def test_a_loss_of_256_frames_that_no_count_shows_is_suspected(frames_case):
    link = LinkSettings("frames", frame_type="tm", frame_length_bytes=248, fecf=True)
    for pieces in (1, 9, 251):
        outputs, report = receive(
            frames_case("tm_256_lost.frames"), link, (ChannelSettings(5, 0, "one"),), pieces=pieces
        )
        (channel,) = report["channels"]
        events = [event.kind for output in outputs for event in output.events]
        assert (channel["gaps"], channel["suspected_losses"], events) == (0, 1, ["suspected_loss"])


@pytest.mark.parametrize("n_lost", [255, 257])
def test_a_loss_that_the_count_shows_is_a_gap_and_no_suspicion(sender, n_lost):
    sent = some_packets(sender, 400)
    frames = [sender.tm_frame(zone, at, k, fecf=True) for k, (zone, at) in enumerate(sender.zones(sent, 120))]
    _, report = receive(b"".join(frames[:40] + frames[40 + n_lost :]), TM, (STEREO,))
    (channel,) = report["channels"]
    assert (channel["gaps"], channel["suspected_losses"]) == (1, 0)
