"""Decodes coded blocks to checked transfer frames.

In: blocks as received. Out: frames without randomiser and parity that pass every check of the link, with the number of
corrected symbols. Dropped and counted: frames that cannot be corrected or fail their FECF. No header is read before.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import fastcrc
import numpy as np
from numpy.typing import NDArray

from ..settings import LinkSettings, block_bytes
from .header_error_control import correct_headers
from .randomizer import randomizer_sequence
from .reed_solomon import UNCORRECTABLE, ReedSolomon


@dataclass(slots=True)
class CodingCounts:
    """Numbers of frames; `codewords[k]`: codewords in which k symbols were corrected."""

    read: int = 0
    clean: int = 0
    corrected: int = 0
    uncorrectable: int = 0
    failed_check: int = 0
    uncorrectable_codewords: int = 0
    corrected_headers: int = 0
    codewords: NDArray[np.int64] = field(default_factory=lambda: np.zeros(17, np.int64))


@dataclass(slots=True)
class Checked:
    """Good frames `uint8[n, frame_length]`.

    `n_corrected: int16[n]`: corrected symbols; None: none in any. `row: intp[n]`: block of each; None: all blocks.
    """

    frames: NDArray[np.uint8]
    n_corrected: NDArray[np.int16] | None = None
    row: NDArray[np.intp] | None = None


class FrameDecoder:
    """Derandomises, corrects and checks the blocks of one link."""

    def __init__(self, settings: LinkSettings) -> None:
        coded = settings.framing in {"cadu", "codeblocks"}
        self.counts = CodingCounts()
        self._frame_length = settings.frame_length_bytes
        self._fecf = settings.fecf
        code = settings.reed_solomon if coded else None
        self.block_length = block_bytes(settings)
        randomized = coded and settings.randomizer
        self._sequence = (
            randomizer_sequence(self.block_length, long=settings.long_randomizer) if randomized else None
        )
        self._header_control = settings.frame_type == "aos" and settings.header_error_control
        self._reed_solomon = ReedSolomon(code, self._sequence) if code else None
        self._corrects = code is not None and code.check
        if self._sequence is not None and self._reed_solomon is not None:
            self._sequence = self._reed_solomon.messages(self._sequence[None, : self.block_length])[0]

    def decode(self, blocks: NDArray[np.uint8]) -> Checked:
        """Check and correct `blocks: uint8[n, block_length]`."""
        n = len(blocks)
        self.counts.read += n
        frames = self._reed_solomon.messages(blocks) if self._reed_solomon else blocks[:, : self._frame_length]
        if self._sequence is not None:
            frames = frames ^ self._sequence[: self._frame_length]
        n_corrected: NDArray[np.int16] | None = None
        good: NDArray[np.bool_] | None = None  # all of them
        if self._reed_solomon is not None and self._corrects and n:
            frames, n_corrected, good = self._correct(self._reed_solomon, blocks, frames)
        if self._header_control and n:
            frames, n_corrected, good = self._correct_headers(frames, n_corrected, good)
        if self._fecf and n:
            good = self._check_fecf(frames, good)
        if n_corrected is None and good is None:
            self.counts.clean += n
            return Checked(frames)
        return self._select_good(frames, n_corrected, good)

    def _select_good(
        self, frames: NDArray[np.uint8], n_corrected: NDArray[np.int16] | None, good: NDArray[np.bool_] | None
    ) -> Checked:
        """Select and count the good frames. `good: bool[n]`; None: all."""
        row = None
        if good is not None and len(rows := good.nonzero()[0]) < len(frames):
            row, frames, n_corrected = rows, frames[rows], None if n_corrected is None else n_corrected[rows]
        n_corrected_frames = 0 if n_corrected is None else len(n_corrected.nonzero()[0])
        self.counts.corrected += n_corrected_frames
        self.counts.clean += len(frames) - n_corrected_frames
        return Checked(frames, n_corrected, row)

    def _check_fecf(self, frames: NDArray[np.uint8], good: NDArray[np.bool_] | None) -> NDArray[np.bool_] | None:
        """Which good frames have a valid FECF: bool[n], None: all frames. Counts the others."""
        intact = passes_fecf(frames)
        if good is None and all(intact):
            return None
        found = np.array(intact, np.bool_) if good is None else good & intact
        n_good = len(frames) if good is None else int(np.count_nonzero(good))
        self.counts.failed_check += n_good - int(np.count_nonzero(found))
        return found

    def _correct(
        self, code: ReedSolomon, blocks: NDArray[np.uint8], frames: NDArray[np.uint8]
    ) -> tuple[NDArray[np.uint8], NDArray[np.int16] | None, NDArray[np.bool_] | None]:
        """Correct frames. Returns them, the corrected symbols of each (-1: uncorrectable), and which are good.

        int16[n] and bool[n]; None and None: all codewords are clean.
        """
        found = code.errors(blocks)
        if found is None:
            self.counts.codewords[0] += len(blocks) * code.interleave
            return frames, None, None
        frames = frames if frames.flags.owndata else frames.copy()
        inside = found.offset < self._frame_length
        frames[found.row[inside], found.offset[inside]] ^= found.flip[inside]
        per_codeword = found.n_corrected
        uncorrectable = per_codeword == UNCORRECTABLE
        self.counts.uncorrectable_codewords += int(np.count_nonzero(uncorrectable))
        self.counts.codewords += np.bincount(per_codeword[~uncorrectable], minlength=17)
        good = ~uncorrectable.any(axis=1)
        self.counts.uncorrectable += len(blocks) - int(np.count_nonzero(good))
        total = per_codeword.sum(axis=1, dtype=np.int16)
        return frames, np.where(good, total, UNCORRECTABLE).astype(np.int16), good

    def _correct_headers(
        self, frames: NDArray[np.uint8], n_corrected: NDArray[np.int16] | None, good: NDArray[np.bool_] | None
    ) -> tuple[NDArray[np.uint8], NDArray[np.int16] | None, NDArray[np.bool_] | None]:
        """Correct headers by the frame header error control, before the FECF is checked, which covers the header."""
        frames = frames if frames.flags.owndata else frames.copy()
        n_wrong = correct_headers(frames)
        if not len(n_wrong.nonzero()[0]):
            return frames, n_corrected, good
        known = n_wrong >= 0
        good = np.ones(len(frames), np.bool_) if good is None else good
        n_corrected = np.zeros(len(frames), np.int16) if n_corrected is None else n_corrected
        self.counts.failed_check += int(np.count_nonzero(good & ~known))
        self.counts.corrected_headers += int(np.count_nonzero(good & (n_wrong > 0)))
        return frames, np.where(good & known, n_corrected + n_wrong, n_corrected).astype(np.int16), good & known


def passes_fecf(frames: NDArray[np.uint8]) -> list[bool]:
    """Whether the CRC-16 over each frame with its FECF is 0 (732.0-B-4 4.1.6, 132.0-B-3 4.1.6): n values."""
    remainder = fastcrc.crc16.ibm_3740
    length = frames.shape[1]
    raw = frames.tobytes()
    return [remainder(raw[at : at + length]) == 0 for at in range(0, len(raw), length)]
