"""The fields of one packet type as CSV has them: rows in, parameters and entries out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pipeline.dictionary.conditions import Dynamic, Reference, Size
from pipeline.dictionary.definitions import MAX_CONTAINER_BITS, Location, Parameter, ParameterEntry, Placement
from pipeline.dictionary.encodings import NumberEncoding, StringEncoding
from pipeline.dictionary.parameter_types import ArrayType, NumberType, ParameterType, StringType

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
MAX_ELEMENTS = 1 << 20
Tell = Callable[[int, str, str], None]
"""Told a line, what is wrong, and with which field."""


@dataclass(slots=True)
class Fields:
    """What the rows describe. `prefix`: before the key of each parameter, where several packet types have fields."""

    tell: Tell
    prefix: str = ""
    parameters: dict[str, Parameter] = field(default_factory=dict)
    entries: list[ParameterEntry] = field(default_factory=list)

    def header(self) -> None:
        """The primary header."""
        for name, bits in PRIMARY_HEADER.items():
            self._add(name, name, NumberType("", NumberEncoding(bits)), None, 0)

    def rows(self, rows: Sequence[tuple[int, dict[str, str]]]) -> None:
        """The fields behind it, each with its line."""
        fixed_bits = HEADER_BITS + sum(_fixed_bits(row) for _, row in rows)
        for line, row in rows:
            self._field(line, row, fixed_bits)

    def _number(self, line: int, row: dict[str, str], column: str, low: int, high: int) -> int:
        try:
            value = int(row[column])
        except ValueError:
            value = low - 1
        if not low <= value <= high:
            self.tell(line, f'{column} "{row[column]}" is not within {low} to {high}', row["name"])
            return max(low, 8)
        return value

    def _add(self, key: str, name: str, kind: ParameterType, location: Location | None, line: int) -> None:
        self.parameters[key] = Parameter(key, name, kind, line)
        self.entries.append(ParameterEntry(key, Placement(location, line=line)))

    def _field(self, line: int, row: dict[str, str], fixed_bits: int) -> None:
        name, data_type = row["name"], row["data_type"]
        if self.prefix + name in self.parameters or name in PRIMARY_HEADER:
            self.tell(line, "is there twice", name)
            return
        bits = self._number(line, row, "bit_length", 1, MAX_CONTAINER_BITS)
        kind = self._type(line, name, data_type, bits)
        shape = row.get("array_shape", "")
        if kind is not None and shape:
            kind = self._array(line, row, kind, shape, fixed_bits)
        if row.get("array_order", "C") not in {"C", ""}:
            self.tell(line, f'array_order "{row["array_order"]}" is not implemented', name)
        location = None
        if row.get("bit_offset"):
            location = Location(self._number(line, row, "bit_offset", 0, MAX_CONTAINER_BITS), from_start=True)
        if kind is not None:
            self._add(self.prefix + name, name, kind, location, line)

    def _type(self, line: int, name: str, data_type: str, bits: int) -> ParameterType | None:
        if data_type in {"uint", "int"} and bits <= 64:
            return NumberType("", NumberEncoding(bits, FORMS[data_type]))
        if data_type == "float" and bits in {16, 32, 64}:
            return NumberType("", NumberEncoding(bits, "IEEE754"), real=True)
        if data_type == "str" and bits % 8 == 0:
            return StringType("", StringEncoding(bits))
        if data_type == "fill" and bits <= 64:
            return NumberType("", NumberEncoding(bits))
        self.tell(line, f'data_type "{data_type}" of {bits} bits is not implemented', name)
        return None

    def _array(
        self, line: int, row: dict[str, str], kind: ParameterType, shape: str, fixed_bits: int
    ) -> ParameterType | None:
        name, bits = row["name"], int(row["bit_length"])
        sizes: list[Size] = []
        if shape == EXPAND:
            # (CCSDS_PACKET_LENGTH + 7) bytes are the packet; what no other field takes is the array.
            length = Reference("CCSDS_PACKET_LENGTH", calibrated=False, line=line)
            sizes = [Dynamic(length, 8 / bits, (56 - fixed_bits) / bits)]
        elif self.prefix + shape in self.parameters:
            sizes = [Dynamic(Reference(self.prefix + shape, calibrated=False, line=line))]
        else:
            cells = shape.strip("()").replace("x", ",").split(",")
            if not all(cell.strip().isdecimal() for cell in cells if cell.strip()):
                self.tell(line, f'array_shape "{shape}" is no shape and no field before it', name)
                return None
            sizes = [int(cell) for cell in cells if cell.strip()]
            if any(isinstance(size, int) and size > MAX_ELEMENTS for size in sizes):
                self.tell(line, f'array_shape "{shape}" is more than {MAX_ELEMENTS} elements', name)
                return None
        return ArrayType("", kind, tuple(sizes))


def _fixed_bits(row: dict[str, str]) -> int:
    """Bits of a field whose number of elements is fixed; an array sized by another field cannot go with expand."""
    shape, bits = row.get("array_shape", ""), row.get("bit_length", "")
    if not bits.isdecimal() or shape == EXPAND:
        return 0
    count = 1
    for cell in shape.strip("()").replace("x", ",").split(",") if shape else ():
        count *= int(cell) if cell.strip().isdecimal() else 1
    return int(bits) * min(count, MAX_ELEMENTS)
