"""Channel coding: Reed-Solomon parity, for many codewords at once, and the randomiser (CCSDS 131.0-B).

Parity has 32 symbols, in conventional basis (4.3). Arithmetic is by logarithm tables of the field of
F(x) = x^8 + x^7 + x^2 + x + 1; the encoder is the standard's division circuit, with a register for each codeword.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from .arrays import Longs, Octets

N_PARITY = 32
_FIELD = 0x187
_FIRST_ROOT = 112
_ROOT_STEP = 11


@cache
def _tables() -> tuple[Longs, Longs]:
    """Powers of alpha [510] and logarithms [256] (that of 0 is meaningless)."""
    power = np.zeros(510, np.int64)
    logarithm = np.zeros(256, np.int64)
    element = 1
    for exponent in range(255):
        power[exponent] = power[exponent + 255] = element
        logarithm[element] = exponent
        element = element << 1 if element < 128 else (element << 1) ^ _FIELD
    return power, logarithm


def multiply(a: Longs, b: Longs) -> Longs:
    """Product of field elements."""
    power, logarithm = _tables()
    return np.where((a == 0) | (b == 0), 0, power[logarithm[a] + logarithm[b]])


@cache
def generator() -> Longs:
    """g(x) = product of (x - alpha^(11 j)), j = 112..143: int64[33], highest power first."""
    power, _ = _tables()
    polynomial = np.array([1], np.int64)
    for j in range(_FIRST_ROOT, _FIRST_ROOT + N_PARITY):
        root = np.int64(power[_ROOT_STEP * j % 255])
        shifted = np.append(polynomial, 0)
        shifted[1:] ^= multiply(polynomial, np.full_like(polynomial, root))
        polynomial = shifted
    return polynomial


@cache
def _feedback() -> Octets:
    """What each value at the register's head adds to the register: uint8[256, 32]."""
    heads = np.repeat(np.arange(256)[:, None], N_PARITY, axis=1)
    return multiply(heads, np.tile(generator()[1:], (256, 1))).astype(np.uint8)


def parity(messages: Octets) -> Octets:
    """Parity uint8[n, 32] of messages uint8[n, k], k up to 223; missing leading symbols are virtual fill, zero."""
    table = _feedback()
    register = np.zeros((len(messages), N_PARITY + 1), np.uint8)
    for symbols in messages.T:
        fed_back = table[register[:, 0] ^ symbols]
        register[:, :N_PARITY] = register[:, 1:] ^ fed_back
    return register[:, :N_PARITY].copy()


def encode_frames(frames: Octets, interleave: int) -> Octets:
    """Coded blocks uint8[n, length + 32 * interleave] of transfer frames uint8[n, length].

    Symbol i goes to codeword i modulo the depth, parity in the same turn (4.4.1).
    """
    n, length = frames.shape
    codewords = frames.reshape(n, length // interleave, interleave).swapaxes(1, 2).reshape(n * interleave, -1)
    check = parity(codewords).reshape(n, interleave, N_PARITY).swapaxes(1, 2).reshape(n, -1)
    return np.hstack([frames, check])


def randomizer(n_bytes: int) -> Octets:
    """The first bytes of the sequence of h(x) = x^8 + x^7 + x^5 + x^3 + 1, register all ones at each marker."""
    bits = np.ones(n_bytes * 8, np.uint8)
    for i in range(8, bits.size):
        bits[i] = bits[i - 1] ^ bits[i - 3] ^ bits[i - 5] ^ bits[i - 8]
    return np.packbits(bits)
