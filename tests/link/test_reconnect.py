"""A connection that ends inside a frame and a new one that begins with a whole frame: what a TCP station leaves."""

import numpy as np
import pytest
from downlink_pipeline.link.receiver import Receiver
from downlink_pipeline.link.settings import ChannelSettings, LinkSettings
from downlink_pipeline.model.batches import ByteBatch

N, CUT_AT, ZONE_BYTES = 300, 76, 90
CHANNEL = ChannelSettings(245, 5, "relay")
CUTS = (1, 7, 50, 97)


def aos_frames(sender, fecf):
    sent = [sender.packet(1, k, bytes([k % 251]) * 60) for k in range(2 * N)]
    zones = list(sender.zones(sent, ZONE_BYTES))[:N]
    return [sender.aos_frame(zone, at, k, fecf=fecf) for k, (zone, at) in enumerate(zones)]


def received(stream, link, channels=(CHANNEL,), piece=977):
    receiver, octets, outputs = Receiver(link, list(channels)), np.frombuffer(stream, np.uint8), []
    outputs += [receiver.receive(ByteBatch.of(octets[at : at + piece])) for at in range(0, len(octets), piece)]
    outputs.append(receiver.flush())
    return outputs, receiver.report()


def cut(frames, n_bytes):
    """The stream of two connections, the first of which ended `n_bytes` into frame CUT_AT."""
    return b"".join(frames[:CUT_AT]) + frames[CUT_AT][:n_bytes] + b"".join(frames[CUT_AT + 1 :])


def used_of(outputs):
    return [one.tobytes() for out in outputs if out.frames is not None for one in out.frames.data]


@pytest.mark.parametrize("n_bytes", CUTS)
def test_of_bare_frames_with_fecf_the_cut_one_alone_is_lost(sender, n_bytes):
    frames = aos_frames(sender, fecf=True)
    outputs, report = received(
        cut(frames, n_bytes), LinkSettings("frames", frame_length_bytes=len(frames[0]), fecf=True)
    )
    assert used_of(outputs) == frames[:CUT_AT] + frames[CUT_AT + 1 :]
    (channel,) = report["channels"]
    assert (report["frames"]["clean"], channel["frames"], channel["lost_frames"]) == (N - 1, N - 1, 1)
    assert report["frames"]["failed_check"] <= 1


@pytest.mark.parametrize("n_bytes", CUTS)
def test_of_bare_frames_without_fecf_all_others_are_used_and_an_event_tells_the_seam(sender, n_bytes):
    frames = aos_frames(sender, fecf=False)
    outputs, report = received(cut(frames, n_bytes), LinkSettings("frames", frame_length_bytes=len(frames[0])))
    whole, used = frames[:CUT_AT] + frames[CUT_AT + 1 :], used_of(outputs)
    assert [one for one in used if one in set(whole)] == whole
    assert len(used) <= N  # the cut one, filled up with the next, looks like a frame where nothing checks it
    assert report["synchronizer"]["found_again"] == 1
    assert "frames_found_again" in [event.kind for out in outputs for event in out.events]


@pytest.mark.parametrize("n_bytes", CUTS)
def test_of_cadus_the_cut_one_alone_is_lost(sender, n_bytes):
    frames = aos_frames(sender, fecf=True)
    cadus = [bytes.fromhex("1ACFFC1D") + frame for frame in frames]
    link = LinkSettings(
        "cadu",
        frame_length_bytes=len(frames[0]),
        fecf=True,
        sync_marker=bytes.fromhex("1ACFFC1D"),
        randomizer=False,
    )
    outputs, report = received(cut(cadus, n_bytes + 4), link)
    assert used_of(outputs) == frames[:CUT_AT] + frames[CUT_AT + 1 :]
    assert report["channels"][0]["lost_frames"] == 1


@pytest.mark.parametrize("n_bytes", [1, 5, 30])
def test_of_bare_packets_all_but_the_cut_one_and_its_neighbour_are_read(sender, n_bytes):
    packets = [sender.packet(1, k, bytes([k % 251]) * 60) for k in range(N)]
    _, report = received(cut(packets, n_bytes), LinkSettings("packets"), ())
    assert report["packets"]["read"] >= N - 2


def test_frames_of_another_spacecraft_are_not_clean_frames_of_ours(sender):
    ours = aos_frames(sender, fecf=True)
    theirs = [frame[:-2] for frame in aos_frames(sender, fecf=True)]
    other = 99  # of 8 bits, across the first two bytes (732.0-B 4.1.2.2)
    theirs = [bytes([0x40 | other >> 2, (other & 3) << 6 | frame[1] & 0x3F]) + frame[2:] for frame in theirs]
    theirs = [frame + sender.crc16(frame) for frame in theirs]
    mixed = [one for pair in zip(ours, theirs, strict=True) for one in pair]
    link = LinkSettings("frames", frame_length_bytes=len(ours[0]), fecf=True)
    _, report = received(b"".join(mixed), link)
    assert report["channels"][0]["frames"] == N
    assert report["frames"]["other_channel"] == N
