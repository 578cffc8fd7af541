"""Wrong settings are recognised and said."""

from dataclasses import replace

import numpy as np
import pytest
from downlink_pipeline.link.receiver import Receiver
from downlink_pipeline.link.settings import ChannelSettings, LinkSettings, ReedSolomonSettings
from downlink_pipeline.model.batches import ByteBatch

CHANNEL = [ChannelSettings(245, 5, "relay")]
# A codeword's length is that of the randomiser sequence, which is a codeword itself: the trap.
RIGHT = LinkSettings(
    "cadu", frame_length_bytes=223, randomizer=True, reed_solomon=ReedSolomonSettings(32, 1, "conventional")
)


def events(stream, settings, channels=CHANNEL, pieces=1):
    receiver = Receiver(settings, channels)
    outputs = [
        receiver.receive(ByteBatch.of(part)) for part in np.array_split(np.frombuffer(stream, np.uint8), pieces)
    ]
    outputs.append(receiver.flush())
    return [event for output in outputs for event in output.events], receiver.report()


@pytest.fixture(scope="module")
def stream(sender):
    sent = [sender.packet(1, k, bytes(100)) for k in range(80)]
    frames = [sender.aos_frame(zone, at, k) for k, (zone, at) in enumerate(sender.zones(sent, 215))]
    return b"".join(sender.cadu(frame) for frame in frames)


def test_right_settings_say_nothing(stream):
    assert events(stream, RIGHT)[0] == []


def test_a_wrong_randomiser_setting_passes_the_decoder(stream):
    _, report = events(stream, replace(RIGHT, randomizer=False))
    assert report["frames"]["clean"] == report["frames"]["read"]


@pytest.mark.parametrize(
    ("change", "advice"),
    [
        ({"randomizer": False}, "randomizer = true"),
        ({"long_randomizer": True}, "long_randomizer = false"),
        ({"reed_solomon": ReedSolomonSettings(32, 1, "dual")}, 'basis = "conventional"'),
        ({"frame_type": "tm"}, 'frame_type = "aos"'),
        (
            {"randomizer": False, "reed_solomon": ReedSolomonSettings(32, 1, "dual")},
            'randomizer = true and reed_solomon basis = "conventional"',
        ),
    ],
)
@pytest.mark.parametrize("pieces", [1, 11])
def test_a_wrong_setting_is_named(stream, change, advice, pieces):
    (event,), _ = events(stream, replace(RIGHT, **change), pieces=pieces)
    assert (event.severity, event.kind) == ("error", "wrong_settings")
    assert advice in event.text


def test_a_channel_that_never_comes_is_said_with_those_that_do(stream):
    (event,), _ = events(stream, RIGHT, [ChannelSettings(82, 1, "lander")])
    assert "spacecraft/channel 245/5" in event.text


def test_a_pass_that_begins_with_idle_frames_is_no_reason_to_doubt_the_settings(sender):
    idle = [sender.aos_frame(bytes(215), 0x7FE, k, vcid=63) for k in range(40)]
    assert events(b"".join(sender.cadu(frame) for frame in idle), RIGHT)[0] == []


def test_noise_alone_is_no_reason_to_doubt_the_settings():
    noise = np.random.default_rng(1).integers(0, 256, 100_000, np.uint8).tobytes()
    assert events(noise, RIGHT)[0] == []
