"""Frames that come one by one give the packets, frames, events and report that they give together."""

import dataclasses

import numpy as np
import pytest
from downlink_pipeline.link.receiver import Receiver
from downlink_pipeline.link.settings import ChannelSettings, LinkSettings
from downlink_pipeline.model.batches import ByteBatch, FrameBatch, PacketBatch
from hypothesis import given, settings
from hypothesis import strategies as st

ZONE = 60
WANTED = (
    ChannelSettings(45, 5, "one"),
    ChannelSettings(45, 6, "two"),
    ChannelSettings(45, 3, "bits", service="data"),
)
AOS = LinkSettings("frames", frame_length_bytes=ZONE + 8)
LINKS = {
    "aos": AOS,
    "aos, checked": dataclasses.replace(AOS, frame_length_bytes=ZONE + 10, fecf=True),
    "aos, control words": dataclasses.replace(AOS, frame_length_bytes=ZONE + 12, operational_control_field=True),
    "aos, late frames": dataclasses.replace(AOS, reorder_window_frames=3),
    "tm": LinkSettings("frames", frame_type="tm", frame_length_bytes=ZONE + 6),
    "tm, checked": LinkSettings("frames", frame_type="tm", frame_length_bytes=ZONE + 8, fecf=True),
}


@pytest.mark.parametrize("name", LINKS)
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), trouble=st.sampled_from([0.0, 0.1, 0.5]), timed=st.sampled_from([0.0, 0.5, 1.0]))
def test_frames_one_by_one_give_what_they_give_together(sender, name, seed, trouble, timed):
    link, rng = LINKS[name], np.random.default_rng(seed)
    frames = stream(sender, link, rng, trouble)
    times = [1_000 + 10 * i if rng.random() < timed else 0 for i in range(len(frames))]
    assert one_by_one(link, frames, times) == together(link, frames, times)


def stream(sender, link, rng, trouble):
    """Frames of two wanted channels that hold whole packets, and as much `trouble` of every kind."""
    counts, packet_counts, frames = {5: 250, 6: 2**24 - 3}, {1: 0, 2: 16380}, []
    make = sender.tm_frame if link.frame_type == "tm" else sender.aos_frame
    for _ in range(int(rng.integers(1, 40))):
        vcid = int(rng.choice([5, 6]))
        fate = int(rng.integers(12)) if rng.random() < trouble else -1
        pointer, zone = troubled(sender, rng, fate, whole_packets(sender, rng, packet_counts))
        counts[vcid] += 1 + (fate == 0) - 2 * (fate == 1)
        options = {"ocf": rng.bytes(4)} if link.operational_control_field else {}
        if fate == 8:
            options["sync" if link.frame_type == "tm" else "replay"] = True
        of = 3 if fate == 9 else vcid
        frame = make(zone, pointer, counts[vcid], scid=45 + (fate == 10), vcid=of, fecf=link.fecf, **options)
        if fate == 11:
            place = int(rng.integers(len(frame)))
            frame = frame[:place] + bytes([frame[place] ^ 1]) + frame[place + 1 :]
        frames += [frame] * (2 if rng.random() < trouble / 4 else 1)
    return frames


def troubled(sender, rng, fate, zone):
    """Pointer and zone of a frame of which something is other than plain."""
    odd = {
        2: lambda: (13, rng.bytes(13) + zone[: ZONE - 13]),
        3: lambda: (0x7FE, zone),
        4: lambda: (0, zone[: ZONE - 20] + sender.packet(1, 0, rng.bytes(25))[:20]),
        5: lambda: (0, b"\xe2\x02" + zone[2:]),  # an encapsulation packet of two bytes
        6: lambda: (0, rng.bytes(ZONE)),
        7: lambda: (0x7FF, zone),
    }
    return odd[fate]() if fate in odd else (0, zone)


def whole_packets(sender, rng, counts):
    """Some that fill the zone, now and then an idle one or one that is missing before."""
    zone = b""
    while len(zone) < ZONE:
        room = ZONE - len(zone)
        size = room if room < 14 else int(rng.integers(7, room - 6))
        apid = int(rng.choice([1, 2, 0x7FF]))
        if apid in counts:
            counts[apid] += 1 + (rng.random() < 0.1)
        zone += sender.packet(apid, counts.get(apid, 0), rng.bytes(size - 6))
    return zone


def one_by_one(link, frames, times):
    receiver = Receiver(link, WANTED)
    batches = [ByteBatch.of(*one) for one in zip(frames, times, strict=True)]
    return told([*map(receiver.receive, batches), receiver.flush()], receiver)


def together(link, frames, times):
    receiver = Receiver(link, WANTED)
    octets = np.frombuffer(b"".join(frames), np.uint8)
    marked = np.nonzero(times)[0]
    batch = ByteBatch(octets, marked * link.frame_length_bytes, np.array(times, np.int64)[marked])
    return told([receiver.receive(batch), receiver.flush()], receiver)


def told(outputs, receiver):
    packets = [row for output in outputs for row in packet_rows(output.packets)]
    frames = [row for output in outputs for row in rows_of(output.frames, FrameBatch, ())]
    return (
        packets,
        frames,
        [event for output in outputs for event in output.events],
        receiver.report(),
    )


def packet_rows(batch):
    rows = rows_of(batch, PacketBatch, ("data", "start", "length"))
    octets = [batch.data[s : s + n].tobytes() for s, n in zip(batch.start, batch.length, strict=True)]
    return list(zip(rows, octets, strict=True))


def rows_of(batch, kind, but):
    """Every field of each row, with its dtype."""
    if batch is None:
        return []
    columns = [getattr(batch, one.name) for one in dataclasses.fields(kind) if one.name not in but]
    return [tuple((one.dtype.str, one[i].tobytes()) for one in columns) for i in range(len(columns[0]))]
