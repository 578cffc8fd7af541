"""Compiled conditions: which of the packets at hand they hold for, by the values read so far."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..model.conditions import Reference
from .values import Values

Mask = NDArray[np.bool_]
Ranges = tuple[tuple[int, int], ...]

OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class Criterion(Protocol):
    """A compiled condition."""

    def holds(self, values: Values) -> Mask: ...
    def needs(self) -> frozenset[str]: ...


@dataclass(frozen=True, slots=True)
class _OfOne:
    """A test of one parameter."""

    key: str

    def needs(self) -> frozenset[str]:
        return frozenset({self.key})


@dataclass(frozen=True, slots=True)
class Compares(_OfOne):
    """One parameter against a literal. `by_raw`: a whole number is compared with the raw value, or its equal."""

    calibrated: bool
    operator: str
    literal: Any
    by_raw: bool = True

    def holds(self, values: Values) -> Mask:
        left = values.of(self.key, calibrated=self.calibrated)
        return _where_present(np.asarray(OPERATORS[self.operator](left, self.literal)), values, self.key)


@dataclass(frozen=True, slots=True)
class ComparesPair:
    """One parameter against another."""

    left: Reference
    operator: str
    right: Reference

    def holds(self, values: Values) -> Mask:
        left, right = (values.of(each.parameter, calibrated=each.calibrated) for each in (self.left, self.right))
        found = np.asarray(OPERATORS[self.operator](left, right))
        return _where_present(found, values, self.left.parameter, self.right.parameter)

    def needs(self) -> frozenset[str]:
        return frozenset({self.left.parameter, self.right.parameter})


@dataclass(frozen=True, slots=True)
class HasLabel(_OfOne):
    """The raw value is, or is not, in one of the ranges of a label."""

    ranges: tuple[tuple[int, int], ...]
    negated: bool

    def holds(self, values: Values) -> Mask:
        raw = values.of(self.key, calibrated=False)
        found = np.zeros(len(raw), np.bool_)
        for low, high in self.ranges:
            found |= (raw >= low) & (raw <= high)
        return _where_present(~found if self.negated else found, values, self.key)


@dataclass(frozen=True, slots=True)
class HasOctets(_OfOne):
    """The bytes are, or are not, these."""

    octets: bytes
    negated: bool

    def holds(self, values: Values) -> Mask:
        raw = values.of(self.key, calibrated=False)
        found = (raw == np.frombuffer(self.octets, np.uint8)).all(axis=1)
        return _where_present(~found if self.negated else found, values, self.key)


@dataclass(frozen=True, slots=True)
class Combines:
    """All of several tests, or any; `negated`: not so."""

    parts: tuple[Criterion, ...]
    every: bool
    negated: bool = False

    def holds(self, values: Values) -> Mask:
        masks = [part.holds(values) for part in self.parts]
        found = masks[0]
        for mask in masks[1:]:
            found = found & mask if self.every else found | mask
        return ~found if self.negated else found

    def needs(self) -> frozenset[str]:
        return frozenset().union(*(part.needs() for part in self.parts))


def values_wanted(test: Criterion) -> Iterator[tuple[str, int]]:
    """Raw values that a test cannot hold without."""
    for key, ranges in ranges_wanted(test):
        if len(ranges) == 1 and ranges[0][0] == ranges[0][1]:
            yield key, ranges[0][0]


def ranges_wanted(test: Criterion) -> Iterator[tuple[str, Ranges]]:
    """Ranges of raw values, lowest and highest, of which a test cannot hold without one."""
    if isinstance(test, Compares) and test.by_raw and test.operator == "==" and isinstance(test.literal, int):
        yield test.key, ((test.literal, test.literal),)
    elif isinstance(test, HasLabel) and not test.negated:
        yield test.key, test.ranges
    elif isinstance(test, Combines) and test.every and not test.negated:
        for part in test.parts:
            yield from ranges_wanted(part)


def _where_present(found: Mask, values: Values, *keys: str) -> Mask:
    """What a packet does not have compares with nothing."""
    for key in keys:
        there = values.present(key)
        if there is not None:
            found = found & there
    return found
