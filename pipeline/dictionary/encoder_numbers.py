"""The bits of one number as a packet holds it: integers in each form, IEEE 754 and MIL-STD-1750A floats.

Written apart from the decoder, in plain Python, for the encoder.
"""

from __future__ import annotations

import math
import struct
from typing import Any

from .model.encodings import NumberEncoding

FLOAT_FORMATS = {16: ">e", 32: ">f", 64: ">d"}


def pattern(value: Any, encoding: NumberEncoding) -> int:
    """The bits of a number as they are sent, first bit highest. Raises ValueError where it does not fit."""
    size = encoding.size_bits
    bits = _float_bits(float(value), encoding) if encoding.is_float else integer_bits(int(value), encoding)
    text = f"{bits:0{size}b}"
    if size % 8:
        return int(text[::-1] if encoding.mirrored else text, 2)
    octets = [text[i : i + 8] for i in range(0, size, 8)]
    if encoding.places:
        octets = [octets[encoding.places.index(i)] for i in range(len(octets))]
    if encoding.little_endian:
        octets.reverse()
    return int("".join(octet[::-1] if encoding.mirrored else octet for octet in octets), 2)


def integer_bits(value: int, encoding: NumberEncoding) -> int:
    """The bits of an integer, most significant first. Raises ValueError where it does not fit."""
    size, form = encoding.size_bits, encoding.form
    half, magnitude = 1 << (size - 1), abs(value)
    if form == "BCD":
        digits = str(value)
        if value < 0 or len(digits) * 4 > size:
            raise ValueError(f"{value} does not fit into {size // 4} digits")
        return int(digits, 16)
    low, high = {"unsigned": (0, 2 * half - 1), "twosComplement": (-half, half - 1)}.get(form, (1 - half, half - 1))
    if not low <= value <= high:
        raise ValueError(f"{value} does not fit into {size} bits ({form})")
    if value >= 0:
        return value
    return {"twosComplement": 2 * half - magnitude, "onesComplement": 2 * half - 1 - magnitude}.get(
        form, half + magnitude
    )


def _float_bits(value: float, encoding: NumberEncoding) -> int:
    if encoding.form == "IEEE754":
        return int.from_bytes(struct.pack(FLOAT_FORMATS[encoding.size_bits], value), "big")
    low_bits = encoding.size_bits - 32
    width = 24 + low_bits
    fraction, exponent = math.frexp(value)
    mantissa = round(math.ldexp(fraction, width - 1))
    if mantissa == 1 << (width - 1):
        mantissa, exponent = mantissa >> 1, exponent + 1
    if not -128 <= exponent <= 127:
        raise ValueError(f"{value} does not fit into MIL-STD-1750A")
    stored: int = mantissa & ((1 << width) - 1)
    high, low = stored >> low_bits, stored & ((1 << low_bits) - 1)
    return high << (8 + low_bits) | (exponent & 0xFF) << low_bits | low
