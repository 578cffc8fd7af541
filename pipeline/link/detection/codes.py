"""Detects the Reed-Solomon code of blocks, by eight syndromes that all CCSDS codes share.

Random bytes have eight zero syndromes with a probability of 2^-64, so a single clean codeword is enough.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..coding.field import BETA, CONVENTIONAL_OF_DUAL, EXP, LOG, LOG_OF_ZERO
from ..coding.reed_solomon import CODEWORD_SYMBOLS, UNCORRECTABLE, ReedSolomon
from ..settings import Basis, CodewordOrder, ReedSolomonSettings

_SHARED_ROOTS = np.arange(120, 128)
"""Exponents of the roots shared by the codes with 16 (120 to 135) and 32 parity symbols (112 to 143), 131.0-B 4.3.4."""
_ONLY_OF_32 = np.array([112])
_BLOCKS_TRIED = 16
_BLOCKS_DECODED = 8
_FEWEST_MESSAGE_SYMBOLS = 8
_BASES: tuple[Basis, ...] = ("conventional", "dual")


def find_code(blocks: NDArray[np.uint8]) -> ReedSolomonSettings | None:
    """Find the code of `blocks: uint8[n, L]`, each of whole codewords; None if no codeword is clean."""
    for interleave, order in _layouts(blocks.shape[1]):
        words = _codewords(blocks[:_BLOCKS_TRIED], interleave, order)
        for basis in _BASES:
            found = _code_of(words, interleave, order, basis)
            if found is not None:
                return found
    return None


def clean_share(blocks: NDArray[np.uint8], code: ReedSolomonSettings | None) -> float:
    """Of the codewords in `blocks: uint8[n, L]`, those without a wrong symbol; 0 without a code."""
    if code is None:
        return 0.0
    errors = ReedSolomon(code, None).decode(blocks[:_BLOCKS_TRIED])
    return float((errors.n_corrected == 0).mean())


def find_noisy_code(blocks: NDArray[np.uint8]) -> ReedSolomonSettings | None:
    """Find the code of blocks without a clean codeword: most codewords must be correctable."""
    some = blocks[:_BLOCKS_DECODED]
    for interleave, order in _layouts(blocks.shape[1]):
        fill = CODEWORD_SYMBOLS - blocks.shape[1] // interleave
        for basis in _BASES:
            for parity in (32, 16):
                code = ReedSolomonSettings(parity, interleave, basis, fill, codewords=order)
                decoded = ReedSolomon(code, None).decode(some)
                if (decoded.n_corrected != UNCORRECTABLE).mean() > 0.5:
                    return code
    return None


def _layouts(length: int) -> Iterator[tuple[int, CodewordOrder]]:
    """Numbers of codewords that a block of this length may consist of, and their order.

    Consecutive short codewords also form one long codeword, so the largest number of them is tried first.
    """
    numbers = [n for n in range(8, 0, -1) if length % n == 0 and 32 + _FEWEST_MESSAGE_SYMBOLS <= length // n <= 255]
    yield from ((number, "consecutive") for number in numbers if number > 1)
    yield from ((number, "interleaved") for number in reversed(numbers))


def _codewords(blocks: NDArray[np.uint8], interleave: int, order: CodewordOrder) -> NDArray[np.uint8]:
    """Rearrange blocks as codewords: uint8[n * interleave, symbols]."""
    n_symbols = blocks.shape[1] // interleave
    if order == "consecutive":
        return blocks.reshape(-1, n_symbols)
    return blocks.reshape(len(blocks), n_symbols, interleave).transpose(0, 2, 1).reshape(-1, n_symbols)


def _code_of(
    words: NDArray[np.uint8], interleave: int, order: CodewordOrder, basis: Basis
) -> ReedSolomonSettings | None:
    """Find the code in this basis of any of the codewords `words: uint8[m, n_symbols]`."""
    symbols = CONVENTIONAL_OF_DUAL[words] if basis == "dual" else words
    n_fill = CODEWORD_SYMBOLS - words.shape[1]
    varied = (words != words[:, :1]).any(axis=1)  # equal symbols may be a codeword of any code
    syndromes = _syndromes(symbols, _SHARED_ROOTS)
    clean = (syndromes == 0).all(axis=1) & varied
    value = 0
    if not clean.any() and n_fill:
        clean, value = _with_filled(syndromes, n_fill, varied, dual=basis == "dual")
    if not clean.any():
        return None
    conventional = int(CONVENTIONAL_OF_DUAL[value]) if basis == "dual" else value
    expected = _fill_syndromes(n_fill, _ONLY_OF_32, conventional)
    of_32 = (_syndromes(symbols[clean], _ONLY_OF_32) == expected).all(axis=1)
    parity = 32 if of_32.mean() > 0.5 else 16
    return ReedSolomonSettings(parity, interleave, basis, n_fill, value, order)


def _with_filled(
    syndromes: NDArray[np.intp], n_fill: int, varied: NDArray[np.bool_], *, dual: bool
) -> tuple[NDArray[np.bool_], int]:
    """Which codewords are clean for the most frequent value of the virtual fill: bool[m], and that value."""
    of_one = _fill_syndromes(n_fill, _SHARED_ROOTS, 1)
    usable = (syndromes != 0).all(axis=1) & varied & (of_one != 0).all()
    ratio = (LOG[np.where(syndromes == 0, 1, syndromes)] - LOG[np.where(of_one == 0, 1, of_one)]) % 255
    agreed = usable & (ratio == ratio[:, :1]).all(axis=1)
    if not agreed.any():
        return agreed, 0
    value = int(EXP[np.bincount(ratio[agreed, 0]).argmax()])
    clean = agreed & (EXP[ratio[:, 0]] == value)
    return clean, int(np.flatnonzero(value == CONVENTIONAL_OF_DUAL)[0]) if dual else value


def _syndromes(symbols: NDArray[np.uint8], roots: NDArray[np.int64]) -> NDArray[np.intp]:
    """Syndromes of each codeword at the roots: intp[m, roots]."""
    exponent = np.arange(symbols.shape[1] - 1, -1, -1)
    factor = BETA * roots[:, None] * exponent % 255
    terms = EXP[np.minimum(LOG[symbols][:, None, :] + factor, 3 * LOG_OF_ZERO)]
    found: NDArray[np.intp] = np.bitwise_xor.reduce(terms, axis=2)
    return found


def _fill_syndromes(n_fill: int, roots: NDArray[np.int64], value: int) -> NDArray[np.intp]:
    """Contribution of `n_fill` fill symbols of this value (conventional basis) to the syndromes: intp[roots]."""
    if not n_fill or not value:
        return np.zeros(len(roots), np.intp)
    exponent = np.arange(CODEWORD_SYMBOLS - 1, CODEWORD_SYMBOLS - 1 - n_fill, -1)
    terms = EXP[LOG[value] + BETA * roots[:, None] * exponent % 255]
    found: NDArray[np.intp] = np.bitwise_xor.reduce(terms, axis=1)
    return found
