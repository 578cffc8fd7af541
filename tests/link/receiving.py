"""What a plain sender sends, received whole or in pieces: for tests of the receiver."""

import dataclasses

import numpy as np
from downlink_pipeline.link.receiver import Receiver
from downlink_pipeline.link.settings import ChannelSettings, LinkSettings, ReedSolomonSettings
from downlink_pipeline.model.batches import ByteBatch

RELAY = ChannelSettings(245, 5, "relay")
AOS = LinkSettings("frames", frame_length_bytes=108)
CODED = LinkSettings(
    "cadu", frame_length_bytes=220, randomizer=True, reed_solomon=ReedSolomonSettings(32, 1, "conventional", 3)
)
TM = LinkSettings("frames", frame_type="tm", frame_length_bytes=128, fecf=True)
STEREO = ChannelSettings(234, 7, "science")


def receive(octets, settings=AOS, channels=(RELAY,), *, pieces=1, unordered=False):
    receiver = Receiver(settings, channels)
    outputs = [
        receiver.receive(dataclasses.replace(ByteBatch.of(piece), unordered=unordered))
        for piece in np.array_split(np.frombuffer(octets, np.uint8), pieces)
    ]
    outputs.append(receiver.flush())
    return outputs, receiver.report()


def packets_of(outputs):
    found = []
    for batch in (output.packets for output in outputs):
        for start, length in zip(batch.start.tolist(), batch.length.tolist(), strict=True):
            found.append(batch.data[start : start + length].tobytes())
    return found


def qualities_of(outputs):
    return np.concatenate([output.packets.quality for output in outputs]).tolist()


def events_of(outputs):
    return [event for output in outputs for event in output.events]


def some_packets(sender, n, seed=0, longest=300):
    rng = np.random.default_rng(seed)
    return [
        sender.packet(
            int(rng.integers(5)), k, rng.integers(0, 256, int(rng.integers(1, longest)), np.uint8).tobytes()
        )
        for k in range(n)
    ]


def aos_frames(sender, packets, first_count=0, zone=100, **kind):
    return [
        sender.aos_frame(part, pointer, first_count + k, **kind)
        for k, (part, pointer) in enumerate(sender.zones(packets, zone))
    ]


def coded(sender, frames):
    return [sender.cadu(frame) for frame in frames]
