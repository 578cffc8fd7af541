"""The fields of one packet type as CSV has them: rows in, parameters and entries out."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from ..model.conditions import Dynamic, Reference, Remainder
from ..model.definitions import MAX_CONTAINER_BITS, Location, Parameter, ParameterEntry, Placement
from ..model.encodings import NumberEncoding, StringEncoding
from ..model.parameter_types import ArrayType, NumberType, ParameterType, StringType

PRIMARY_HEADER = {
    "CCSDS_VERSION_NUMBER": 3,
    "CCSDS_PACKET_TYPE": 1,
    "CCSDS_SECONDARY_FLAG": 1,
    "CCSDS_APID": 11,
    "CCSDS_SEQUENCE_FLAG": 2,
    "CCSDS_SEQUENCE_COUNT": 14,
    "CCSDS_PACKET_LENGTH": 16,
}
HEADER_BITS = 48
FORMS = {"uint": "unsigned", "int": "twosComplement", "float": "IEEE754"}
EXPAND = "expand"
SHAPED = re.compile(r"(\w+)\s*\(([^)]*)\)")
MAX_ELEMENTS = 1 << 20
Report = Callable[[int, str, str], None]
"""Takes a line, what is wrong, and the name of the field."""


def _silent(_line: int, _text: str, _name: str) -> None:
    """Notices that nobody asked for."""


@dataclass(slots=True)
class Fields:
    """What the rows describe. `prefix`: before the key of each parameter, where several packet types have fields.
    `report` takes problems, `note` what is passed over.
    """

    report: Report
    prefix: str = ""
    note: Report = _silent
    parameters: dict[str, Parameter] = field(default_factory=dict)
    entries: list[ParameterEntry] = field(default_factory=list)

    def header(self) -> None:
        """The primary header."""
        for name, bits in PRIMARY_HEADER.items():
            self._add(name, name, NumberType("", NumberEncoding(bits)), None, 0)

    def rows(self, rows: Sequence[tuple[int, dict[str, str]]]) -> None:
        """The fields behind it, each with its line."""
        rows = [(line, _with_shape(row)) for line, row in rows]
        for place, (line, row) in enumerate(rows):
            shape = row.get("array_shape", "")
            known = self.parameters.get(self.prefix + shape) if shape else None
            if known is not None and isinstance(known.type, ArrayType):
                text = "a size that is an array has no meaning: this field and those behind it are passed over"
                self.note(line, text, row["name"])
                return
            behind = [each for _, each in rows[place + 1 :]] if shape == EXPAND else []
            self._field(line, row, behind)

    def _number(self, line: int, row: dict[str, str], column: str, low: int, high: int) -> int:
        try:
            value = int(row[column])
        except ValueError:
            value = low - 1
        if not low <= value <= high:
            self.report(line, f'{column} "{row[column]}" is not within {low} to {high}', row["name"])
            return max(low, 8)
        return value

    def _add(
        self, key: str, name: str, kind: ParameterType, location: Location | None, line: int, description: str = ""
    ) -> None:
        self.parameters[key] = Parameter(key, name, kind, line, description=description)
        self.entries.append(ParameterEntry(key, Placement(location, line=line)))

    def _field(self, line: int, row: dict[str, str], behind: Sequence[dict[str, str]]) -> None:
        name, data_type = row["name"], row["data_type"]
        if self.prefix + name in self.parameters or name in PRIMARY_HEADER:
            self.report(line, "is there twice", name)
            return
        bits = self._number(line, row, "bit_length", 1, MAX_CONTAINER_BITS)
        kind = self._type(line, name, data_type, bits)
        if kind is not None and row.get("byte_order"):
            kind = self._ordered(line, row, kind)
        shape = row.get("array_shape", "")
        if kind is not None and shape:
            kind = self._array(line, row, kind, shape, behind)
        if row.get("array_order", "C") not in {"C", ""}:
            self.report(line, f'array_order "{row["array_order"]}" is not implemented', name)
        location = None
        if row.get("bit_offset"):
            offset_bits = self._number(line, row, "bit_offset", 0, MAX_CONTAINER_BITS)
            location = Location(offset_bits, from_start=True)
            if offset_bits < HEADER_BITS:
                text = f"bit_offset counts from the start of the packet: below {HEADER_BITS} is the primary header"
                self.note(line, text, name)
        if kind is not None:
            self._add(self.prefix + name, name, kind, location, line, row.get("description", ""))

    def _type(self, line: int, name: str, data_type: str, bits: int) -> ParameterType | None:
        if data_type in {"uint", "int"} and bits <= 64:
            return NumberType("", NumberEncoding(bits, FORMS[data_type]))
        if data_type == "float" and bits in {16, 32, 64}:
            return NumberType("", NumberEncoding(bits, "IEEE754"), real=True)
        if data_type == "str" and bits % 8 == 0:
            return StringType("", StringEncoding(bits))
        if data_type == "fill" and bits <= 64:
            return NumberType("", NumberEncoding(bits))
        self.report(line, f'data_type "{data_type}" of {bits} bits is not implemented', name)
        return None

    def _ordered(self, line: int, row: dict[str, str], kind: ParameterType) -> ParameterType | None:
        """The type with the order of its bytes."""
        order, n_bytes = row["byte_order"].lower(), (int(row["bit_length"]) + 7) // 8
        if order == "big" or not isinstance(kind, NumberType):
            return kind
        encoding = kind.encoding
        if order == "little":
            whole = encoding.size_bits % 8 == 0
            return replace(kind, encoding=replace(encoding, little_endian=whole, lsb_first=not whole))
        if sorted(order) != sorted("123456789"[:n_bytes]) or encoding.size_bits % 8:
            self.report(line, f'byte_order "{row["byte_order"]}" is not implemented', row["name"])
            return None
        return replace(kind, encoding=replace(encoding, places=tuple(int(digit) - 1 for digit in order)))

    def _array(
        self, line: int, row: dict[str, str], kind: ParameterType, shape: str, behind: Sequence[dict[str, str]]
    ) -> ParameterType | None:
        name = row["name"]
        if shape == EXPAND:
            return self._rest(line, name, kind, behind)
        if self.prefix + shape in self.parameters:
            of = Reference(self.prefix + shape, calibrated=False, line=line)
            return ArrayType("", kind, (Dynamic(of),))
        cells = [cell.strip() for cell in shape.strip("()").replace("x", ",").split(",") if cell.strip()]
        if not cells or not all(cell.isdecimal() for cell in cells):
            self.report(line, f'array_shape "{shape}" is no shape and no field before it', name)
            return None
        sizes = tuple(int(cell) for cell in cells)
        if any(size > MAX_ELEMENTS for size in sizes):
            self.report(line, f'array_shape "{shape}" is more than {MAX_ELEMENTS} elements', name)
            return None
        return ArrayType("", kind, sizes)

    def _rest(
        self, line: int, name: str, kind: ParameterType, behind: Sequence[dict[str, str]]
    ) -> ParameterType | None:
        """An array of what the packet holds before the fields behind it, whose size must be fixed."""
        if any(self.prefix + row.get("array_shape", "") in self.parameters for row in behind) or any(
            row.get("array_shape") == EXPAND for row in behind
        ):
            self.note(line, "what is behind an array of all that the packet holds has no fixed size", name)
        return ArrayType("", kind, (Remainder(sum(_fixed_bits(row) for row in behind)),))


def _with_shape(row: dict[str, str]) -> dict[str, str]:
    """The row with the shape that ccsdspy writes behind the type: uint(4)."""
    found = SHAPED.fullmatch(row["data_type"])
    if found is None or row.get("array_shape"):
        return row
    return row | {"data_type": found[1], "array_shape": found[2].strip()}


def _fixed_bits(row: dict[str, str]) -> int:
    """Bits of a field whose number of elements is fixed; an array sized by another field cannot go with expand."""
    shape, bits = row.get("array_shape", ""), row.get("bit_length", "")
    if not bits.isdecimal() or shape == EXPAND:
        return 0
    count = 1
    for cell in shape.strip("()").replace("x", ",").split(",") if shape else ():
        count *= int(cell) if cell.strip().isdecimal() else 1
    return int(bits) * min(count, MAX_ELEMENTS)
