"""Write a dictionary as a table of fields in the format of ccsdspy: a row for each field, an APID for each packet.

In: a Dictionary. Out: the table, and the losses. A table has numbers, texts and arrays after the CCSDS primary header,
but no units, labels, calibrations or alarms.
"""

from __future__ import annotations

import csv
from io import StringIO

from ..dictionary.model.conditions import Dynamic, Remainder
from ..dictionary.model.definitions import Container, Dictionary
from ..dictionary.model.encodings import BinaryEncoding, NumberEncoding, StringEncoding
from ..dictionary.model.parameter_types import (
    ArrayType,
    BinaryType,
    EnumeratedType,
    NumberType,
    ParameterType,
    StringType,
)
from .losses import Losses
from .places import APID, HEADER_BITS, Placed, criteria_of, equalities, is_space_packet, placed_in

COLUMNS = [
    "apid",
    "container",
    "name",
    "data_type",
    "bit_length",
    "bit_offset",
    "array_shape",
    "byte_order",
    "description",
]
FORMS = {"unsigned": "uint", "twosComplement": "int", "IEEE754": "float"}
APID_MASK = 0x7FF
Row = dict[str, str]


def write_csv(dictionary: Dictionary, losses: Losses) -> bytes:
    """The table. Elements that it cannot express are added to `losses`."""
    concrete = [each for each in dictionary.containers.values() if not each.abstract]
    bases = {child.base for child in concrete}
    leaves = [each for each in concrete if each.key not in bases]
    rows: list[Row] = []
    whose: dict[str, str] = {}
    for container in leaves:
        found = _Table(dictionary, container, losses).rows(is_only=len(leaves) == 1)
        apid = found[0].get("apid", "") if found else ""
        if apid and whose.setdefault(apid, container.key) != container.key:
            why = f"APID {apid} is that of {whose[apid]} already, and a table has no other criteria"
            losses.add("container", container.key, why, container.line)
        else:
            rows += found
    used = [column for column in COLUMNS if any(row.get(column) for row in rows)]
    out = StringIO()
    writer = csv.DictWriter(out, used, restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


class _Table:
    """Makes the rows of one container."""

    def __init__(self, dictionary: Dictionary, container: Container, losses: Losses) -> None:
        self.dictionary = dictionary
        self.container = container
        self.losses = losses
        self.placed = placed_in(dictionary, container)
        self.names: dict[str, str] = {}

    def rows(self, *, is_only: bool) -> list[Row]:
        key, line = self.container.key, self.container.line
        if not is_space_packet(self.placed):
            self.losses.add(
                "container", key, "it has no CCSDS primary header, which each packet of a table has", line
            )
            return []
        apid = self._apid()
        if apid is None and not is_only:
            self.losses.add("container", key, "no APID distinguishes its packets from others", line)
            return []
        if len(criteria_of(self.dictionary, self.container)) and apid is None:
            self.losses.add("container", key, "the criteria that choose it are not written", line)
        found: list[Row] = []
        end = HEADER_BITS
        behind = [each for each in self.placed if each.start is None or each.start >= HEADER_BITS]
        for each in behind:
            row = self._row(each, self.placed)
            if row is None:
                continue
            if each.start is not None and each.start != end:
                row["bit_offset"] = str(each.start)
            if each.start is not None:
                end = each.start + (each.size_bits or 0)
            row |= {"apid": str(apid), "container": key} if apid is not None else {}
            self.names[each.key] = row["name"]
            found.append(row)
        return found

    def _apid(self) -> int | None:
        """The APID that the criteria require; None if there is none."""
        for condition in criteria_of(self.dictionary, self.container):
            for comparison in equalities(condition):
                for each in self.placed:
                    if each.key != comparison.left.parameter or each.start is None or each.size_bits is None:
                        continue
                    if each.start + each.size_bits == sum(APID) and each.size_bits >= APID[1]:
                        try:
                            return int(str(comparison.right), 0) & APID_MASK
                        except ValueError:
                            return None
        return None

    def _lost(self, each: Placed, why: str) -> None:
        line = self.dictionary.parameters[each.key].line
        self.losses.add("parameter", f"{self.container.key} {each.name}", why, line)

    def _row(self, each: Placed, placed: list[Placed]) -> Row | None:
        if each.conditions or each.entry.place.repetition is not None:
            self._lost(each, "a field that only some packets have, or that is repeated, is not written")
            return None
        kind, shape = each.type, ""
        if isinstance(kind, ArrayType):
            sizes = each.entry.dimensions if each.entry.dimensions is not None else kind.dimensions or ()
            shape = ",".join(filter(None, (self._size(size) for size in sizes)))
            if not shape or (len(sizes) > 1 and not shape.replace(",", "").isdigit()):
                self._lost(each, "an array of this size is not written")
                return None
            kind = kind.element
        row = self._number(each, kind)
        if row is not None:
            taken = any(other.name == each.name and other.key != each.key for other in placed)
            row["name"] = each.key if taken else each.name
            row["array_shape"] = row.get("array_shape") or shape
            row["description"] = self.dictionary.parameters[each.key].description
            self._beside(each, kind)
        return row

    def _size(self, size: object) -> str:
        if isinstance(size, int):
            return str(size)
        if isinstance(size, Remainder):
            return "expand"
        if isinstance(size, Dynamic) and (size.slope, size.intercept) == (1.0, 0.0):
            return self.names.get(size.of.parameter, "")
        return ""

    def _number(self, each: Placed, kind: ParameterType) -> Row | None:  # noqa: C901, PLR0911 - a case for each kind of bits
        encoding = getattr(kind, "encoding", None)
        if isinstance(encoding, NumberEncoding):
            form = FORMS.get(encoding.form)
            if form is None or encoding.mirrored:
                self._lost(each, f"a number in {encoding.form} is not written")
                return None
            row = {"data_type": form, "bit_length": str(encoding.size_bits)}
            if encoding.little_endian or encoding.lsb_first:
                row["byte_order"] = "little"
            elif encoding.places:
                row["byte_order"] = "".join(str(place + 1) for place in encoding.places)
            return row
        if isinstance(encoding, StringEncoding) and isinstance(encoding.size, int) and not encoding.tag_bits:
            if encoding.terminator:
                self._lost(each, "that the text ends before its buffer does is not written")
            return {"data_type": "str", "bit_length": str(encoding.size)}
        if isinstance(encoding, BinaryEncoding) and isinstance(encoding.size, int) and encoding.size % 8 == 0:
            return {"data_type": "uint", "bit_length": "8", "array_shape": str(encoding.size // 8)}
        if isinstance(encoding, BinaryEncoding) and isinstance(encoding.size, Remainder):
            return {"data_type": "uint", "bit_length": "8", "array_shape": "expand"}
        if isinstance(encoding, BinaryEncoding) and isinstance(encoding.size, Dynamic) and encoding.size.slope == 8:
            of = self.names.get(encoding.size.of.parameter)
            if of is not None and encoding.size.intercept == 0:
                return {"data_type": "uint", "bit_length": "8", "array_shape": of}
        self._lost(each, f"a {type(kind).__name__.removesuffix('Type').lower()} of this size is not written")
        return None

    def _beside(self, each: Placed, kind: ParameterType) -> None:
        """Note losses of calibration, labels, unit and limits."""
        encoding = getattr(kind, "encoding", None)
        if isinstance(encoding, NumberEncoding) and (encoding.calibrator is not None or encoding.contexts):
            self._lost(each, "its calibration is not written: a table has counts")
        if isinstance(kind, EnumeratedType):
            self._lost(each, "its labels are not written")
        if kind.unit:
            self._lost(each, f'its unit "{kind.unit}" is not written')
        limits = getattr(kind, "limits", None)
        if limits is not None and (limits.valid or limits.alarm or limits.contexts):
            self._lost(each, "its limits are not written")
        if not isinstance(kind, NumberType | EnumeratedType | StringType | BinaryType):
            self._lost(each, f"that it is a {type(kind).__name__.removesuffix('Type').lower()} is not written")
