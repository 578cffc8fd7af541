"""What values mean: types of parameters, with their units, limits and alarms."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .conditions import Condition, Reference, Size
from .encodings import BinaryEncoding, NumberEncoding, StringEncoding


@dataclass(frozen=True, slots=True)
class Range:
    """From `low` to `high`, each inclusive or not."""

    low: float = -inf
    high: float = inf
    with_low: bool = True
    with_high: bool = True

    def holds(self, x: NDArray[Any]) -> NDArray[np.bool_]:
        """Which of the values are inside; NaN is in no range."""
        low = x >= self.low if self.with_low else x > self.low
        high = x <= self.high if self.with_high else x < self.high
        return np.asarray(low & high)


@dataclass(frozen=True, slots=True)
class Change:
    """Bands on the change of a value: from the one `n_samples` before, or, for `span_s`, the last one that is at least
    so much older. `by_time`: divided by the seconds between the two; `in_percent`: of the value before.
    """

    bands: tuple[tuple[int, Range, bool], ...]
    n_samples: int = 1
    span_s: float = 0.0
    by_time: bool = True
    in_percent: bool = False


@dataclass(frozen=True, slots=True)
class Alarm:
    """When a value is of concern. Levels are places in CONCERN_LEVELS; the highest that applies counts.

    `bands`: (level, range, whether being inside it is what matters). `labels`: level by label; others have
    `default`. `patterns`: level by a regular expression that the whole text matches. `conditions`: level by what other
    parameters say. `changes`: levels by how the value changes. A level holds when so many values in a row have it
    (`violations`; `conformance` for normal).
    """

    bands: tuple[tuple[int, Range, bool], ...] = ()
    labels: tuple[tuple[str, int], ...] = ()
    default: int = 0
    violations: int = 1
    conformance: int = 1
    conditions: tuple[tuple[int, Condition], ...] = ()
    patterns: tuple[tuple[str, int], ...] = ()
    changes: tuple[Change, ...] = ()


CONCERN_LEVELS = ("normal", "watch", "warning", "distress", "critical", "severe")


@dataclass(frozen=True, slots=True)
class Limits:
    """What is checked on a parameter's values. `contexts`: alarms that go before the default one."""

    valid: Range | None = None
    valid_is_raw: bool = False
    alarm: Alarm | None = None
    contexts: tuple[tuple[Condition, Alarm], ...] = ()


@dataclass(frozen=True, slots=True)
class NumberType:
    """Integers and floats. `real`: the calibrated value is a float even where the raw one is an integer."""

    name: str
    encoding: NumberEncoding
    real: bool = False
    unit: str = ""
    limits: Limits = Limits()


@dataclass(frozen=True, slots=True)
class EnumeratedType:
    """`labels`: (lowest, highest, label), in the order of the file."""

    name: str
    encoding: NumberEncoding
    labels: tuple[tuple[int, int, str], ...]
    unit: str = ""
    limits: Limits = Limits()


@dataclass(frozen=True, slots=True)
class BooleanType:
    """Not zero is true; `one` and `zero` are the words for it in comparisons."""

    name: str
    encoding: NumberEncoding
    one: str = "True"
    zero: str = "False"
    unit: str = ""
    limits: Limits = Limits()


@dataclass(frozen=True, slots=True)
class StringType:
    """Text."""

    name: str
    encoding: StringEncoding
    unit: str = ""
    limits: Limits = Limits()


@dataclass(frozen=True, slots=True)
class BinaryType:
    """A blob."""

    name: str
    encoding: BinaryEncoding
    unit: str = ""
    limits: Limits = Limits()


@dataclass(frozen=True, slots=True)
class SpelledType:
    """A number, label or truth value that stands in the packet as text; a truth value also as bytes. `value`: what it
    is; its own encoding says no more than how wide the number is.
    """

    name: str
    encoding: StringEncoding | BinaryEncoding
    value: NumberType | EnumeratedType | BooleanType

    @property
    def unit(self) -> str:
        return self.value.unit


@dataclass(frozen=True, slots=True)
class TimeType:
    """A time in int64 nanoseconds: `unit_ns` times the count, plus `offset_ns`.

    An absolute time is counted since 1970-01-01 in the scale of its epoch: no leap seconds are put in or out.
    """

    name: str
    encoding: NumberEncoding
    unit_ns: Fraction
    offset_ns: Fraction = Fraction(0)
    absolute: bool = False
    offset_from: Reference | None = None
    """The time, of the same packet or of another, from which it counts on."""
    limits: Limits = Limits()

    @property
    def unit(self) -> str:
        return unit_of_time(absolute=self.absolute)


@dataclass(frozen=True, slots=True)
class TimeCode:
    """A CCSDS time code (301.0-B-4): octets of its T-field. CUC: whole seconds and the fraction. CDS: days, and what is
    behind the four of milliseconds: none, 2 (microseconds) or 4 (picoseconds). `agency_epoch`: not 1958-01-01.
    """

    form: str
    coarse: int
    fine: int
    agency_epoch: bool = False

    @property
    def n_octets(self) -> int:
        return self.coarse + self.fine + (4 if self.form == "CDS" else 0)


@dataclass(frozen=True, slots=True)
class CodedTimeType:
    """A time in a CCSDS code. `codes`: by the P-field that stands before it in the packet; with the one key b"" the
    P-field is implicit. `epoch_ns`: from 1970-01-01 to the agency's epoch.
    """

    name: str
    encoding: BinaryEncoding
    codes: tuple[tuple[bytes, TimeCode], ...]
    epoch_ns: int = 0
    absolute: bool = False
    offset_from: Reference | None = None
    limits: Limits = Limits()

    @property
    def unit(self) -> str:
        return unit_of_time(absolute=self.absolute)


def unit_of_time(*, absolute: bool) -> str:
    """Of the columns of times."""
    return "nanoseconds since 1970-01-01" if absolute else "ns"


@dataclass(frozen=True, slots=True)
class ArrayType:
    """`dimensions`: number of elements along each axis, slowest first; None: the entry says."""

    name: str
    element: ParameterType
    dimensions: tuple[Size, ...] | None = None

    @property
    def unit(self) -> str:
        return self.element.unit


@dataclass(frozen=True, slots=True)
class AggregateType:
    """Members (name, type) one behind the other."""

    name: str
    members: tuple[tuple[str, ParameterType], ...]
    unit: str = ""


@dataclass(frozen=True, slots=True)
class UnencodedType:
    """A type that does not say how its values stand in a packet; no container may hold one. `value`: what they are, for
    comparisons with the initialValue of a constant.
    """

    name: str
    unit: str = ""
    value: NumberType | EnumeratedType | BooleanType | None = None


BytesType = StringType | BinaryType | CodedTimeType | SpelledType
ScalarType = NumberType | EnumeratedType | BooleanType | TimeType
ParameterType = ScalarType | BytesType | ArrayType | AggregateType | UnencodedType
