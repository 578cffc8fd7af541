"""Numbers, labels and truth values that stand in the packet as text, read for all packets at once.

Integers: decimal, or hexadecimal with 0x; reals: decimal, with or without exponent, and inf and nan. Blanks around
are allowed. What is no number becomes 0, NaN or "UNKNOWN", and is flagged; it never raises. The texts go through a
table of states, a character of all packets at a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...model.batches import Ragged
from ..model.parameter_types import BooleanType, NumberType
from .labels import ToLabels
from .ragged import any_in_rows, byte_matrix
from .texts import ToText

Array = NDArray[Any]
Letters = NDArray[np.uint8]
Flags = NDArray[np.bool_]
MAX_BYTES = 256
"""No number is longer; what is, in a field of varying size, is none."""
REAL: np.dtype[Any] = np.dtype(np.float64)
TRUTH: np.dtype[Any] = np.dtype(np.bool_)
BLANKS, DIGITS, LETTERS = b" \t\r\n", b"0123456789", b"abcdefABCDEF"
NOT_ASCII = 0xFF


def _classes(*members: bytes) -> NDArray[np.uint8]:
    """The class of each character: its number in `members`, 0 for none."""
    table = np.zeros(256, np.uint8)
    for number, characters in enumerate(members, 1):
        table[list(characters)] = number
    return table


def _states(rows: tuple[str, ...]) -> NDArray[np.uint8]:
    """One row for each state, one column for each class; "-" is the last state, from which nothing leads away."""
    dead = len(rows)
    table = [[dead if cell == "-" else int(cell, 36) for cell in row] for row in rows]
    return np.array([*table, [dead] * len(rows[0])], np.uint8)


# Classes: other, end, blank, sign, 0, 1-9, x, a-f.
INTEGER_CLASS = _classes(b"\0", BLANKS, b"+-", b"0", b"123456789", b"xX", LETTERS)
INTEGER_STATE = _states(
    (
        "--0123--",  # 0: before
        "----23--",  # 1: behind the sign
        "-76-334-",  # 2: a zero, perhaps of 0x
        "-76-33--",  # 3: decimal digits
        "----55-5",  # 4: behind 0x
        "-76-55-5",  # 5: hexadecimal digits
        "-76-----",  # 6: blanks behind
        "-7------",  # 7: over
    )
)
INTEGER_ENDS = (2, 3, 5, 6, 7)
# Classes: other, end, blank, sign, digit, point, e.
REAL_CLASS = _classes(b"\0", BLANKS, b"+-", DIGITS, b".", b"eE")
REAL_STATE = _states(
    (
        "--0123-",  # 0: before
        "----23-",  # 1: behind the sign
        "-98-245",  # 2: digits
        "----4--",  # 3: a point without digits before it
        "-98-4-5",  # 4: digits behind the point
        "---67--",  # 5: e
        "----7--",  # 6: the exponent's sign
        "-98-7--",  # 7: its digits
        "-98----",  # 8: blanks behind
        "-9-----",  # 9: over
    )
)
REAL_ENDS = (2, 4, 7, 8, 9)
NO_DIGITS = ("inf", "infinity", "nan")


def integers_of(letters: Letters, *, signed: bool) -> tuple[Array, Flags]:
    """int64 or uint64[n] of letters uint8[n, k], 0 behind the text; and which of them are integers of that range."""
    n = len(letters)
    state = np.zeros(n, np.uint8)
    value, fits = np.zeros(n, np.uint64), np.ones(n, np.bool_)
    negative = (letters == ord("-")).any(axis=1)
    for column in letters.T:
        state = INTEGER_STATE[state, INTEGER_CLASS[column]]
        grows = (state == 2) | (state == 3) | (state == 5)
        base = np.where(state == 5, np.uint64(16), np.uint64(10))
        digit = DIGIT[column]
        fits &= ~grows | (value <= (np.uint64(0xFFFF_FFFF_FFFF_FFFF) - digit) // base)
        value = np.where(grows, value * base + digit, value)
    most = np.uint64(0x7FFF_FFFF_FFFF_FFFF) if signed else np.uint64(0xFFFF_FFFF_FFFF_FFFF)
    # The lowest of a signed number has one more than the highest.
    fits &= value <= np.where(negative, np.uint64(1 << 63) if signed else np.uint64(0), most)
    good = np.isin(state, INTEGER_ENDS) & fits
    value[~good] = 0
    if not signed:
        return value, good
    as_signed = value.view(np.int64)
    return np.where(negative & good, -as_signed, as_signed), good


DIGIT = np.zeros(256, np.uint64)
for _value, _pair in enumerate(zip("0123456789abcdef", "0123456789ABCDEF", strict=True)):
    DIGIT[[ord(each) for each in _pair]] = _value


def reals_of(letters: Letters) -> tuple[Array, Flags]:
    """float64[n] of letters uint8[n, k], NaN where they are no number; and which of them are one."""
    state = np.zeros(len(letters), np.uint8)
    for column in letters.T:
        state = REAL_STATE[state, REAL_CLASS[column]]
    good = np.isin(state, REAL_ENDS)
    values = np.full(len(letters), np.nan)
    if good.any():
        values[good] = np.ascontiguousarray(letters[good]).view(f"S{letters.shape[1]}")[:, 0].astype(np.float64)
    for row in np.flatnonzero(~good & (letters != 0).any(axis=1)) if not good.all() else ():
        text = letters[row].tobytes().rstrip(b"\0").decode("latin-1").strip().lower()
        if text.lstrip("+-") in NO_DIGITS and len(text) - len(text.lstrip("+-")) < 2:
            values[row], good[row] = float(text), True
    return values, good


def letters_of(texts: Array) -> Letters:
    """uint8[n, k] of unicode[n]; what is not ASCII is no part of any number."""
    codes = np.ascontiguousarray(texts).view(np.uint32).reshape(len(texts), -1)
    return np.where(codes < 0x80, codes, NOT_ASCII).astype(np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class ToSpelled:
    """Bytes uint8[..., k] to what their text says. `labels`: of an enumeration."""

    text: ToText
    kind: NumberType | BooleanType | None
    labels: ToLabels | None
    signed: bool
    dtype: np.dtype[Any]

    def fill(self, raw: Array, out: Array) -> Flags | None:
        found, good = self._values(self.text.decode(raw.reshape(-1, raw.shape[-1])))
        out[...] = found.reshape(out.shape)
        return None if good.all() else ~good.reshape(out.shape)

    def column(self, raw: Ragged) -> tuple[Array, Flags | None]:
        """The same of fields of varying size, one in each row."""
        short = Ragged(raw.values, raw.start, np.minimum(raw.length, MAX_BYTES))
        matrix = byte_matrix(short)
        found, good = self._values(self.text.decode(matrix) if matrix.shape[1] else np.zeros(len(raw), "U1"))
        good &= raw.length <= MAX_BYTES
        return found, None if good.all() else ~good

    def _values(self, texts: Array) -> tuple[Array, Flags]:
        if isinstance(self.kind, BooleanType):
            return _truths(texts, self.kind)
        letters = letters_of(texts)
        if self.labels is not None:
            return self._labels_of(texts, letters, self.labels)
        return reals_of(letters) if self.dtype == REAL else integers_of(letters, signed=self.signed)

    def _labels_of(self, texts: Array, letters: Letters, labels: ToLabels) -> tuple[Array, Flags]:
        """Labels by the number that is spelled; a text that is a label itself is that."""
        numbers, good = integers_of(letters, signed=self.signed)
        place = np.where(good, labels.number_of(numbers), 0)
        found = labels.labels.astype(self.dtype)[place]
        nameless = good & (place == 0)
        found[nameless] = np.char.add("UNKNOWN_", numbers[nameless].astype("U21"))
        spelled = np.isin(texts, labels.labels[1:]) & ~(place > 0)
        found[spelled] = texts[spelled].astype(self.dtype)
        return found, (place > 0) | spelled


def _truths(texts: Array, kind: BooleanType) -> tuple[Array, Flags]:
    """False: nothing, 0, or the type's word for it, in capitals or not. All else is true, and flagged if it is neither
    1 nor the type's word.
    """
    words = np.char.lower(np.char.strip(texts))
    false = np.isin(words, ["", "0", kind.zero.lower()])
    return ~false, false | np.isin(words, ["1", kind.one.lower()])


@dataclass(frozen=True, slots=True)
class ToTruth:
    """Bytes uint8[..., k] that are true where one of them is not zero."""

    dtype: np.dtype[Any] = TRUTH

    def fill(self, raw: Array, out: Array) -> Flags | None:
        np.any(raw, axis=-1, out=out)
        return None

    def column(self, raw: Ragged) -> tuple[Array, Flags | None]:
        """The same of fields of varying size, one in each row."""
        return any_in_rows(raw.values != 0, raw.start, raw.length), None
