"""What holds for every input: random passes against the plain reader, any bytes, any split.

`DOWNLINK_EXAMPLES` sets how many of each are tried, for a longer soak.
"""

import dataclasses
import os

import numpy as np
import pytest
from downlink_pipeline.link.receiver import Receiver
from downlink_pipeline.link.settings import ChannelSettings, LinkSettings, ReedSolomonSettings
from downlink_pipeline.model.batches import ByteBatch, FrameBatch
from hypothesis import given, settings
from hypothesis import strategies as st

WANTED = (ChannelSettings(245, 5, "one"), ChannelSettings(245, 6, "two"))
GREEDY = (WANTED[0], ChannelSettings(245, 6, "two", hand_on_fragments=True))
BARE = LinkSettings("frames", frame_length_bytes=58)
MARKED = LinkSettings("cadu", frame_length_bytes=60, fecf=True, randomizer=True)
UNCHECKED = LinkSettings("cadu", frame_length_bytes=58)
CODED = LinkSettings("cadu", frame_length_bytes=31, reed_solomon=ReedSolomonSettings(16, 1, "dual", 208))
TELEMETRY = LinkSettings("frames", frame_type="tm", frame_length_bytes=64)
UNIFIED = LinkSettings("frames", frame_type="uslp", frame_length_bytes=30)
GUARDED = LinkSettings("frames", frame_length_bytes=58, header_error_control=True, operational_control_field=True)
FEW = settings(max_examples=int(os.environ.get("DOWNLINK_EXAMPLES", "60")), deadline=None)


def receive(octets, link, channels=WANTED, cuts=()):
    receiver = Receiver(link, channels)
    pieces = np.split(np.frombuffer(octets, np.uint8), sorted(cuts))
    outputs = [receiver.receive(ByteBatch.of(piece)) for piece in pieces]
    outputs.append(receiver.flush())
    return outputs, receiver.report()


def packets_of(outputs):
    return [
        (int(batch.scid[i]), int(batch.vcid[i]), batch.data[s : s + n].tobytes(), int(batch.quality[i]))
        for batch in (output.packets for output in outputs)
        for i, (s, n) in enumerate(zip(batch.start.tolist(), batch.length.tolist(), strict=True))
    ]


def frames_of(outputs):
    names = [field.name for field in dataclasses.fields(FrameBatch)]
    rows = []
    for frames in (output.frames for output in outputs):
        if frames is not None:
            rows += [tuple(getattr(frames, name)[i].tobytes() for name in names) for i in range(len(frames.scid))]
    return rows


def events_of(outputs):
    return [event for output in outputs for event in output.events]


def assert_books_close(report):
    frames = report["frames"]
    fates = ("clean", "corrected", "uncorrectable", "failed_check")
    assert frames["read"] == sum(frames[fate] for fate in fates)
    used = sum(channel["frames"] for channel in report["channels"])
    assert frames["clean"] + frames["corrected"] == used + frames["other_channel"]
    assert report["packets"]["read"] == sum(report["packets"]["by_apid"].values())
    assert 0 <= report["bytes"]["skipped"] <= report["bytes"]["read"]


@st.composite
def passes(draw):
    """Frames of two channels with losses and repeats, and the plain (count, pointer, zone) of what arrives."""
    seed = draw(st.integers(0, 2**32))
    longest = draw(st.sampled_from([3, 40, 200, 1200]))
    lost_share = draw(st.sampled_from([0.0, 0.03, 0.2]))
    repeated_share = draw(st.sampled_from([0.0, 0.1]))
    return seed, longest, lost_share, repeated_share


def sent_frames(sender, rng, longest, lost_share, repeated_share, zone, modulus):
    """Per channel: (count, pointer, zone) of the frames that arrive, the first one always."""
    arriving = {}
    for vcid in (5, 6):
        sizes = rng.integers(1, longest + 1, int(rng.integers(1, 60)))
        apids = rng.choice([1, 2, 300, 0x7FF], len(sizes))
        sent = [
            sender.packet(int(apid), k, rng.integers(0, 256, int(size), np.uint8).tobytes())
            for k, (apid, size) in enumerate(zip(apids, sizes, strict=True))
        ]
        first = int(rng.integers(modulus))
        rows = []
        for k, (part, pointer) in enumerate(sender.zones(sent, zone)):
            if k and rng.random() < lost_share:
                continue
            rows += [((first + k) % modulus, pointer, part)] * (2 if rng.random() < repeated_share else 1)
        arriving[vcid] = rows
    return arriving


def interleaved(rng, arriving):
    queues = {vcid: list(rows) for vcid, rows in arriving.items()}
    while any(queues.values()):
        vcid = int(rng.choice([vcid for vcid, rows in queues.items() if rows]))
        yield vcid, queues[vcid].pop(0)


@FEW
@given(case=passes())
@pytest.mark.parametrize("kind", ["aos", "tm"])
def test_packets_and_losses_are_those_of_the_plain_reader(sender, read_plainly, kind, case):
    seed, *shares = case
    rng = np.random.default_rng(seed)
    modulus = 1 << 24 if kind == "aos" else 1 << 8
    arriving = sent_frames(sender, rng, *shares, 50, modulus)
    build = sender.aos_frame if kind == "aos" else sender.tm_frame
    link = BARE if kind == "aos" else dataclasses.replace(TELEMETRY, frame_length_bytes=56)
    stream = b"".join(
        build(zone, pointer, count, scid=245, vcid=vcid)
        for vcid, (count, pointer, zone) in interleaved(rng, arriving)
    )
    cuts = rng.integers(0, len(stream) + 1, 3)
    outputs, report = receive(stream, link, cuts=cuts)
    got = packets_of(outputs)
    for vcid, channel in zip((5, 6), report["channels"], strict=True):
        plain = read_plainly(arriving[vcid], modulus)
        assert [octets for _, v, octets, _ in got if v == vcid] == plain.packets
        assert (channel["gaps"], channel["lost_frames"]) == (plain.gaps, plain.lost)
        assert (channel["idle_packets"], channel["duplicates"]) == (plain.idle, plain.duplicates)
        assert channel["bad_headers"] == 0
    assert_books_close(report)


@FEW
@given(case=passes(), link=st.sampled_from([MARKED, UNCHECKED, BARE]), channels=st.sampled_from([WANTED, GREEDY]))
def test_any_split_gives_the_same_output(sender, link, channels, case):
    seed, *shares = case
    rng = np.random.default_rng(seed)
    arriving = sent_frames(sender, rng, *shares, 50, 1 << 24)
    stream = bytearray()
    for vcid, (count, pointer, zone) in interleaved(rng, arriving):
        frame = sender.aos_frame(zone, pointer, count, vcid=vcid, fecf=link.fecf)
        block = frame
        if link.framing == "cadu":
            block = sender.cadu(frame, parity=0, random=link.randomizer)
        stream += damaged(rng, block)
    cuts = rng.integers(0, len(stream) + 1, int(rng.integers(1, 60)))
    whole, report = receive(bytes(stream), link, channels)
    split, split_report = receive(bytes(stream), link, channels, cuts)
    assert packets_of(split) == packets_of(whole)
    assert frames_of(split) == frames_of(whole)
    assert events_of(split) == events_of(whole)
    assert split_report == report
    assert_books_close(report)


def damaged(rng, block):
    """Now and then a block with wrong bits, cut short, inverted, behind garbage, or without its marker."""
    fate = rng.integers(40)
    garbage = rng.integers(0, 256, int(rng.integers(1, 150)), np.uint8).tobytes()
    if fate == 0:
        place = int(rng.integers(len(block)))
        return block[:place] + bytes([block[place] ^ 0x10]) + block[place + 1 :]
    if fate == 1:
        return block[: int(rng.integers(len(block)))]
    if fate == 2:
        return garbage + block
    if fate == 3:
        return bytes(octet ^ 0xFF for octet in block)
    if fate == 4:
        return bytes(4) + block[4:]
    return block


@FEW
@given(
    octets=st.binary(max_size=600),
    pattern=st.sampled_from(
        [
            b"",
            b"\x1a\xcf\xfc\x1d",
            b"\x7d\x45\x00",
            b"\x3d\x4a",
            bytes(40),
            b"\xe0" * 30,
            b"\xc0\x0f\x50\xa0\x00\x1d\x01",
        ]
    ),
    repeats=st.integers(1, 8),
    link=st.sampled_from([BARE, MARKED, UNCHECKED, CODED, TELEMETRY, UNIFIED, GUARDED, LinkSettings("packets")]),
    cuts=st.lists(st.integers(0, 600), max_size=6),
)
def test_any_bytes_at_all_give_counts_that_close(octets, pattern, repeats, link, cuts):
    stream = (octets + pattern) * repeats
    whole, report = receive(stream, link)
    split, split_report = receive(stream, link, cuts=[cut for cut in cuts if cut <= len(stream)])
    assert_books_close(report)
    assert packets_of(split) == packets_of(whole)
    assert split_report == report
    assert report["bytes"]["read"] == len(stream)


@FEW
@given(seed=st.integers(0, 2**32), keep_fragments=st.booleans())
def test_frames_of_nonsense_behind_a_wanted_header_never_raise(seed, keep_fragments):
    """Every frame is on the channel; pointers, lengths and counts are anything."""
    rng = np.random.default_rng(seed)
    frames = rng.integers(0, 256, (40, 58), np.uint8)
    frames[:, :2] = 0x7D, 0x45
    steady = rng.random(40) < 0.8
    frames[steady, 2:5] = np.array([[0, 0, k] for k in range(40)], np.uint8)[steady]
    frames[:, 5] = 0
    frames[:, 6] &= rng.choice(np.array([0, 7], np.uint8))
    zero = rng.random((40, 58)) < 0.4
    zero[:, :6] = False
    frames[zero] = 0
    stream = frames.tobytes()
    channels = (ChannelSettings(245, 5, "one", hand_on_fragments=keep_fragments),)
    whole, report = receive(stream, BARE, channels)
    split, split_report = receive(stream, BARE, channels, rng.integers(0, len(stream), 10))
    assert packets_of(split) == packets_of(whole)
    assert split_report == report
    assert_books_close(report)


def test_few_and_many_chains_are_walked_alike():
    """One frame at a time goes the scalar way, all at once the vector way."""
    rng = np.random.default_rng(8)
    for _ in range(60):
        values = np.array([0, 1, 3, 7, 0xE0, 0xE5, 0xFF], np.uint8)
        frames = rng.choice(values, (60, 58), p=[0.75, 0.1, 0.05, 0.03, 0.02, 0.03, 0.02])
        frames[:, :2] = 0x7D, 0x45
        frames[:, 2:5] = [[0, 0, k] for k in range(60)]
        frames[:, 5:7] = 0
        frames[:, 7] = rng.integers(0, 60, 60)
        stream = frames.tobytes()
        whole, report = receive(stream, BARE)
        split, split_report = receive(stream, BARE, cuts=range(58, len(stream), 58))
        assert packets_of(split) == packets_of(whole)
        assert split_report == report
