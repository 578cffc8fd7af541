"""Calibrators: polynomials, splines, formulas, and the contexts in which one or the other holds."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from ..model.calibrators import OPERATORS, THIS, depth_after
from ..model.conditions import Condition, Reference
from ..model.document import Node
from ..model.encodings import Calibrator, Formula, Polynomial, Spline
from .conditions import read_criteria, read_reference
from .scope import Context

MAX_EXPONENT = 64
MAX_ORDER = 8
Contexts = tuple[tuple[Condition, Calibrator], ...]


def read_calibrators(node: Node, context: Context) -> tuple[Calibrator | None, Contexts]:
    """DefaultCalibrator and ContextCalibratorList of an encoding."""
    reading = context.reading
    holder = reading.child(node, "DefaultCalibrator")
    default = _read_calibrator(holder, context) if holder is not None else None
    cases: list[tuple[Condition, Calibrator]] = []
    for case in reading.listed(node, "ContextCalibratorList", "ContextCalibrator"):
        match, inside = reading.child(case, "ContextMatch"), reading.child(case, "Calibrator")
        if match is None or inside is None:
            reading.problem(case, "wants a ContextMatch and a Calibrator")
            continue
        condition, calibrator = read_criteria(match, context), _read_calibrator(inside, context)
        reading.finish(match)
        reading.finish(case)
        cases.extend([(condition, calibrator)] if condition and calibrator else [])
    return default, tuple(cases)


def _read_calibrator(node: Node, context: Context) -> Calibrator | None:
    """CalibratorType: the one calibrator inside."""
    reading = context.reading
    readers: dict[str, Callable[[Node, Context], Calibrator]] = {
        "PolynomialCalibrator": _read_polynomial,
        "SplineCalibrator": _read_spline,
        "MathOperationCalibrator": _read_formula,
    }
    found = reading.children(node, *readers)
    calibrators = [readers[each.tag](each, context) for each in found]
    if len(found) != 1 and not node.children:
        reading.problem(node, "wants one calibrator")
    for each in found:
        reading.finish(each)
    reading.finish(node)
    return calibrators[0] if calibrators else None


def _read_polynomial(node: Node, context: Context) -> Polynomial:
    reading = context.reading
    coefficients: dict[int, float] = {}
    for term in reading.children(node, "Term"):
        exponent = reading.number_in(term, reading.required(term, "exponent"), "exponent", 0, MAX_EXPONENT)
        coefficients[exponent] = coefficients.get(exponent, 0.0) + reading.real(term, "coefficient")
        reading.finish(term)
    if not coefficients:
        reading.problem(node, "has no Term")
    return Polynomial(tuple(coefficients.get(power, 0.0) for power in range(max(coefficients, default=0) + 1)))


def _read_spline(node: Node, context: Context) -> Spline:
    reading = context.reading
    order = reading.integer(node, "order", 1, 0, MAX_ORDER)
    extrapolate = reading.flag(node, "extrapolate", default=False)
    points: list[tuple[float, float]] = []
    for point in reading.children(node, "SplinePoint"):
        own = reading.integer(point, "order", order, 0, MAX_ORDER)
        if own != order:
            reading.problem(point, f"an order of its own ({own}, where the spline has {order}) is not implemented")
        points.append((reading.real(point, "raw"), reading.real(point, "calibrated")))
        reading.finish(point)
    points.sort()
    if len(points) <= max(order, 1):
        reading.problem(node, f"a spline of order {order} wants more than {max(order, 1)} points")
    if any(before[0] == after[0] for before, after in pairwise(points)):
        reading.problem(node, "has two points with one raw value")
    return Spline(tuple(points), order, extrapolate)


def _read_formula(node: Node, context: Context) -> Formula:
    reading = context.reading
    tokens: list[float | str | Reference] = []
    kinds = ("ValueOperand", "ThisParameterOperand", "ParameterInstanceRefOperand", "Operator")
    for child in reading.children(node, *kinds):
        if child.tag == "ParameterInstanceRefOperand":
            tokens.append(read_reference(child, context))
        elif child.tag == "ThisParameterOperand":
            reading.text(child)
            tokens.append(THIS)
        elif child.tag == "ValueOperand":
            tokens.append(reading.real_of(child, reading.text(child), "ValueOperand"))
        else:
            operator = reading.text(child)
            if operator in OPERATORS:
                tokens.append(operator)
            else:
                reading.problem(child, f'operator "{operator}" is not implemented')
        reading.finish(child)
    try:
        if depth_after(tokens) < 1:
            reading.problem(node, "leaves no value")
    except ValueError as error:
        reading.problem(node, str(error))
    return Formula(tuple(tokens))
