"""Sizes and counts by values: a constant, a linear function of a parameter, the first case that holds, or the number of
indices between two of these.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...model.errors import ConfigError, Problem
from ..model.conditions import Dynamic, Lookup, Reference, Remainder, Size, Span
from ..model.definitions import Dictionary
from ..model.parameter_types import EnumeratedType, SpelledType, StringType
from .comparisons import compile_condition, meant, scalar_type
from .criteria import Criterion
from .values import Values

Array = NDArray[Any]
MAX_SIZE = 1 << 40
"""Sizes from a packet are limited to this, far beyond any packet, so that no arithmetic overflows."""


@dataclass(frozen=True, slots=True)
class SizeProgram:
    """A compiled size: a constant, a linear function of a parameter, the first case that holds, or a difference."""

    constant: int = 0
    dynamic: Dynamic | None = None
    cases: tuple[tuple[Criterion, int], ...] = ()
    span: tuple[SizeProgram, SizeProgram] | None = None
    """The size is the second less the first, both of which are indices."""

    def of(self, values: Values) -> NDArray[np.int64]:
        """int64[n]; -1 where no case holds."""
        if self.span is not None:
            start, behind = (each.of(values) for each in self.span)
            return np.where((start >= 0) & (behind >= 0), np.maximum(behind - start, -1), -1)
        if self.dynamic is not None:
            key = self.dynamic.of.parameter
            size = _linear(self.dynamic, values.of(key, calibrated=self.dynamic.of.calibrated))
            lacks = values.lacks(key)
            return size if lacks is None else np.where(lacks, -1, size)
        if not self.cases:
            return np.full(values.n, self.constant, np.int64)
        size, open_rows = np.full(values.n, -1, np.int64), np.ones(values.n, np.bool_)
        for test, value in self.cases:
            hits = open_rows & test.holds(values)
            size[hits] = value
            open_rows &= ~hits
        return size

    def needs(self) -> frozenset[str]:
        if self.span is not None:
            return self.span[0].needs() | self.span[1].needs()
        if self.dynamic is not None:
            return frozenset({self.dynamic.of.parameter})
        return frozenset().union(*(test.needs() for test, _ in self.cases))


def _linear(dynamic: Dynamic, value: Array) -> NDArray[np.int64]:
    if value.dtype.kind in "iu" and dynamic.slope.is_integer() and dynamic.intercept.is_integer():
        bounded = (
            np.clip(value, -MAX_SIZE if value.dtype.kind == "i" else 0, MAX_SIZE) if value.itemsize > 4 else value
        )
        slope, intercept = (int(max(-MAX_SIZE, min(each, MAX_SIZE))) for each in (dynamic.slope, dynamic.intercept))
        if abs(slope) < 1 << 20:
            size = bounded.astype(np.int64)
            size *= slope
            if intercept:
                size += intercept
            return size
    with np.errstate(invalid="ignore", over="ignore"):
        real = value.astype(np.float64) * dynamic.slope + dynamic.intercept
    return np.nan_to_num(np.clip(real, -MAX_SIZE, MAX_SIZE), nan=-1.0).astype(np.int64)


def compile_size(size: Size, dictionary: Dictionary) -> SizeProgram:
    """Raises ConfigError where the size depends on what is no number."""
    if isinstance(size, int):
        return SizeProgram(size)
    if isinstance(size, Lookup):
        return SizeProgram(cases=tuple((compile_condition(case, dictionary), value) for case, value in size.cases))
    if isinstance(size, Span):
        return SizeProgram(span=(compile_size(size.start, dictionary), compile_size(size.behind, dictionary)))
    if isinstance(size, Remainder):
        raise ConfigError(
            [Problem("what goes on to the packet's end is no size of anything else", dictionary.file)]
        )
    check_number(size.of, dictionary, late=False)
    return SizeProgram(dynamic=replace(size, of=meant(size.of, dictionary)))


def check_number(reference: Reference, dictionary: Dictionary, *, late: bool = True) -> None:
    """Raises ConfigError where one cannot reckon with what is referred to."""
    kind = scalar_type(reference, dictionary, late=late)
    spelled = isinstance(kind, SpelledType) and isinstance(kind.value, EnumeratedType)
    if spelled or isinstance(kind, StringType) or (reference.calibrated and isinstance(kind, EnumeratedType)):
        text = f'"{reference.parameter}" is no number that one could reckon with'
        raise ConfigError([Problem(text, dictionary.file, reference.line)])
