"""Detects code, randomiser, frame length, frame type and FECF of the blocks of a link."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..coding.reed_solomon import ReedSolomon
from ..settings import LinkSettings, ReedSolomonSettings
from .codes import clean_share, find_code, find_noisy_code
from .guess import Guess
from .headers import HeaderScore, best_type, checked_length
from .periods import VARIANTS, derandomized

_LONGEST_GAP = 160
"""Between two frames: a suffix and a prefix."""
_PARITIES = sorted({symbols * interleave for symbols in (16, 32) for interleave in range(1, 9)}, reverse=True)
"""Bytes of parity that a block may have."""
_BLOCKS = 400
_CLEAN = 0.5
"""Share of codewords without a wrong symbol. One with a symbol more or less is right by chance, once in 256."""


class Reading(NamedTuple):
    """Blocks under a randomiser and a code; `gap`: bytes behind each; `clean`: share of right codewords."""

    score: HeaderScore
    variant: str
    code: ReedSolomonSettings | None
    gap: int
    clean: float


def guess_of_blocks(
    guess: Guess, blocks: NDArray[np.uint8], *, framing: Literal["cadu", "frames"], frame_length: int = 0
) -> tuple[Guess, int]:
    """Add code, randomiser and type of `blocks: uint8[n, L]`; also returns how many bytes at their end are not theirs.

    Framing "cadu": the blocks follow markers, and may be randomised; "frames": already derandomised, perhaps with a
    code. `frame_length`: length of the frames in them if it is known, otherwise 0.
    """
    some = blocks[:_BLOCKS]
    marked = framing == "cadu"
    variants = VARIANTS if marked else VARIANTS[:1]
    readings = [_read(some, variant, 0) for variant in variants]
    if not any(one.clean >= _CLEAN or (one.score.fecf and not one.code) for one in readings):
        readings += _shorter(some, variants, frame_length)
    if not any(one.code or one.score.fecf for one in readings):
        readings += [_read(some, variant, 0, noisy=True) for variant in variants]
    score, variant, code, gap, _ = max(readings, key=_reading_rank)
    if marked and variant != "none":
        guess = guess.having("randomizer", value=True, why=_randomizer_words(score, code))
        guess = guess.having("long_randomizer", variant == "long")
    frames = _frames(derandomized(some, variant) if marked else some, code, gap)
    if code is not None:
        guess = _with_code(guess, code, marked=marked)
    length = frames.shape[1]
    shorter = 0 if code or score.fecf else frame_length or checked_length(frames)
    if shorter and shorter < length:
        gap += length - shorter
        frames, length = frames[:, :shorter], shorter
        score = best_type(frames)
    elif not marked and guess.settings.randomizer and code is None:
        guess = guess.having("framing", "codeblocks")
    guess = guess.having("frame_length_bytes", length)
    return _with_type(guess, score), gap


def _reading_rank(reading: Reading) -> tuple[bool, float, bool, int, int]:
    return reading.score.good, reading.clean, reading.code is not None, *reading.score.rank[1:]


def _read(blocks: NDArray[np.uint8], variant: str, gap: int, *, noisy: bool = False) -> Reading:
    """Read the blocks without their last `gap` bytes, with one randomiser. `noisy`: any codeword may have errors."""
    plain = derandomized(blocks[:, : blocks.shape[1] - gap], variant)
    code = find_noisy_code(plain) if noisy else find_code(plain)
    return Reading(best_type(_frames(plain, code, 0)), variant, code, gap, clean_share(plain, code))


def _shorter(blocks: NDArray[np.uint8], variants: tuple[str, ...], frame_length: int) -> list[Reading]:
    """Read the blocks without some bytes at their end such that a code fits; empty if none does."""
    longest = min(_LONGEST_GAP, blocks.shape[1] - 64)
    known = frame_length or max(checked_length(derandomized(blocks, one)) for one in variants)
    gaps = [blocks.shape[1] - known - parity for parity in _PARITIES] if known else range(1, longest + 1)
    readings: list[Reading] = []
    for gap in (one for one in gaps if 0 < one <= longest):
        found = [one for one in variants if find_code(derandomized(blocks[:8, : blocks.shape[1] - gap], one))]
        readings += [_read(blocks, variant, gap) for variant in found]
        if readings and readings[-1].clean >= _CLEAN:
            break
    return readings


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
    guess = replace(guess, settings=settings, has_headers=score.good).having("frame_type", score.frame_type, text)
    if score.fecf:
        return guess.having(
            "fecf", value=True, why=f"the CRC of {score.n_checked:,} of {score.n:,} frames is right"
        )
    text = f"no FECF: the CRC of {score.n_checked:,} of {score.n:,} frames is right"
    return guess.noting(f"{text}; taken off, or never there")
