"""What a report tells about wrong settings: frames by the plain sender, read with one setting wrong."""

import dataclasses

import numpy as np
import pytest
from downlink_pipeline.link.receiver import Receiver
from downlink_pipeline.link.settings import ChannelSettings, LinkSettings
from downlink_pipeline.link.verdict import nothing_right, problems
from downlink_pipeline.model.batches import ByteBatch

RELAY = ChannelSettings(245, 5, "relay")
AOS = LinkSettings("frames", frame_length_bytes=116, insert_zone_bytes=8, fecf=False)
EMIRATES = LinkSettings("frames", frame_length_bytes=223, fecf=True, insert_zone_bytes=13)
CADU = LinkSettings("cadu", frame_length_bytes=108)


def report_of(octets, settings, *channels):
    receiver = Receiver(settings, channels or [RELAY])
    receiver.receive(ByteBatch.of(octets))
    receiver.flush()
    return receiver.report()


def frames_of(sender, n=200, **header):
    rng = np.random.default_rng(n)
    sent = [sender.packet(1 + k % 5, k, rng.bytes(int(rng.integers(1, 200)))) for k in range(n)]
    return [sender.aos_frame(zone, at, k, **header) for k, (zone, at) in enumerate(sender.zones(sent, 100))]


def test_a_sound_pass_has_no_problem(sender):
    report = report_of(b"".join(frames_of(sender, insert=bytes(8))), AOS)
    assert problems(report) == []
    assert not nothing_right(report)


def test_a_sound_pass_with_gaps_has_no_problem(sender):
    frames = frames_of(sender, insert=bytes(8))
    report = report_of(b"".join(frames[k] for k in range(len(frames)) if k % 3), AOS)
    assert report["channels"][0]["gaps"] > 10
    assert problems(report) == []


@pytest.mark.parametrize("wrong", [0, 6, 7, 9, 10])
def test_a_wrong_insert_zone_is_a_problem_and_nothing_is_right(sender, wrong):
    settings = dataclasses.replace(AOS, insert_zone_bytes=wrong)
    report = report_of(b"".join(frames_of(sender, insert=bytes(8))), settings)
    (text,) = problems(report)
    assert "relay (245/5)" in text
    assert "insert_zone_bytes" in text
    assert nothing_right(report)


def test_a_secondary_header_that_is_not_as_long_as_it_says_is_a_problem(sender):
    rng = np.random.default_rng(1)
    sent = [sender.packet(1, k, rng.bytes(int(rng.integers(1, 200)))) for k in range(200)]
    frames = []
    for k, (zone, at) in enumerate(sender.zones(sent, 100)):
        frame = bytearray(sender.tm_frame(zone, at, k, secondary=bytes(5)))
        frame[6] = 2  # it says 3 bytes, and 6 are there
        frames.append(bytes(frame))
    settings = LinkSettings("frames", frame_type="tm", frame_length_bytes=112)
    report = report_of(b"".join(frames), settings, ChannelSettings(234, 7, "science"))
    (text,) = problems(report)
    assert "secondary header" in text
    assert nothing_right(report)


def test_one_wrong_channel_of_two_is_a_problem_and_the_other_is_right(sender):
    good, bad = frames_of(sender), frames_of(sender, 50, vcid=6)
    bad = [frame[:8] + b"\xff" + frame[8:-1] for frame in bad]  # packets stand a byte further on than told
    settings = dataclasses.replace(AOS, frame_length_bytes=108, insert_zone_bytes=0)
    report = report_of(b"".join(good + bad), settings, RELAY, ChannelSettings(245, 6, "second"))
    (text,) = problems(report)
    assert text.startswith("second (245/6)")
    assert not nothing_right(report)


def test_frames_of_other_channels_only_are_named(sender):
    report = report_of(b"".join(frames_of(sender, 60, scid=82, vcid=1, insert=bytes(8))), AOS)
    (text,) = problems(report)
    assert "82/1" in text
    assert "[[channel]]" in text
    assert nothing_right(report)


def test_frames_that_all_fail_their_check_are_a_problem(sender):
    frames = frames_of(sender, 60, insert=bytes(8))
    settings = dataclasses.replace(CADU, frame_length_bytes=116, fecf=True)
    report = report_of(b"".join(sender.ASM + frame for frame in frames), settings)
    assert report["frames"]["failed_check"] == report["frames"]["read"] > 0
    (text,) = problems(report)
    assert "fecf" in text
    assert nothing_right(report)


@pytest.mark.parametrize("octets", [b"", b"plain text " * 999])
def test_a_recording_that_is_none_is_a_problem(octets):
    report = report_of(octets, CADU)
    (text,) = problems(report)
    assert text == "the recording is empty" if not octets else "1ACFFC1D in 10,989 bytes" in text
    assert nothing_right(report)


def test_idle_frames_only_are_told_and_are_right(sender):
    frames = [sender.aos_frame(bytes(100), 0x7FE, k, insert=bytes(8)) for k in range(20)]
    report = report_of(b"".join(frames), AOS)
    assert problems(report) == ["no packet in 20 frames of relay (245/5): they are all idle"]
    assert not nothing_right(report)


def test_a_channel_of_data_needs_no_packets(sender):
    report = report_of(b"".join(frames_of(sender, insert=bytes(8))), AOS, ChannelSettings(245, 5, "video", "data"))
    assert problems(report) == []
    assert not nothing_right(report)


def test_text_read_as_packets_is_a_problem():
    report = report_of(b"not a packet, and neither is this\xff" * 300, LinkSettings("packets"))
    assert any("packet_prefix_bytes" in text for text in problems(report))
    assert nothing_right(report)


def test_packets_that_no_container_describes_are_a_problem(sender):
    report = report_of(b"".join(frames_of(sender, insert=bytes(8))), AOS)
    report["records"] = {"decoded": 0, "set_aside": {"no container for APID 1": 40}, "failed_checks": {}}
    (text,) = problems(report)
    assert text.startswith("none of 200 packets was decoded (no container for APID 1)")
    assert nothing_right(report)


def test_few_packets_that_a_container_describes_are_told_and_are_right(sender):
    report = report_of(b"".join(frames_of(sender, insert=bytes(8))), AOS)
    report["records"] = {"decoded": 20, "set_aside": {"no container for APID 1": 180}, "failed_checks": {}}
    (text,) = problems(report)
    assert text.startswith("20 of 200 packets were decoded (no container for APID 1)")
    assert not nothing_right(report)
    report["records"] = {"decoded": 120, "set_aside": {"no container for APID 1": 80}, "failed_checks": {}}
    assert problems(report) == []


def test_random_bytes_read_as_packets_are_a_problem_and_nothing_is_right():
    report = report_of(np.random.default_rng(1).bytes(1_000_000), LinkSettings("packets"))
    assert report["bytes"]["skipped"] > 500_000
    assert nothing_right(report)


@pytest.mark.parametrize("insert", [0, 8, 12, 14])
def test_emirates_mars_with_a_wrong_insert_zone_is_recognised(recording, insert):
    wrong = dataclasses.replace(EMIRATES, insert_zone_bytes=insert)
    report = report_of(recording("emirates-mars/emm.frames"), wrong, ChannelSettings(242, 0, "real time"))
    assert any("insert_zone_bytes" in text for text in problems(report))
    assert nothing_right(report)


def test_idle_frames_beside_a_wrong_channel_do_not_make_a_pass_right(recording):
    wrong = dataclasses.replace(EMIRATES, insert_zone_bytes=0)
    channels = ChannelSettings(242, 0, "real time"), ChannelSettings(242, 62, "second")
    report = report_of(recording("emirates-mars/emm.frames"), wrong, *channels)
    assert [channel["frames"] for channel in report["channels"]] == [534, 19]
    assert nothing_right(report)


def test_emirates_mars_with_the_right_one_has_no_problem(recording):
    channels = ChannelSettings(242, 0, "real time"), ChannelSettings(242, 62, "second")
    report = report_of(recording("emirates-mars/emm.frames"), EMIRATES, *channels)
    assert problems(report) == []


def test_frames_that_nearly_all_fail_their_check_are_told(sender):
    """A block one byte short passes its CRC where the byte that is missing is 0: one frame in 256."""
    frames = frames_of(sender, 2000, insert=bytes(8), fecf=True)
    settings = dataclasses.replace(AOS, frame_length_bytes=len(frames[0]) - 1, fecf=True)
    report = report_of(b"".join(frames), settings)
    assert 0 < report["frames"]["clean"] < 20
    assert "failed their check" in problems(report)[0]


def test_one_frame_without_a_whole_packet_beside_many_that_fail_makes_no_pass_right(sender):
    packet = sender.packet(1, 0, bytes(5000))
    frames = [
        sender.aos_frame(zone, at, k, insert=bytes(8), fecf=True)
        for k, (zone, at) in enumerate(sender.zones([packet], 100))
    ]
    wrong = [frame[:-1] + bytes([frame[-1] ^ 1]) for frame in frames[1:]]
    settings = dataclasses.replace(AOS, frame_length_bytes=len(frames[0]), fecf=True)
    report = report_of(b"".join([frames[0], *wrong]), settings)
    assert report["frames"]["clean"] == 1
    assert "failed their check" in problems(report)[0]
    assert nothing_right(report)


def test_frames_of_many_spacecraft_are_told_and_nothing_is_right(sender):
    """A length one byte short, without a check: the first frame is right, and each after it begins a byte later."""
    settings = dataclasses.replace(AOS, frame_length_bytes=115)
    report = report_of(b"".join(frames_of(sender, 400, insert=bytes(8))), settings)
    assert sum(channel["frames"] for channel in report["channels"]) > 0
    assert "other spacecraft" in problems(report)[0]
    assert nothing_right(report)


@pytest.mark.parametrize("seed", range(8))
def test_a_few_long_packets_that_chance_finds_in_random_bytes_are_a_problem(seed):
    report = report_of(np.random.default_rng(seed).bytes(100_000), LinkSettings("packets"))
    assert problems(report)
    assert nothing_right(report)


def test_packets_of_one_apid_each_are_right_where_no_header_is_bad(sender):
    report = report_of(b"".join(sender.packet(apid, 0, bytes(20)) for apid in range(1, 9)), LinkSettings("packets"))
    assert problems(report) == []
    assert not nothing_right(report)


def test_secondary_headers_between_joined_segments_are_told_with_the_key_to_set(sender):
    report = report_of(b"".join(frames_of(sender, insert=bytes(8))), AOS)
    seen = {"joined": 3, "broken": 0, "headed_segments": 6, "alike_bytes": 4, "decoded": 500, "set_aside": {}}
    (text,) = problems({**report, "records": seen})
    assert "segment_header_bytes = 4 in [dictionary]" in text
    assert not nothing_right({**report, "records": seen})
    del seen["alike_bytes"]
    (text,) = problems({**report, "records": seen})
    assert "see segment_header_bytes in [dictionary]" in text
