"""Services other than packets, USLP, control words and insert zones."""

from datetime import UTC, datetime

import numpy as np
import pytest
from downlink_pipeline.link.frames.clcw import read_clcw
from downlink_pipeline.link.receiver import Receiver
from downlink_pipeline.link.settings import ChannelSettings, InsertZoneTime, LinkSettings
from downlink_pipeline.model.batches import ByteBatch, Quality
from downlink_pipeline.model.errors import ConfigError


def receive(frames, settings, channel, pieces=1):
    receiver = Receiver(settings, [channel])
    stream = np.frombuffer(b"".join(frames), np.uint8)
    outputs = [receiver.receive(ByteBatch.of(piece)) for piece in np.array_split(stream, pieces)]
    return [*outputs, receiver.flush()], receiver.report()


def packets_of(outputs):
    return [
        batch.data[start : start + length].tobytes()
        for batch in (output.packets for output in outputs)
        for start, length in zip(batch.start.tolist(), batch.length.tolist(), strict=True)
    ]


def data_of(outputs):
    return [
        frames.data[row, frames.data_start[row] : frames.data_stop[row]].tobytes()
        for frames in (output.frames for output in outputs if output.frames)
        for row in range(len(frames.data))
    ]


AOS = LinkSettings("frames", frame_length_bytes=108)


def test_a_bitstream_channel_hands_on_its_valid_bytes(sender):
    zones = [
        (bytes(range(100)), 0x3FFF),
        (bytes(range(100)), 8 * 10 - 1),
        (bytes(100), 0x3FFE),
        (b"\xaa" * 100, 80),
    ]
    frames = [sender.aos_frame(zone, pointer, k) for k, (zone, pointer) in enumerate(zones)]
    outputs, report = receive(frames, AOS, ChannelSettings(245, 5, "bits", "bitstream"))
    assert data_of(outputs) == [bytes(range(100)), bytes(range(10)), b"", b"\xaa" * 11]
    assert outputs[0].frames.first_header_pointer.tolist() == [0x3FFF, 79, 0x3FFE, 80]
    assert report["packets"]["read"] == 0


def test_a_data_channel_hands_on_the_whole_field(sender):
    frames = [sender.aos_frame(bytes([k]) * 100, 0xEB90, k) for k in range(5)]
    outputs, _ = receive(frames, AOS, ChannelSettings(245, 5, "playback", "data"))
    assert data_of(outputs) == [b"\xeb\x90" + bytes([k]) * 100 for k in range(5)]


def test_replayed_and_idle_frames_are_counted_apart(sender):
    frames = [sender.aos_frame(bytes(100), 0x7FE, k, replay=k % 3 == 0) for k in range(9)]
    _, report = receive(frames, AOS, ChannelSettings(245, 5, "relay"))
    assert (report["channels"][0]["idle_frames"], report["channels"][0]["replay_frames"]) == (9, 3)


# -- USLP ---------------------------------------------------------------------------------------------------------

USLP = LinkSettings("frames", frame_type="uslp", frame_length_bytes=120, fecf=True)


def uslp_frame(
    sender, zone, pointer, count, *, map_id=0, rule=0, protocol=0, n_count=2, ocf=b"", scid=0xABCD, vcid=9
):
    """732.1-B-2 4.1.2: version 1100, ids, source flag 0, length less one, flags, count; 4.1.4: data field header."""
    head = 12 << 28 | scid << 12 | vcid << 5 | map_id << 1
    field = bytes([rule << 5 | protocol]) + (pointer.to_bytes(2, "big") if rule < 3 else b"") + zone
    body = bytes([bool(ocf) << 3 | n_count]) + count.to_bytes(n_count, "big") + field + ocf
    frame = head.to_bytes(4, "big") + (4 + 2 + len(body) + 2 - 1).to_bytes(2, "big") + body
    return frame + sender.crc16(frame)


def uslp_zones(sender, packets, zone):
    return [(part, 0xFFFF if pointer == 0x7FF else pointer) for part, pointer in sender.zones(packets, zone)]


@pytest.mark.parametrize("n_count", [1, 2, 4])
@pytest.mark.parametrize("ocf", [b"", bytes(4)])
def test_uslp_packets_that_span_frames_come_out(sender, n_count, ocf):
    sent = [sender.packet(3, k, bytes([k % 256]) * (1 + 7 * k % 300)) for k in range(200)]
    zone = 120 - 7 - n_count - 3 - len(ocf) - 2
    frames = [
        uslp_frame(sender, part, pointer, k % 256**n_count, n_count=n_count, ocf=ocf)
        for k, (part, pointer) in enumerate(uslp_zones(sender, sent, zone))
    ]
    outputs, report = receive(frames, USLP, ChannelSettings(0xABCD, 9, "uslp"), pieces=7)
    assert packets_of(outputs) == sent
    assert report["channels"][0]["gaps"] == 0


def test_uslp_maps_are_assembled_apart_and_a_gap_breaks_all_of_them(sender):
    streams = {
        map_id: [sender.packet(map_id, k, bytes([k]) * 200) for k in range(30)] for map_id in (1, 2)
    }  # 206 bytes: over two or three frames
    zones = {map_id: uslp_zones(sender, sent, 106) for map_id, sent in streams.items()}
    order = [
        (map_id, zone)
        for pair in zip(zones[1], zones[2], strict=True)
        for map_id, zone in zip((1, 2), pair, strict=True)
    ]
    frames = [uslp_frame(sender, *zone, k, map_id=map_id) for k, (map_id, zone) in enumerate(order)]
    channel = ChannelSettings(0xABCD, 9, "uslp")
    whole, _ = receive(frames, USLP, channel)
    assert [p for p in packets_of(whole) if p[1] == 1] == streams[1]
    assert [p for p in packets_of(whole) if p[1] == 2] == streams[2]
    del frames[41]
    for pieces in (1, 5, len(frames)):
        outputs, report = receive(frames, USLP, channel, pieces)
        assert set(packets_of(outputs)) < set(streams[1] + streams[2])
        assert report["channels"][0]["truncated_packets"] == 2


def test_the_first_packet_of_a_map_that_is_first_seen_after_a_gap_is_flagged_in_any_split(sender):
    sent = [(1, k) for k in range(60)] + [(2, k) for k in range(60, 70)]
    frames = [
        uslp_frame(sender, sender.packet(map_id, k, bytes(100)), 0, k, map_id=map_id)
        for map_id, k in sent
        if k != 3
    ]
    for pieces in (1, 2, len(frames)):
        outputs, _ = receive(frames, USLP, ChannelSettings(0xABCD, 9, "uslp"), pieces)
        quality = np.concatenate([output.packets.quality for output in outputs])
        flagged = np.nonzero(quality & Quality.AFTER_GAP)[0]
        assert flagged.tolist() == [3, 59], pieces  # of MAP 1 and of MAP 2


def test_uslp_frames_of_whole_packets_need_no_pointer(sender):
    sent = [sender.packet(3, k, bytes([k]) * 48) for k in range(20)]
    frames = [uslp_frame(sender, b"".join(sent[2 * k : 2 * k + 2]), 0, k, rule=7) for k in range(10)]
    outputs, _ = receive(frames, USLP, ChannelSettings(0xABCD, 9, "uslp"))
    assert packets_of(outputs) == sent


def test_uslp_frames_of_other_protocols_hold_no_packets(sender):
    frames = [uslp_frame(sender, bytes(106), 0, k, protocol=31) for k in range(3)]
    _, report = receive(frames, USLP, ChannelSettings(0xABCD, 9, "uslp"))
    assert (report["channels"][0]["frames"], report["channels"][0]["packets"]) == (3, 0)


# -- control words and insert zones ---------------------------------------------------------------------------------


def test_the_fields_of_a_control_word_are_read():
    """232.0-B-4 figure 4-2: COP-1, channel 5, no bit lock, retransmit, FARM-B 2, report value 0x7B."""
    word = 0b0_00_000_01_000101_00_0_1_0_0_1_10_0_01111011
    assert read_clcw(word) == {
        "version": 0,
        "status": 0,
        "cop_in_effect": 1,
        "vcid": 5,
        "no_rf_available": False,
        "no_bit_lock": True,
        "lockout": False,
        "wait": False,
        "retransmit": True,
        "farm_b_count": 2,
        "report_value": 0x7B,
    }


def test_another_kind_of_report_is_no_control_word():
    assert read_clcw(0x80000000) is None


def test_the_last_control_word_of_a_channel_is_in_the_report(sender):
    settings = LinkSettings("frames", frame_type="tm", frame_length_bytes=108)
    frames = [sender.tm_frame(bytes(98), 0x7FE, k, ocf=bytes([1, 0x14, 0, k])) for k in range(5)]
    _, report = receive(frames, settings, ChannelSettings(234, 7, "science"))
    assert report["channels"][0]["clcw"]["report_value"] == 4


def utc(*when):
    return int(datetime(*when, tzinfo=UTC).timestamp()) * 10**9


BEIJING_2016 = InsertZoneTime(6, 10_000, utc(2015, 12, 31, 16))
BEIJING_2020 = InsertZoneTime(6, 65_536, utc(2019, 12, 31, 16), byte_order="little")
AUGUST_2012 = InsertZoneTime(4, 1, utc(2012, 8, 1), offset=4, byte_order="little")
THIRDS = InsertZoneTime(5, 3, utc(2000, 1, 1), offset=3)


@pytest.mark.parametrize(
    ("layout", "zone", "expected"),
    [
        # 24 hours of 100 us, since 2015-12-31 16:00
        (BEIJING_2016, (864_000_000).to_bytes(6, "big") + b"\x4a\xaa", utc(2016, 1, 1, 16)),
        # one hour and a half second, since 2019-12-31 16:00
        (
            BEIJING_2020,
            (3600 * 65536 + 32768).to_bytes(6, "little") + b"\x0b\x30",
            utc(2019, 12, 31, 17) + 500_000_000,
        ),
        (AUGUST_2012, bytes(4) + (86400).to_bytes(4, "little"), utc(2012, 8, 2)),
        # 40 bits from the fourth byte on, a third of a second each: 7 thirds, cut to the nanosecond
        (THIRDS, b"\xff\xff\xff" + (7).to_bytes(5, "big"), utc(2000, 1, 1) + 2_333_333_333),
        # all eight bytes, microseconds
        (InsertZoneTime(8, 10**6, 0), (1_600_000_000 * 10**6 + 5).to_bytes(8, "big"), 1_600_000_000 * 10**9 + 5000),
    ],
)
def test_insert_zones_tell_the_onboard_time(sender, layout, zone, expected):
    settings = LinkSettings("frames", frame_length_bytes=116, insert_zone_bytes=8, insert_zone_time=layout)
    frames = [sender.aos_frame(bytes(100), 0x7FE, 0, insert=zone)]
    outputs, _ = receive(frames, settings, ChannelSettings(245, 5, "relay"))
    assert outputs[0].frames.received_ns.tolist() == [expected]


def test_a_frame_has_its_insert_zone_time_only_where_its_receive_time_is_unknown(sender):
    """In frames, packets and report. Two hours of 100 us since 2015-12-31 16:00, and a receive time."""
    settings = LinkSettings("frames", frame_length_bytes=116, insert_zone_bytes=8, insert_zone_time=BEIJING_2016)
    zone = (72_000_000).to_bytes(6, "big") + bytes(2)
    packet = sender.packet(7, 0, bytes(94))
    first, second = (sender.aos_frame(packet, 0, count, insert=zone) for count in (0, 1))
    receiver = Receiver(settings, [ChannelSettings(245, 5, "relay")])
    outputs = [receiver.receive(ByteBatch.of(first)), receiver.receive(ByteBatch.of(second, utc(2021, 5, 15)))]
    expected = [utc(2015, 12, 31, 18), utc(2021, 5, 15)]
    assert [output.frames.received_ns.tolist() for output in outputs] == [[one] for one in expected]
    assert [output.packets.received_ns.tolist() for output in outputs] == [[one] for one in expected]
    (channel,) = receiver.report()["channels"]
    assert [channel["first_received_ns"], channel["last_received_ns"]] == expected


def test_insert_zones_of_change_5_are_of_the_day_it_was_recorded(recording):
    settings = LinkSettings("frames", frame_length_bytes=220, insert_zone_bytes=8, insert_zone_time=AUGUST_2012)
    outputs, _ = receive([recording("change-5/2020-11-28.frames")], settings, ChannelSettings(91, 1, "orbiter"))
    times = outputs[0].frames.received_ns
    assert (np.diff(times) >= 0).all()
    assert utc(2020, 11, 28) <= times[0] <= times[-1] < utc(2020, 11, 29)


def test_insert_zones_of_tianwen_2_are_of_the_day_it_was_recorded(recording):
    settings = LinkSettings("frames", frame_length_bytes=892, insert_zone_bytes=8, insert_zone_time=BEIJING_2020)
    outputs, _ = receive([recording("tianwen-2/2026-05-25.frames")], settings, ChannelSettings(237, 1, "probe"))
    times = outputs[0].frames.received_ns
    assert (np.diff(times) > 0).all()
    assert utc(2026, 5, 25) <= times[0] <= times[-1] < utc(2026, 5, 26)


@pytest.mark.parametrize("wrong", [{"insert_zone_bytes": 5}, {"insert_zone_bytes": 8, "frame_type": "uslp"}])
def test_a_time_that_does_not_lie_in_the_insert_zone_of_aos_frames_is_refused(wrong):
    with pytest.raises(ConfigError, match="needs AOS frames with an insert zone of 6 bytes or more"):
        Receiver(LinkSettings("frames", frame_length_bytes=220, insert_zone_time=BEIJING_2016, **wrong), [])
