"""Coded blocks without markers with bytes lost or put in: a codeword shifted by some symbols is a codeword again.

Reed-Solomon codes are cyclic, so that a check that passes does not tell where a block begins; a known header does.
"""

import numpy as np
import pytest
from downlink_pipeline.link.receiver import Receiver
from downlink_pipeline.link.settings import ChannelSettings, LinkSettings, ReedSolomonSettings
from downlink_pipeline.model.batches import ByteBatch

N_FRAMES = 10
CHANNELS = {"aos": ChannelSettings(245, 5, "relay"), "tm": ChannelSettings(234, 7, "science")}


def sent(sender, kind, interleave, basis, *, randomizer, short):
    """The link, its frames and their blocks; the payload repeats, as idle data does."""
    length = interleave * (223 - short)
    code = ReedSolomonSettings(32, interleave, basis, short)
    link = LinkSettings("codeblocks", kind, length, randomizer=randomizer, reed_solomon=code)
    head = {"aos": 8, "tm": 6}[kind]
    frame = getattr(sender, f"{kind}_frame")
    frames = [frame(b"\x55" * (length - head), 0x7FE, k) for k in range(N_FRAMES)]
    blocks = [sender.rs_block(one, 32, interleave, basis) for one in frames]
    return link, frames, [sender.randomize(one) if randomizer else one for one in blocks]


def received(link, stream, pieces):
    """Frames of the wanted channel, and the report."""
    receiver = Receiver(link, [CHANNELS[link.frame_type]])
    parts = np.array_split(np.frombuffer(stream, np.uint8), pieces)
    outputs = [*(receiver.receive(ByteBatch.of(part)) for part in parts), receiver.flush()]
    frames = [one.tobytes() for output in outputs if output.frames is not None for one in output.frames.data]
    return frames, receiver.report()


@pytest.mark.parametrize(("kind", "interleave"), [("aos", 1), ("tm", 4)])
@pytest.mark.parametrize("basis", ["conventional", "dual"])
@pytest.mark.parametrize(("randomizer", "short"), [(True, 0), (False, 0), (True, 23)])
def test_frames_behind_lost_and_added_bytes_come_out(sender, kind, interleave, basis, randomizer, short):
    link, frames, blocks = sent(sender, kind, interleave, basis, randomizer=randomizer, short=short)
    for n_bytes, pieces in ((-61, 1), (-4, 29), (-1, 1), (1, 1), (3, 29), (37, 1)):
        added = np.random.default_rng(n_bytes & 0xFF).bytes(max(n_bytes, 0))
        stream = [*blocks[:6], added + blocks[6][max(-n_bytes, 0) :], *blocks[7:]]
        found, report = received(link, b"".join(stream), pieces)
        assert set(frames) - {frames[6]} <= set(found) <= set(frames)
        # What is left of a frame whose header is lost may be a codeword of some other channel.
        assert report["frames"]["other_channel"] <= (n_bytes < 0)


@pytest.mark.parametrize("randomizer", [True, False])
def test_frames_behind_bytes_that_are_none_come_out(sender, randomizer):
    link, frames, blocks = sent(sender, "aos", 4, "conventional", randomizer=randomizer, short=0)
    for n_bytes in (3, 37, 64):
        stream = np.random.default_rng(n_bytes).bytes(n_bytes) + b"".join(blocks)
        assert received(link, stream, 1)[0] == received(link, stream, 31)[0] == frames


def test_another_channel_in_place_is_one(sender):
    link, frames, blocks = sent(sender, "aos", 1, "conventional", randomizer=True, short=0)
    other = sender.aos_frame(b"\xaa" * 215, 0x7FE, 9, vcid=6)
    for at in (9, 5, 0):
        blocks.insert(at, sender.randomize(sender.rs_block(other, 32, 1, "conventional")))
    found, report = received(link, b"".join(blocks), 7)
    assert found == frames
    assert report["frames"]["other_channel"] == 3
    assert report["bytes"]["skipped"] == 0


def test_a_damaged_header_is_corrected_where_it_stands(sender):
    link, frames, blocks = sent(sender, "aos", 1, "dual", randomizer=True, short=0)
    blocks[5] = b"\0\0\0" + blocks[5][3:]
    found, report = received(link, b"".join(blocks), 5)
    assert found == frames
    assert (report["frames"]["corrected"], report["bytes"]["skipped"]) == (1, 0)


def test_a_frame_of_another_channel_among_equal_ones_is_no_shifted_one(sender):
    """Frames of zeros are codewords at any shift; that of the other channel has no wrong symbol where it stands."""
    link, _, _ = sent(sender, "tm", 1, "dual", randomizer=False, short=78)
    other = sender.rs_block(sender.tm_frame(b"\x17" * 139, 0x7FE, 3, vcid=5), 32, 1, "dual")
    receiver = Receiver(link, [ChannelSettings(0, 0, "empty")])
    for output in (receiver.receive(ByteBatch.of(bytes(177 * 5) + other + bytes(177 * 5))), receiver.flush()):
        assert output is not None
    report = receiver.report()
    assert (report["frames"]["clean"], report["frames"]["other_channel"], report["bytes"]["skipped"]) == (11, 1, 0)
