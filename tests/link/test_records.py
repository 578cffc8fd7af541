"""Prefix and suffix around each frame, and blocks without markers: found again wherever they are disturbed."""

from dataclasses import replace

import numpy as np
import pytest
from downlink_pipeline.link.receiver import Receiver
from downlink_pipeline.link.settings import (
    ChannelSettings,
    LinkSettings,
    RecordTime,
    ReedSolomonSettings,
)
from downlink_pipeline.model.batches import ByteBatch

CHANNEL = ChannelSettings(234, 7, "science")
FRAMES = LinkSettings("frames", "tm", 46, fecf=True)
CODE = ReedSolomonSettings(16, 2, "dual", virtual_fill=255 - 16 - 23)
CODED = replace(FRAMES, framing="codeblocks", randomizer=True, reed_solomon=CODE)
MS = (RecordTime(2, 8, "ms"),)
T0_MS = 1_764_547_200_123


@pytest.fixture(scope="module")
def frames(sender):
    packets = [sender.packet(5, k, bytes([k] * 31)) for k in range(30)]
    return [sender.tm_frame(zone, at, k, fecf=True) for k, (zone, at) in enumerate(sender.zones(packets, 38))]


@pytest.fixture(scope="module")
def blocks(sender, frames):
    return [sender.randomize(sender.rs_block(one, 16, 2, "dual")) for one in frames]


def receive(link, stream, piece=10**9):
    """The packets' bytes, the frames' receive times, the report."""
    receiver = Receiver(link, [CHANNEL])
    parts = np.split(np.frombuffer(stream, np.uint8), range(piece, len(stream), piece))
    outputs = [*(receiver.receive(ByteBatch.of(part)) for part in parts), receiver.flush()]
    packets = [
        batch.data[a : a + n].tobytes()
        for batch in (output.packets for output in outputs)
        for a, n in zip(batch.start.tolist(), batch.length.tolist(), strict=True)
    ]
    times = [int(t) for output in outputs if output.frames for t in output.frames.received_ns]
    return packets, times, receiver.report()


def recorded(blocks):
    """A prefix of 12 bytes with ms since 1970 in bytes 2 to 9, and a suffix of 3."""
    return b"".join(
        b"Q!" + (T0_MS + k).to_bytes(8, "big") + b"..."[:2] + one + b"end" for k, one in enumerate(blocks)
    )


RECORD = {"record_prefix_bytes": 12, "record_suffix_bytes": 3, "record_time": MS}
TIMES = [1_000_000 * (T0_MS + k) for k in range(1000)]


@pytest.mark.parametrize("piece", [10**9, 61, 1])
@pytest.mark.parametrize("kind", ["frames", "unchecked", "codeblocks", "cadu"])
def test_records_give_the_packets_and_the_times_in_their_prefix(sender, frames, blocks, kind, piece):
    link, inside = {
        "frames": (FRAMES, frames),
        "unchecked": (replace(FRAMES, frame_length_bytes=44, fecf=False), [one[:-2] for one in frames]),
        "codeblocks": (CODED, blocks),
        "cadu": (replace(CODED, framing="cadu"), [sender.ASM + one for one in blocks]),
    }[kind]
    stream = recorded(inside)
    packets, times, report = receive(replace(link, **RECORD), stream, piece)
    assert packets == receive(FRAMES, b"".join(frames))[0]
    assert len(packets) == 30
    assert times == TIMES[: len(frames)]
    assert report["bytes"] == {"read": len(stream), "skipped": 0}


@pytest.mark.parametrize("kind", ["frames", "codeblocks", "cadu"])
def test_behind_text_between_records_and_a_record_cut_short_the_next_ones_are_found(sender, frames, blocks, kind):
    link, inside = {
        "frames": (FRAMES, frames),
        "codeblocks": (CODED, blocks),
        "cadu": (replace(CODED, framing="cadu"), [sender.ASM + one for one in blocks]),
    }[kind]
    stream = recorded(inside)
    n = len(stream) // len(inside)
    damaged = stream[: 5 * n] + b"console text" + stream[5 * n : 10 * n + 30] + stream[11 * n :]
    _, times, report = receive(replace(link, **RECORD), damaged)
    assert times == [t for k, t in enumerate(TIMES[: len(frames)]) if k != 10]
    assert report["channels"][0]["gaps"] == 1


@pytest.mark.parametrize(
    ("time", "octets", "expected_ns"),
    [
        ((RecordTime(0, 4, "s"), RecordTime(4, 4, "us")), bytes.fromhex("0000000A00000007"), 10_000_007_000),
        ((RecordTime(0, 8, "ns", "little"),), (123_456_789_012).to_bytes(8, "little"), 123_456_789_012),
        ((RecordTime(2, 4, "ms", "little"),), b"\xff\xff" + (5000).to_bytes(4, "little") + b"\xff\xff", 5 * 10**9),
    ],
)
def test_the_time_of_a_prefix_is_read_by_unit_and_byte_order(frames, time, octets, expected_ns):
    link = replace(FRAMES, record_prefix_bytes=8, record_time=time, record_time_epoch_ns=10**18)
    _, times, _ = receive(link, octets + frames[0])
    assert times == [10**18 + expected_ns]


def test_a_frame_whose_prefix_the_recording_does_not_have_has_no_time(sender, blocks):
    stream = recorded([sender.ASM + one for one in blocks])[12:]
    _, times, _ = receive(replace(CODED, framing="cadu", **RECORD), stream)
    assert times == [0, *TIMES[1 : len(blocks)]]


@pytest.mark.parametrize("piece", [10**9, 61])
def test_blocks_without_markers_are_corrected_and_found_again_behind_foreign_bytes(blocks, frames, piece):
    hit = [bytearray(one) for one in blocks]
    for k, one in enumerate(hit):
        one[k % 8] ^= 0x5A  # the header is hit too
        one[20] ^= 0xFF
    octets = [bytes(one) for one in hit]
    stream = b"".join(octets[:7]) + b"modem status" + b"".join(octets[7:])
    packets, _, report = receive(CODED, stream, piece)
    assert packets == receive(FRAMES, b"".join(frames))[0]
    assert report["frames"]["corrected"] == len(frames)
    assert report["bytes"]["skipped"] == 12


def test_codewords_one_after_another_are_corrected_each_by_itself(sender, frames):
    link = replace(CODED, framing="cadu", reed_solomon=replace(CODE, codewords="consecutive"))
    stream = b""
    for k, frame in enumerate(frames):
        words = [sender.rs_block(half, 16, 1, "dual") for half in (frame[:23], frame[23:])]
        block = bytearray(sender.randomize(b"".join(words)))
        for place in range(k % 8):
            block[3 * place] ^= 0x77  # in the first codeword
            block[39 + 4 * place] ^= 1  # in the second one, its parity too
        stream += sender.ASM + bytes(block)
    packets, _, report = receive(link, stream)
    assert packets == receive(FRAMES, b"".join(frames))[0]
    assert report["frames"]["uncorrectable"] == 0
    assert report["frames"]["corrected"] == sum(k % 8 > 0 for k in range(len(frames)))


@pytest.mark.parametrize(("basis", "value"), [("conventional", 0xFF), ("dual", 0x55)])
def test_fill_that_is_not_zero_is_part_of_the_codeword(sender, frames, basis, value):
    n_fill = 255 - 32 - 23
    stream = b""
    for frame in frames:
        lanes = [bytes([value] * n_fill) + frame[lane::2] for lane in range(2)]
        whole = bytes(symbol for pair in zip(*lanes, strict=True) for symbol in pair)
        block = bytearray(sender.rs_block(whole, 32, 2, basis)[2 * n_fill :])
        block[4:18] = bytes(14)
        stream += sender.ASM + bytes(block)
    code = ReedSolomonSettings(32, 2, basis, virtual_fill=n_fill, fill_value=value)
    link = replace(FRAMES, framing="cadu", reed_solomon=code)
    packets, _, report = receive(link, stream)
    assert packets == receive(FRAMES, b"".join(frames))[0]
    assert report["frames"]["corrected"] == len(frames)


def test_parity_that_is_not_checked_is_only_taken_off(sender, frames):
    stream = b"".join(sender.ASM + one + b"\xee" * 32 for one in frames)
    link = replace(FRAMES, framing="cadu", reed_solomon=replace(CODE, check=False))
    packets, _, report = receive(link, stream)
    assert packets == receive(FRAMES, b"".join(frames))[0]
    assert report["frames"]["clean"] == len(frames)
