"""Conditions compiled against the types of what they compare.

Literals become numbers, labels become sets of raw values, and a comparison that could never be made is a problem of the
file, not of a packet.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ...model.errors import ConfigError, Problem
from ..model.conditions import AllOf, AnyOf, Comparison, Condition, NoneOf, Reference
from ..model.definitions import Dictionary
from ..model.document import integer_of
from ..model.local import LOCAL
from ..model.parameter_types import (
    AggregateType,
    ArrayType,
    BinaryType,
    BooleanType,
    CodedTimeType,
    EnumeratedType,
    NumberType,
    SpelledType,
    StringType,
    TimeType,
    UnencodedType,
)
from .conversions import conversion_of
from .criteria import Combines, Compares, ComparesPair, Criterion, HasLabel, HasOctets
from .steps import LeafType


def compile_condition(condition: Condition, dictionary: Dictionary, *, late: bool = False) -> Criterion:
    """Raises ConfigError where a comparison cannot be made. `late`: it is made when all is calibrated."""
    if isinstance(condition, NoneOf):
        none = tuple(compile_condition(part, dictionary, late=late) for part in condition.parts)
        return Combines(none, every=False, negated=True)
    if isinstance(condition, AllOf | AnyOf):
        parts = tuple(compile_condition(part, dictionary, late=late) for part in condition.parts)
        return parts[0] if len(parts) == 1 else Combines(parts, isinstance(condition, AllOf))
    left = scalar_type(condition.left, dictionary, late=late, octets=isinstance(condition.right, str))
    if isinstance(condition.right, Reference):
        scalar_type(condition.right, dictionary, late=late)
        sides = meant(condition.left, dictionary), meant(condition.right, dictionary)
        return ComparesPair(sides[0], condition.operator, sides[1])
    try:
        return _compare(condition, left)
    except ValueError as error:
        text = f'"{condition.left.parameter}" cannot be compared: {error}'
        raise ConfigError([Problem(text, dictionary.file, condition.line, "Comparison")]) from error


def meant(reference: Reference, dictionary: Dictionary) -> Reference:
    """The same reference; of what is written as text always the value, which is all that one can reckon with."""
    spelled = isinstance(dictionary.parameters[reference.parameter].type, SpelledType)
    return replace(reference, calibrated=True) if spelled else reference


def scalar_type(
    reference: Reference, dictionary: Dictionary, *, late: bool = False, octets: bool = False
) -> LeafType:
    """The type of a parameter of which packets have a single value. Raises ConfigError for others.

    `late`: values calibrated by context are known; `octets`: bytes of a fixed size will do.
    """
    parameter = dictionary.parameters.get(reference.parameter)
    if parameter is None:
        text = f'"{reference.parameter.removeprefix(LOCAL)}" is no member of an aggregate around what refers to it'
        raise ConfigError([Problem(text, dictionary.file, reference.line)])
    kind = parameter.type
    if isinstance(kind, UnencodedType) and kind.value is not None:
        return kind.value
    if isinstance(kind, BinaryType) and isinstance(kind.encoding.size, int) and octets:
        return kind
    if isinstance(kind, ArrayType | AggregateType | UnencodedType | BinaryType | CodedTimeType):
        text = f'"{reference.parameter}" is no number, label or text that one could compare'
        raise ConfigError([Problem(text, dictionary.file, reference.line)])
    by_context = isinstance(kind, NumberType) and kind.encoding.is_contextual
    by_context |= isinstance(kind, TimeType) and kind.offset_from is not None
    if by_context and reference.calibrated and not late:
        text = f'"{reference.parameter}" is calibrated by context, too late for this: refer to its raw value'
        raise ConfigError([Problem(text, dictionary.file, reference.line)])
    return kind


def _compare(condition: Comparison, kind: LeafType) -> Criterion:
    key, literal = condition.left.parameter, condition.right
    assert isinstance(literal, str)
    if isinstance(kind, StringType):
        return Compares(key, True, condition.operator, literal)
    if isinstance(kind, BinaryType):
        return _compare_octets(condition, kind, literal)
    if isinstance(kind, SpelledType):
        spelled = _spelled_literal(condition, kind.value, literal)
        return Compares(key, True, condition.operator, spelled, by_raw=False)
    if condition.left.calibrated and isinstance(kind, EnumeratedType):
        return _compare_label(condition, kind, literal)
    if condition.left.calibrated and isinstance(kind, BooleanType):
        return Compares(key, True, condition.operator, _truth(kind, literal), by_raw=False)
    whole = not isinstance(kind, NumberType) or conversion_of(kind) is None or not condition.left.calibrated
    return Compares(key, condition.left.calibrated, condition.operator, _number(literal, whole=whole))


def _spelled_literal(condition: Comparison, kind: NumberType | EnumeratedType | BooleanType, literal: str) -> Any:
    if isinstance(kind, BooleanType):
        return _truth(kind, literal)
    if isinstance(kind, NumberType):
        return _number(literal, whole=not kind.real)
    if condition.left.calibrated:
        _compare_label(condition, kind, literal)
        return literal
    number = integer_of(literal)
    found = next((label for low, high, label in kind.labels if low <= number <= high), None)
    if found is None or condition.operator not in {"==", "!="}:
        raise ValueError(f'type "{kind.name}" has no label for "{literal}", or labels no order')
    return found


def _number(literal: str, *, whole: bool) -> float:
    try:
        return integer_of(literal) if whole else float(literal)
    except ValueError:
        return float(literal)


def _truth(kind: BooleanType, literal: str) -> bool:
    if literal in {kind.one, kind.zero}:
        return literal == kind.one
    if literal.lower() in {"true", "1", "false", "0"}:
        return literal.lower() in {"true", "1"}
    raise ValueError(f'"{literal}" is neither "{kind.one}" nor "{kind.zero}"')


def _compare_label(condition: Comparison, kind: EnumeratedType, literal: str) -> Criterion:
    if condition.operator not in {"==", "!="}:
        raise ValueError(f"labels have no order for {condition.operator}")
    ranges = tuple((low, high) for low, high, label in kind.labels if label == literal)
    if not ranges and is_number(literal):
        # A number that is no label is meant for the raw value: files of the field leave useCalibratedValue out.
        number = integer_of(literal)
        ranges = ((number, number),)
    if not ranges:
        raise ValueError(f'type "{kind.name}" has no label "{literal}"')
    return HasLabel(condition.left.parameter, ranges, condition.operator == "!=")


def _compare_octets(condition: Comparison, kind: BinaryType, literal: str) -> Criterion:
    """Bytes of a fixed size against a literal in hexadecimal."""
    assert isinstance(kind.encoding.size, int)
    if condition.operator not in {"==", "!="}:
        raise ValueError(f"bytes have no order for {condition.operator}")
    size_bits = kind.encoding.size
    digits = literal.strip().lower().removeprefix("0x")
    try:
        number = int(digits, 16)
    except ValueError as error:
        raise ValueError(f'"{literal}" is not hexadecimal') from error
    if number >> size_bits:
        raise ValueError(f'"{literal}" is longer than {size_bits} bits')
    octets = number.to_bytes((size_bits + 7) // 8, "big")
    return HasOctets(condition.left.parameter, octets, condition.operator == "!=")


def is_number(literal: str) -> bool:
    """Whether a literal is a whole number."""
    try:
        integer_of(literal)
    except ValueError:
        return False
    return True
