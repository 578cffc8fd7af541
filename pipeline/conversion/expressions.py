"""Parse expressions of Kaitai and AIT, and convert them to conditions, sizes and formulas of a dictionary.

In: text. Out: the element of a dictionary, or None. Expressions are parsed by Python's parser and never executed.
"""

from __future__ import annotations

import ast
import copy
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby

from ..dictionary.model.calibrators import THIS
from ..dictionary.model.conditions import AllOf, AnyOf, Comparison, Condition, NoneOf, Reference
from ..dictionary.model.encodings import Formula, NumberEncoding
from ..dictionary.model.parameter_types import ParameterType
from ..dictionary.run.criteria import OPERATORS
from .drawing import bounds

MAX_TEXT = 2000
MAX_VALUES_BITS = 12
MAX_RANGES = 64
MAX_POWER = 64
MAX_CALLS = 20
COMPARISONS: dict[type, str] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
}
MIRRORED = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
ARITHMETIC: dict[type, tuple[str, Callable[..., float]]] = {
    ast.Add: ("+", operator.add),
    ast.Sub: ("-", operator.sub),
    ast.Mult: ("*", operator.mul),
    ast.Div: ("/", operator.truediv),
    ast.Mod: ("%", operator.mod),
    ast.BitAnd: ("&", operator.and_),
    ast.BitOr: ("|", operator.or_),
    ast.RShift: (">>", operator.rshift),
    ast.LShift: ("<<", operator.lshift),
    ast.Pow: ("^", operator.pow),
}
ENUM = re.compile(r"(\w+(?:::\w+)+)")
TRUTHS = re.compile(r"\b(?:true|false)\b")


@dataclass(frozen=True, slots=True)
class Known:
    """A parameter that an expression refers to. `low`, `high`: bounds of its raw values, if it is an integer."""

    key: str
    low: int = 0
    high: int = -1

    @staticmethod
    def of(key: str, kind: ParameterType) -> Known:
        """The parameter with the bounds of its type."""
        encoding = getattr(kind, "encoding", None)
        if isinstance(encoding, NumberEncoding) and not encoding.is_float:
            return Known(key, *bounds(encoding))
        return Known(key)

    @property
    def is_small(self) -> bool:
        return 0 <= self.high - self.low < 1 << MAX_VALUES_BITS


Resolve = Callable[[tuple[str, ...]], "Known | ast.expr | None"]
"""Resolves a path of names to a parameter, to another expression with absolute names, or to None."""


def parse(text: str, enums: Callable[[str], int | None]) -> ast.expr | None:
    """Parse a text; None if it is no expression. `enums`: the number of a label such as mode::on."""
    if len(text) > MAX_TEXT:
        return None

    def number(match: re.Match[str]) -> str:
        value = enums(match[1])
        return "?" if value is None else str(value)

    text = TRUTHS.sub(lambda match: match[0].capitalize(), ENUM.sub(number, text))
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def path_of(node: ast.expr) -> tuple[str, ...] | None:
    """The names of an expression a.b.c; None for others."""
    if isinstance(node, ast.Name):
        return (node.id,)
    if isinstance(node, ast.Attribute):
        head = path_of(node.value)
        return (*head, node.attr) if head is not None else None
    return None


def renamed(node: ast.expr, rename: Callable[[tuple[str, ...]], tuple[str, ...]]) -> ast.expr:
    """The expression with its paths of names replaced by `rename`."""

    class Renaming(ast.NodeTransformer):
        def generic_visit(self, node: ast.AST) -> ast.AST:
            path = path_of(node) if isinstance(node, ast.expr) else None
            return _named(rename(path)) if path is not None else super().generic_visit(node)

    found: ast.expr = Renaming().visit(node)
    return found


Functions = Mapping[str, tuple[tuple[str, ...], ast.expr]]
"""By name the names of the arguments, and the body."""


def expanded(node: ast.expr, functions: Functions, depth: int = 0) -> ast.expr:
    """The expression with calls replaced by the bodies of functions. Raises RecursionError for a circle."""
    if depth > MAX_CALLS:
        raise RecursionError

    class Expanding(ast.NodeTransformer):
        def visit_Call(self, call: ast.Call) -> ast.expr:
            known = functions.get(call.func.id) if isinstance(call.func, ast.Name) else None
            if known is None or call.keywords or len(call.args) != len(known[0]):
                return call
            given = dict(zip(known[0], (self.visit(each) for each in call.args), strict=True))
            return _replaced(expanded(copy.deepcopy(known[1]), functions, depth + 1), given)

    found: ast.expr = Expanding().visit(node)
    return found


def _replaced(node: ast.expr, given: Mapping[str, ast.expr]) -> ast.expr:
    class Replacing(ast.NodeTransformer):
        def visit_Name(self, name: ast.Name) -> ast.expr:
            return given.get(name.id, name)

    found: ast.expr = Replacing().visit(node)
    return found


def _named(path: tuple[str, ...]) -> ast.expr:
    found: ast.expr = ast.Name(path[0])
    for name in path[1:]:
        found = ast.Attribute(found, name)
    return found


class Reader:
    """Converts expressions. `resolve`: looks up names; `floors`: a quotient of integers is rounded down."""

    def __init__(self, resolve: Resolve, *, floors: bool = True) -> None:
        self.resolve = resolve
        self.floors = floors

    def condition(self, node: ast.expr) -> Condition | None:
        """The condition on raw values of a boolean expression; None if there is none."""
        if isinstance(node, ast.BoolOp):
            parts = [self.condition(each) for each in node.values]
            known = [part for part in parts if part is not None]
            if len(known) < len(parts):
                return self._enumerated(node)
            return AllOf(tuple(known)) if isinstance(node.op, ast.And) else AnyOf(tuple(known))
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            inner = self.condition(node.operand)
            return NoneOf((inner,)) if inner is not None else None
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            found = self._compared(node)
            return found if found is not None else self._enumerated(node)
        known_one = self.parameter(node)
        if known_one is not None:
            return Comparison(Reference(known_one.key, calibrated=False), "!=", "0")
        return self._enumerated(node)

    def _compared(self, node: ast.Compare) -> Condition | None:
        word = COMPARISONS.get(type(node.ops[0]))
        left, right = self.parameter(node.left), self.parameter(node.comparators[0])
        literals = constant(node.left), constant(node.comparators[0])
        if word is None:
            return None
        for known, text in ((left, _text(node.comparators[0])), (right, _text(node.left))):
            if known is not None and text is not None:
                return Comparison(Reference(known.key), word, text) if word in {"==", "!="} else None
        if left is not None and literals[1] is not None:
            return Comparison(Reference(left.key, calibrated=False), word, str(literals[1]))
        if right is not None and literals[0] is not None:
            return Comparison(Reference(right.key, calibrated=False), MIRRORED[word], str(literals[0]))
        if left is not None and right is not None:
            own = Reference(left.key, calibrated=False)
            return Comparison(own, word, Reference(right.key, calibrated=False))
        return None

    def _enumerated(self, node: ast.expr) -> Condition | None:
        """The condition found by evaluating all values of the only parameter, if they are few; else None."""
        known = self.only(node)
        if known is None or not known.is_small:
            return None
        try:
            fulfilling = [value for value in range(known.low, known.high + 1) if self.value(node, value)]
        except (TypeError, ValueError, ZeroDivisionError, KeyError, OverflowError):
            return None
        spans = list(_spans(fulfilling))
        if not spans or len(spans) > MAX_RANGES:
            return None
        own = Reference(known.key, calibrated=False)
        return AnyOf(tuple(_between(own, low, high) for low, high in spans))

    def parameter(self, node: ast.expr) -> Known | None:
        """The parameter that a name refers to; None for other expressions."""
        path = path_of(node)
        found = self.resolve(path) if path is not None else None
        return found if isinstance(found, Known) else self.parameter(found) if found is not None else None

    def parameters(self, node: ast.expr) -> Iterator[Known | None]:
        """The parameters of an expression; None for each name that is no parameter."""
        path = path_of(node)
        if path is not None:
            found = self.resolve(path)
            if isinstance(found, ast.expr):
                yield from self.parameters(found)
            else:
                yield found
            return
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                yield from self.parameters(child)

    def only(self, node: ast.expr) -> Known | None:
        """The only parameter of an expression; None if it has several or none."""
        found = set(self.parameters(node))
        return found.pop() if len(found) == 1 else None

    def value(self, node: ast.expr, this: int) -> float:  # noqa: PLR0911 - a case for each kind of node
        """The value of an expression if its only parameter is `this`. Raises TypeError for unsupported nodes."""
        path = path_of(node)
        if path is not None:
            found = self.resolve(path)
            return self.value(found, this) if isinstance(found, ast.expr) else this
        literal = constant(node)
        if literal is not None:
            return literal
        if isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC:
            left, right = self.value(node.left, this), self.value(node.right, this)
            if isinstance(node.op, ast.Pow | ast.LShift) and not 0 <= right <= MAX_POWER:
                raise OverflowError(right)
            if isinstance(node.op, ast.Div) and self.floors and isinstance(left, int) and isinstance(right, int):
                return left // right
            return ARITHMETIC[type(node.op)][1](left, right)
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            word = COMPARISONS[type(node.ops[0])]
            return bool(OPERATORS[word](self.value(node.left, this), self.value(node.comparators[0], this)))
        if isinstance(node, ast.BoolOp):
            parts = [bool(self.value(each, this)) for each in node.values]
            return all(parts) if isinstance(node.op, ast.And) else any(parts)
        if isinstance(node, ast.UnaryOp):
            inner = self.value(node.operand, this)
            return -inner if isinstance(node.op, ast.USub) else not inner
        raise TypeError(node)

    def linear(self, node: ast.expr) -> tuple[Known | None, float, float] | None:
        """(parameter, slope, intercept) of a linear expression; None for others."""
        literal = constant(node)
        if literal is not None:
            return None, 0.0, float(literal)
        path = path_of(node)
        if path is not None:
            found = self.resolve(path)
            if isinstance(found, ast.expr):
                return self.linear(found)
            return (found, 1.0, 0.0) if found is not None else None
        if not isinstance(node, ast.BinOp):
            return None
        left, right = self.linear(node.left), self.linear(node.right)
        return _combined(node.op, left, right) if left is not None and right is not None else None

    def formula(self, node: ast.expr) -> Formula | None:
        """The formula of the only parameter, in postfix notation; None if it cannot be converted."""
        try:
            tokens = list(self._tokens(node))
        except TypeError:
            return None
        return Formula(tuple(tokens)) if THIS in tokens else None

    def _tokens(self, node: ast.expr) -> Iterator[float | str]:
        literal = constant(node)
        path = path_of(node)
        if literal is not None:
            yield float(literal)
        elif path is not None:
            found = self.resolve(path)
            if found is None:
                raise TypeError(node)
            if isinstance(found, ast.expr):
                yield from self._tokens(found)
            else:
                yield THIS
        elif isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC:
            if isinstance(node.op, ast.Mod) or (
                isinstance(node.op, ast.Div) and self.floors and self._is_whole(node)
            ):
                raise TypeError(node)  # a division of whole numbers, rounded down
            yield from self._tokens(node.left)
            yield from self._tokens(node.right)
            yield ARITHMETIC[type(node.op)][0]
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            yield 0.0
            yield from self._tokens(node.operand)
            yield "-"
        else:
            raise TypeError(node)

    def _is_whole(self, node: ast.expr) -> bool:
        """Whether all numbers and parameters of an expression are integers."""
        for each in ast.walk(node):
            if isinstance(each, ast.Constant) and isinstance(each.value, float):
                return False
        return all(known is None or known.high >= known.low for known in self.parameters(node))


def constant(node: ast.expr) -> int | float | None:
    """The value of a numeric literal; None for others."""
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return int(node.value) if isinstance(node.value, bool) else node.value
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = constant(node.operand)
        return -inner if inner is not None else None
    return None


def _text(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


Line = tuple[Known | None, float, float]


def _combined(how: ast.operator, left: Line, right: Line) -> Line | None:
    (a, slope_a, rest_a), (b, slope_b, rest_b) = left, right
    if a is not None and b is not None and a.key != b.key:
        return None
    if isinstance(how, ast.Add):
        return a or b, slope_a + slope_b, rest_a + rest_b
    if isinstance(how, ast.Sub):
        return a or b, slope_a - slope_b, rest_a - rest_b
    if isinstance(how, ast.Mult) and (a is None or b is None):
        if a is None:
            return b, slope_b * rest_a, rest_b * rest_a
        return a, slope_a * rest_b, rest_a * rest_b
    return None


def _spans(values: list[int]) -> Iterator[tuple[int, int]]:
    """Sorted integers as (first, last) of runs of consecutive ones."""
    for _, run in groupby(enumerate(values), key=lambda pair: pair[1] - pair[0]):
        found = [value for _, value in run]
        yield found[0], found[-1]


def _between(own: Reference, low: int, high: int) -> Condition:
    if low == high:
        return Comparison(own, "==", str(low))
    return AllOf((Comparison(own, ">=", str(low)), Comparison(own, "<=", str(high))))
