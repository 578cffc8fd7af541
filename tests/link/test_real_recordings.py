"""Counts of real recordings, as published with them."""

import numpy as np
import pytest
from downlink_pipeline.link.receiver import Receiver
from downlink_pipeline.link.settings import ChannelSettings, LinkSettings, ReedSolomonSettings
from downlink_pipeline.model.batches import ByteBatch

SUOMI = LinkSettings(
    "cadu", frame_length_bytes=892, randomizer=True, reed_solomon=ReedSolomonSettings(32, 4, "dual")
)
CHANGE_5 = LinkSettings("frames", frame_length_bytes=220, insert_zone_bytes=8)
TIANWEN_2 = LinkSettings("frames", frame_length_bytes=892, insert_zone_bytes=8)
STEREO = LinkSettings("frames", frame_type="tm", frame_length_bytes=1115, fecf=True)
EMIRATES = LinkSettings("frames", frame_length_bytes=223, fecf=True, insert_zone_bytes=13)


def receive(octets, settings, *channels, pieces=1):
    receiver = Receiver(settings, [ChannelSettings(scid, vcid, f"VC {vcid}") for scid, vcid in channels])
    cut = np.array_split(np.frombuffer(octets, np.uint8), pieces)
    outputs = [receiver.receive(ByteBatch.of(piece)) for piece in cut]
    outputs.append(receiver.flush())
    return receiver.report(), outputs


def test_suomi_npp_is_clean_and_has_one_gap(recording):
    report, _ = receive(recording("suomi-npp/cadus.dat"), SUOMI, (157, 16))
    (channel,) = report["channels"]
    assert report["frames"]["clean"] == report["frames"]["read"] == 65
    assert (channel["gaps"], channel["lost_frames"], channel["packets"]) == (1, 1, 12)


def test_suomi_npp_is_not_in_the_conventional_basis(recording):
    wrong = LinkSettings(
        "cadu", frame_length_bytes=892, randomizer=True, reed_solomon=ReedSolomonSettings(32, 4, "conventional")
    )
    report, _ = receive(recording("suomi-npp/cadus.dat"), wrong, (157, 16))
    assert report["frames"]["uncorrectable"] == 65


@pytest.mark.parametrize("pieces", [1, 7, 997])
def test_change_5_counts_come_out(recording, pieces):
    octets = recording("change-5/2020-11-28.frames")
    report, _ = receive(octets, CHANGE_5, (91, 1), (91, 2), pieces=pieces)
    first, second = report["channels"]
    assert (first["frames"], first["gaps"], first["lost_frames"]) == (3072, 17, 50)
    assert (first["packets"], first["bad_headers"]) == (21280, 0)
    assert (second["frames"], second["packets"]) == (2, 2)
    assert report["frames"]["other_channel"] == 1
    assert report["packets"]["read"] == 21282


def test_change_5_has_94_apids_on_its_first_channel(recording):
    report, _ = receive(recording("change-5/2020-11-28.frames"), CHANGE_5, (91, 1))
    assert len(report["packets"]["by_apid"]) == 94


def test_tianwen_2_counts_come_out(recording):
    report, _ = receive(recording("tianwen-2/2026-05-25.frames"), TIANWEN_2, (237, 1))
    (channel,) = report["channels"]
    assert (channel["frames"], channel["gaps"], channel["packets"]) == (299, 0, 4035)
    assert report["frames"]["other_channel"] == 1
    assert len(report["packets"]["by_apid"]) == 23


def test_tianwen_2_at_low_rate_counts_come_out(recording):
    report, _ = receive(recording("tianwen-2/2026-06-08-low-rate.frames"), CHANGE_5, (237, 1))
    (channel,) = report["channels"]
    assert (channel["frames"], channel["gaps"], channel["packets"]) == (299, 0, 706)
    assert len(report["packets"]["by_apid"]) == 21


def test_stereo_a_counts_come_out(recording):
    report, _ = receive(recording("stereo-a/2022-09-24.frames"), STEREO, (234, 7), (234, 0))
    science, idle = report["channels"]
    assert report["frames"]["failed_check"] == 0
    assert (science["frames"], science["gaps"], science["packets"], science["idle_packets"]) == (88, 1, 280, 72)
    assert (idle["frames"], idle["packets"]) == (6, 0)
    assert len(report["packets"]["by_apid"]) == 6


def test_every_fecf_of_emirates_mars_is_right(recording):
    report, _ = receive(recording("emirates-mars/emm.frames"), EMIRATES, (242, 0))
    assert (report["frames"]["clean"], report["frames"]["failed_check"]) == (553, 0)
    assert report["channels"][0]["bad_headers"] == 0


@pytest.mark.parametrize("pieces", [1, 333])
def test_jpss_packets_all_come_out(recording, pieces):
    octets = recording("jpss-1/J01_G011_LZ_2021-04-09.packets")
    report, outputs = receive(octets, LinkSettings("packets"), pieces=pieces)
    lengths = np.concatenate([output.packets.length for output in outputs])
    assert report["packets"]["by_apid"] == {"11": 7200}
    assert (lengths == 71).all()
    assert report["bytes"] == {"read": 511200, "skipped": 0}
