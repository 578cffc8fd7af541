"""From bytes to packets: what a plain sender sent comes out."""

import json

import numpy as np
import pytest
from downlink_pipeline.link.receiver import Receiver
from downlink_pipeline.link.settings import ChannelSettings, LinkSettings, ReedSolomonSettings
from downlink_pipeline.model.batches import ByteBatch, Quality
from downlink_pipeline.model.errors import ConfigError
from receiving import (
    AOS,
    CODED,
    RELAY,
    STEREO,
    TM,
    aos_frames,
    coded,
    packets_of,
    qualities_of,
    receive,
    some_packets,
)


def test_packets_come_out_as_they_went_in(sender):
    sent = some_packets(sender, 200)
    outputs, report = receive(b"".join(aos_frames(sender, sent)))
    assert packets_of(outputs) == sent
    assert report["packets"]["read"] == 200


@pytest.mark.parametrize("length", [7, 8, 105, 106, 107, 1000, 65_542])
def test_packets_of_every_length_come_out(sender, length):
    sent = [sender.packet(3, k, bytes([k]) * (length - 6)) for k in range(5)]
    outputs, _ = receive(b"".join(aos_frames(sender, sent)), pieces=3)
    assert packets_of(outputs) == sent


def test_fields_of_the_primary_header_are_read(sender):
    sent = [sender.packet(0x3A5, 0x1FFF, b"abc", flags=1)]
    (batch, _), _ = receive(b"".join(aos_frames(sender, sent)))
    packets = batch.packets
    assert (packets.apid[0], packets.seq_count[0], packets.seq_flags[0]) == (0x3A5, 0x1FFF, 1)
    assert (packets.scid[0], packets.vcid[0], packets.length[0]) == (245, 5, 9)


def test_coded_and_randomised_blocks_with_sixteen_wrong_symbols_each_lose_nothing(sender):
    rng = np.random.default_rng(2)
    sent = some_packets(sender, 40)
    stream = bytearray()
    for clean in coded(sender, aos_frames(sender, sent, zone=212)):
        block = bytearray(clean)
        for place in rng.choice(252, 16, replace=False) + 4:
            block[place] ^= int(rng.integers(1, 256))
        stream += block
    outputs, report = receive(bytes(stream), CODED)
    frames = report["frames"]
    assert packets_of(outputs) == sent
    assert frames["corrected"] == frames["read"]
    assert frames["corrected_symbols"] == {"16": frames["read"]}
    assert all(quality & Quality.CORRECTED for quality in qualities_of(outputs))


def test_only_packets_with_a_corrected_frame_are_marked_so(sender):
    sent = [sender.packet(1, k, bytes(100)) for k in range(20)]  # 106 bytes: exactly two a frame
    blocks = coded(sender, aos_frames(sender, sent, zone=212))
    blocks[4] = blocks[4][:90] + bytes([blocks[4][90] ^ 1]) + blocks[4][91:]
    outputs, _ = receive(b"".join(blocks), CODED, pieces=7)
    assert [k for k, quality in enumerate(qualities_of(outputs)) if quality] == [8, 9]


def test_frames_of_other_channels_are_counted_and_set_aside(sender):
    sent = some_packets(sender, 60)
    mine, other = aos_frames(sender, sent), aos_frames(sender, some_packets(sender, 60, 1), vcid=6)
    outputs, report = receive(b"".join(a + b for a, b in zip(mine, other, strict=False)))
    assert set(packets_of(outputs)) <= set(sent)
    assert report["frames"]["other_channel"] == min(len(mine), len(other))
    assert report["other_channels"] == [{"scid": 245, "vcid": 6, "frames": min(len(mine), len(other))}]


def test_packets_of_two_channels_come_in_order_of_completion(sender):
    one = [sender.packet(1, k, bytes(94)) for k in range(20)]  # 100 bytes: one a frame
    two = [sender.packet(2, k, bytes(194)) for k in range(10)]  # one in two frames
    first, second = aos_frames(sender, one), aos_frames(sender, two, vcid=6)
    outputs, _ = receive(
        b"".join(a + b for a, b in zip(first, second, strict=True)), channels=(ChannelSettings(245, 6, "b"), RELAY)
    )
    apids = np.concatenate([output.packets.apid for output in outputs]).tolist()
    assert apids == [1, 1, 2] * 10


def test_idle_packets_and_idle_frames_are_left_out(sender):
    sent = some_packets(sender, 20)
    frames = aos_frames(sender, [*sent[:10], sender.packet(0x7FF, 0, bytes(200)), *sent[10:]])
    idle = [sender.aos_frame(bytes(100), 0x7FE, k, vcid=63) for k in range(5)]
    outputs, report = receive(b"".join(frames + idle), channels=(RELAY, ChannelSettings(245, 63, "idle", "idle")))
    assert packets_of(outputs) == sent
    assert report["channels"][0]["idle_packets"] == 2
    assert report["channels"][1]["frames"] == 5


def test_an_idle_frame_inside_a_packet_does_not_end_it(sender):
    sent = [sender.packet(1, k, bytes([k]) * 144) for k in range(10)]
    cut = sender.zones(sent, 100)
    cut.insert(1, (bytes(100), 0x7FE))
    outputs, _ = receive(b"".join(sender.aos_frame(zone, pointer, k) for k, (zone, pointer) in enumerate(cut)))
    assert packets_of(outputs) == sent


def test_insert_zone_and_trailers_are_skipped(sender):
    settings = LinkSettings(
        "frames", frame_length_bytes=122, insert_zone_bytes=8, operational_control_field=True, fecf=True
    )
    sent = some_packets(sender, 50)
    frames = aos_frames(sender, sent, insert=b"insertok", ocf=b"\xff\xff\xff\xff", fecf=True)
    outputs, report = receive(b"".join(frames), settings)
    assert packets_of(outputs) == sent
    assert report["frames"]["clean"] == len(frames)


def test_a_frame_with_a_wrong_fecf_is_counted_and_not_used(sender):
    settings = LinkSettings("frames", frame_length_bytes=110, fecf=True)
    frames = aos_frames(sender, some_packets(sender, 50), fecf=True)
    frames[4] = frames[4][:50] + bytes([frames[4][50] ^ 4]) + frames[4][51:]
    _, report = receive(b"".join(frames), settings)
    assert report["frames"]["failed_check"] == 1
    assert report["channels"][0]["lost_frames"] == 1


@pytest.mark.parametrize("secondary", [b"", b"\x12\x34\x56"])
@pytest.mark.parametrize("ocf", [b"", b"\xff" * 4])
def test_tm_frames_say_themselves_what_they_hold(sender, secondary, ocf):
    zone = 120 - len(ocf) - (len(secondary) + 1 if secondary else 0)
    sent = some_packets(sender, 50)
    frames = [
        sender.tm_frame(part, pointer, k, secondary=secondary, ocf=ocf, fecf=True)
        for k, (part, pointer) in enumerate(sender.zones(sent, zone))
    ]
    outputs, _ = receive(b"".join(frames), TM, (STEREO,))
    assert packets_of(outputs) == sent


def test_tm_frames_with_and_without_trailer_may_alternate(sender):
    sent = [sender.packet(1, k, bytes([k]) * 110) for k in range(30)]
    stream, frames, at = b"".join(sent), [], 0
    while at < len(stream):
        zone = 116 if len(frames) % 2 else 120
        pointer = -at % 116  # every packet has 116 bytes
        part = stream[at : at + zone].ljust(zone, b"\xff")
        ocf = bytes(4) if len(frames) % 2 else b""
        frames.append(sender.tm_frame(part, pointer, len(frames), ocf=ocf, fecf=True))
        at += zone
    outputs, _ = receive(b"".join(frames), TM, (STEREO,))
    assert packets_of(outputs)[: len(sent)] == sent


def test_a_tm_frame_with_its_sync_flag_set_holds_no_packets(sender):
    frames = [sender.tm_frame(bytes(120), 0, k, sync=True, fecf=True) for k in range(5)]
    _, report = receive(b"".join(frames), TM, (STEREO,))
    assert (report["channels"][0]["frames"], report["channels"][0]["packets"]) == (5, 0)


def test_a_pointer_that_disagrees_with_the_running_packet_is_believed(sender):
    sent = [sender.packet(1, k, bytes([k]) * 44) for k in range(60)]  # 50 bytes: two a frame
    cut = sender.zones(sent, 100)
    lying = bytearray(cut[10][0])
    lying[54:56] = (100).to_bytes(2, "big")  # the second packet of frame 10 claims 107 bytes
    cut[10] = (bytes(lying), cut[10][1])
    outputs, report = receive(b"".join(sender.aos_frame(zone, at, k) for k, (zone, at) in enumerate(cut)))
    assert packets_of(outputs) == sent[:21] + sent[22:]
    assert report["channels"][0]["bad_headers"] == 1


def test_header_nonsense_recovers_at_the_next_pointer(sender):
    sent = [sender.packet(1, k, bytes([k]) * 44) for k in range(60)]
    cut = sender.zones(sent, 100)
    cut[10] = (b"\xe5" * 100, 0)
    outputs, report = receive(b"".join(sender.aos_frame(zone, at, k) for k, (zone, at) in enumerate(cut)))
    assert packets_of(outputs) == sent[:20] + sent[22:]
    assert report["channels"][0]["bad_headers"] == 1


def test_a_pointer_beyond_the_frame_costs_one_frame(sender):
    sent = [sender.packet(1, k, bytes([k]) * 44) for k in range(60)]
    cut = sender.zones(sent, 100)
    cut[10] = (cut[10][0], 0x700)
    outputs, report = receive(b"".join(sender.aos_frame(zone, at, k) for k, (zone, at) in enumerate(cut)))
    assert packets_of(outputs) == sent[:20] + sent[22:]
    assert report["channels"][0]["bad_headers"] == 1


def test_breaks_of_the_sequence_count_are_counted_for_each_apid(sender):
    counts = {1: [5, 6, 7, 9, 10], 2: [0x3FFE, 0x3FFF, 0, 1], 3: [4, 4]}
    sent = [sender.packet(apid, count, bytes(20)) for apid, row in counts.items() for count in row]
    _, report = receive(b"".join(aos_frames(sender, sent)), pieces=3)
    assert report["packets"]["sequence_gaps"] == 2
    assert report["packets"]["gaps_by_apid"] == {"1": 1, "3": 1}
    assert report["packets"]["by_apid"] == {"1": 5, "2": 4, "3": 2}


def test_receive_times_are_those_of_the_frame_that_completes_the_packet(sender):
    sent = [sender.packet(1, k, bytes(194)) for k in range(5)]  # 200 bytes: two frames each
    stream = np.frombuffer(b"".join(aos_frames(sender, sent)), np.uint8)
    receiver = Receiver(AOS, [RELAY])
    marks = np.arange(0, len(stream), 108)
    output = receiver.receive(ByteBatch(stream, marks, 1000 + marks // 108))
    assert output.packets.received_ns.tolist() == [1001, 1003, 1005, 1007, 1009]


def test_frames_are_handed_on_too(sender):
    frames = aos_frames(sender, some_packets(sender, 30))
    outputs, _ = receive(b"".join(frames))
    batch = outputs[0].frames
    assert [row.tobytes() for row in batch.data] == frames
    assert batch.vc_count.tolist() == list(range(len(frames)))
    assert (batch.data_start == 8).all()
    assert (batch.data_stop == 108).all()


def test_settings_that_fit_no_link_are_refused_with_every_problem():
    wrong = LinkSettings("cadu", frame_length_bytes=893, reed_solomon=ReedSolomonSettings(32, 4, "dual"))
    with pytest.raises(ConfigError, match="892 bytes, not 893"):
        Receiver(wrong, [])
    with pytest.raises(ConfigError) as refused:
        Receiver(LinkSettings("cadu", frame_length_bytes=3, sync_marker=b"", insert_zone_bytes=-1), [])
    assert len(refused.value.problems) == 3


def test_the_report_is_plain_json(sender):
    frames = aos_frames(sender, some_packets(sender, 60))
    _, report = receive(b"".join(frames[:10] + frames[13:]))
    assert json.loads(json.dumps(report)) == report


def test_an_empty_recording_reports_nothing_and_closes_its_books():
    outputs, report = receive(b"")
    assert packets_of(outputs) == []
    assert report["bytes"] == {"read": 0, "skipped": 0}
