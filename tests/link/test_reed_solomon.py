"""The code against codewords written by long division, and against published values."""

import numpy as np
import pytest
from downlink_pipeline.link.coding.field import CONVENTIONAL_OF_DUAL, DUAL_OF_CONVENTIONAL
from downlink_pipeline.link.coding.randomizer import randomizer_sequence
from downlink_pipeline.link.coding.reed_solomon import ReedSolomon
from downlink_pipeline.link.settings import ReedSolomonSettings


def a_block(sender, rng, parity, interleave, basis, fill):
    frame = rng.integers(0, 256, (255 - parity - fill) * interleave, np.uint8).tobytes()
    return np.frombuffer(sender.rs_block(frame, parity, interleave, basis), np.uint8)


def damaged(block, rng, interleave, n_errors):
    """The block with `n_errors` wrong symbols in each codeword."""
    bad = block.copy()
    for lane in range(interleave):
        symbols = rng.choice(len(block) // interleave, n_errors, replace=False)
        bad[symbols * interleave + lane] ^= rng.integers(1, 256, n_errors, np.uint8)
    return bad


SHAPES = [(32, 4, "conventional", 0), (32, 1, "conventional", 3), (32, 5, "dual", 0), (16, 8, "dual", 7)]


@pytest.mark.parametrize(("parity", "interleave", "basis", "fill"), SHAPES)
@pytest.mark.parametrize("share", [0, 1, 8, 16])
def test_as_many_errors_as_half_the_parity_are_corrected(sender, parity, interleave, basis, fill, share):
    rng = np.random.default_rng(share)
    n_errors = share * parity // 32
    block = a_block(sender, rng, parity, interleave, basis, fill)
    bad = np.stack([block, damaged(block, rng, interleave, n_errors)])
    code = ReedSolomon(ReedSolomonSettings(parity, interleave, basis, fill), None)
    found = code.decode(bad)
    bad[found.row, found.offset] ^= found.flip
    assert (bad == block).all()
    assert found.n_corrected.tolist() == [[0] * interleave, [n_errors] * interleave]


@pytest.mark.parametrize(("parity", "interleave", "basis", "fill"), SHAPES)
def test_one_error_too_many_is_told_and_changes_nothing(sender, parity, interleave, basis, fill):
    rng = np.random.default_rng(9)
    block = a_block(sender, rng, parity, interleave, basis, fill)
    code = ReedSolomon(ReedSolomonSettings(parity, interleave, basis, fill), None)
    found = code.decode(damaged(block, rng, interleave, parity // 2 + 1)[None])
    assert (found.n_corrected == -1).all()
    assert len(found.row) == 0


def test_codewords_of_one_batch_may_have_every_number_of_errors(sender):
    rng = np.random.default_rng(4)
    block = a_block(sender, rng, 32, 1, "conventional", 0)
    bad = np.stack([damaged(block, rng, 1, n % 17) for n in range(600)])
    found = ReedSolomon(ReedSolomonSettings(32, 1, "conventional"), None).decode(bad)
    bad[found.row, found.offset] ^= found.flip
    assert (bad == block).all()
    assert found.n_corrected[:, 0].tolist() == [n % 17 for n in range(600)]


def test_a_randomised_block_is_checked_as_it_came(sender):
    rng = np.random.default_rng(5)
    block = a_block(sender, rng, 32, 5, "dual", 0)
    over = randomizer_sequence(len(block))
    code = ReedSolomon(ReedSolomonSettings(32, 5, "dual"), over)
    bad = damaged(block, rng, 5, 16) ^ over
    found = code.decode(bad[None])
    bad[found.offset] ^= found.flip
    assert (bad ^ over == block).all()


def test_errors_in_the_virtual_fill_are_not_believed(sender):
    """A long codeword whose errors lie in the first symbols, received without them, is uncorrectable."""
    rng = np.random.default_rng(6)
    frame = rng.integers(1, 256, 223, np.uint8).tobytes()
    whole = np.frombuffer(sender.rs_block(frame), np.uint8)
    code = ReedSolomon(ReedSolomonSettings(32, 1, "conventional", virtual_fill=10), None)
    assert code.decode(whole[None, 10:].copy()).n_corrected.tolist() == [[-1]]


def test_the_dual_basis_is_the_one_of_annex_f(sender):
    assert DUAL_OF_CONVENTIONAL.tolist() == sender.DUAL
    assert (DUAL_OF_CONVENTIONAL[CONVENTIONAL_OF_DUAL] == np.arange(256)).all()


def test_the_randomiser_begins_as_the_standard_prints_it():
    """131.0-B 10.4.1: the first 40 bits."""
    assert randomizer_sequence(5).tobytes().hex() == "ff480ec09a"


def test_the_randomiser_is_the_shift_register_of_the_standard(sender):
    assert randomizer_sequence(2040).tobytes() == sender.randomize(bytes(2040))


def test_the_randomiser_sequence_is_itself_a_codeword():
    """The trap: with the randomiser set wrongly, clean codewords stay clean."""
    code = ReedSolomon(ReedSolomonSettings(32, 4, "conventional"), None)
    assert not code.check(randomizer_sequence(1020)[None]).any()


def test_the_long_randomiser_is_the_shift_register_of_the_standard():
    """131.0-B-5 10.4: seed 11000111000111000, stage 1 goes out and back with stage 15; period 131,071 bits."""
    register, bits = [int(bit) for bit in reversed("11000111000111000")], []
    for _ in range(131_071 + 65):
        bits.append(register[0])
        register = [*register[1:], register[0] ^ register[14]]
    expected = np.packbits(np.array(bits, np.uint8))
    assert (randomizer_sequence(len(expected), long=True) == expected).all()
    assert bits[:65] == bits[131_071:]
