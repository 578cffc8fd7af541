"""Counts to engineering values in float64: polynomials, splines and formulas in postfix notation.

None raises, whatever the counts: what has no value becomes NaN or infinite, as IEEE 754 has it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .conditions import Reference
from .encodings import Calibrator, Formula, Polynomial

Array = NDArray[Any]
Lookup = Callable[[Reference], Array]
REAL: np.dtype[Any] = np.dtype(np.float64)
LARGEST_SUM, MAX_BOUNDED_POWERS = 1e300, 15


@dataclass(frozen=True, slots=True)
class ToPolynomial:
    """Horner's rule."""

    coefficients: tuple[float, ...]
    is_bounded: bool = False
    """Whether no integer of 64 bits overflows."""
    dtype: np.dtype[Any] = REAL

    def fill(self, raw: Array, out: Array) -> None:
        if len(self.coefficients) == 1:
            out[...] = self.coefficients[0]
        elif self.is_bounded and raw.dtype.kind != "f":
            self._evaluate(raw, out)
        else:
            with np.errstate(over="ignore", invalid="ignore"):
                self._evaluate(raw, out)

    def _evaluate(self, raw: Array, out: Array) -> None:
        out[...] = raw
        x = out.copy() if len(self.coefficients) > 2 else out
        out *= self.coefficients[-1]
        for coefficient in self.coefficients[-2:0:-1]:
            out += coefficient
            out *= x
        if self.coefficients[0]:
            out += self.coefficients[0]


@dataclass(frozen=True, slots=True, eq=False)
class ToSpline:
    """Piece by piece through the points (XTCE SplineCalibrator), the last point included.

    Order 0: the value of the point at or below; 1: straight lines; k: the polynomial through the k + 1 points
    from the piece's first one on (at the end, the last k + 1). Outside the points: NaN, or the outermost piece
    continued (order 0: its value) where `extrapolate`.
    """

    raw: Array
    calibrated: Array
    order: int
    extrapolate: bool
    dtype: np.dtype[Any] = REAL

    def fill(self, raw: Array, out: Array) -> None:
        x = raw.astype(np.float64)
        piece = np.clip(np.searchsorted(self.raw, x, side="right") - 1, 0, len(self.raw) - 1)
        if self.order == 0:
            out[...] = self.calibrated[piece]
        else:
            self._interpolate(x, np.minimum(piece, len(self.raw) - 1 - self.order), out)
        if not self.extrapolate:
            out[~((x >= self.raw[0]) & (x <= self.raw[-1]))] = np.nan

    def _interpolate(self, x: Array, first: Array, out: Array) -> None:
        """Lagrange's formula through points `first` to `first + order`; for a straight line, y0 + slope * dx."""
        first = np.maximum(first, 0)
        with np.errstate(over="ignore", invalid="ignore"):
            if self.order == 1:
                slope = np.diff(self.calibrated) / np.diff(self.raw)
                out[...] = self.calibrated[first] + slope[first] * (x - self.raw[first])
                return
            out[...] = 0.0
            for i in range(self.order + 1):
                term = self.calibrated[first + i]
                for k in range(self.order + 1):
                    if k != i:
                        term = term * (x - self.raw[first + k]) / (self.raw[first + i] - self.raw[first + k])
                out += term


@dataclass(frozen=True, slots=True)
class ToFormula:
    """A MathOperation on this parameter alone."""

    formula: Formula
    dtype: np.dtype[Any] = REAL

    def fill(self, raw: Array, out: Array) -> None:
        out[...] = evaluate(self.formula, raw, _nothing_else)


def _nothing_else(reference: Reference) -> Array:
    raise AssertionError(reference)


def evaluate(formula: Formula, this: Array, value_of: Lookup) -> Array:
    """The top of the stack when all is done; `value_of` gives other parameters, shaped like `this`."""
    stack: list[Any] = []
    with np.errstate(all="ignore"):
        for token in formula.tokens:
            if isinstance(token, float):
                stack.append(np.float64(token))
            elif isinstance(token, Reference):
                stack.append(value_of(token).astype(np.float64))
            elif token == THIS:
                stack.append(this.astype(np.float64))
            else:
                n, act = OPERATORS[token]
                taken = [stack.pop() for _ in range(n)][::-1]
                stack.extend(act(*taken))
    return np.broadcast_to(stack[-1], this.shape)


THIS = "this"


def depth_after(tokens: Sequence[float | str | Reference]) -> int:
    """How many values are on the stack in the end; raises ValueError where an operator finds too few."""
    depth = 0
    for token in tokens:
        if isinstance(token, str) and token != THIS:
            n, act = OPERATORS[token]
            if depth < n:
                raise ValueError(f'operator "{token}" finds {depth} of its {n} operands')
            depth += len(act(*[np.float64(1.0)] * n)) - n
        else:
            depth += 1
    return depth


def _one(n: int, act: Callable[..., Any]) -> tuple[int, Callable[..., tuple[Any, ...]]]:
    return n, lambda *operands: (act(*operands),)


def _factorial(x: Any) -> Any:
    table = np.cumprod(np.concatenate([[1.0], np.arange(1.0, 171.0)]))
    whole = np.nan_to_num(np.clip(np.floor(x), 0, 170)).astype(np.int64)
    return np.where((x < 0) | np.isnan(x), np.nan, np.where(x > 170, np.inf, table[whole]))


def _truth(x: Any) -> Any:
    return np.asarray(x).astype(np.float64)


def _bits(x: Any) -> Any:
    return np.nan_to_num(np.clip(x, -(2.0**62), 2.0**62)).astype(np.int64)


OPERATORS: dict[str, tuple[int, Callable[..., tuple[Any, ...]]]] = {
    "+": _one(2, np.add),
    "-": _one(2, np.subtract),
    "*": _one(2, np.multiply),
    "/": _one(2, np.divide),
    "%": _one(2, np.fmod),
    "^": _one(2, np.power),
    "y^x": _one(2, lambda x, y: np.power(y, x)),
    "ln": _one(1, np.log),
    "log": _one(1, np.log10),
    "e^x": _one(1, np.exp),
    "1/x": _one(1, lambda x: np.divide(1.0, x)),
    "x!": _one(1, _factorial),
    "tan": _one(1, np.tan),
    "cos": _one(1, np.cos),
    "sin": _one(1, np.sin),
    "atan": _one(1, np.arctan),
    "atan2": _one(2, lambda x1, x2: np.arctan2(x2, x1)),  # (x1 x2 -- atan2(x2, x1)), as the schema says
    "acos": _one(1, np.arccos),
    "asin": _one(1, np.arcsin),
    "tanh": _one(1, np.tanh),
    "cosh": _one(1, np.cosh),
    "sinh": _one(1, np.sinh),
    "atanh": _one(1, np.arctanh),
    "acosh": _one(1, np.arccosh),
    "asinh": _one(1, np.arcsinh),
    "abs": _one(1, np.abs),
    "int": _one(1, np.trunc),
    "swap": (2, lambda x1, x2: (x2, x1)),
    "drop": (1, lambda _: ()),
    "dup": (1, lambda x: (x, x)),
    "over": (2, lambda x1, x2: (x1, x2, x1)),
    "<<": _one(2, lambda x, n: _truth(_bits(x) << np.clip(_bits(n), 0, 63))),
    ">>": _one(2, lambda x, n: _truth(_bits(x) >> np.clip(_bits(n), 0, 63))),
    "&": _one(2, lambda x, y: _truth(_bits(x) & _bits(y))),
    "|": _one(2, lambda x, y: _truth(_bits(x) | _bits(y))),
    "&&": _one(2, lambda x, y: _truth((x != 0) & (y != 0))),
    "||": _one(2, lambda x, y: _truth((x != 0) | (y != 0))),
    ">": _one(2, lambda x, y: _truth(x > y)),
    ">=": _one(2, lambda x, y: _truth(x >= y)),
    "<": _one(2, lambda x, y: _truth(x < y)),
    "<=": _one(2, lambda x, y: _truth(x <= y)),
    "==": _one(2, lambda x, y: _truth(x == y)),
    "!=": _one(2, lambda x, y: _truth(x != y)),
    "min": _one(2, np.minimum),
    "max": _one(2, np.maximum),
}


def compile_calibrator(calibrator: Calibrator) -> ToPolynomial | ToSpline | ToFormula:
    """What fills calibrated values from raw ones alone."""
    if isinstance(calibrator, Polynomial):
        return ToPolynomial(calibrator.coefficients, _is_bounded(calibrator.coefficients))
    if isinstance(calibrator, Formula):
        return ToFormula(calibrator)
    points = np.array(sorted(calibrator.points), np.float64)
    order = min(calibrator.order, len(points) - 1)
    return ToSpline(points[:, 0].copy(), points[:, 1].copy(), order, calibrator.extrapolate)


def _is_bounded(coefficients: Sequence[float]) -> bool:
    """Whether the polynomial of an integer of 64 bits does not overflow."""
    if len(coefficients) > MAX_BOUNDED_POWERS:
        return False
    return sum(abs(each) * 2.0 ** (64 * power) for power, each in enumerate(coefficients)) < LARGEST_SUM
