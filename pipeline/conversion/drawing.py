"""Draw raw values for made packets: limits of each encoding, and random values.

In: a type and a generator of random numbers. Out: a raw value that fits into its encoding.
"""

from __future__ import annotations

import random
from math import inf, nan
from typing import Any

from ..dictionary.model.encodings import NumberEncoding, StringEncoding, Tagged, Terminated
from ..dictionary.model.parameter_types import BooleanType, EnumeratedType, SpelledType

ZEROS, ONES, LEAST, MOST, SIGNS, NOT_NUMBERS, RANDOM = "zeros", "ones", "least", "most", "signs", "nan", "random"
STYLES = (ZEROS, ONES, LEAST, MOST, SIGNS, NOT_NUMBERS)
"""Values of the first packets of each container; others are random."""
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
MAX_TEXT = 12
LARGEST: dict[int, float] = {16: 65504.0, 32: 3.4028234663852886e38, 64: 1.7976931348623157e308}
LEAST_NORMAL: dict[int, float] = {16: 6.103515625e-05, 32: 1.1754943508222875e-38, 64: 2.2250738585072014e-308}
EDGE, LABEL = 0.3, 0.8
"""Probability that a random value is a limit, and that one of an enumeration has a label."""


def bounds(encoding: NumberEncoding) -> tuple[int, int]:
    """The smallest and largest integer of an encoding."""
    half = 1 << (encoding.size_bits - 1)
    if encoding.form == "BCD":
        return 0, 10 ** (encoding.size_bits // 4) - 1
    if encoding.form == "unsigned":
        return 0, 2 * half - 1
    return (-half, half - 1) if encoding.form == "twosComplement" else (1 - half, half - 1)


def number(encoding: NumberEncoding, style: str, dice: random.Random) -> Any:
    """A number in one of STYLES, or RANDOM."""
    return _real(encoding, style, dice) if encoding.is_float else _integer(encoding, style, dice)


def _integer(encoding: NumberEncoding, style: str, dice: random.Random) -> int:
    low, high = bounds(encoding)
    half = 1 << (encoding.size_bits - 1)
    signs = [value for value in (-1, 1, half - 1, half, -half, half >> 1) if low <= value <= high] or [high]
    ones = -1 if encoding.form == "twosComplement" else high
    known = {ZEROS: 0, ONES: ones, LEAST: low, MOST: high}
    if style in known:
        return known[style]
    if style == SIGNS:
        return dice.choice(signs)
    return dice.choice([*known.values(), *signs]) if dice.random() < EDGE else dice.randint(low, high)


def _real(encoding: NumberEncoding, style: str, dice: random.Random) -> float:
    if encoding.form != "IEEE754":
        return {ZEROS: 0.0, ONES: -1.0}.get(style, dice.uniform(-1e6, 1e6))
    most, least = LARGEST[encoding.size_bits], LEAST_NORMAL[encoding.size_bits]
    known: dict[str, float] = {ZEROS: 0.0, ONES: -nan, LEAST: -most, MOST: most}
    if style in known:
        return known[style]
    signs = (-0.0, -1.0, 1.0, least, -least, least / 4)
    if style == SIGNS:
        return dice.choice(signs)
    if style == NOT_NUMBERS:
        return dice.choice((nan, inf, -inf))
    if dice.random() < EDGE:
        return dice.choice((*known.values(), *signs, nan, inf, -inf))
    scale: float = min(most, 1e30) ** dice.uniform(0.0, 1.0)
    return dice.uniform(-1.0, 1.0) * scale


def coded(kind: EnumeratedType | BooleanType, style: str, dice: random.Random) -> Any:
    """The raw value of a label or boolean; sometimes one without a label."""
    low, high = bounds(kind.encoding)
    if isinstance(kind, BooleanType):
        return dice.choice((0, 1)) if style == RANDOM else _integer(kind.encoding, style, dice)
    known = [(max(first, low), min(last, high)) for first, last, _ in kind.labels if first <= high and last >= low]
    if not kind.encoding.is_float and known and style == RANDOM and dice.random() < LABEL:
        return dice.randint(*dice.choice(known))
    return number(kind.encoding, style, dice)


def text(encoding: StringEncoding, n_bytes: int | None, style: str, dice: random.Random) -> str:
    """A text of letters and digits that fits. `n_bytes`: of the buffer; None: the text has its own end."""
    width = len("A".encode(encoding.charset))
    room = n_bytes
    if isinstance(encoding.size, Terminated | Tagged):
        ending = len(encoding.terminator) if isinstance(encoding.size, Terminated) else 0
        room = min(encoding.size.max_bits // 8 - ending, MAX_TEXT * width)
        if isinstance(encoding.size, Tagged):
            room = min(room, ((1 << encoding.size.tag_bits) - 1) * encoding.size.unit_bits // 8)
    elif encoding.tag_bits and room is not None:
        room -= encoding.tag_bits // 8
    most = max((room or 0) // width, 0)
    n = {ZEROS: 0, MOST: most}.get(style, dice.randint(0, most))
    taken = encoding.terminator.decode(encoding.charset, "ignore")
    return "".join(dice.choice([each for each in LETTERS if each not in taken]) for _ in range(n))


def spelled(kind: SpelledType, n_bytes: int | None, dice: random.Random) -> Any:
    """The text of a number, label or boolean, of at least one digit."""
    value = kind.value
    if isinstance(value, BooleanType):
        return dice.choice((0, 1))
    if isinstance(value, EnumeratedType):
        return str(dice.choice(value.labels)[0])
    digits = max(min(n_bytes or 4, 6), 1)
    most = 10**digits - 1
    return str(dice.randint(0, most))


def octets(size_bits: int, style: str, dice: random.Random) -> bytes:
    """Random bytes of a size in bits; if it is not whole bytes, the first one begins with zeros."""
    n_bytes = (size_bits + 7) // 8
    if style == ZEROS:
        return bytes(n_bytes)
    whole = b"\xff" * n_bytes if style in {ONES, MOST} else dice.randbytes(n_bytes)
    return (int.from_bytes(whole, "big") >> (-size_bits % 8)).to_bytes(n_bytes, "big")
