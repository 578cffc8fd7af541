"""Frames and coded blocks without markers in records of any form: the packets that went in must come out again."""

import itertools

import numpy as np
import pytest
from downlink_pipeline.link.detection.detector import detect
from downlink_pipeline.link.receiver import Receiver
from downlink_pipeline.model.batches import ByteBatch

N_FRAMES = 24


def uslp_frame(sender, zone, pointer, count, channel, *, fecf):
    """732.1-B 4.1.2: a count of two bytes; 4.1.4: rule 0 and its pointer."""
    head = (12 << 28 | 2748 << 12 | channel << 5).to_bytes(4, "big")
    body = (
        b"\2"
        + count.to_bytes(2, "big")
        + b"\0"
        + (0xFFFF if pointer == 0x7FF else pointer).to_bytes(2, "big")
        + zone
    )
    frame = head + (len(head) + 2 + len(body) + 2 * fecf - 1).to_bytes(2, "big") + body
    return frame + sender.crc16(frame) if fecf else frame


def frame_of(sender, kind, zone, pointer, count, master, channel, *, fecf):
    if kind == "uslp":
        return uslp_frame(sender, zone, pointer, count, channel, fecf=fecf)
    if kind == "aos":
        return sender.aos_frame(zone, pointer, count, vcid=channel, fecf=fecf)
    frame = bytearray(sender.tm_frame(zone, pointer, count, vcid=channel))
    frame[2] = master % 256
    return bytes(frame) + sender.crc16(bytes(frame)) if fecf else bytes(frame)


def link_of(sender, kind, length, n_channels, *, fecf):
    """Frames whose channels take turns, and the packets in them."""
    rng = np.random.default_rng(7)
    zone_bytes = length - {"aos": 8, "tm": 6, "uslp": 12}[kind] - 2 * fecf
    channels, packets = [], []
    for channel in range(1, n_channels + 1):
        own = [sender.packet(100 + channel, k, rng.bytes(60 + k % 50)) for k in range(N_FRAMES * zone_bytes // 96)]
        own = own[: len(own) // n_channels]
        packets += own
        channels.append([(channel, 40 + k, *one) for k, one in enumerate(sender.zones(own, zone_bytes))])
    turns = (one for turn in itertools.zip_longest(*channels) for one in turn if one)
    return [
        frame_of(sender, kind, zone, at, count, master, channel, fecf=fecf)
        for master, (channel, count, zone, at) in enumerate(turns, 250)
    ], packets


def read(stream):
    """What is found of the link, and the packets that a receiver with it gives for all bytes."""
    guess = detect(np.frombuffer(stream, np.uint8))
    assert guess is not None
    receiver = Receiver(guess.settings, guess.channels)
    outputs = [receiver.receive(ByteBatch.of(stream)), receiver.flush()]
    return guess.settings, sorted(
        batch.data[a : a + n].tobytes()
        for batch in (output.packets for output in outputs)
        for a, n in zip(batch.start.tolist(), batch.length.tolist(), strict=True)
    )


def recorded(frames, before=0, prefix=0, suffix=0):
    """Each frame between bytes of a recorder, all behind bytes that are none."""
    rng = np.random.default_rng(11)
    return rng.bytes(before) + b"".join(rng.bytes(prefix) + one + rng.bytes(suffix) for one in frames)


@pytest.mark.parametrize("kind", ["aos", "tm", "uslp"])
@pytest.mark.parametrize(("before", "prefix", "suffix"), [(37, 0, 0), (0, 12, 0), (37, 12, 0), (0, 0, 5)])
def test_frames_with_fecf(sender, kind, before, prefix, suffix):
    frames, packets = link_of(sender, kind, 250, 2, fecf=True)
    settings, found = read(recorded(frames, before, prefix, suffix))
    assert (settings.frame_type, settings.frame_length_bytes, settings.fecf) == (kind, 250, True)
    assert settings.record_prefix_bytes + settings.record_suffix_bytes == prefix + suffix
    assert found == sorted(packets)


@pytest.mark.parametrize("kind", ["aos", "tm", "uslp"])
@pytest.mark.parametrize(
    ("basis", "parity", "interleave", "short", "n_channels"),
    [("conventional", 32, 2, 0, 1), ("dual", 16, 1, 31, 2), ("dual", 32, 1, 0, 3)],
)
def test_coded_blocks(sender, kind, basis, parity, interleave, short, n_channels):
    length = interleave * (255 - parity - short)
    frames, packets = link_of(sender, kind, length, n_channels, fecf=False)
    blocks = [sender.rs_block(one, parity, interleave, basis) for one in frames]
    for randomizer, (before, prefix, suffix) in ((True, (0, 12, 0)), (False, (37, 0, 0)), (True, (5, 0, 5))):
        sent = [sender.randomize(one) if randomizer else one for one in blocks]
        settings, found = read(recorded(sent, before, prefix, suffix))
        assert (settings.framing, settings.frame_type, settings.randomizer) == ("codeblocks", kind, randomizer)
        assert (settings.frame_length_bytes, settings.reed_solomon.virtual_fill) == (length, short)
        assert found == sorted(packets)


@pytest.mark.parametrize("kind", ["aos", "tm", "uslp"])
def test_frames_without_a_check_before_other_bytes(sender, kind):
    frames, packets = link_of(sender, kind, 250, 1, fecf=False)
    settings, found = read(recorded(frames, suffix=9))
    assert (settings.frame_length_bytes, settings.record_suffix_bytes) == (250, 9)
    assert found == sorted(packets)


def test_a_short_marker_in_noise_is_chance(sender):
    frames, _ = link_of(sender, "uslp", 446, 1, fecf=True)
    stream = bytearray(recorded([*frames, *frames]))
    stream[20:23] = stream[1020:1023] = bytes.fromhex("FAF320")
    settings, _ = read(bytes(stream))
    assert (settings.framing, settings.frame_type) == ("frames", "uslp")


def test_packets_behind_prefixes_are_no_frames_though_their_data_count():
    """Samples of 32 bytes of which a third begin like a TM header that counts: 13 packets of a real recording did."""
    rng = np.random.default_rng(3)
    stream = b""
    for k in range(13):
        rows = rng.integers(0, 256, (32 + k, 32), np.uint8)
        counts = np.arange(k % 3, len(rows), 3)
        rows[counts, :4] = (
            np.stack([np.full(len(counts), v) for v in (0x1F, 0xE7, 0)] + [counts // 3 + 40 * k], 1) & 0xFF
        )
        body = rows.tobytes()[10:]
        stream += (
            b"\x60\xf0\x60\x60" + (0x0D91 << 32 | (0xC000 | k) << 16 | len(body) - 1).to_bytes(6, "big") + body
        )
    guess = detect(np.frombuffer(stream, np.uint8))
    assert guess is not None
    assert (guess.settings.framing, guess.settings.packet_prefix_bytes) == ("packets", 4)
