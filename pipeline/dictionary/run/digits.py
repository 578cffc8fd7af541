"""Check digits of decimal numbers: Luhn (ISO/IEC 7812-1), Verhoeff (1969) and Damm (2004), of all numbers at once.

The check digit is the last one. XTCE says of none which digits a row of bytes has: so they are those of a text, or
those of a BCD number.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...model.batches import Column, Ragged
from .ragged import byte_matrix
from .spelled import letters_of
from .steps import Slot
from .texts import ToText
from .values import Values

Array = NDArray[Any]
Digits = NDArray[np.uint8]
"""uint8[n, k], NO_DIGIT behind the last one."""
Rows = NDArray[np.bool_]
NO_DIGIT = 0xFF

_QUASIGROUP = (
    "0317598642 7092154863 4206871359 1750983426 6123045978 3674209581 5869720134 8945362017 9438617205 2581436790"
)
DAMM = np.array([[int(digit) for digit in row] for row in _QUASIGROUP.split()], np.uint8)
"""The quasigroup of H. M. Damm's thesis."""
_TURN = np.array([1, 5, 7, 6, 2, 8, 3, 0, 9, 4], np.uint8)


def _dihedral() -> NDArray[np.uint8]:
    """The multiplication table of the group of the pentagon: 0 to 4 turn it, 5 to 9 mirror it."""
    left, right = np.arange(10)[:, None], np.arange(10)[None, :]
    turned = np.where(left < 5, left + right, left - right) % 5
    return (turned + np.where((left < 5) == (right < 5), 0, 5)).astype(np.uint8)


VERHOEFF = _dihedral()
PERMUTATIONS = [np.arange(10, dtype=np.uint8)]
for _ in range(7):
    PERMUTATIONS.append(_TURN[PERMUTATIONS[-1]])


def luhn_fails(digits: Digits) -> Rows:
    """Every second digit from the right, the check digit being the first, counts double, its digits added."""
    place, there = _from_right(digits)
    value = np.where(there, digits, 0).astype(np.int64)
    doubled = value * 2 - np.where(value > 4, 9, 0)
    return np.asarray(np.where(place % 2 == 1, doubled, value).sum(axis=1) % 10 != 0)


def verhoeff_fails(digits: Digits) -> Rows:
    """A walk through the dihedral group, from the right; each place has its own permutation."""
    place, there = _from_right(digits)
    here = np.zeros(len(digits), np.uint8)
    permuted = np.stack(PERMUTATIONS)[place % 8, np.where(there, digits, 0)]
    for k in reversed(range(digits.shape[1])):
        here = np.where(there[:, k], VERHOEFF[here, permuted[:, k]], here)
    return np.asarray(here != 0)


def damm_fails(digits: Digits) -> Rows:
    """A walk through the quasigroup, from the left."""
    here = np.zeros(len(digits), np.uint8)
    for column in digits.T:
        there = column != NO_DIGIT
        here = np.where(there, DAMM[here, np.where(there, column, 0)], here)
    return np.asarray(here != 0)


DIGIT_CHECKS: dict[str, Callable[[Digits], Rows]] = {
    "luhn": luhn_fails,
    "verhoeff": verhoeff_fails,
    "damm": damm_fails,
}


def _from_right(digits: Digits) -> tuple[NDArray[np.int64], Rows]:
    there = digits != NO_DIGIT
    count = there.sum(axis=1)[:, None]
    return np.maximum(count - 1 - np.arange(digits.shape[1])[None, :], 0), there


@dataclass(frozen=True, slots=True)
class DigitsCheck:
    """A number whose last decimal digit checks it. `text`: how its digits are written; None: in BCD, in `n_digits`."""

    name: str
    slot: Slot
    algorithm: str
    text: ToText | None
    n_digits: int = 0

    def failed(self, found: Values, _: Any, start: NDArray[np.int64], __: Any) -> Rows:
        """bool[n]: rows that their check digit does not fit, or that are no digits. What is not there does not fail."""
        column = found.raw[self.slot]
        digits, wrong = self._of_text(column, self.text) if self.text else self._of_number(column, len(start))
        return np.asarray(wrong | DIGIT_CHECKS[self.algorithm](digits))

    def _of_text(self, column: Column, text: ToText) -> tuple[Digits, Rows]:
        matrix = byte_matrix(column) if isinstance(column, Ragged) else np.asarray(column)
        if not matrix.shape[1]:
            return np.zeros((len(matrix), 0), np.uint8), np.zeros(len(matrix), np.bool_)
        letters = letters_of(text.decode(matrix))
        is_digit = (letters >= ord("0")) & (letters <= ord("9"))
        wrong = (~is_digit & (letters != 0)).any(axis=1)
        return np.where(is_digit, letters - np.uint8(ord("0")), np.uint8(NO_DIGIT)), wrong

    def _of_number(self, column: Column, n: int) -> tuple[Digits, Rows]:
        if isinstance(column, Ragged):
            digits = np.full((n, self.n_digits), NO_DIGIT, np.uint8)
            rows = np.flatnonzero(column.length)
            digits[rows] = self._digits(column.values[column.start[rows]])
            return digits, np.zeros(n, np.bool_)
        return self._digits(np.asarray(column)), np.zeros(n, np.bool_)

    def _digits(self, values: Array) -> Digits:
        powers = np.uint64(10) ** np.arange(self.n_digits - 1, -1, -1, dtype=np.uint64)
        return (values.astype(np.uint64)[:, None] // powers % np.uint64(10)).astype(np.uint8)
