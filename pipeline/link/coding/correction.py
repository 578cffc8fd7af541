"""Error positions and values of Reed-Solomon codewords, for many codewords at once.

Berlekamp-Massey finds the error locator polynomial, a table of its values at every position the error positions (Chien
search), Forney's formula the error values. Arrays run over the codewords, loops over syndromes and coefficients.

Source: Blahut, Algebraic Codes for Data Transmission, 7.4-7.5; the roots of the code as in CCSDS 131.0-B 4.3.4.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .field import BETA, EXP, LOG, LOG_OF_ZERO, multiply, reciprocal

_UNCORRECTABLE = -1
_POSITIONS = 256


@dataclass(frozen=True, slots=True)
class Code:
    """A (255, 255 - parity) code, shortened by `fill` symbols that are not sent.

    `locator_values: uint8[t + 1, 256, 256]`: coefficient k of value v adds `[k, v, j]` to the locator at the
    inverse of sent position j; columns beyond the codeword never give a root.
    """

    parity: int
    first_root: int
    n_symbols: int
    locator_values: NDArray[np.uint8]

    @staticmethod
    def ccsds(parity: int, fill: int) -> Code:
        """The code whose roots are beta^j, 128 - E <= j <= 127 + E (131.0-B 4.3.4)."""
        n_coefficients = 1 + parity // 2
        n_symbols = 255 - fill
        exponent = np.arange(n_symbols - 1, -1, -1)
        values = np.zeros((n_coefficients, 256, _POSITIONS), np.uint8)
        for k in range(n_coefficients):
            values[k, :, :n_symbols] = EXP[(-k * BETA * exponent) % 255 + LOG[:, None]]
        values[0, :, n_symbols:] = 1
        return Code(parity, 128 - parity // 2, n_symbols, values)


Corrections = tuple[NDArray[np.int16], NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]


def correct(code: Code, syndromes: NDArray[np.uint8]) -> Corrections:
    """Errors of m codewords from their `syndromes: uint8[m, parity]`.

    Returns the number of wrong symbols of each (int16[m], -1: more than the code can correct), then for each wrong
    symbol its codeword, its position among the sent symbols, and its error value (conventional basis).
    """
    by_order = np.ascontiguousarray(syndromes.T).astype(np.intp)
    locator, n_errors = _locator(by_order)
    word, position = roots(code, locator)
    n_roots = np.bincount(word, minlength=len(syndromes))
    good = (n_roots == n_errors) & (n_errors <= code.parity // 2)
    kept = good[word]
    word, position = word[kept], position[kept]
    value = error_values(code, by_order, locator, word, position)
    counts = np.where(good, n_errors, _UNCORRECTABLE).astype(np.int16)
    return counts, word, position, value


def _locator(syndromes: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Berlekamp-Massey: locator coefficients intp[t + 1, m] and degree intp[m] (above t: uncorrectable)."""
    parity, m = syndromes.shape
    t = parity // 2
    log_syndromes = LOG[syndromes]
    locator = np.zeros((t + 1, m), np.intp)
    locator[0] = 1
    # The correction polynomial as logarithms, without its constant term (0). At every order it is read from one row
    # earlier, which multiplies it by x.
    rows = np.full((parity + t, m), LOG_OF_ZERO, np.intp)
    rows[parity] = 0
    degree = np.zeros(m, np.intp)
    for order in range(parity):
        top = min(order, t)
        log_helper = rows[parity - order :][:t]
        log_locator = LOG[locator[: top + 1]]
        window = log_syndromes[order - top : order + 1][::-1]
        discrepancy = np.bitwise_xor.reduce(EXP[log_locator + window], axis=0)
        if not discrepancy.any():
            if order >= 2 * degree.max() and _explains(locator, log_syndromes, order + 1):
                break
            continue
        log_discrepancy = LOG[discrepancy]
        reach = min(order + 1, t)
        locator[1 : reach + 1] ^= EXP[log_helper[:reach] + log_discrepancy]
        longer = (discrepancy != 0) & (2 * degree <= order)
        if longer.any():
            following = rows[parity - order - 1 :][:t]
            width = min(top + 1, t)
            np.copyto(following[:width], log_locator[:width] + (255 - log_discrepancy), where=longer)
            np.copyto(following[width : width + 1], LOG_OF_ZERO, where=longer)
            degree = np.where(longer, order + 1 - degree, degree)
    return locator, degree


def _explains(locator: NDArray[np.intp], log_syndromes: NDArray[np.intp], first: int) -> bool:
    """Whether the locators generate all syndromes from `first` on; then the iteration can end early."""
    log_locator = LOG[locator]
    left = np.zeros_like(log_syndromes[first:])
    for k in range(min(len(locator), first + 1)):
        left ^= EXP[log_locator[k] + log_syndromes[first - k : len(log_syndromes) - k]]
    return not left.any()


def roots(code: Code, locator: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Codeword and position of each root of the locators `intp[t + 1, m]`, in order: intp[k] each."""
    m = locator.shape[1]
    value = np.zeros((m, _POSITIONS // 8), np.uint64)
    for k, coefficient in enumerate(locator):
        if k and not coefficient.any():
            continue
        value ^= code.locator_values[k].view(np.uint64)[coefficient]
    word, position = np.nonzero(value.view(np.uint8) == 0)
    return word, position


def error_values(
    code: Code,
    syndromes: NDArray[np.intp],
    locator: NDArray[np.intp],
    word: NDArray[np.intp],
    position: NDArray[np.intp],
) -> NDArray[np.intp]:
    """Forney: Y = X^(1 - b) Omega(1/X) / Lambda'(1/X), where b is the first root's exponent."""
    n_terms = int(np.nonzero(locator.any(axis=1))[0].max(initial=0))
    log_locator, log_syndromes = LOG[locator[: n_terms + 1]], LOG[syndromes]
    of_position = BETA * np.arange(code.n_symbols - 1, -1, -1)  # X = alpha^this
    inverse, double = (-of_position % 255)[position], (-2 * of_position % 255)[position]
    omega = np.zeros(len(word), np.intp)
    for k in range(n_terms - 1, -1, -1):
        coefficient = np.bitwise_xor.reduce(EXP[log_locator[: k + 1] + log_syndromes[k::-1]], axis=0)
        omega = EXP[LOG[omega] + inverse] ^ coefficient[word]
    slope = np.zeros(len(word), np.intp)
    for k in range(n_terms - (n_terms + 1) % 2, 0, -2):
        slope = EXP[LOG[slope] + double] ^ locator[k][word]
    log_factor = (of_position * (1 - code.first_root) % 255)[position]
    values: NDArray[np.intp] = EXP[LOG[multiply(omega, reciprocal(slope))] + log_factor]
    return values
