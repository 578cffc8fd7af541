"""Packet descriptions as CSV, one row a field, as ccsdspy has them, read into the same Dictionary as XTCE.

Columns: name, data_type (uint, int, float, str, fill), bit_length; and, where wanted, bit_offset (from the start of
the packet, primary header included), array_shape ("4", "2,3", the name of a field, or "expand": as many as the
packet holds) and array_order ("C"). The primary header comes first by itself, under ccsdspy's names.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from io import StringIO

from pipeline.dictionary.conditions import Dynamic, Reference, Size
from pipeline.dictionary.definitions import (
    MAX_CONTAINER_BITS,
    Container,
    Dictionary,
    Location,
    Parameter,
    ParameterEntry,
    Placement,
)
from pipeline.dictionary.document import MAX_DOCUMENT_BYTES
from pipeline.dictionary.encodings import NumberEncoding, StringEncoding
from pipeline.dictionary.parameter_types import ArrayType, NumberType, ParameterType, StringType
from pipeline.errors import ConfigError, Problem

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
REQUIRED = ("name", "data_type", "bit_length")
OPTIONAL = ("bit_offset", "array_shape", "array_order")
FORMS = {"uint": "unsigned", "int": "twosComplement", "float": "IEEE754"}
EXPAND = "expand"
MAX_ELEMENTS = 1 << 20


def read_csv(document: bytes, file: str = "packet.csv", container: str = "PACKET") -> Dictionary:
    """A dictionary of one container. Raises ConfigError with every problem of the file."""
    if len(document) > MAX_DOCUMENT_BYTES:
        raise ConfigError([Problem(f"is larger than {MAX_DOCUMENT_BYTES} bytes", file)])
    try:
        text = document.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError([Problem(f"is no UTF-8 text: {error.reason}", file)]) from error
    reader = _Reader(file)
    try:
        reader.read(text)
    except csv.Error as error:
        reader.problems.append(Problem(f"is no CSV: {error}", file))
    if reader.problems:
        raise ConfigError(reader.problems)
    entries = tuple(reader.entries)
    return Dictionary(container, reader.parameters, {container: Container(container, entries)}, file)


class _Reader:
    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self.parameters: dict[str, Parameter] = {}
        self.entries: list[ParameterEntry] = []
        self.fills = 0

    def read(self, text: str) -> None:
        for name, bits in PRIMARY_HEADER.items():
            self._add(name, NumberType("", NumberEncoding(bits)), None, 0)
        rows = list(self._rows(text))
        fixed_bits = HEADER_BITS + sum(_fixed_bits(row) for _, row in rows)
        for line, row in rows:
            self._field(line, row, fixed_bits)

    def _rows(self, text: str) -> Iterator[tuple[int, dict[str, str]]]:
        reader = csv.reader(StringIO(text, newline=""), skipinitialspace=True)
        header = [cell.strip() for cell in next(reader, [])]
        missing = [name for name in REQUIRED if name not in header]
        unknown = [name for name in header if name not in (*REQUIRED, *OPTIONAL)]
        for what, names in (("is missing", missing), ("is not known", unknown)):
            self.problems += [Problem(f'column "{name}" {what}', self.file, 1) for name in names]
        for cells in reader if not self.problems else ():
            if any(cell.strip() for cell in cells):
                yield reader.line_num, dict(zip(header, map(str.strip, cells), strict=False))

    def _problem(self, line: int, text: str, name: str) -> None:
        self.problems.append(Problem(text, self.file, line, name))

    def _number(self, line: int, row: dict[str, str], column: str, low: int, high: int) -> int:
        try:
            value = int(row[column])
        except ValueError:
            value = low - 1
        if not low <= value <= high:
            self._problem(line, f'{column} "{row[column]}" is not within {low} to {high}', row["name"])
            return max(low, 8)
        return value

    def _add(self, name: str, kind: ParameterType, location: Location | None, line: int) -> None:
        self.parameters[name] = Parameter(name, name, kind, line)
        self.entries.append(ParameterEntry(name, Placement(location, line=line)))

    def _field(self, line: int, row: dict[str, str], fixed_bits: int) -> None:
        if len(row) < len(REQUIRED):
            self._problem(line, "has too few cells", row.get("name", ""))
            return
        name, data_type = row["name"], row["data_type"]
        if name in self.parameters:
            self._problem(line, "is there twice", name)
            return
        bits = self._number(line, row, "bit_length", 1, MAX_CONTAINER_BITS)
        kind = self._type(line, name, data_type, bits)
        shape = row.get("array_shape", "")
        if kind is not None and shape:
            kind = self._array(line, row, kind, shape, fixed_bits)
        if row.get("array_order", "C") not in {"C", ""}:
            self._problem(line, f'array_order "{row["array_order"]}" is not implemented', name)
        location = None
        if row.get("bit_offset"):
            location = Location(self._number(line, row, "bit_offset", 0, MAX_CONTAINER_BITS), from_start=True)
        if kind is not None:
            self._add(name, kind, location, line)

    def _type(self, line: int, name: str, data_type: str, bits: int) -> ParameterType | None:
        if data_type in {"uint", "int"} and bits <= 64:
            return NumberType("", NumberEncoding(bits, FORMS[data_type]))
        if data_type == "float" and bits in {16, 32, 64}:
            return NumberType("", NumberEncoding(bits, "IEEE754"), real=True)
        if data_type == "str" and bits % 8 == 0:
            return StringType("", StringEncoding(bits))
        if data_type == "fill" and bits <= 64:
            return NumberType("", NumberEncoding(bits))
        self._problem(line, f'data_type "{data_type}" of {bits} bits is not implemented', name)
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
        elif shape in self.parameters:
            sizes = [Dynamic(Reference(shape, calibrated=False, line=line))]
        else:
            cells = shape.strip("()").replace("x", ",").split(",")
            if not all(cell.strip().isdecimal() for cell in cells if cell.strip()):
                self._problem(line, f'array_shape "{shape}" is no shape and no field before it', name)
                return None
            sizes = [int(cell) for cell in cells if cell.strip()]
            if any(isinstance(size, int) and size > MAX_ELEMENTS for size in sizes):
                self._problem(line, f'array_shape "{shape}" is more than {MAX_ELEMENTS} elements', name)
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
