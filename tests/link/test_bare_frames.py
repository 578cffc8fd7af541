"""Bare frames with bytes put in or taken out between and inside them: which frames were not hit is known beforehand."""

import os

import numpy as np
import pytest
from downlink_pipeline.link.coding.bare_frames import BareFrames
from downlink_pipeline.link.receiver import Receiver
from downlink_pipeline.link.settings import ChannelSettings, LinkSettings
from downlink_pipeline.model.batches import ByteBatch
from hypothesis import given, settings
from hypothesis import strategies as st

CASE = LinkSettings("frames", frame_length_bytes=250, fecf=True)
CASE_CHANNEL = ChannelSettings(9, 1, "console")
ZONE_BYTES = 90
EXAMPLES = int(os.environ.get("DOWNLINK_EXAMPLES", "60"))
CHANNELS = {
    "aos": ChannelSettings(245, 5, "relay"),
    "tm": ChannelSettings(234, 7, "science"),
    "uslp": ChannelSettings(500, 3, "unified"),
}


def uslp_frame(zone, pointer, count, length):
    """732.1-B: version 12, a count of 2 bytes, construction rule 0, pointer."""
    head = 12 << 28 | 500 << 12 | 3 << 5
    return (
        head.to_bytes(4, "big")
        + (length - 1).to_bytes(2, "big")
        + b"\2"
        + (count & 0xFFFF).to_bytes(2, "big")
        + (b"\0" + pointer.to_bytes(2, "big") + zone)
    )


def a_link(kind, fecf):
    length = ZONE_BYTES + {"aos": 8, "tm": 6, "uslp": 12}[kind] + 2 * fecf
    return LinkSettings("frames", frame_type=kind, frame_length_bytes=length, fecf=fecf)


def frames_of(sender, link, rng, n=150):
    sent = [sender.packet(1, k, rng.bytes(int(rng.integers(1, 150)))) for k in range(n)]
    frames = []
    for k, (zone, at) in enumerate(sender.zones(sent, ZONE_BYTES)):
        if link.frame_type == "aos":
            frames.append(sender.aos_frame(zone, at, k, fecf=link.fecf))
        elif link.frame_type == "tm":
            frames.append(sender.tm_frame(zone, at, k, fecf=link.fecf))
        else:
            frame = uslp_frame(zone, 0xFFFF if at == 0x7FF else at, k, link.frame_length_bytes)
            frames.append(frame + (sender.crc16(frame) if link.fecf else b""))
    return frames


def receive(stream, link, channel, cuts=()):
    """The frames that came out, all counts and events."""
    receiver, frames, events = Receiver(link, [channel]), [], []
    octets = np.frombuffer(stream, np.uint8)
    outputs = [receiver.receive(ByteBatch.of(piece)) for piece in np.split(octets, list(cuts))]
    for output in [*outputs, receiver.flush()]:
        events += output.events
        frames += [] if output.frames is None else [frame.tobytes() for frame in output.frames.data]
    return frames, receiver.report(), events


def hit(frames, rng, n_hits):
    """Frames with bytes put in or taken out at random places; which of them are whole, and have whole neighbours."""
    stream, whole = [], np.ones(len(frames), bool)
    hits = sorted(rng.choice(np.arange(3, len(frames) - 5, 4), n_hits, replace=False).tolist())
    for number, frame in enumerate(frames):
        at = int(rng.integers(len(frame))) if rng.random() < 0.8 else 0
        if number not in hits:
            stream.append(frame)
        elif rng.random() < 0.5:
            stream.append(frame[:at] + rng.bytes(int(rng.integers(1, 400))) + frame[at:])
            whole[number] = frame in stream[-1]  # bytes put in may be equal to those they stand before
        else:
            n_cut = int(rng.integers(1, len(frame) - at + 1))
            stream.append(frame[:at] + frame[at + n_cut :])
            whole[number] = False
    return b"".join(stream), whole


@pytest.mark.parametrize(("name", "n_frames", "n_lost"), [
    ("junk_between_bare_frames_fecf.frames", 73, 0),
    ("cut_frame_bare.frames", 72, 1),
])  # fmt: skip
@pytest.mark.parametrize("piece", [1, 77, 1 << 20])
def test_frames_are_found_again_behind_console_text_and_a_cut_frame(frames_case, name, n_frames, n_lost, piece):
    stream = frames_case(name)
    frames, report, events = receive(stream, CASE, CASE_CHANNEL, range(piece, len(stream), piece))
    (channel,) = report["channels"]
    assert (len(frames), channel["frames"], channel["lost_frames"]) == (n_frames, n_frames, n_lost)
    assert [event.kind for event in events] == ["gap"] * n_lost


def test_the_bytes_of_the_console_text_are_counted(frames_case):
    _, report, _ = receive(frames_case("junk_between_bare_frames_fecf.frames"), CASE, CASE_CHANNEL)
    assert report["bytes"]["skipped"] == 8
    assert report["frames"]["read"] == report["frames"]["clean"] == 73


@settings(max_examples=EXAMPLES, deadline=None)
@given(seed=st.integers(0, 2**32), kind=st.sampled_from(sorted(CHANNELS)), n_hits=st.integers(1, 6))
def test_with_a_check_every_frame_that_was_not_hit_comes_out(sender, seed, kind, n_hits):
    rng = np.random.default_rng(seed)
    link = a_link(kind, fecf=True)
    sent = frames_of(sender, link, rng)
    stream, whole = hit(sent, rng, n_hits)
    frames, report, _ = receive(stream, link, CHANNELS[kind])
    assert frames == [frame for frame, good in zip(sent, whole, strict=True) if good]
    assert report["frames"]["clean"] == len(frames)


@settings(max_examples=EXAMPLES, deadline=None)
@given(seed=st.integers(0, 2**32), kind=st.sampled_from(sorted(CHANNELS)), n_hits=st.integers(1, 6))
def test_without_a_check_frames_are_found_again_behind_each_hit(sender, seed, kind, n_hits):
    """What stands before a hit may go on damaged, which is told; all others come out."""
    rng = np.random.default_rng(seed)
    link = a_link(kind, fecf=False)
    sent = frames_of(sender, link, rng)
    stream, whole = hit(sent, rng, n_hits)
    frames, report, events = receive(stream, link, CHANNELS[kind])
    assert set(frames) >= {frame for frame, good in zip(sent, whole, strict=True) if good}
    assert len(set(frames) - set(sent)) <= n_hits
    found_again = report["synchronizer"]["found_again"]
    assert [event.details["times"] for event in events if event.kind == "frames_found_again"] == [found_again][
        : bool(found_again)
    ]


@settings(max_examples=EXAMPLES, deadline=None)
@given(seed=st.integers(0, 2**32), kind=st.sampled_from(sorted(CHANNELS)), fecf=st.booleans())
def test_any_split_of_a_damaged_stream_gives_the_same(sender, seed, kind, fecf):
    rng = np.random.default_rng(seed)
    link = a_link(kind, fecf=fecf)
    stream, _ = hit(frames_of(sender, link, rng, 80), rng, int(rng.integers(1, 5)))
    cuts = sorted(rng.integers(0, len(stream) + 1, int(rng.integers(1, 60))).tolist())
    assert receive(stream, link, CHANNELS[kind], cuts) == receive(stream, link, CHANNELS[kind])


def test_a_frame_of_another_channel_is_counted_and_set_aside(sender):
    rng = np.random.default_rng(1)
    link = a_link("aos", fecf=True)
    mine = frames_of(sender, link, rng)
    others = [sender.aos_frame(bytes(ZONE_BYTES), 0x7FE, k, vcid=9, fecf=True) for k in range(len(mine))]
    mixed = [frame for pair in zip(mine, others, strict=True) for frame in pair]
    frames, report, _ = receive(b"".join(mixed), link, CHANNELS["aos"])
    assert frames == mine
    assert report["frames"]["other_channel"] == len(others)
    assert report["bytes"]["skipped"] == 0


def test_a_header_hit_by_noise_costs_its_frame_alone(sender):
    rng = np.random.default_rng(1)
    link = a_link("aos", fecf=True)
    sent = frames_of(sender, link, rng)
    noisy = [bytes([frame[0] ^ 0x10]) + frame[1:] if k in {5, 6, 30} else frame for k, frame in enumerate(sent)]
    frames, report, _ = receive(b"".join(noisy), link, CHANNELS["aos"])
    assert frames == [frame for k, frame in enumerate(sent) if k not in {5, 6, 30}]
    assert (report["frames"]["failed_check"], report["bytes"]["skipped"]) == (3, 0)


@pytest.mark.parametrize("fecf", [True, False])
def test_frames_that_are_not_found_again_are_told_once(sender, fecf):
    rng = np.random.default_rng(2)
    link = a_link("aos", fecf=fecf)
    sent = frames_of(sender, link, rng)
    text = b"the rest of the file is a log " * 300
    frames, report, events = receive(b"".join(sent) + text, link, CHANNELS["aos"])
    assert set(frames) <= set(sent)
    assert len(frames) >= len(sent) - 1
    (event,) = [event for event in events if event.kind == "frames_not_found"]
    assert event.severity == "error"
    assert report["channels"][0]["frames"] == len(frames)


def test_many_places_without_frame_sync_in_one_piece_cost_as_much_as_each(sender):
    """Bytes that are looked at for headers: twice as many slips, twice as many, not four times."""

    class Counting(BareFrames):
        n_looked_at = 0

        def _known(self, start, n, step):
            self.n_looked_at += max(n, 0)
            return super()._known(start, n, step)

    def looked_at(n):
        link = a_link("aos", fecf=True)
        frame = frames_of(sender, link, np.random.default_rng(1), 20)[0]
        source = Counting(link, [CHANNELS["aos"]])
        source.find_blocks(np.frombuffer((frame + b"junk") * n, np.uint8))
        return source.n_looked_at

    assert looked_at(1000) < 2.3 * looked_at(500)
