"""Read the telemetry tables of a SCOS-2000 database (MIB).

In: tables of lines with tabs, identified by file names (pid.dat, pcf.dat, plf.dat ...). Out: a container for each
packet, selected by APID, service type, subtype and the additional identifiers; parameters at the positions of plf.
Packets of variable structure (vpd), synthetic parameters and commands are not converted. Source: SCOS-2000 Database
Import ICD, EGOS-MCS-S2K-ICD-0001 7.0.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from ..dictionary.model.conditions import AllOf, Condition
from ..dictionary.model.definitions import (
    Container,
    Dictionary,
    Location,
    Parameter,
    ParameterEntry,
    Placement,
    Repetition,
)
from ..dictionary.model.encodings import NumberEncoding
from ..dictionary.model.parameter_types import NumberType
from ..model.errors import ConfigError, Problem
from .losses import Converted, Losses, Source
from .names import Names, clean
from .places import PRIMARY_HEADER, at_bit, equal, fixed_bits
from .scos_meaning import Meanings
from .scos_types import type_of

COLUMNS = {
    "pid": "type stype apid pi1 pi2 spid descr unit tpsd dfhsize time inter valid check event evid",
    "pic": "type stype pi1_off pi1_wid pi2_off pi2_wid apid",
    "tpcf": "spid name size",
    "pcf": "name descr pid unit ptc pfc width valid related categ natur curtx inter uscon decim parval subsys valpar "
    "sptype corr obtid darc endian descr2",
    "plf": "name spid offby offbi nbocc lgocc time tdocc",
    "caf": "numbr descr engfmt rawfmt radix unit ncurve inter",
    "cap": "numbr xvals yvals",
    "mcf": "ident descr pol1 pol2 pol3 pol4 pol5",
    "lgf": "ident descr pol1 pol2 pol3 pol4 pol5",
    "txf": "numbr descr rawfmt nalias",
    "txp": "numbr from to altxt",
    "cur": "pname pos rlchk valpar select",
    "ocf": "name nbchck nbool inter codin",
    "ocp": "name pos type lvalu hvalu rlchk valpar",
    "vdf": "name comment domainid release issue",
}
"""Fields of each table, in order."""
NEEDED = ("pid", "pcf", "plf")
PUS = {"SERVICE_TYPE": 56, "SERVICE_SUBTYPE": 64}
"""Positions of service type and subtype in the PUS data field header, in bits from the start of the packet."""
ROOT, SERVICES = "CCSDS_PACKET", "PUS_PACKET"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table."""

    cells: dict[str, str]
    line: int
    losses: Losses

    def __getitem__(self, name: str) -> str:
        return self.cells.get(name, "")

    def integer(self, name: str, default: int) -> int:
        """The integer in a cell; `default` if it is empty. Raises ValueError if it is no integer."""
        return int(self[name]) if self[name] else default

    def lost(self, kind: str, name: str, why: str) -> None:
        self.losses.add(kind, name, why, self.line)


Tables = dict[str, list[Row]]


def read_scos(sources: Sequence[Source]) -> Converted:
    """Read a definition. Raises ConfigError if tables are missing or cells are no numbers."""
    losses: list[Losses] = []
    tables: Tables = {}
    for source in sources:
        name = PurePath(source.file).stem.lower()
        found = Losses(source.file)
        losses.append(found)
        if name in COLUMNS:
            tables[name] = list(_rows(source, COLUMNS[name].split(), found))
        elif source.document.strip():
            found.add("table", name, "is not converted")
    missing = [name for name in NEEDED if name not in tables]
    if missing:
        file = sources[0].file if sources else ""
        raise ConfigError([Problem(f"table {name} is missing: name the folder of all", file) for name in missing])
    reader = _Reader(tables)
    dictionary = reader.dictionary(sources[0].file)
    if reader.problems:
        raise ConfigError(reader.problems)
    return Converted(dictionary, tuple(loss for each in losses for loss in each))


def _rows(source: Source, columns: list[str], losses: Losses) -> Iterator[Row]:
    for number, line in enumerate(source.document.decode("latin-1").splitlines(), 1):
        if line.strip():
            cells = [cell.strip() for cell in line.split("\t")]
            yield Row(dict(zip(columns, cells, strict=False)), number, losses)


class _Reader:
    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self.problems: list[Problem] = []
        self.parameters: dict[str, Parameter] = {}
        self.containers: dict[str, Container] = {}
        self.names = Names()
        self.rows = {row["name"]: row for row in tables["pcf"]}
        self.keys = {name: clean(name) for name in self.rows}
        self.meanings = Meanings(tables, self.keys)

    def dictionary(self, file: str) -> Dictionary:
        self._bases()
        for row in self.tables["pcf"]:
            self._guarded(row, self._parameter)
        groups = {}
        for row in self.tables.get("pic", []):
            self._guarded(row, lambda each: groups.update(self._group(each)))
        for row in self.tables["pid"]:
            self._guarded(row, lambda each: self._packet(each, groups))
        name = next((row["name"] for row in self.tables.get("vdf", [])), "") or "SCOS2000"
        return Dictionary(clean(name), self.parameters, self.containers, file)

    def _guarded(self, row: Row, read: object) -> None:
        try:
            assert callable(read)
            read(row)
        except ValueError as error:
            self.problems.append(Problem(str(error), row.losses.file, row.line, row["name"] or row["spid"]))

    # headers

    def _bases(self) -> None:
        for name, bits in PRIMARY_HEADER.items():
            self._number(name, name, bits)
        for name in PUS:
            self._number(name, name, 8)
        self.names.take(ROOT)
        self.names.take(SERVICES)
        self.containers[ROOT] = Container(ROOT, tuple(map(ParameterEntry, PRIMARY_HEADER)), abstract=True)
        entries = tuple(at_bit(name, bits) for name, bits in PUS.items())
        self.containers[SERVICES] = Container(
            SERVICES, entries, abstract=True, base=ROOT, criteria=equal("SECONDARY_HEADER", 1)
        )

    def _number(self, key: str, name: str, bits: int) -> str:
        self.parameters[key] = Parameter(key, name, NumberType("", NumberEncoding(bits)))
        return key

    def _group(self, row: Row) -> dict[tuple[str, str, str], str]:
        """Add a container with the additional identifiers of packets of one type and subtype, by these."""
        where = row["type"], row["stype"], row["apid"]
        entries = []
        name = self.names.take("_".join(("SERVICE", *filter(None, where))))
        for word in ("pi1", "pi2"):
            offset, width = row.integer(f"{word}_off", -1), row.integer(f"{word}_wid", 0)
            if offset >= 0 and width > 0:
                entries.append(at_bit(self._number(f"{name}.{word.upper()}", word.upper(), width), offset * 8))
        if not entries:
            return {}
        criteria: list[Condition] = [equal(key, int(value)) for key, value in zip(PUS, where[:2], strict=True)]
        criteria += [equal("APID", int(where[2]))] if where[2] else []
        self.containers[name] = Container(
            name, tuple(entries), abstract=True, base=SERVICES, criteria=AllOf(tuple(criteria)), line=row.line
        )
        return {where: name}

    # parameters

    def _parameter(self, row: Row) -> None:
        name = row["name"]
        if row["natur"] not in {"", "R"}:
            row.lost("pcf", name, f"a parameter of nature {row['natur']} is not in packets")
            return
        kind = type_of(row, name)
        if kind is None:
            return
        kind = self.meanings.applied(row, kind)
        validity = None
        if row["valid"]:
            if row["valid"] in self.keys:
                validity = equal(self.keys[row["valid"]], row.integer("valpar", 1))
            else:
                row.lost("pcf", name, f"its validity by {row['valid']}, which is not there, is not converted")
        key = self.keys[name]
        self.parameters[key] = Parameter(key, key, kind, row.line, validity, description=row["descr"])

    # packets

    def _packet(self, row: Row, groups: dict[tuple[str, str, str], str]) -> None:
        spid = row["spid"]
        if row.integer("tpsd", -1) != -1:
            row.lost("pid", spid, "a packet of variable structure (vpd) is not converted")
            return
        known = next((each["name"] for each in self.tables.get("tpcf", []) if each["spid"] == spid), "")
        name = self.names.take(known or f"SPID_{spid}")
        base, criteria = self._identified(row, groups)
        entries = [entry for each in self._placed(spid) for entry in self._entry(each)]
        self.containers[name] = Container(name, tuple(entries), base=base, criteria=AllOf(criteria), line=row.line)

    def _identified(self, row: Row, groups: dict[tuple[str, str, str], str]) -> tuple[str, tuple[Condition, ...]]:
        apid = equal("APID", row.integer("apid", 0))
        if not row.integer("dfhsize", 0):
            return ROOT, (apid,)
        service = row["type"], row["stype"]
        group = groups.get((*service, row["apid"])) or groups.get((*service, ""))
        if group is None:
            types = zip(PUS, service, strict=True)
            return SERVICES, (apid, *(equal(name, int(value or 0)) for name, value in types))
        identifiers = [(f"{group}.{word.upper()}", row.integer(word, 0)) for word in ("pi1", "pi2")]
        return group, (apid, *(equal(key, value) for key, value in identifiers if key in self.parameters))

    def _placed(self, spid: str) -> list[Row]:
        """Lines of plf of a packet, in packet order."""
        found = [row for row in self.tables["plf"] if row["spid"] == spid]
        return sorted(found, key=lambda row: (row.integer("offby", 0), row.integer("offbi", 0)))

    def _entry(self, row: Row) -> Iterator[ParameterEntry]:
        key = self.keys.get(row["name"], "")
        if key not in self.parameters:
            if row["name"] not in self.rows:
                row.lost("plf", row["name"], "there is no such parameter in pcf")
            return
        location = Location(row.integer("offby", 0) * 8 + row.integer("offbi", 0), from_start=True)
        times, step = row.integer("nbocc", 1), row.integer("lgocc", 0)
        repetition = None
        if times > 1:
            size = fixed_bits(self.parameters[key].type)
            if size is None:
                row.lost("plf", row["name"], "occurrences without a fixed size are not converted, except the first")
            else:
                repetition = Repetition(times, step - size)
        if row.integer("tdocc", 0):
            row.lost("plf", row["name"], "the time between occurrences is not converted")
        yield ParameterEntry(key, Placement(location, repetition, line=row.line))
