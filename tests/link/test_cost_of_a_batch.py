"""What a small batch costs in calls, which a busy machine does not change: one datagram must not wait for the link.

The bounds are half of what the link took with a carrier for each step (130 Python calls a frame of one packet, 205 with
sync and code, 57 a packet without frames), and a share of them for what may still come.
"""

import sys
from dataclasses import dataclass

import numpy as np
import pytest
from downlink_pipeline.link.receiver import Receiver
from downlink_pipeline.link.settings import ChannelSettings, LinkSettings, ReedSolomonSettings
from downlink_pipeline.model.batches import ByteBatch

ZONE = 200
AOS = LinkSettings("frames", frame_length_bytes=ZONE + 8)
LINKS = {
    "aos": (AOS, 68),
    "tm": (LinkSettings("frames", frame_type="tm", frame_length_bytes=ZONE + 8, fecf=True), 72),
    "cadu": (
        LinkSettings("cadu", frame_length_bytes=223, reed_solomon=ReedSolomonSettings(32, 1, "conventional")),
        88,
    ),
    "packets": (LinkSettings("packets"), 36),
}


@dataclass
class Calls:
    """Counts calls of Python functions while it is entered."""

    n: int = 0
    _before: object = None

    def __enter__(self):
        self._before = sys.getprofile()
        sys.setprofile(lambda _frame, event, _argument: setattr(self, "n", self.n + (event == "call")))
        return self

    def __exit__(self, *_error):
        sys.setprofile(self._before)


def sent(sender, name, i):
    """A piece of a link as it comes: a frame with a packet and an idle one, or a packet alone."""
    one = sender.packet(5, i, bytes(40))
    room = (215 if name == "cadu" else ZONE) - len(one)
    zone = one + sender.packet(0x7FF, i, bytes(room - 6))
    match name:
        case "aos":
            return sender.aos_frame(zone, 0, i, scid=45)
        case "tm":
            return sender.tm_frame(zone, 0, i, scid=45, vcid=5, fecf=True)
        case "cadu":
            return bytes.fromhex("1ACFFC1D") + sender.rs_block(sender.aos_frame(zone, 0, i, scid=45))
        case _:
            return one


def calls_of_one(sender, name, n_channels):
    settings, _ = LINKS[name]
    channels = [ChannelSettings(45, vcid, f"channel {vcid}") for vcid in (5, 1, 2, 3, 4, 6, 7)][:n_channels]
    receiver = Receiver(settings, channels, frames=False)
    batches = [ByteBatch.of(sent(sender, name, i), 1000 + i) for i in range(24)]
    n_packets = sum(len(receiver.receive(batch).packets) for batch in batches[:12])
    with Calls() as calls:
        for batch in batches[12:]:
            n_packets += len(receiver.receive(batch).packets)
    assert n_packets in {23, 24}
    return calls.n / 12


@pytest.mark.parametrize("name", LINKS)
def test_a_batch_of_one_frame_takes_few_calls(sender, name):
    assert calls_of_one(sender, name, 1) <= LINKS[name][1]


def test_a_frame_costs_the_same_whatever_the_number_of_channels_is(sender):
    assert calls_of_one(sender, "aos", 7) == calls_of_one(sender, "aos", 1)


def test_packets_in_turn_go_on_in_turn_in_the_next_piece(sender):
    """Pieces that cut packets anywhere; a piece of 300 packets costs little more than one of a few."""
    kinds = [bytes(length - 6) for length in (66, 166, 335)]
    octets = np.frombuffer(b"".join(sender.packet(i % 3, i // 3, kinds[i % 3]) for i in range(3000)), np.uint8)
    receiver = Receiver(LINKS["packets"][0], [])
    pieces = [ByteBatch.of(octets[at : at + 60_000]) for at in range(0, len(octets), 60_000)]
    n_packets = len(receiver.receive(pieces[0]).packets)
    with Calls() as calls:
        for piece in pieces[1:-1]:
            n_packets += len(receiver.receive(piece).packets)
    assert n_packets > 2500
    assert calls.n / len(pieces[1:-1]) <= 150
