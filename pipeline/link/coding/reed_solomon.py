"""Reed-Solomon codeblocks: check all, correct the few that fail (CCSDS 131.0-B clause 4).

In: coded blocks as received, still randomised. Out: the number of wrong symbols of each codeword, and the bytes to
correct; clean blocks are not copied.

Syndromes are linear, so each received symbol adds the table row of its position and value, eight syndromes packed
in one uint64. The table absorbs the basis, a constant absorbs the randomiser. Eight consecutive zero syndromes mean
distance 9; a heavier error passes with a chance of 2^-64. Only codewords that fail get the other syndromes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..settings import ReedSolomonSettings
from .correction import Code, correct
from .field import BETA, CONVENTIONAL_OF_DUAL, DUAL_OF_CONVENTIONAL, EXP, LOG

CODEWORD_SYMBOLS = 255
UNCORRECTABLE = -1
_SYNDROMES_PER_WORD = 8
_BLOCKS_AT_ONCE = 32
_CODEWORDS_AT_ONCE = 512
_SAME = np.arange(256, dtype=np.uint8)


@dataclass(frozen=True, slots=True)
class Decoded:
    """Result for n blocks of I codewords.

    `n_corrected: int16[n, I]`: corrected symbols; -1: uncorrectable. Byte `offset[k]` of block `row[k]` is corrected by
    an exclusive or with `flip[k]`; blocks with an uncorrectable codeword keep their other corrections.
    """

    n_corrected: NDArray[np.int16]
    row: NDArray[np.intp]
    offset: NDArray[np.intp]
    flip: NDArray[np.uint8]


class ReedSolomon:
    """The code of one link. `randomizer: uint8[block_length]`: sequence added to the blocks, or None."""

    def __init__(self, settings: ReedSolomonSettings, randomizer: NDArray[np.uint8] | None) -> None:
        self.interleave = settings.interleave
        self.parity = settings.parity
        self.n_symbols = CODEWORD_SYMBOLS - settings.virtual_fill
        self.block_length = self.n_symbols * self.interleave
        self.code = _code(settings.parity, settings.virtual_fill)
        over = np.zeros(self.block_length, np.uint8) if randomizer is None else randomizer[: self.block_length]
        self._consecutive = settings.codewords == "consecutive"
        self._over = self._codewords(over[None])[0]
        dual = settings.basis == "dual"
        self._from_conventional = DUAL_OF_CONVENTIONAL if dual else _SAME
        self._tables = _syndrome_tables(settings.parity, self.n_symbols, dual=dual)
        self._row_of_position = np.arange(self.n_symbols, dtype=np.intp) * 256
        shape = (_BLOCKS_AT_ONCE, self.interleave, self.n_symbols)
        self._index = np.empty(shape, np.intp)
        self._terms = np.empty(shape, np.uint64)
        self._clean_syndromes = np.bitwise_xor.reduce(
            self._tables[0][self._row_of_position + self._over], axis=1
        )  # uint64[I]: syndromes of a clean randomised codeword
        self._fill_syndromes = _fill_syndromes(
            settings.parity, settings.virtual_fill, settings.fill_value, dual=dual
        )
        self._clean_syndromes ^= self._fill_syndromes[0]

    def check(self, blocks: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Which codewords of `blocks: uint8[n, block_length]` are wrong: bool[n, I]."""
        wrong: NDArray[np.bool_] = self._first_syndromes(blocks) != 0
        return wrong

    def _first_syndromes(self, blocks: NDArray[np.uint8]) -> NDArray[np.uint64]:
        """The first eight syndromes of every codeword, packed: uint64[n, I]."""
        found = np.empty((len(blocks), self.interleave), np.uint64)
        for first in range(0, len(blocks), _BLOCKS_AT_ONCE):
            part = blocks[first : first + _BLOCKS_AT_ONCE]
            index, terms = self._index[: len(part)], self._terms[: len(part)]
            np.copyto(index, self._codewords(part))
            np.add(index, self._row_of_position, out=index)
            # "wrap" skips the bounds check; every index is inside the table.
            self._tables[0].take(index, out=terms, mode="wrap")
            np.bitwise_xor.reduce(terms, axis=2, out=found[first : first + len(part)])
        found ^= self._clean_syndromes
        return found

    def decode(self, blocks: NDArray[np.uint8]) -> Decoded:
        """Check `blocks: uint8[n, block_length]` and find the corrections."""
        none = np.empty(0, np.intp)
        n_corrected = np.zeros((len(blocks), self.interleave), np.int16)
        return self.errors(blocks) or Decoded(n_corrected, none, none, np.empty(0, np.uint8))

    def errors(self, blocks: NDArray[np.uint8]) -> Decoded | None:
        """As `decode`; None if all codewords are clean."""
        first_syndromes = self._first_syndromes(blocks)
        row, lane = first_syndromes.nonzero()
        if not len(row):
            return None
        n_corrected = np.zeros((len(blocks), self.interleave), np.int16)
        parts: list[tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.uint8]]] = []
        for first in range(0, len(row), _CODEWORDS_AT_ONCE):
            some = slice(first, first + _CODEWORDS_AT_ONCE)
            received = self._codewords(blocks)[row[some], lane[some]]
            symbols = received ^ self._over[lane[some]]
            syndromes = self._syndromes(symbols, first_syndromes[row[some], lane[some]])
            counts, word, position, value = correct(self.code, syndromes)
            n_corrected[row[some], lane[some]] = counts
            offset = self._offset(position, lane[some][word])
            parts.append((row[some][word], offset, self._from_conventional[value]))
        rows, offsets, flips = (np.concatenate(field) for field in zip(*parts, strict=True))
        return Decoded(n_corrected, rows, offsets, flips)

    def _codewords(self, blocks: NDArray[Any]) -> NDArray[Any]:
        """View the blocks as codewords, uint8[n, I, n_symbols]: symbol j of codeword i is byte j * I + i.

        For consecutive codewords it is byte i * n_symbols + j.
        """
        if self._consecutive:
            return blocks.reshape(len(blocks), self.interleave, self.n_symbols)
        return blocks.reshape(len(blocks), self.n_symbols, self.interleave).transpose(0, 2, 1)

    def _offset(self, position: NDArray[np.intp], lane: NDArray[np.intp]) -> NDArray[np.intp]:
        """Offset of symbol `position` of codeword `lane` in a block whose parity is all at the end.

        For interleaved codewords that is the offset in the block. Below the frame length it is the offset in the frame.
        """
        if not self._consecutive:
            return position * self.interleave + lane
        n_message = self.n_symbols - self.parity
        parity_at = self.interleave * n_message + lane * self.parity + position - n_message
        return np.where(position < n_message, lane * n_message + position, parity_at)

    def messages(self, blocks: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Extract the frames from `blocks: uint8[n, block_length]`: uint8[n, frame_length], still randomised."""
        n_message = self.n_symbols - self.parity
        if not self._consecutive:
            return blocks[:, : n_message * self.interleave]
        return self._codewords(blocks)[:, :, :n_message].reshape(len(blocks), self.interleave * n_message)

    def _syndromes(self, symbols: NDArray[np.uint8], first: NDArray[np.uint64]) -> NDArray[np.uint8]:
        """All syndromes of derandomised codewords `symbols: uint8[m, n_symbols]`: uint8[m, parity].

        `first: uint64[m]`: the first eight, packed.
        """
        index = symbols + self._row_of_position
        packed = [
            np.bitwise_xor.reduce(np.take(table, index, mode="wrap"), axis=1) ^ fill
            for table, fill in zip(self._tables[1:], self._fill_syndromes[1:], strict=True)
        ]
        return np.stack([first, *packed], axis=1).astype("<u8").view(np.uint8)


# Links of one code share its tables: several stations of a pass, and the guard that tries other settings.


@cache
def _code(parity: int, fill: int) -> Code:
    return Code.ccsds(parity, fill)


@cache
def _syndrome_tables(parity: int, n_symbols: int, *, dual: bool) -> list[NDArray[np.uint64]]:
    """Table k holds syndromes 8 k to 8 k + 7 of every position and received symbol: uint64[n_symbols * 256]."""
    exponent = np.arange(n_symbols - 1, -1, -1)
    symbol_log = LOG[CONVENTIONAL_OF_DUAL if dual else _SAME]
    first_root = 128 - parity // 2
    tables = []
    for first in range(first_root, first_root + parity, _SYNDROMES_PER_WORD):
        table = np.zeros((n_symbols, 256), np.uint64)
        for lane in range(_SYNDROMES_PER_WORD):
            terms = EXP[(BETA * (first + lane) * exponent % 255)[:, None] + symbol_log]
            table |= terms.astype(np.uint64) << np.uint64(8 * lane)
        tables.append(table.reshape(-1))
    return tables


def _fill_syndromes(parity: int, n_fill: int, value: int, *, dual: bool) -> NDArray[np.uint64]:
    """Contribution of `n_fill` virtual fill symbols of this value to the syndromes: uint64[parity / 8]."""
    if not n_fill or not value:
        return np.zeros(parity // _SYNDROMES_PER_WORD, np.uint64)
    whole = _syndrome_tables(parity, CODEWORD_SYMBOLS, dual=dual)
    place = np.arange(n_fill, dtype=np.intp) * 256 + value
    return np.array([np.bitwise_xor.reduce(table[place]) for table in whole], np.uint64)
