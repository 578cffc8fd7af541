"""Where the packets lie in a frame, for spacecraft that do not do as the standard says, or more than it says."""

from dataclasses import replace

import numpy as np
import pytest
from downlink_pipeline.link.receiver import Receiver
from downlink_pipeline.link.settings import ChannelSettings, LinkSettings
from downlink_pipeline.model.batches import ByteBatch

TM = LinkSettings("frames", "tm", 0)
N_PACKETS = 25


@pytest.fixture(scope="module")
def packets(sender):
    return [sender.packet(5, k, bytes([k + 1] * (20 + k))) for k in range(N_PACKETS)]


def receive(link, frames, *channels):
    receiver = Receiver(replace(link, frame_length_bytes=len(frames[0])), channels)
    outputs = [receiver.receive(ByteBatch.of(b"".join(frames))), receiver.flush()]
    found = [
        batch.data[a : a + n].tobytes()
        for batch in (output.packets for output in outputs)
        for a, n in zip(batch.start.tolist(), batch.length.tolist(), strict=True)
    ]
    return found, receiver.report()


SCIENCE = ChannelSettings(234, 7, "science")


def test_a_secondary_header_has_the_length_that_is_set_where_its_own_field_is_wrong(sender, packets):
    frames = []
    for k, (zone, at) in enumerate(sender.zones(packets, 40)):
        frame = bytearray(sender.tm_frame(zone, at, k, secondary=b"time"))
        frame[6] = 0x3F
        frames.append(bytes(frame))
    assert receive(replace(TM, secondary_header_bytes=5), frames, SCIENCE)[0] == packets
    assert receive(TM, frames, replace(SCIENCE, secondary_header_bytes=5))[0] == packets
    assert receive(TM, frames, SCIENCE)[0] != packets


def test_a_frame_without_the_flag_has_no_secondary_header_whatever_is_set(sender, packets):
    frames = [sender.tm_frame(zone, at, k) for k, (zone, at) in enumerate(sender.zones(packets, 40))]
    assert receive(replace(TM, secondary_header_bytes=5), frames, SCIENCE)[0] == packets


def test_with_the_synchronisation_flag_ignored_its_frames_hold_packets(sender, packets):
    frames = [sender.tm_frame(zone, at, k, sync=True) for k, (zone, at) in enumerate(sender.zones(packets, 40))]
    assert receive(replace(TM, ignore_synchronization_flag=True), frames, SCIENCE)[0] == packets
    assert receive(TM, frames, SCIENCE)[0] == []


CLCW = bytes.fromhex("01040042")


@pytest.mark.parametrize("kind", ["tm", "aos"])
def test_security_header_and_trailer_are_skipped_and_the_control_field_behind_them_is_read(sender, packets, kind):
    frames = []
    for k, (zone, at) in enumerate(sender.zones(packets, 40)):
        if kind == "tm":
            frames.append(sender.tm_frame(b"\0\x05sequen" + zone + b"M" * 16, at, k, ocf=CLCW, fecf=True))
        else:
            head = b"\0\x05sequen"
            frames.append(
                sender.aos_frame(
                    zone + b"M" * 16, at, k, scid=234, vcid=7, insert=b"ins" + head, ocf=CLCW, fecf=True
                )
            )
    link = LinkSettings(
        "frames",
        kind,
        fecf=True,
        insert_zone_bytes=3 if kind == "aos" else 0,
        operational_control_field=kind == "aos",
        security_header_bytes=8,
        security_trailer_bytes=16,
    )
    found, report = receive(link, frames, SCIENCE)
    assert found == packets
    assert report["channels"][0]["clcw"]["report_value"] == 0x42


def test_one_channel_of_a_link_may_be_secured_alone(sender, packets):
    cut = sender.zones(packets, 40)
    frames = []
    for k, (zone, at) in enumerate(cut):
        frames.append(sender.tm_frame(b"SH" + zone + b"ST", at, k, vcid=1))
        frames.append(sender.tm_frame(zone + b"\xaa" * 4, at, k, vcid=2))
    secured = ChannelSettings(234, 1, "secured", security_header_bytes=2, security_trailer_bytes=2)
    other = ChannelSettings(234, 2, "plain", security_trailer_bytes=4)
    found, report = receive(TM, frames, secured, other)
    assert sorted(found) == sorted(packets * 2)
    assert [one["bad_headers"] for one in report["channels"]] == [0, 0]


def test_the_frames_of_an_authenticated_link_give_their_60_packets(frames_case):
    octets = frames_case("yamcs1020_sdls_auth_tm.frames")
    link = LinkSettings("frames", "tm", fecf=True, security_header_bytes=6, security_trailer_bytes=16)
    frames = [octets[a : a + 234] for a in range(0, len(octets), 234)]
    found, report = receive(link, frames, ChannelSettings(9, 1, "secured"))
    assert (len(found), report["packets"]["bad_headers"]) == (60, 0)


@pytest.mark.parametrize("fill", [0x00, 0x55, 0xFF])
def test_a_field_without_m_pdu_header_begins_with_a_packet_and_may_end_with_fill(sender, packets, fill):
    fields = [b"".join(packets[k : k + 2]) for k in range(0, N_PACKETS, 2)]
    frames = []
    for k, field in enumerate(fields):
        zone = field + bytes([fill]) * (120 - len(field))
        frames.append(sender.aos_frame(zone[2:], int.from_bytes(zone[:2], "big"), k))
    found, report = receive(LinkSettings("frames", mpdu_header=False), frames, ChannelSettings(245, 5, "x"))
    assert found == packets
    assert report["packets"]["bad_headers"] == 0
    assert report["packets"]["truncated_packets"] == 0


def test_a_field_without_m_pdu_header_that_its_packets_fill_is_read_to_its_end(sender):
    packets = [sender.packet(9, k, bytes(34)) for k in range(20)]  # zeros up to the end of the field
    frames = []
    for k in range(0, 20, 2):
        zone = packets[k] + packets[k + 1]
        frames.append(sender.aos_frame(zone[2:], int.from_bytes(zone[:2], "big"), k // 2))
    found, _ = receive(LinkSettings("frames", mpdu_header=False), frames, ChannelSettings(245, 5, "x"))
    assert found == packets


def test_an_aos_spacecraft_id_has_its_two_high_bits_in_the_signalling_field(frames_case):
    octets = frames_case("aos_scid_0x245.frames")
    frames = [octets[a : a + 208] for a in range(0, len(octets), 208)]
    assert frames[0][:6] == bytes.fromhex("514100000020")  # 0x45 in the id, 2 in bits 42 and 43
    found, report = receive(LinkSettings("frames"), frames, ChannelSettings(0x245, 1, "x"))
    assert (len(found), report["channels"][0]["frames"]) == (60, 55)
    assert receive(LinkSettings("frames"), frames, ChannelSettings(0x45, 1, "x"))[0] == []


def test_the_cycle_of_the_count_stands_beside_the_high_bits_of_the_id(sender, packets):
    frames = []
    for k, (zone, at) in enumerate(sender.zones(packets, 40)):
        frame = bytearray(sender.aos_frame(zone, at, 0xFFFFFE + k, scid=0x45))
        frame[5] = 0x40 | 0x20 | (1 if k >= 2 else 0)
        frames.append(bytes(frame))
    found, report = receive(LinkSettings("frames"), frames, ChannelSettings(0x245, 5, "x"))
    assert found == packets
    assert report["channels"][0]["gaps"] == 0
    assert np.array(report["channels"][0]["frames"]) == len(frames)
