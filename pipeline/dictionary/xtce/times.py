"""Time types: numbers with a unit, a scale and an epoch; CCSDS codes in binary fields; times offset from others.

XTCE leaves binary times to algorithms, so an algorithm named CUC or CDS marks a CCSDS code. Its text is the implicit
P-field (301.0-B-4) in hexadecimal; without a text the P-field stands before the time in the packet.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction

from ..model.conditions import Reference
from ..model.document import Node
from ..model.encodings import NumberEncoding, Polynomial
from ..model.parameter_types import CodedTimeType, ParameterType, TimeCode, TimeType, UnencodedType
from ..model.timecodes import CCSDS_EPOCH_NS, code_of, codes_of_size
from .conditions import read_reference
from .encodings import read_binary_encoding, read_number_encoding
from .limits import TIMES, in_nanoseconds, read_limits
from .scope import Context

TIME_UNITS_NS = {"seconds": Fraction(10**9), "picoSeconds": Fraction(1, 1000), "days": Fraction(86400 * 10**9)}
OTHER_UNITS_NS = {
    "nanoseconds": Fraction(1),
    "microseconds": Fraction(1000),
    "milliseconds": Fraction(10**6),
    "minutes": Fraction(60 * 10**9),
    "hours": Fraction(3600 * 10**9),
}
"""Not of the schema."""
EPOCHS = {"TAI": "1958-01-01", "J2000": "2000-01-01T12:00:00", "UNIX": "1970-01-01", "GPS": "1980-01-06"}
MAX_SCALE = 1e30
FORMS = ("CUC", "CDS")
BEYOND_MICROSECONDS = re.compile(r"[.,]\d{6}(\d{1,3})")


def read_time(node: Node, name: str, _unit: str, context: Context) -> ParameterType:
    """RelativeTimeParameterType and AbsoluteTimeParameterType."""
    reading = context.reading
    limits = read_limits(node, context, kind=TIMES)
    absolute = node.tag == "AbsoluteTimeParameterType"
    epoch_ns, origin = _read_reference_time(node, context) if absolute else (None, None)
    holder = reading.child(node, "Encoding")
    if holder is None:
        return UnencodedType(name)
    binary = reading.child(holder, "BinaryDataEncoding")
    if binary is not None:
        found = _read_coded(binary, name, epoch_ns, origin, context, absolute=absolute)
        reading.finish(holder)
        return replace(found, limits=in_nanoseconds(limits, epoch_ns or 0)) if found else UnencodedType(name)
    units = reading.choice(holder, "units", "seconds", TIME_UNITS_NS | OTHER_UNITS_NS)
    if units in OTHER_UNITS_NS:
        reading.notice(holder, f'units="{units}", which the schema has not, is taken as it says')
    second_ns = (TIME_UNITS_NS | OTHER_UNITS_NS)[units]
    scale = _read_fraction(holder, "scale", "1", context) * second_ns
    offset = _read_fraction(holder, "offset", "0", context) * second_ns
    encoding = read_number_encoding(holder, context, "IntegerDataEncoding", "FloatDataEncoding")
    if encoding is not None and (encoding.calibrator is not None or encoding.contexts):
        linear = _linear(encoding)
        if linear is None:
            reading.problem(holder, "a calibrator in a time that is no straight line is not implemented")
        else:
            scale, offset = scale * linear[1], offset + scale * linear[0]
        encoding = replace(encoding, calibrator=None, contexts=())
    reading.finish(holder)
    if encoding is None:
        return UnencodedType(name)
    if absolute and epoch_ns is None and origin is None:
        reading.problem(node, "ReferenceTime has no Epoch and no OffsetFrom: nothing says from when it counts")
    own = in_nanoseconds(limits, epoch_ns or 0)
    return TimeType(name, encoding, scale, offset + (epoch_ns or 0), absolute, origin, own)


def _linear(encoding: NumberEncoding) -> tuple[Fraction, Fraction] | None:
    """Offset and slope of a calibrator that is a straight line."""
    calibrator = encoding.calibrator
    if encoding.contexts or not isinstance(calibrator, Polynomial) or any(calibrator.coefficients[2:]):
        return None
    offset, slope, *_ = (*calibrator.coefficients, 0.0, 0.0)
    return Fraction(str(offset)), Fraction(str(slope))


def _read_coded(
    node: Node, name: str, epoch_ns: int | None, origin: Reference | None, context: Context, *, absolute: bool
) -> CodedTimeType | None:
    """BinaryDataEncoding of a time."""
    reading = context.reading
    algorithm = reading.child(node, "FromBinaryTransformAlgorithm")
    encoding = read_binary_encoding(node, context)
    if algorithm is None:
        wanted = 'a FromBinaryTransformAlgorithm named "CUC" or "CDS"'
        reading.problem(node, f"a time in BinaryDataEncoding wants {wanted}")
        return None
    form = reading.choice(algorithm, "name", "CUC", FORMS)
    text = reading.child(algorithm, "AlgorithmText")
    p_field = "" if text is None else reading.text(text)
    if text is not None:
        reading.read_past(text, "language")
        reading.finish(text)
    reading.finish(algorithm)
    if not isinstance(encoding.size, int) or encoding.size % 8:
        reading.problem(node, "a time code wants a fixed size of whole octets")
        return None
    if p_field:
        codes = _implicit(algorithm, form, p_field, encoding.size, context)
    else:
        codes = tuple(codes_of_size(form, encoding.size // 8))
        if absolute and origin is None and epoch_ns is None:
            # A packet that says the agency's epoch has a time that nobody knows: it is flagged.
            codes = tuple(each for each in codes if not each[1].agency_epoch)
        if not codes:
            reading.problem(algorithm, f"no P-field and {form} take {encoding.size} bits together")
    if origin is None and absolute:
        _check_epoch(algorithm, codes if p_field else (), epoch_ns, context)
    if not absolute and form == "CDS":
        reading.problem(algorithm, "CDS in a relative time is not implemented: it counts days of a calendar")
    return CodedTimeType(name, encoding, codes, epoch_ns or 0, absolute and origin is None, origin)


def _implicit(
    node: Node, form: str, p_field: str, size_bits: int, context: Context
) -> tuple[tuple[bytes, TimeCode], ...]:
    try:
        code = code_of(bytes.fromhex(p_field))
    except ValueError:
        code = None
    if code is None or code.form != form:
        context.reading.problem(node, f'"{p_field}" is no P-field of {form}')
        return ()
    if code.n_octets * 8 != size_bits:
        text = f'P-field "{p_field}" describes {code.n_octets * 8} bits, and SizeInBits {size_bits}'
        context.reading.problem(node, text)
    return ((b"", code),)


def _check_epoch(
    node: Node, codes: tuple[tuple[bytes, TimeCode], ...], epoch_ns: int | None, context: Context
) -> None:
    """An agency's epoch needs a ReferenceTime; a P-field of 1958 allows no other one."""
    for _, code in codes:
        if code.agency_epoch and epoch_ns is None:
            context.reading.problem(
                node, "its P-field says that the agency defines the epoch: ReferenceTime is missing"
            )
        elif not code.agency_epoch and epoch_ns not in {None, CCSDS_EPOCH_NS}:
            context.reading.problem(
                node, "its P-field says that the epoch is 1958-01-01, and ReferenceTime another"
            )


def _read_fraction(node: Node, name: str, default: str, context: Context) -> Fraction:
    text = context.reading.attribute(node, name, default)
    try:
        value = Fraction(text)
    except (ValueError, ZeroDivisionError):
        value = None
    if value is None or abs(value) > MAX_SCALE:
        context.reading.problem(node, f'{name} "{text}" is not a number within {MAX_SCALE:g}')
        return Fraction(1)
    return value


def _read_reference_time(node: Node, context: Context) -> tuple[int | None, Reference | None]:
    """Nanoseconds from 1970-01-01 to the epoch, both in the epoch's own scale; or the time that it counts from."""
    reading = context.reading
    found = reading.child(node, "ReferenceTime")
    if found is None:
        return None, None
    epoch, origin = reading.child(found, "Epoch"), reading.child(found, "OffsetFrom")
    reading.finish(found)
    if origin is not None:
        reference = read_reference(origin, context)
        reading.finish(origin)
        return None, reference
    return (_epoch_ns(epoch, context) if epoch is not None else None), None


def _epoch_ns(node: Node, context: Context) -> int:
    text = context.reading.text(node)
    context.reading.finish(node)
    try:
        moment = datetime.fromisoformat(EPOCHS.get(text, text))
    except ValueError:
        context.reading.problem(node, f'epoch "{text}" is not implemented')
        return 0
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    beyond = BEYOND_MICROSECONDS.search(text)  # datetime cuts them off
    nanoseconds = int(beyond[1].ljust(3, "0")) if beyond else 0
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000 + nanoseconds
