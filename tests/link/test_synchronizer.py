"""Markers in streams that are shifted, inverted, cut, damaged and full of garbage."""

import numpy as np
import pytest
from downlink_pipeline.link.coding.marker import Marker
from downlink_pipeline.link.coding.synchronizer import Synchronizer

ASM = bytes.fromhex("1ACFFC1D")
LENGTH = 96


def bodies(n, seed=1):
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 256, LENGTH, np.uint8).tobytes() for _ in range(n)]


def synchronize(octets, *, eager=False, pieces=1, marker=ASM, length=LENGTH, **allowed):
    machine = Synchronizer(Marker.of(marker, **allowed), length, eager=eager)
    out, ends = [], []
    for piece in [*np.array_split(np.frombuffer(octets, np.uint8), pieces), None]:
        blocks = machine.flush() if piece is None else machine.find_blocks(piece)
        out += [row.tobytes() for row in blocks.data]
        ends += blocks.last.tolist()
    return out, ends, machine


def shifted(octets, n_bits):
    """The stream with `n_bits` zero bits in front."""
    bits = np.unpackbits(np.frombuffer(octets, np.uint8))
    return np.packbits(np.concatenate((np.zeros(n_bits, np.uint8), bits))).tobytes()


def flipped(octets, *bits):
    array = np.unpackbits(np.frombuffer(octets, np.uint8))
    array[list(bits)] ^= 1
    return np.packbits(array).tobytes()


GARBAGE = np.random.default_rng(99).integers(0, 256, 3000, np.uint8).tobytes()


@pytest.mark.parametrize("eager", [False, True])
def test_blocks_back_to_back_all_come_out(eager):
    sent = bodies(50)
    got, ends, machine = synchronize(b"".join(ASM + body for body in sent), eager=eager)
    assert got == sent
    assert ends == [100 * k + 99 for k in range(50)]
    assert (machine.skipped_bytes, machine.counts.locks) == (0, 1)


@pytest.mark.parametrize("eager", [False, True])
def test_garbage_between_blocks_is_skipped_and_counted(eager):
    sent = bodies(20)
    stream = b"".join(GARBAGE[: 37 * k] + ASM + body for k, body in enumerate(sent)) + GARBAGE[:77]
    got, _, machine = synchronize(stream, eager=eager)
    assert got == sent
    assert machine.skipped_bytes == 37 * 190 + 77


@pytest.mark.parametrize("n_bits", range(1, 8))
def test_a_stream_shifted_by_bits_comes_out(n_bits):
    sent = bodies(6)
    got, _, _ = synchronize(shifted(b"".join(ASM + body for body in sent), n_bits))
    assert got == sent


def test_blocks_of_an_inverted_stream_come_out():
    sent = bodies(6)
    stream = bytes(octet ^ 0xFF for octet in b"".join(ASM + body for body in sent))
    got, _, machine = synchronize(stream)
    assert got == sent
    assert machine.counts.inversions == 1


@pytest.mark.parametrize("n_bits", [1, 3, 8, 13])
def test_a_slip_in_mid_stream_costs_only_the_frame_it_falls_in(n_bits):
    sent = bodies(12)
    head, tail = b"".join(ASM + body for body in sent[:6]), b"".join(ASM + body for body in sent[6:])
    got, _, machine = synchronize(head + shifted(tail, n_bits))
    assert got == sent
    assert (machine.counts.slips, machine.counts.locks) == (1, 1)


def test_bits_lost_at_a_slip_cost_only_the_frame_they_are_missing_from():
    sent = bodies(12)
    bits = np.unpackbits(np.frombuffer(b"".join(ASM + body for body in sent), np.uint8))
    got, _, _ = synchronize(np.packbits(np.delete(bits, slice(4400, 4405))).tobytes())
    assert (got[:5], got[6:]) == (sent[:5], sent[6:])


def test_polarity_that_turns_in_mid_stream_is_followed():
    sent = bodies(8)
    head, tail = b"".join(ASM + body for body in sent[:4]), b"".join(ASM + body for body in sent[4:])
    got, _, _ = synchronize(head + bytes(octet ^ 0xFF for octet in tail))
    assert got == sent


@pytest.mark.parametrize("block", range(6))
@pytest.mark.parametrize("eager", [False, True])
def test_a_block_behind_a_marker_with_a_wrong_bit_comes_out(block, eager):
    sent = bodies(6)
    stream = flipped(b"".join(ASM + body for body in sent), 800 * block + 17)
    assert synchronize(stream, eager=eager)[0] == sent


def test_wrong_bits_of_markers_are_counted():
    stream = flipped(b"".join(ASM + body for body in bodies(6)), 803, 817, 1605)
    assert synchronize(stream)[2].counts.marker_bit_errors == 3


@pytest.mark.parametrize("block", range(1, 6))
def test_the_flywheel_carries_the_lock_over_a_marker_that_is_gone(block):
    sent = bodies(6)
    stream = bytearray(b"".join(ASM + body for body in sent))
    stream[100 * block : 100 * block + 4] = bytes(4)
    got, _, machine = synchronize(bytes(stream))
    assert got == sent
    assert (machine.counts.carried, machine.counts.locks) == (1, 1)


@pytest.mark.parametrize("eager", [False, True])
def test_a_frame_cut_short_does_not_cost_the_next(eager):
    sent = bodies(8)
    stream = b"".join(ASM + (body[:40] if k == 3 else body) for k, body in enumerate(sent))
    got, _, machine = synchronize(stream, eager=eager)
    assert [body for body in got if body in sent] == sent[:3] + sent[4:]
    assert machine.counts.truncated == 1


def test_without_a_later_check_a_frame_cut_short_is_not_handed_on():
    sent = bodies(8)
    got, _, machine = synchronize(b"".join(ASM + (body[:40] if k == 3 else body) for k, body in enumerate(sent)))
    assert got == sent[:3] + sent[4:]
    assert machine.skipped_bytes == 44


def test_a_marker_inside_a_frame_is_no_marker():
    sent = bodies(6)
    sent[2] = sent[2][:30] + ASM + sent[2][34:]
    assert synchronize(b"".join(ASM + body for body in sent))[0] == sent


@pytest.mark.parametrize("marker", ["EB90", "FAF320", "1ACFFC1D", "352EF8530000", "034776C7272895B0"])
def test_markers_of_16_to_64_bits_are_found(marker):
    pattern, sent = bytes.fromhex(marker), bodies(6)
    stream = GARBAGE[:50] + b"".join(pattern + body for body in sent)
    got, _, _ = synchronize(stream, marker=pattern)
    assert got == sent


def test_fewer_wrong_bits_are_allowed_while_searching_than_while_locked():
    sent = bodies(6)
    stream = b"".join(ASM + body for body in sent)
    three = (3, 11, 19)
    lost_first = synchronize(flipped(stream, *three), searching=1, locked=3, flywheel=0)[0]
    lost_none = synchronize(flipped(stream, *(1600 + bit for bit in three)), searching=1, locked=3, flywheel=0)[0]
    assert (lost_first, lost_none) == (sent[1:], sent)


def test_the_last_frame_needs_no_marker_behind_it():
    sent = bodies(3)
    got, _, machine = synchronize(b"".join(ASM + body for body in sent) + ASM + GARBAGE[:50])
    assert got == sent
    assert machine.skipped_bytes == 54


def test_no_marker_at_all_skips_everything():
    got, _, machine = synchronize(GARBAGE * 20)
    assert (got, machine.skipped_bytes) == ([], 60_000)


@pytest.mark.parametrize("pieces", [2, 13, 400])
@pytest.mark.parametrize("eager", [False, True])
@pytest.mark.parametrize("seed", range(8))
def test_any_split_gives_the_same_blocks_and_counts(pieces, eager, seed):
    rng = np.random.default_rng(seed)
    parts = []
    for body in bodies(12, seed):
        fate = rng.integers(8)
        block = ASM + body
        if fate == 0:
            block = block[: rng.integers(100)]
        elif fate == 1:
            block = GARBAGE[: rng.integers(300)] + block
        elif fate == 2:
            block = bytes(octet ^ 0xFF for octet in block)
        elif fate == 3:
            block = bytes(4) + body
        elif fate == 4:
            block = ASM + body[:20] + ASM + body[24:]
        parts.append(block)
    stream = shifted(b"".join(parts), int(rng.integers(8)))
    whole, split = synchronize(stream, eager=eager), synchronize(stream, eager=eager, pieces=pieces)
    assert whole[:2] == split[:2]
    assert whole[2].counts == split[2].counts


def test_any_bytes_give_blocks_or_counts():
    rng = np.random.default_rng(3)
    for _ in range(30):
        pieces = [ASM, bytes(3), b"\x1a\xcf", GARBAGE[:9], bytes(octet ^ 0xFF for octet in ASM)]
        stream = b"".join(pieces[k] for k in rng.integers(0, 5, 60))
        got, _, machine = synchronize(stream, length=11, eager=bool(rng.integers(2)))
        assert machine.skipped_bytes <= len(stream)
        assert len(got) <= len(stream)
