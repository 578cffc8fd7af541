"""In words: how a field is read from its bits, and what becomes of the raw value."""

from __future__ import annotations

from .model.conditions import Reference
from .model.encodings import Calibrator, Formula, NumberEncoding, Polynomial, Spline
from .model.parameter_types import (
    BinaryType,
    BooleanType,
    CodedTimeType,
    EnumeratedType,
    NumberType,
    SpelledType,
    StringType,
    TimeType,
)
from .run.steps import LeafType
from .run.texts import ToText
from .run.variables import VariableProgram

_FORMS = {
    "unsigned": "unsigned integer",
    "twosComplement": "signed integer (two's complement)",
    "IEEE754": "IEEE 754 float",
    "MILSTD_1750A": "MIL-STD-1750A float",
}
_MAX_TERMS = 6


def rule_of(kind: LeafType) -> str:
    """The encoding and the calibration of a type."""
    match kind:
        case BinaryType():
            return "bytes"
        case StringType():
            return f"text ({kind.encoding.charset})"
        case CodedTimeType():
            forms = sorted({code.form for _, code in kind.codes})
            return f"CCSDS time code {', '.join(forms)}"
        case SpelledType():
            return "spelled out as text"
    encoding = kind.encoding
    words = [encoding_words(encoding)]
    if encoding.contexts:
        words.append(f"calibrated by context, {len(encoding.contexts)} cases")
    if encoding.calibrator is not None:
        words.append(calibrator_words(encoding.calibrator))
    words += _meaning(kind)
    return "; ".join(words)


def _meaning(kind: NumberType | EnumeratedType | BooleanType | TimeType) -> list[str]:
    if isinstance(kind, EnumeratedType):
        n = len(kind.labels)
        return [f"enumeration of {n} label{'s' * (n != 1)}"]
    if isinstance(kind, BooleanType):
        return [f"0 is {kind.zero}, others are {kind.one}"]
    if isinstance(kind, TimeType):
        return [f"time: {float(kind.unit_ns):.10g} ns a count"]
    return []


def rule_of_variable(variable: VariableProgram) -> str:
    """Of a field whose size a packet tells."""
    if variable.encoding is None:
        return "text, as long as the packet says" if isinstance(variable.conversion, ToText) else "bytes"
    words = [encoding_words(variable.encoding)]
    words += [calibrator_words(variable.encoding.calibrator)] if variable.encoding.calibrator is not None else []
    return "; ".join(words)


def encoding_words(encoding: NumberEncoding) -> str:
    """As in `12-bit unsigned integer, little-endian`."""
    words = f"{encoding.size_bits}-bit {_FORMS.get(encoding.form, encoding.form)}"
    words += ", little-endian" if encoding.little_endian or encoding.lsb_first else ""
    words += ", bits mirrored" if encoding.mirrored else ""
    return words + (f", bytes in order {encoding.places}" if encoding.places else "")


def calibrator_words(calibrator: Calibrator) -> str:
    """As in `polynomial -50 + 0.5 x`."""
    if isinstance(calibrator, Polynomial):
        return f"polynomial {_polynomial(calibrator.coefficients)}"
    if isinstance(calibrator, Formula):
        tokens = (
            token.parameter if isinstance(token, Reference) else _number(token) for token in calibrator.tokens
        )
        return f"formula (postfix) {' '.join(tokens)}"
    return _spline(calibrator)


def _spline(spline: Spline) -> str:
    points = sorted(spline.points)
    order = {0: "steps", 1: "straight lines"}.get(spline.order, f"pieces of order {spline.order}")
    (first, low), (last, high) = points[0], points[-1]
    ends = f"from {_number(first)} -> {_number(low)} to {_number(last)} -> {_number(high)}"
    return f"{order} through {len(points)} points {ends}"


def _polynomial(coefficients: tuple[float, ...]) -> str:
    terms = [(k, value) for k, value in enumerate(coefficients) if value]
    text = ""
    for k, value in terms[:_MAX_TERMS]:
        power = "" if k == 0 else " x" if k == 1 else f" x^{k}"
        sign = ("-" if value < 0 else "") if not text else " - " if value < 0 else " + "
        text += f"{sign}{_number(abs(value))}{power}"
    return (text or "0") + (" + ..." if len(terms) > _MAX_TERMS else "")


def _number(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.8g}"
