"""The field of the CCSDS Reed-Solomon code, GF(256), as tables.

Field polynomial x^8 + x^7 + x^2 + x + 1 (CCSDS 131.0-B 4.3.3); codes are written in powers of beta = alpha^11
(4.3.4). Products are computed by logarithms, `EXP[LOG[a] + LOG[b]]`. The logarithm of zero is so large that `EXP` is
zero there, also for sums of up to three logarithms and a few multiples of 255; so no remainder has to be computed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FIELD_POLYNOMIAL = 0x187
BETA = 11
"""beta is alpha to this power."""
LOG_OF_ZERO = 1024

# Matrix T of 131.0-B annex F: what each conventional bit, least significant first, adds in the dual basis.
_DUAL_OF_BIT = (0x7B, 0xAF, 0x99, 0xFA, 0x86, 0xEC, 0xEF, 0x8D)


def _powers() -> NDArray[np.intp]:
    """EXP: intp[3073], alpha^k for k below 1,024, then zeros for products with zero."""
    exp = np.zeros(3 * LOG_OF_ZERO + 1, np.intp)
    value = 1
    for k in range(LOG_OF_ZERO):
        exp[k] = value
        value <<= 1
        if value & 0x100:
            value ^= FIELD_POLYNOMIAL
    return exp


def _logarithms(exp: NDArray[np.intp]) -> NDArray[np.intp]:
    log = np.full(256, LOG_OF_ZERO, np.intp)
    log[exp[:255]] = np.arange(255)
    return log


def _dual_of_conventional() -> NDArray[np.uint8]:
    symbols = np.arange(256)
    dual = np.zeros(256, np.uint8)
    for bit, column in enumerate(_DUAL_OF_BIT):
        dual ^= np.where(symbols >> bit & 1, column, 0).astype(np.uint8)
    return dual


EXP = _powers()
LOG = _logarithms(EXP)
DUAL_OF_CONVENTIONAL = _dual_of_conventional()
CONVENTIONAL_OF_DUAL = np.argsort(DUAL_OF_CONVENTIONAL).astype(np.uint8)


def multiply(a: NDArray[np.intp], b: NDArray[np.intp]) -> NDArray[np.intp]:
    """Product of two arrays of field elements, element by element."""
    product: NDArray[np.intp] = EXP[LOG[a] + LOG[b]]
    return product


def reciprocal(a: NDArray[np.intp]) -> NDArray[np.intp]:
    """1 / a, element by element; undefined where a is zero."""
    return EXP[(255 - LOG[a]) % 255]
