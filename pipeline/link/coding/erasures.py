"""Correction where the places of some wrong symbols are known: two erasures cost what one error costs.

Blahut's form of Berlekamp-Massey: the search begins with the locator of the erasures (Algebraic Codes for Data
Transmission, 7.4). The slower way, for codewords that come with erasures only.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from .correction import Code, Corrections, error_values, roots
from .field import BETA, EXP, LOG, multiply, reciprocal

_UNCORRECTABLE = -1


def correct_erasures(code: Code, syndromes: NDArray[np.uint8], erased: NDArray[np.bool_]) -> Corrections:
    """Errors of m codewords from `syndromes: uint8[m, parity]`, symbols `erased: bool[m, n_symbols]` being unknown.

    As `correction.correct`; counted are the symbols that really were wrong.
    """
    wide = _wide(code.parity, 255 - code.n_symbols)
    by_order = np.ascontiguousarray(syndromes.T).astype(np.intp)
    n_erased = erased.sum(axis=1)
    # More erasures than parity symbols are hopeless; they are taken as none so that the arrays fit.
    erased = erased & (n_erased <= code.parity)[:, None]
    locator, degree = _errata_locator(by_order, _erasure_locator(code, erased), erased.sum(axis=1))
    word, position = roots(wide, locator)
    n_roots = np.bincount(word, minlength=len(syndromes))
    good = (n_roots == degree) & (2 * degree - n_erased <= code.parity) & (n_erased <= code.parity)
    kept = good[word]
    word, position = word[kept], position[kept]
    value = error_values(code, by_order, locator, word, position)
    wrong = value != 0
    n_wrong = np.bincount(word[wrong], minlength=len(syndromes))
    counts = np.where(good, n_wrong, _UNCORRECTABLE).astype(np.int16)
    return counts, word[wrong], position[wrong], value[wrong]


@cache
def _wide(parity: int, fill: int) -> Code:
    """The same code with room for locators of as many symbols as there is parity."""
    return Code.ccsds(parity, fill, degree=parity)


def _erasure_locator(code: Code, erased: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Product of (1 - X x) over the erased symbols of each codeword: intp[parity + 1, m]."""
    m = len(erased)
    locator = np.zeros((code.parity + 1, m), np.intp)
    locator[0] = 1
    word, position = np.nonzero(erased)
    rank = np.arange(len(word)) - np.searchsorted(word, word)
    for k in range(int(rank.max(initial=-1)) + 1):
        chosen = rank == k
        columns, exponent = word[chosen], BETA * (code.n_symbols - 1 - position[chosen]) % 255
        shifted = EXP[LOG[locator[:-1, columns]] + exponent]
        locator[1:, columns] ^= shifted
    return locator


def _errata_locator(
    syndromes: NDArray[np.intp], erasures: NDArray[np.intp], n_erased: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Locator of erasures and errors intp[parity + 1, m], and its degree intp[m]."""
    parity = len(syndromes)
    locator, degree = erasures.copy(), n_erased.copy()
    helper = np.zeros_like(erasures)
    helper[1:] = erasures[:-1]
    for order in range(parity):
        searching = order >= n_erased
        products = multiply(locator[: order + 1], syndromes[order::-1])
        discrepancy = np.where(searching, np.bitwise_xor.reduce(products, axis=0), 0)
        longer = (discrepancy != 0) & (2 * degree <= order + n_erased)
        update = multiply(helper, np.broadcast_to(discrepancy, helper.shape))
        scaled = multiply(locator, np.broadcast_to(reciprocal(discrepancy), locator.shape))
        following = np.where(longer, scaled, helper)
        helper[1:] = np.where(searching, following[:-1], helper[1:])
        helper[0] = np.where(searching, 0, helper[0])
        locator ^= update
        degree = np.where(longer, order + 1 + n_erased - degree, degree)
    return locator, degree
