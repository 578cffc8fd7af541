"""Built-in types of Kaitai Struct: numbers, bits, text and bytes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import inf
from typing import Any

from ..dictionary.model.conditions import Size
from ..dictionary.model.definitions import MAX_CONTAINER_BITS
from ..dictionary.model.encodings import BinaryEncoding, NumberEncoding, StringEncoding, Terminated
from ..dictionary.model.parameter_types import (
    BinaryType,
    BooleanType,
    EnumeratedType,
    Limits,
    NumberType,
    ParameterType,
    Range,
    StringType,
)
from .losses import Losses
from .yaml_lines import Mapping

NUMBER = re.compile(r"([usf])([1248])(le|be)?")
BITS = re.compile(r"b(\d+)(le|be)?")
CHARSETS = {
    "ASCII": "ascii",
    "US-ASCII": "ascii",
    "UTF-8": "utf-8",
    "UTF8": "utf-8",
    "UTF-16LE": "utf-16-le",
    "UTF-16BE": "utf-16-be",
    "ISO-8859-1": "latin-1",
    "ISO8859-1": "latin-1",
    "WINDOWS-1252": "cp1252",
}


@dataclass(frozen=True, slots=True)
class Order:
    """Byte order, bit order and charset of the fields of a type."""

    little: bool = False
    little_bits: bool = False
    charset: str = "UTF-8"


def order_of(spec: Mapping, around: Order) -> Order:
    """The order of a type, by default that of the type around it."""
    meta = spec.get("meta") or {}
    little = {"le": True, "be": False}.get(str(meta.get("endian")), around.little)
    bits = {"le": True, "be": False}.get(str(meta.get("bit-endian")), around.little_bits)
    return Order(little, bits, str(meta.get("encoding", around.charset)))


def labels_of(enum: Mapping) -> tuple[tuple[int, int, str], ...]:
    """(value, value, label) of an enum."""
    pairs = (
        (int(value), label.get("id", "") if isinstance(label, Mapping) else label) for value, label in enum.items()
    )
    return tuple((value, value, _word(label)) for value, label in pairs)


def _word(label: Any) -> str:
    """A label as text; YAML reads on, off, yes and no as booleans."""
    return {True: "true", False: "false"}[label] if isinstance(label, bool) else str(label)


def bits_of(kind: ParameterType) -> int:
    """The size of a bit field, which needs no alignment; 0 for other types."""
    encoding = getattr(kind, "encoding", None)
    if isinstance(encoding, NumberEncoding) and kind.name == "bits":
        return encoding.size_bits
    return 0


class Kinds:
    """Makes the built-in types of fields."""

    def __init__(self, losses: Losses) -> None:
        self.losses = losses

    def of(  # noqa: PLR0911 - a case for each kind of field
        self, spec: Mapping, order: Order, size: Size | None, name: str, labels: tuple[tuple[int, int, str], ...]
    ) -> ParameterType | None:
        """The type of a field; None, and a loss, if it is not converted. Types of bit fields are named "bits"."""
        word = spec.get("type")
        if "process" in spec:
            word = None
        if word is None:
            return self._octets(spec, size, name)
        number = self._encoding(str(word), order)
        if number is not None:
            own = "bits" if BITS.fullmatch(str(word)) else ""
            if labels:
                return EnumeratedType(own, number, labels)
            if own and number.size_bits == 1:
                return BooleanType(own, number)
            return NumberType(own, number, number.is_float, limits=self._limits(spec, name))
        if word in {"str", "strz"}:
            return self._text(spec, order, size, name)
        self.losses.add("type", name, f'"{word}" is not converted', spec.lines.get("type", spec.line))
        if size is not None:
            return BinaryType("", BinaryEncoding(size))
        return None

    def _encoding(self, word: str, order: Order) -> NumberEncoding | None:
        found = NUMBER.fullmatch(word)
        if found is not None:
            n_bytes = int(found[2])
            little = (found[3] == "le" if found[3] else order.little) and n_bytes > 1
            form = {"u": "unsigned", "s": "twosComplement", "f": "IEEE754"}[found[1]]
            return NumberEncoding(n_bytes * 8, form, little) if found[1] != "f" or n_bytes > 1 else None
        bits = BITS.fullmatch(word)
        if bits is None or not 1 <= int(bits[1]) <= 64:
            return None
        n, little = int(bits[1]), bits[2] == "le" if bits[2] else order.little_bits
        return NumberEncoding(n, "unsigned", little and n % 8 == 0, lsb_first=little and n % 8 != 0)

    def _octets(self, spec: Mapping, size: Size | None, name: str) -> ParameterType | None:
        if size is None:
            what = "bytes up to a terminator are not converted" if "terminator" in spec else "its size is not given"
            self.losses.add("field", name, what, spec.line)
            return None
        for word in ("terminator", "pad-right"):
            if word in spec:
                self.losses.add(word, name, "the whole buffer is given", spec.lines[word])
        return BinaryType("", BinaryEncoding(size))

    def _text(self, spec: Mapping, order: Order, size: Size | None, name: str) -> ParameterType | None:
        charset = CHARSETS.get(str(spec.get("encoding", order.charset)).upper())
        if charset is None:
            self.losses.add("encoding", name, f"{spec.get('encoding', order.charset)} is read as UTF-8", spec.line)
            charset = "utf-8"
        ends = spec.get("terminator", 0 if spec["type"] == "strz" else None)
        terminator = bytes([int(ends)]) if ends is not None else b""
        if "pad-right" in spec and spec["pad-right"] != 0:
            self.losses.add("pad-right", name, "what fills the buffer is not cut", spec.lines["pad-right"])
        for word in ("consume", "include"):
            if word in spec:
                self.losses.add(word, name, "is not converted", spec.lines[word])
        if size is None and not terminator:
            self.losses.add("field", name, "its size is not given", spec.line)
            return None
        if charset.startswith("utf-16") and terminator:
            terminator = terminator * 2
        if size is None:
            return StringType("", StringEncoding(Terminated(terminator, MAX_CONTAINER_BITS), charset, terminator))
        return StringType("", StringEncoding(size, charset, terminator))

    def _limits(self, spec: Mapping, name: str) -> Limits:
        """The limits of a number by `valid`."""
        valid = spec.get("valid")
        if valid is None:
            return Limits()
        given = valid if isinstance(valid, Mapping) else {"eq": valid}
        values = {key: _real(each) for key, each in given.items()}
        if set(values) <= {"min", "max", "eq"} and None not in values.values():
            low, high = (values.get("eq", values.get(end)) for end in ("min", "max"))
            return Limits(valid=Range(-inf if low is None else low, inf if high is None else high))
        self.losses.add("valid", name, "is not converted", spec.lines["valid"])
        return Limits()


def _real(value: Any) -> float | None:
    try:
        return float(int(value, 0) if isinstance(value, str) else value)
    except (TypeError, ValueError):
        return None
