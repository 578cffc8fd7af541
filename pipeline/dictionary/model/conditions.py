"""What a packet tells itself: references to its values, numbers and conditions made of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reference:
    """The value of another parameter, calibrated or raw."""

    parameter: str
    calibrated: bool = True
    line: int = 0


@dataclass(frozen=True, slots=True)
class Dynamic:
    """A number of bits, elements or repeats that a packet tells itself: slope * value + intercept."""

    of: Reference
    slope: float = 1.0
    intercept: float = 0.0


@dataclass(frozen=True, slots=True)
class Lookup:
    """The value of the first case that holds."""

    cases: tuple[tuple[Condition, int], ...]


@dataclass(frozen=True, slots=True)
class Remainder:
    """As many elements as the packet holds from here to `behind_bits` before its end."""

    behind_bits: int = 0


@dataclass(frozen=True, slots=True)
class Span:
    """The number of elements from index `start` up to `behind`, which is one more than the last index."""

    start: Size
    behind: Size


Size = int | Dynamic | Lookup | Remainder | Span


@dataclass(frozen=True, slots=True)
class Comparison:
    """One parameter against a literal, or against another parameter."""

    left: Reference
    operator: str
    right: str | Reference
    line: int = 0


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every part holds."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """One part at least holds."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class NoneOf:
    """No part holds."""

    parts: tuple[Condition, ...]


Condition = Comparison | AllOf | AnyOf | NoneOf


def asked_by(condition: Condition) -> frozenset[str]:
    """Parameters that a condition looks at."""
    if isinstance(condition, Comparison):
        sides = (condition.left, condition.right)
        return frozenset(side.parameter for side in sides if isinstance(side, Reference))
    return frozenset[str]().union(*(asked_by(part) for part in condition.parts))


def shifted(size: Size, by: int) -> Size:
    """The size and `by` more."""
    if isinstance(size, int):
        return size + by
    if isinstance(size, Dynamic):
        return Dynamic(size.of, size.slope, size.intercept + by)
    if isinstance(size, Remainder):
        return Remainder(size.behind_bits - by)
    if isinstance(size, Span):
        return Span(size.start, shifted(size.behind, by))
    return Lookup(tuple((condition, value + by) for condition, value in size.cases))
