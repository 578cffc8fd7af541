"""Types of SCOS-2000 parameters by their PTC and PFC (ECSS-E-70-41A 23; SCOS-2000 database import ICD, annex A)."""

from __future__ import annotations

from typing import Protocol

from ..dictionary.model.encodings import BinaryEncoding, NumberEncoding, StringEncoding
from ..dictionary.model.parameter_types import (
    BinaryType,
    BooleanType,
    CodedTimeType,
    NumberType,
    ParameterType,
    StringType,
    TimeCode,
)
from ..dictionary.model.timecodes import CCSDS_EPOCH_NS

WIDE_BITS = {13: 24, 14: 32, 15: 48, 16: 64}
FLOATS = {1: (32, "IEEE754"), 2: (64, "IEEE754"), 3: (32, "MILSTD_1750A"), 4: (48, "MILSTD_1750A")}
CDS = {1: 0, 2: 2}
"""By PFC: octets of sub-milliseconds."""


class Cells(Protocol):
    """A line of pcf."""

    def __getitem__(self, name: str) -> str: ...

    def integer(self, name: str, default: int) -> int: ...

    def lost(self, kind: str, name: str, why: str) -> None: ...


def type_of(row: Cells, name: str) -> ParameterType | None:
    """The type of a parameter by PTC and PFC; None, and a loss, if it is not converted."""
    ptc, pfc = row.integer("ptc", 0), row.integer("pfc", 0)
    little = row["endian"] == "L"
    number = _number(ptc, pfc)
    if number is not None:
        size_bits, form = number
        swapped = little and size_bits > 8 and size_bits % 8 == 0
        encoding = NumberEncoding(size_bits, form, swapped, lsb_first=little and size_bits % 8 != 0)
        if ptc == 1:
            return BooleanType("", encoding)
        return NumberType("", encoding, encoding.is_float, row["unit"])
    if ptc in {6, 7, 8} and pfc > 0:
        size = pfc if ptc == 6 else pfc * 8
        return StringType("", StringEncoding(size, "ascii")) if ptc == 8 else BinaryType("", BinaryEncoding(size))
    if ptc in {9, 10}:
        found = _time(ptc, pfc)
        if found is not None:
            if ptc == 9:
                row.lost("pcf", name, "its epoch is read as 1958-01-01: the database does not say it")
            return found
    row.lost("pcf", name, f"PTC {ptc} with PFC {pfc} is not converted")
    return None


def _number(ptc: int, pfc: int) -> tuple[int, str] | None:
    """(bits, form)."""
    if ptc == 1 and pfc <= 1:
        return 1, "unsigned"
    if ptc == 2 and 1 <= pfc <= 64:
        return pfc, "unsigned"
    if ptc == 6 and 1 <= pfc <= 32:
        return pfc, "unsigned"
    if ptc in {3, 4} and 0 <= pfc <= 16:
        return WIDE_BITS.get(pfc, pfc + 4), "unsigned" if ptc == 3 else "twosComplement"
    return FLOATS.get(pfc) if ptc == 5 else None


def _time(ptc: int, pfc: int) -> CodedTimeType | None:
    """CDS or CUC without its P-field."""
    if 3 <= pfc <= 18:
        code = TimeCode("CUC", (pfc - 3) // 4 + 1, (pfc - 3) % 4)
    elif ptc == 9 and pfc in CDS:
        code = TimeCode("CDS", 2, CDS[pfc])
    else:
        return None
    encoding = BinaryEncoding(code.n_octets * 8)
    absolute = ptc == 9
    return CodedTimeType("", encoding, ((b"", code),), CCSDS_EPOCH_NS if absolute else 0, absolute)
