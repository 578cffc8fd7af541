"""Detects code, randomiser, frame length, frame type and FECF of the blocks of a link."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..coding.reed_solomon import ReedSolomon
from ..settings import LinkSettings, ReedSolomonSettings
from .codes import find_code, find_noisy_code
from .guess import Guess
from .headers import HeaderScore, best_type, checked_length
from .periods import VARIANTS, derandomized

_LONGEST_GAP = 64
_BLOCKS = 400
Reading = tuple[HeaderScore, str, ReedSolomonSettings | None, int]
"""Header score, randomiser, code, and number of bytes behind the block."""


def guess_of_blocks(
    guess: Guess, blocks: NDArray[np.uint8], *, framing: Literal["cadu", "frames"]
) -> tuple[Guess, int]:
    """Add code, randomiser and type of `blocks: uint8[n, L]`; also returns how many bytes at their end are not theirs.

    Framing "cadu": the blocks follow markers, and may be randomised; "frames": already derandomised, perhaps with a
    code.
    """
    some = blocks[:_BLOCKS]
    marked = framing == "cadu"
    variants = VARIANTS if marked else VARIANTS[:1]
    readings = [_read(some, variant, 0) for variant in variants]
    if not any(code or score.fecf for score, _, code, _ in readings):
        readings += _shorter(some, variants)
    if not any(code or score.fecf for score, _, code, _ in readings):
        readings += [_read(some, variant, 0, noisy=True) for variant in variants]
    score, variant, code, gap = max(readings, key=_reading_rank)
    if marked and variant != "none":
        guess = guess.having("randomizer", value=True, why=_randomizer_words(score, code))
        guess = guess.having("long_randomizer", variant == "long")
    frames = _frames(derandomized(some, variant) if marked else some, code, gap)
    if code is not None:
        guess = _with_code(guess, code, marked=marked)
    length = frames.shape[1]
    if code is None and not score.fecf and (shorter := checked_length(frames)):
        gap += length - shorter
        frames, length = frames[:, :shorter], shorter
        score = best_type(frames)
    elif not marked and guess.settings.randomizer and code is None:
        guess = guess.having("framing", "codeblocks")
    guess = guess.having("frame_length_bytes", length)
    return _with_type(guess, score), gap


def _reading_rank(reading: Reading) -> tuple[bool, bool, int, int]:
    score, _, code, _ = reading
    return score.good, code is not None, score.rank[1], score.rank[2]


def _read(blocks: NDArray[np.uint8], variant: str, gap: int, *, noisy: bool = False) -> Reading:
    """Read the blocks without their last `gap` bytes, with one randomiser. `noisy`: any codeword may have errors."""
    plain = derandomized(blocks[:, : blocks.shape[1] - gap], variant)
    code = find_noisy_code(plain) if noisy else find_code(plain)
    return best_type(_frames(plain, code, 0)), variant, code, gap


def _shorter(blocks: NDArray[np.uint8], variants: tuple[str, ...]) -> list[Reading]:
    """Read the blocks without the fewest bytes at their end such that a code fits; empty if none does."""
    for gap in range(1, min(_LONGEST_GAP, blocks.shape[1] - 64) + 1):
        some = blocks[:8, : blocks.shape[1] - gap]
        coded = [variant for variant in variants if find_code(derandomized(some, variant))]
        if coded:
            return [_read(blocks, variant, gap) for variant in coded]
    return []


def _frames(blocks: NDArray[np.uint8], code: ReedSolomonSettings | None, gap: int) -> NDArray[np.uint8]:
    """Extract the frames from derandomised blocks, corrected if there is a code."""
    blocks = blocks[:, : blocks.shape[1] - gap]
    if code is None:
        return blocks
    decoder = ReedSolomon(code, None)
    frames = decoder.messages(blocks).copy()
    decoded = decoder.decode(blocks)
    inside = decoded.offset < frames.shape[1]
    frames[decoded.row[inside], decoded.offset[inside]] ^= decoded.flip[inside]
    return frames[(decoded.n_corrected >= 0).all(axis=1)]


def _with_code(guess: Guess, code: ReedSolomonSettings, *, marked: bool) -> Guess:
    fill = f", {code.virtual_fill} symbols not sent" if code.virtual_fill else ""
    value = f" of value {code.fill_value}" if code.fill_value else ""
    order = ", one after another" if code.codewords == "consecutive" else ""
    layout = f"{code.interleave} a block{order}{fill}{value}"
    text = f"codewords of RS(255, {255 - code.parity}) in {code.basis} basis, {layout}"
    guess = guess.having("reed_solomon", code, text)
    return guess if marked else guess.having("framing", "codeblocks")


def _randomizer_words(score: HeaderScore, code: ReedSolomonSettings | None) -> str:
    if score.good:
        return f"with it {score.n_valid:,} of {score.n:,} headers are of {score.frame_type.upper()} frames"
    return "with it codewords are right" if code else "with it the blocks look most like frames"


def _with_type(guess: Guess, score: HeaderScore) -> Guess:
    settings: LinkSettings = replace(guess.settings, fecf=score.fecf)
    text = (
        f"version of {score.n_valid:,} of {score.n:,} frames, counts of {score.n_followed:,} follow the one before"
        if score.good
        else "a guess: no header is known in these frames"
    )
    guess = replace(guess, settings=settings).having("frame_type", score.frame_type, text)
    if score.fecf:
        return guess.having(
            "fecf", value=True, why=f"the CRC of {score.n_checked:,} of {score.n:,} frames is right"
        )
    text = f"no FECF: the CRC of {score.n_checked:,} of {score.n:,} frames is right"
    return guess.noting(f"{text}; taken off, or never there")
