"""Packet descriptions as CSV, one row a field, as ccsdspy has them, read into the same Dictionary as XTCE.

Columns: name, data_type (uint, int, float, str, fill), bit_length; and, where wanted, bit_offset (from the start of
the packet, primary header included), array_shape ("4", "2,3", the name of a field, or "expand": as many as the
packet holds), array_order ("C") and byte_order ("big", "little", or the places of the bytes from 1 on, the most
significant first: "3412"). A shape may also stand behind the type: uint(4), int(12, 24), uint(FIELD), uint(expand).
The primary header comes first by itself, under ccsdspy's names. Columns of other names are passed over with a notice.

One file describes one packet type. Where there are several, each row says in a column apid whose packets have the
field (several numbers with blanks between them; and, where wanted, in a column container what they are called), or
each file has its APID at the end of its name.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import StringIO

from ...model.errors import ConfigError, Problem
from ..model.conditions import AnyOf, Comparison, Condition, Reference
from ..model.definitions import Container, Dictionary, Parameter
from ..model.document import MAX_DOCUMENT_BYTES, integer_of
from ..model.notices import Notice, Notices
from .fields import Fields, Report

REQUIRED = ("name", "data_type", "bit_length")
OPTIONAL = ("bit_offset", "array_shape", "array_order", "byte_order", "apid", "container", "description")
ROOT = "CCSDS_PACKET"
MAX_APID = 0x7FF
NUMBERED = re.compile(r"(.*?)[._-]?(0x[0-9a-fA-F]+|[0-9]+)$")
"""The name of a file that ends with an APID."""
Row = tuple[int, dict[str, str]]


@dataclass(slots=True)
class _Described:
    """One packet type: its rows, and whose packets it describes (None: all)."""

    file: str
    rows: list[Row]
    apids: tuple[int, ...] | None


def read_csv(document: bytes, file: str = "packet.csv", container: str = "PACKET") -> Dictionary:
    """A dictionary of one container, or of one for each APID in column apid. Raises ConfigError with every problem."""
    return _Reader().read({file: document}, {file: container}, several=False)


def read_csv_files(documents: Mapping[str, bytes], names: Mapping[str, str]) -> Dictionary:
    """A dictionary of the packet types of several files; `names`: what each file is called without its ending."""
    return _Reader().read(documents, names, several=True)


class _Reader:
    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.notices = Notices()
        self.types: dict[str, _Described] = {}

    def read(self, documents: Mapping[str, bytes], names: Mapping[str, str], *, several: bool) -> Dictionary:
        for file, document in documents.items():
            try:
                self._sort(file, names[file], self._rows(file, document), several=several)
            except csv.Error as error:
                self.problems.append(Problem(f"is no CSV: {error}", file))
        file = next(iter(documents), "")
        self._check_apids()
        dictionary = self._dictionary(file)
        if self.problems:
            raise ConfigError(self.problems)
        return dictionary

    def _rows(self, file: str, document: bytes) -> list[Row]:
        if len(document) > MAX_DOCUMENT_BYTES:
            self.problems.append(Problem(f"is larger than {MAX_DOCUMENT_BYTES} bytes", file))
            return []
        try:
            text = document.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            self.problems.append(Problem(f"is no UTF-8 text: {error.reason}", file))
            return []
        return list(self._cells(file, text))

    def _cells(self, file: str, text: str) -> Iterator[Row]:
        if not text.strip():
            self.problems.append(Problem("is empty", file))
            return
        reader = csv.reader(StringIO(text, newline=""), skipinitialspace=True)
        header = [cell.strip() for cell in next(reader, [])]
        missing = [name for name in REQUIRED if name not in header]
        unknown = [name for name in header if name not in (*REQUIRED, *OPTIONAL)]
        self.problems += [Problem(f'column "{name}" is missing', file, 1) for name in missing]
        for name in unknown:
            self.notices.add(Notice(f'column "{name}" is not known, and passed over', file, 1))
        for cells in reader if not missing else ():
            row = dict(zip(header, map(str.strip, cells), strict=False))
            if any(row.values()) and all(name in row for name in REQUIRED):
                yield reader.line_num, row
            elif any(row.values()):
                self.problems.append(Problem("has too few cells", file, reader.line_num, row.get("name", "")))

    # whose packets

    def _sort(self, file: str, name: str, rows: list[Row], *, several: bool) -> None:
        """The rows of each packet type under its name."""
        declared = {(row.get("container", ""), row["apid"]) for _, row in rows if row.get("apid")}
        if not declared:
            numbered = NUMBERED.fullmatch(name) if several else None
            apids = (integer_of(numbered[2]),) if numbered else None
            if several and apids is None and rows:
                text = (
                    "nothing says whose packets these are: a column apid, or an APID at the end of the file's name"
                )
                self.problems.append(Problem(text, file))
            self._add((numbered[1] if numbered else "") or name, _Described(file, rows, apids))
            return
        by_type: dict[tuple[str, str], list[Row]] = {}
        for line, row in rows:
            if not row.get("apid"):
                self.problems.append(Problem("apid is missing", file, line, row["name"]))
            by_type.setdefault((row.get("container", ""), row.get("apid", "")), []).append((line, row))
        for (own, cell), some in by_type.items():
            plain = name if len(by_type) == 1 else f"{name}_{'_'.join(cell.split())}"
            self._add(own or plain, _Described(file, some, self._apids(file, some[0], cell)))

    def _add(self, name: str, described: _Described) -> None:
        if name in self.types or name == ROOT:
            line = described.rows[0][0] if described.rows else 0
            self.problems.append(Problem(f'a second container "{name}"', described.file, line))
        self.types[name] = described

    def _apids(self, file: str, first: Row, cell: str) -> tuple[int, ...]:
        try:
            return tuple(integer_of(each) for each in cell.split())
        except ValueError:
            self.problems.append(Problem(f'apid "{cell}" is not a whole number', file, first[0], first[1]["name"]))
            return ()

    def _check_apids(self) -> None:
        whose: dict[int, str] = {}
        for name, described in self.types.items():
            for apid in described.apids or ():
                if not 0 <= apid <= MAX_APID:
                    self.problems.append(Problem(f"APID {apid} is not within 0 to {MAX_APID}", described.file))
                elif apid in whose:
                    text = f'APID {apid} is that of "{whose[apid]}" already'
                    self.problems.append(Problem(text, described.file, 0, name))
                whose.setdefault(apid, name)

    # what they hold

    def _dictionary(self, file: str) -> Dictionary:
        header = Fields(self._reporter(file))
        header.header()
        parameters: dict[str, Parameter] = dict(header.parameters)
        containers: dict[str, Container] = {}
        if all(described.apids is None for described in self.types.values()):
            for name, described in self.types.items():
                fields = self._fields(described, "")
                parameters |= fields.parameters
                containers[name] = Container(name, (*header.entries, *fields.entries))
            return Dictionary(
                next(iter(containers), ""), parameters, containers, file, notices=self.notices.collected(())
            )
        containers[ROOT] = Container(ROOT, tuple(header.entries), abstract=True)
        for name, described in self.types.items():
            fields = self._fields(described, f"{name}.")
            parameters |= fields.parameters
            criteria = _is_one_of(described.apids or ())
            containers[name] = Container(name, tuple(fields.entries), base=ROOT, criteria=criteria)
        return Dictionary(ROOT, parameters, containers, file, notices=self.notices.collected(()))

    def _fields(self, described: _Described, prefix: str) -> Fields:
        fields = Fields(self._reporter(described.file), prefix, self._noter(described.file))
        fields.rows(described.rows)
        return fields

    def _noter(self, file: str) -> Report:
        return lambda line, text, name: self.notices.add(Notice(text, file, line, name))

    def _reporter(self, file: str) -> Report:
        return lambda line, text, name: self.problems.append(Problem(text, file, line, name))


def _is_one_of(apids: tuple[int, ...]) -> Condition:
    reference = Reference("CCSDS_APID", calibrated=False)
    return AnyOf(tuple(Comparison(reference, "==", str(apid)) for apid in apids))
