"""Integers and floats of any width at any bit: from rows of bytes to native arrays, a few NumPy calls a run.

A `Run` is a number, or numbers of one encoding at even distances: the elements of an array, or neighbouring
parameters. It is compiled to `Load`s: each reads a window of 1, 2, 4 or 8 bytes in one strided view, shifts and
masks. Elements that are no whole number of bytes apart fall into at most 8 loads, one for each bit phase.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.encodings import NumberEncoding
from .rows import MIN_ROW_BYTES, Chunk

Array = NDArray[Any]
MIRROR = np.array([int(f"{value:08b}"[::-1], 2) for value in range(256)], np.uint8)
SIGNED_FORMS = frozenset({"twosComplement", "onesComplement", "signMagnitude"})


def dtype_of(encoding: NumberEncoding) -> np.dtype[Any]:
    """The smallest native dtype that holds every value of the encoding."""
    if encoding.is_float:
        return np.dtype(f"f{encoding.size_bits // 8}" if encoding.form == "IEEE754" else "f8")
    n_bytes = next(each for each in (1, 2, 4, 8) if each * 8 >= encoding.size_bits)
    return np.dtype(f"{'i' if encoding.form in SIGNED_FORMS else 'u'}{n_bytes}")


@dataclass(frozen=True, slots=True)
class Load:
    """Elements `first::step` of a run, read through windows `stride_bytes` apart.

    `shift`: bits of the window behind the value. `spill`: bits of a ninth byte that belong to the value.
    `plain`: the window is the value.
    """

    first: int
    step: int
    count: int
    byte: int
    stride_bytes: int
    window: np.dtype[Any]
    shift: int = 0
    spill: int = 0
    plain: bool = False
    turn: bool = False
    """`spill` of a little-endian window: the ninth byte stands above the others."""


@dataclass(frozen=True, slots=True)
class Run:
    """Numbers of one encoding at even distances in the row."""

    encoding: NumberEncoding
    loads: tuple[Load, ...]

    def fill(self, out: Array, chunk: Chunk) -> None:
        """Write the raw values into `out: [count, rows of the chunk]`, of the dtype of the encoding."""
        for load in self.loads:
            part = out if load.step == 1 and load.count == len(out) else out[load.first :: load.step][: load.count]
            strides = load.stride_bytes, chunk.stride_bytes
            view: Array = np.ndarray(part.shape, load.window, chunk.buffer, chunk.offset + load.byte, strides)
            part[...] = view if load.plain else self._shifted(load, view, chunk)

    def _shifted(self, load: Load, view: Array, chunk: Chunk) -> Array:
        bits = view.astype(load.window.newbyteorder("="), order="C")
        size_bits, width_bits = self.encoding.size_bits, load.window.itemsize * 8
        if load.spill:
            ninth = np.ndarray(
                view.shape,
                np.uint8,
                chunk.buffer,
                chunk.offset + load.byte + 8,
                (load.stride_bytes, chunk.stride_bytes),
            )
            if load.turn:
                bits >>= np.uint64(8 - load.spill)
                bits |= ninth.astype(np.uint64) << np.uint64(56 + load.spill)
            else:
                bits <<= np.uint64(load.spill)
                bits |= ninth >> np.uint8(8 - load.spill)
        elif load.shift:
            bits >>= bits.dtype.type(load.shift)
        if size_bits < width_bits:
            bits &= bits.dtype.type((1 << size_bits) - 1)
        return interpret(_in_order(bits, self.encoding), self.encoding)


@dataclass(frozen=True, slots=True, eq=False)
class BitPack:
    """Unsigned bit fields of one dtype that stand in one window."""

    byte: int
    window: np.dtype[Any]
    shifts: Array
    masks: Array

    def fill(self, out: Array, chunk: Chunk) -> None:
        """Write the raw values into `out: [fields, rows of the chunk]`."""
        # What is cut off when the shifted window becomes narrower, the mask would have taken away.
        out[...] = chunk.window(self.byte, self.window) >> self.shifts
        out &= self.masks


def _in_order(bits: Array, encoding: NumberEncoding) -> Array:
    """The most significant byte, and in each byte the most significant bit, first."""
    if encoding.places:
        return _in_places(bits, encoding)
    surplus = bits.dtype.type(bits.itemsize * 8 - encoding.size_bits)
    if encoding.mirrored:
        bits = MIRROR[bits.view(np.uint8)].view(bits.dtype)
        if encoding.size_bits % 8:
            # No whole bytes: the field is one string of bits, turned end for end.
            return np.asarray(bits.byteswap() >> surplus)
    if encoding.little_endian:
        bits = bits.byteswap() >> surplus
    return bits


def _in_places(bits: Array, encoding: NumberEncoding) -> Array:
    """Bytes of a mixed order, which came as if the most significant one were the first."""
    total, n, unit = np.zeros_like(bits), len(encoding.places), bits.dtype.type
    for k, place in enumerate(encoding.places):
        byte = (bits >> unit(8 * (n - 1 - place))) & unit(0xFF)
        total |= byte << unit(8 * (n - 1 - k))
    return total


def interpret(bits: Array, encoding: NumberEncoding) -> Array:
    """What the bits mean; `bits` are unsigned, the value at their low end and nothing above it."""
    size_bits, signed = encoding.size_bits, np.dtype(f"i{bits.dtype.itemsize}")
    if encoding.form == "MILSTD_1750A":
        return _from_1750a(bits.astype(np.uint64), size_bits)
    if encoding.form == "BCD":
        return _from_bcd(bits)
    if encoding.form == "IEEE754":
        return bits.astype(f"u{size_bits // 8}").view(f"f{size_bits // 8}")
    if encoding.form not in SIGNED_FORMS:
        return bits
    unit = bits.dtype.type
    sign = bits >> unit(size_bits - 1)
    if encoding.form == "signMagnitude":
        magnitude = (bits & unit((1 << (size_bits - 1)) - 1)).view(signed)
        negative = -sign.view(signed)
        return np.asarray((magnitude ^ negative) - negative)
    top = unit(1 << (size_bits - 1))
    twos = ((bits ^ top) - top).view(signed)
    return np.asarray(twos if encoding.form == "twosComplement" else twos + sign.view(signed))


def _from_1750a(bits: Array, size_bits: int) -> Array:
    """MIL-STD-1750A 4.1.5: 24 bits of mantissa, 8 of exponent, and in 48 bits 16 more of mantissa; both two's
    complement, the mantissa a fraction.
    """
    low_bits = size_bits - 32
    exponent = (bits >> np.uint64(low_bits)).astype(np.uint8).view(np.int8).astype(np.int32)
    high = (bits >> np.uint64(low_bits + 8)) << np.uint64(low_bits)
    mantissa = high | (bits & np.uint64((1 << low_bits) - 1))
    width = 24 + low_bits
    signed = (mantissa << np.uint64(64 - width)).view(np.int64)
    return np.ldexp(signed.astype(np.float64), exponent - 63)


def _from_bcd(bits: Array) -> Array:
    """Decimal digits of 4 bits, the most significant first."""
    total, unit = np.zeros_like(bits), bits.dtype.type
    for nibble in reversed(range(bits.itemsize * 2)):
        total = total * unit(10) + ((bits >> unit(4 * nibble)) & unit(15))
    return total


def compile_run(encoding: NumberEncoding, offset_bits: int, count: int, stride_bits: int, row_bytes: int) -> Run:
    """Plan the loads for rows of `row_bytes` (at least MIN_ROW_BYTES) that hold every element."""
    assert row_bytes >= MIN_ROW_BYTES
    n_phases = min(8 // gcd(stride_bits, 8), count)
    loads: list[Load] = []
    for phase in range(n_phases):
        n_elements = (count - phase + n_phases - 1) // n_phases
        first_bit = offset_bits + phase * stride_bits
        step_bytes = n_phases * stride_bits // 8 if n_elements > 1 else 0
        loads += _loads(encoding, first_bit, n_elements, step_bytes, row_bytes, phase, n_phases)
    return Run(encoding, tuple(loads))


def _loads(
    encoding: NumberEncoding, first_bit: int, count: int, step_bytes: int, row_bytes: int, phase: int, n_phases: int
) -> list[Load]:
    size_bits, byte, phase_bits = encoding.size_bits, first_bit // 8, first_bit % 8
    if phase_bits == 0 and encoding.is_plain:
        window = _plain_window(encoding)
        return [Load(phase, n_phases, count, byte, step_bytes, window, plain=True)]
    span_bytes, end = (phase_bits + size_bits + 7) // 8, "<" if encoding.lsb_first else ">"
    if span_bytes > 8:
        spill = phase_bits + size_bits - 64
        if encoding.lsb_first:
            spill = 8 - phase_bits
        window = np.dtype(f"{end}u8")
        return [Load(phase, n_phases, count, byte, step_bytes, window, spill=spill, turn=encoding.lsb_first)]
    width = next(each for each in (1, 2, 4, 8) if each >= span_bytes)
    overhang = byte + (count - 1) * step_bytes + width - row_bytes
    if overhang <= byte:
        # The window of every element is moved back by what the last one would stand over the row's end.
        back = max(overhang, 0)
        if back <= width - span_bytes:
            before, behind = phase_bits + back * 8, width * 8 - (phase_bits + size_bits) - back * 8
            shift = before if encoding.lsb_first else behind
            return [Load(phase, n_phases, count, byte - back, step_bytes, np.dtype(f"{end}u{width}"), shift)]
    head = _loads(encoding, first_bit, count - 1, step_bytes, row_bytes, phase, n_phases)
    last_bit, last = first_bit + (count - 1) * step_bytes * 8, phase + (count - 1) * n_phases
    return [*head, *_loads(encoding, last_bit, 1, step_bytes, row_bytes, last, 1)]


def _plain_window(encoding: NumberEncoding) -> np.dtype[Any]:
    return dtype_of(encoding).newbyteorder("<" if encoding.little_endian else ">")
