"""The bits of numbers and check words as a packet holds them: integers in each form, floats, CRCs, sums.

Written apart from the decoder, in plain Python, for the encoder.
"""

from __future__ import annotations

import math
import struct
from typing import Any

from .model.encodings import CheckAlgorithm, Crc, NumberEncoding

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


def check_word(algorithm: CheckAlgorithm, octets: bytes) -> bytes:
    """The check word over the octets, most significant byte first. Raises ValueError for parity, which has no word."""
    if not algorithm.width_bits or algorithm.width_bits % 8:
        raise ValueError(f"{algorithm.name} is not written: it is no whole bytes")
    value = _crc(algorithm, octets) if isinstance(algorithm, Crc) else _sum(algorithm.name, octets)
    return (value & ((1 << algorithm.width_bits) - 1)).to_bytes(algorithm.width_bits // 8, "big")


def _crc(crc: Crc, octets: bytes) -> int:
    """The shift register, bit by bit."""
    register, top = crc.initial, 1 << (crc.width_bits - 1)
    for octet in octets:
        for i in range(8):
            bit = octet >> (i if crc.reflect_data else 7 - i) & 1
            falls_out = bool(register & top) != bool(bit)
            register = register << 1 & (2 * top - 1)
            register ^= crc.polynomial if falls_out else 0
    if crc.reflect_remainder:
        register = int(f"{register:0{crc.width_bits}b}"[::-1], 2)
    return register ^ crc.final_xor


def _sum(name: str, octets: bytes) -> int:
    if name.startswith("sum"):
        return sum(octets)
    if name == "adler32":
        return _two_sums(list(octets), 65521, 1, 16)
    half = int(name.removeprefix("fletcher")) // 2
    text = "".join(f"{octet:08b}" for octet in octets)
    text += "0" * (-len(text) % half)
    return _two_sums([int(text[i : i + half], 2) for i in range(0, len(text), half)], (1 << half) - 1, 0, half)


def _two_sums(blocks: list[int], modulus: int, first: int, shift: int) -> int:
    """Of Fletcher and Adler: the sum of the blocks, and the sum of these sums."""
    second = 0
    for block in blocks:
        first = (first + block) % modulus
        second = (second + first) % modulus
    return second << shift | first
