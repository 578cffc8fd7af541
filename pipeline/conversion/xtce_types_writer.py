"""Parameter types as XTCE elements, each written once in its space system."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from xml.etree.ElementTree import Element, SubElement

from ..dictionary.model.conditions import Size, Span
from ..dictionary.model.definitions import MAX_CONTAINER_BITS
from ..dictionary.model.encodings import BinaryEncoding, NumberEncoding, StringEncoding, Tagged, Terminated
from ..dictionary.model.parameter_types import (
    AggregateType,
    ArrayType,
    BinaryType,
    BooleanType,
    CodedTimeType,
    EnumeratedType,
    NumberType,
    ParameterType,
    SpelledType,
    StringType,
    TimeCode,
    TimeType,
    UnencodedType,
)
from ..dictionary.xtce.encodings import CHARSETS
from .names import Names
from .xtce_elements import Pieces, number_text

CHARSET_NAMES = {"utf-16-be": "UTF-16BE", "utf-32-be": "UTF-32BE"} | {
    codec: name for name, codec in CHARSETS.items() if not name.endswith(("16", "32", "BE"))
}
UNIX = "UNIX"


class TypeWriter:
    """Writes parameter types into one ParameterTypeSet."""

    def __init__(self, parent: Element, pieces: Pieces) -> None:
        self.parent = parent
        self.pieces = pieces
        self._names = Names()
        self._written: dict[ParameterType, str] = {}

    def name_of(self, kind: ParameterType, name: str) -> str:
        """The name of a type, which is written at the first call. `name`: of the parameter."""
        if kind not in self._written:
            self._written[kind] = own = self._names.take(f"{name}_Type")
            self._write(kind, own, name)
        return self._written[kind]

    def _write(self, kind: ParameterType, own: str, name: str) -> None:
        if isinstance(kind, ArrayType):
            element = self.name_of(kind.element, f"{name}_Element")
            node = self._node("ArrayParameterType", own)
            node.set("arrayTypeRef", element)
            if kind.dimensions is not None:
                self.dimensions(node, kind.dimensions)
        elif isinstance(kind, AggregateType):
            members = [(member, self.name_of(each, f"{name}_{member}")) for member, each in kind.members]
            node = self._node("AggregateParameterType", own)
            listed = SubElement(node, "MemberList")
            for member, type_name in members:
                SubElement(listed, "Member", {"name": member, "typeRef": type_name})
        elif isinstance(kind, UnencodedType):
            self._unencoded(kind, own)
        elif isinstance(kind, TimeType):
            self._time(kind, own)
        elif isinstance(kind, CodedTimeType):
            self._coded_time(kind, own)
        else:
            self._plain(kind, own)

    def _node(self, tag: str, name: str) -> Element:
        return SubElement(self.parent, tag, {"name": name})

    def _unencoded(self, kind: UnencodedType, own: str) -> None:
        """The type of a constant: needed only for labels."""
        if isinstance(kind.value, EnumeratedType):
            _enumerations(self._node("EnumeratedParameterType", own), kind.value)
        else:
            self._node("BinaryParameterType", own)

    def _plain(
        self, kind: NumberType | EnumeratedType | BooleanType | StringType | BinaryType | SpelledType, own: str
    ) -> None:
        value = kind.value if isinstance(kind, SpelledType) else kind
        tag = _tag_of(value)
        node = self._node(tag, own)
        if isinstance(value, NumberType) and tag.startswith("Integer"):
            node.set("signed", str(value.encoding.form != "unsigned").lower())
        if isinstance(value, NumberType) and value.encoding.size_bits > 32:
            node.set("sizeInBits", "64")
        if isinstance(value, BooleanType):
            node.set("oneStringValue", value.one)
            node.set("zeroStringValue", value.zero)
        units = SubElement(node, "UnitSet")
        if kind.unit:
            SubElement(units, "Unit").text = kind.unit
        self.encoding(node, kind.encoding)
        if isinstance(value, EnumeratedType):
            _enumerations(node, value)
        self.pieces.limits(node, value.limits)

    def _time(self, kind: TimeType, own: str) -> None:
        node = self._node("AbsoluteTimeParameterType" if kind.absolute else "RelativeTimeParameterType", own)
        holder = SubElement(node, "Encoding", {"units": "seconds"})
        holder.set("scale", _fraction(kind.unit_ns / 10**9))
        if kind.offset_ns:
            holder.set("offset", _fraction(kind.offset_ns / 10**9))
        self.encoding(holder, kind.encoding)
        if kind.absolute:
            reference = SubElement(node, "ReferenceTime")
            if kind.offset_from is not None:
                self.pieces.refer(SubElement(reference, "OffsetFrom"), kind.offset_from)
            else:
                SubElement(reference, "Epoch").text = UNIX

    def _coded_time(self, kind: CodedTimeType, own: str) -> None:
        """Write a CCSDS time code as an algorithm of its name, with the implicit P-field as text."""
        absolute = kind.absolute or kind.offset_from is not None
        node = self._node("AbsoluteTimeParameterType" if absolute else "RelativeTimeParameterType", own)
        found = SubElement(SubElement(node, "Encoding"), "BinaryDataEncoding")
        self.pieces.size(SubElement(found, "SizeInBits"), kind.encoding.size)  # type: ignore[arg-type]
        (prefix, code), *_ = kind.codes
        algorithm = SubElement(found, "FromBinaryTransformAlgorithm", {"name": code.form})
        if not prefix:
            SubElement(algorithm, "AlgorithmText", {"language": "P-field"}).text = p_field_of(code).hex().upper()
        if absolute:
            reference = SubElement(node, "ReferenceTime")
            if kind.offset_from is not None:
                self.pieces.refer(SubElement(reference, "OffsetFrom"), kind.offset_from)
            else:
                moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=kind.epoch_ns // 1000)
                SubElement(reference, "Epoch").text = moment.replace(tzinfo=None).isoformat()

    # encodings

    def encoding(self, node: Element, encoding: NumberEncoding | StringEncoding | BinaryEncoding) -> None:
        if encoding.check is not None:
            self.pieces.lost("its check word is not written")
        if isinstance(encoding, NumberEncoding):
            self._number(node, encoding)
        elif isinstance(encoding, StringEncoding):
            self._text(node, encoding)
        else:
            self._bytes(node, encoding)

    def _number(self, node: Element, encoding: NumberEncoding) -> None:
        tag = "FloatDataEncoding" if encoding.is_float else "IntegerDataEncoding"
        found = SubElement(node, tag, {"sizeInBits": str(encoding.size_bits), "encoding": encoding.form})
        if encoding.little_endian or encoding.lsb_first:
            found.set("byteOrder", "leastSignificantByteFirst")
        elif encoding.places:
            found.set("byteOrder", ",".join(map(str, encoding.places)))
        if encoding.mirrored:
            found.set("bitOrder", "leastSignificantBitFirst")
        if encoding.calibrator is not None:
            self.pieces.calibrator(SubElement(found, "DefaultCalibrator"), encoding.calibrator)
        if encoding.contexts:
            listed = SubElement(found, "ContextCalibratorList")
            for condition, calibrator in encoding.contexts:
                each = SubElement(listed, "ContextCalibrator")
                self.pieces.criteria(SubElement(each, "ContextMatch"), condition)
                self.pieces.calibrator(SubElement(each, "Calibrator"), calibrator)

    def _text(self, node: Element, encoding: StringEncoding) -> None:
        found = SubElement(node, "StringDataEncoding", {"encoding": CHARSET_NAMES[encoding.charset]})
        size = encoding.size
        if isinstance(size, int):
            holder = SubElement(found, "SizeInBits")
            SubElement(SubElement(holder, "Fixed"), "FixedValue").text = str(size)
        else:
            longest = size.max_bits if isinstance(size, Terminated | Tagged) else MAX_CONTAINER_BITS
            holder = SubElement(found, "Variable", {"maxSizeInBits": str(longest)})
            if not isinstance(size, Terminated | Tagged):
                self.pieces.size(holder, size)
        if encoding.tag_bits:
            SubElement(holder, "LeadingSize", {"sizeInBitsOfSizeTag": str(encoding.tag_bits)})
            if encoding.unit_bits != 8:
                self.pieces.lost('its leading size counts bits: set leading_size = "bits" in the mission file')
        elif encoding.terminator:
            SubElement(holder, "TerminationChar").text = encoding.terminator.hex().upper()

    def _bytes(self, node: Element, encoding: BinaryEncoding) -> None:
        found = SubElement(node, "BinaryDataEncoding")
        size = encoding.size
        holder = SubElement(found, "SizeInBits")
        if isinstance(size, Tagged):
            SubElement(holder, "FixedValue").text = "8"
            text = f"org.yamcs.algo.LeadingSizeBinaryDecoder({size.tag_bits})"
            algorithm = SubElement(found, "FromBinaryTransformAlgorithm", {"name": "LeadingSizeBinaryDecoder"})
            SubElement(algorithm, "AlgorithmText", {"language": "java"}).text = text
        else:
            self.pieces.size(holder, size)

    def dimensions(self, node: Element, dimensions: tuple[Size, ...]) -> None:
        listed = SubElement(node, "DimensionList")
        for size in dimensions:
            dimension = SubElement(listed, "Dimension")
            start, behind = (size.start, size.behind) if isinstance(size, Span) else (0, size)
            self.pieces.size(SubElement(dimension, "StartingIndex"), start)
            self.pieces.size(SubElement(dimension, "EndingIndex"), behind, by=-1)


def _tag_of(kind: NumberType | EnumeratedType | BooleanType | StringType | BinaryType) -> str:
    if isinstance(kind, NumberType):
        return "FloatParameterType" if kind.real or kind.encoding.is_float else "IntegerParameterType"
    names = {EnumeratedType: "Enumerated", BooleanType: "Boolean", StringType: "String", BinaryType: "Binary"}
    return f"{names[type(kind)]}ParameterType"


def p_field_of(code: TimeCode) -> bytes:
    """The P-field (301.0-B-4 3.2.2, 3.3.2) of a code of at most 4 and 3 octets (CUC)."""
    if code.form == "CDS":
        return bytes([0x40 | code.agency_epoch << 3 | (code.coarse == 3) << 2 | code.fine // 2])
    return bytes([(2 if code.agency_epoch else 1) << 4 | (code.coarse - 1) << 2 | code.fine])


def _fraction(value: Fraction) -> str:
    """A fraction as text: a decimal number if that is exact, else p/q."""
    real = float(value)
    return number_text(real) if Fraction(real) == value and len(repr(real)) < 40 else str(value)


def _enumerations(node: Element, kind: EnumeratedType) -> None:
    listed = SubElement(node, "EnumerationList")
    for low, high, label in kind.labels:
        each = SubElement(listed, "Enumeration", {"value": str(low), "label": label})
        if high != low:
            each.set("maxValue", str(high))
