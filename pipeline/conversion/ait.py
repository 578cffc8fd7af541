"""Read telemetry dictionaries of AIT (tlm.yaml).

In: files of `!Packet` with `!Field`, and files in or below their folder that they include. Out: a container for each
packet, with fields at their bytes; packets with a `ccsds` APID are selected by it. A mask of adjacent bits makes a bit
field. An equation of one field (dntoeu), also with functions of the packet, is its calibration; equations of several
fields are not converted. Source: tlm.py and dtype.py of ait-core 3.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from ..dictionary.model.conditions import Comparison, Condition, Reference
from ..dictionary.model.definitions import Container, Dictionary, Location, Parameter, ParameterEntry, Placement
from ..dictionary.model.encodings import BinaryEncoding, NumberEncoding, Polynomial, StringEncoding
from ..dictionary.model.parameter_types import (
    ArrayType,
    BinaryType,
    EnumeratedType,
    NumberType,
    ParameterType,
    StringType,
    TimeType,
)
from ..mission.toml_lines import MAX_FILE_BYTES, read_limited
from ..model.errors import ConfigError, Problem
from .ait_equations import Equations
from .expressions import Known
from .losses import Converted, Losses, Source
from .names import Names
from .yaml_lines import List, Mapping, Word, read_yaml

NUMBER = re.compile(r"(?:(LSB|MSB)_)?([UIFD])(8|16|32|64)")
ARRAY = re.compile(r"(\w+)\[(\d+)\]")
TEXT = re.compile(r"S(\d+)")
FORMS = {"U": "unsigned", "I": "twosComplement", "F": "IEEE754", "D": "IEEE754"}
CODES = {"CMD16": "the command", "EVR16": "the event"}
GPS_EPOCH_NS = 315_964_800 * 10**9
"""1980-01-06 in ns since 1970-01-01."""
NANOSECONDS = NumberEncoding(32)
"""The second half of a TIME64."""
TIMES = {"TIME32": (32, Fraction(10**9)), "TIME40": (40, Fraction(10**9, 256))}
FIELD_WORDS = frozenset(
    {"name", "bytes", "type", "desc", "mask", "enum", "dntoeu", "units", "when", "title", "aliases"}
)
PACKET_WORDS = frozenset({"name", "desc", "fields", "ccsds", "title", "functions", "constants"})
MAX_ELEMENTS = 1 << 20
MAX_INCLUDED = 20


@dataclass(slots=True)
class _Field:
    """One field with its position and size."""

    spec: Mapping
    name: str
    key: str
    kind: ParameterType
    start: int
    n_bytes: int
    losses: Losses


def read_ait(sources: Sequence[Source]) -> Converted:
    """Read a definition. Raises ConfigError if a file has no packets."""
    packets: list[tuple[Mapping, Losses]] = []
    losses: list[Losses] = []
    problems: list[Problem] = []
    for source in sources:
        content = read_yaml(source)
        if not isinstance(content, List):
            problems.append(Problem("is no list of packets", source.file))
            continue
        losses.append(Losses(source.file))
        for each, lost in _entries(content, losses[-1], losses):
            if isinstance(each, Mapping) and each.tag == "Packet" and isinstance(each.get("fields"), list):
                packets.append((each, lost))
            else:
                lost.add("entry", "", "is no !Packet with fields", getattr(each, "line", content.line))
    if not packets and not problems:
        problems.append(Problem("has no !Packet", sources[0].file if sources else ""))
    if problems:
        raise ConfigError(problems)
    dictionary = _Maker(len(packets) == 1, losses).dictionary(packets, sources[0].file)
    return Converted(dictionary, tuple(loss for each in losses for loss in each))


def _entries(listed: List, losses: Losses, every: list[Losses], depth: int = 0) -> Iterator[tuple[Any, Losses]]:
    """The entries of a list, also of included files, each with the losses of its file; `every` takes new ones."""
    for each in listed:
        if isinstance(each, List):
            yield from _entries(each, losses, every, depth)
        elif isinstance(each, Word) and each.tag == "include":
            content, why = _included(each, losses.file, depth)
            if isinstance(content, List):
                own = Losses(str(Path(losses.file).parent / each))
                every.append(own)
                yield from _entries(content, own, every, depth + 1)
            else:
                losses.add("include", each, why or "is no list", listed.line)
        else:
            yield each, losses


def _included(reference: str, file: str, depth: int) -> tuple[Any, str]:
    """The content of an included file; or None and the reason."""
    path = Path(file).parent / reference
    if depth >= MAX_INCLUDED or Path(reference).is_absolute() or ".." in Path(reference).parts:
        return None, "is not read: it does not stand beside or below the file, or includes itself"
    try:
        return read_yaml(Source(read_limited(path, MAX_FILE_BYTES), str(path))), ""
    except ConfigError as error:
        return None, f"cannot be read: {error.problems[0].text if error.problems else error}"
    except OSError as error:
        return None, f"cannot be read: {error.strerror}"


class _Maker:
    def __init__(self, is_only: bool, losses: list[Losses]) -> None:
        """`losses`: of each file; those of included fields are added."""
        self.is_only = is_only
        self.losses = losses
        self.names = Names()
        self.parameters: dict[str, Parameter] = {}
        self.containers: dict[str, Container] = {}

    def dictionary(self, packets: Sequence[tuple[Mapping, Losses]], file: str) -> Dictionary:
        for spec, losses in packets:
            self._packet(spec, losses)
        return Dictionary("AIT", self.parameters, self.containers, file)

    def _packet(self, spec: Mapping, losses: Losses) -> None:
        name = self.names.take(str(spec.get("name", "PACKET")))
        for word in spec:
            if word not in PACKET_WORDS:
                losses.add(str(word), name, "is not converted", spec.lines[word])
        fields = list(_Fields(name, losses, self.losses).read(spec["fields"]))
        names = Equations({each.name: Known.of(each.key, each.kind) for each in fields}, spec, losses)
        entries = []
        for each in fields:
            self._parameter(each, names)
            location = Location(_first_bit(each), from_start=True)
            entries.append(ParameterEntry(each.key, Placement(location, line=each.spec.line)))
        ccsds = spec.get("ccsds")
        apid = ccsds.get("apid") if isinstance(ccsds, Mapping) else None
        if not isinstance(apid, int):
            if not self.is_only:
                losses.add(
                    "packet",
                    name,
                    "the file does not say how to recognize its packets: name it as the root",
                    spec.line,
                )
            self.containers[name] = Container(name, tuple(entries), line=spec.line)
            return
        key, base = f"{name}.CCSDS_APID", self.names.take(f"{name}_Base")
        self.parameters[key] = Parameter(key, "CCSDS_APID", NumberType("", NumberEncoding(11)), spec.line)
        whole = (ParameterEntry(key, Placement(Location(5, from_start=True))), *entries)
        criteria = Comparison(Reference(key, calibrated=False), "==", str(apid))
        self.containers[base] = Container(base, whole, abstract=True, line=spec.line)
        self.containers[name] = Container(name, (), base=base, criteria=criteria, line=spec.line)

    def _parameter(self, field: _Field, names: Equations) -> None:
        spec, kind, losses = field.spec, field.kind, field.losses
        where = field.key
        if isinstance(kind, NumberType) and "dntoeu" in spec:
            kind = _calibrated(field, kind, names)
        elif isinstance(kind, NumberType) and isinstance(spec.get("enum"), Mapping) and not kind.encoding.is_float:
            kind = _labelled(spec["enum"], kind, where, losses)
        elif "enum" in spec or "dntoeu" in spec:
            losses.add("field", where, "an enum or equation of an array, text or time is not converted", spec.line)
        validity = self._validity(spec, names, where, losses)
        name = field.key.rpartition(".")[2]
        text = " ".join(str(spec.get("desc") or "").split())
        self.parameters[field.key] = Parameter(field.key, name, kind, spec.line, validity, description=text)

    def _validity(self, spec: Mapping, names: Equations, where: str, losses: Losses) -> Condition | None:
        if "when" not in spec:
            return None
        parsed = names.parsed(spec["when"])
        found = names.reader().condition(parsed) if parsed is not None else None
        if found is None:
            losses.add(
                "when", where, f'"{spec["when"]}" is not converted: the value is always decoded', spec.lines["when"]
            )
        return found


class _Fields:
    """Reads the fields of one packet with their positions."""

    def __init__(self, packet: str, losses: Losses, every: list[Losses]) -> None:
        """`losses`: of the file of the packet; `every`: of all files."""
        self.packet = packet
        self.losses = losses
        self.every = every
        self.names = Names()

    def read(self, specs: List) -> Iterator[_Field]:
        start = stop = 0
        for spec, losses in _entries(specs, self.losses, self.every):
            self.losses = losses
            if not isinstance(spec, Mapping):
                self.losses.add("field", self.packet, f'"{spec}" is no !Field', specs.line)
                continue
            name = str(spec.get("name", ""))
            given = spec.get("bytes")
            size = _n_bytes(str(spec.get("type")))
            first = start if given == "@prev" else stop if given is None else _first(given)
            start = first
            stop = int(given[1]) + 1 if isinstance(given, list) and len(given) > 1 else first + size
            for word in spec:
                if word not in FIELD_WORDS:
                    self.losses.add(str(word), f"{self.packet}.{name}", "is not converted", spec.lines[word])
            if spec.get("type") == "TIME64":
                yield from self._seconds_and_nanoseconds(spec, name, start)
                continue
            kind = self._type(spec, name, stop - start)
            if kind is not None:
                yield self._field(spec, name, kind, start, stop - start)

    def _field(self, spec: Mapping, name: str, kind: ParameterType, start: int, n_bytes: int) -> _Field:
        key = f"{self.packet}.{self.names.take(name)}"
        return _Field(spec, name, key, kind, start, n_bytes, self.losses)

    def _seconds_and_nanoseconds(self, spec: Mapping, name: str, start: int) -> Iterator[_Field]:
        """The fields of a TIME64: seconds, and the time, which adds nanoseconds to them."""
        seconds = TimeType("", NumberEncoding(32), TIMES["TIME32"][1], Fraction(GPS_EPOCH_NS), absolute=True)
        coarse = self._field(spec, f"{name}_seconds", seconds, start, 4)
        yield coarse
        time = TimeType("", NANOSECONDS, Fraction(1), absolute=True, offset_from=Reference(coarse.key))
        yield self._field(spec, name, time, start + 4, 4)

    def _type(self, spec: Mapping, name: str, n_bytes: int) -> ParameterType | None:
        word = str(spec.get("type"))
        where = f"{self.packet}.{name}"
        array = ARRAY.fullmatch(word)
        if array is not None:
            element = self._plain(array[1], spec, where, 0)
            many = int(array[2]) <= MAX_ELEMENTS
            return ArrayType("", element, (int(array[2]),)) if element is not None and many else None
        kind = self._plain(word, spec, where, n_bytes)
        if spec.get("mask") is None or kind is None:
            return kind
        if not isinstance(kind, NumberType) or kind.encoding.is_float:
            self.losses.add(
                "mask", where, "a mask of a value that is not an integer is not converted", spec.lines["mask"]
            )
            return kind
        return self._masked(spec, kind, where)

    def _plain(self, word: str, spec: Mapping, where: str, n_bytes: int) -> ParameterType | None:
        unit = str(spec.get("units") or "")
        number, text = NUMBER.fullmatch(word), TEXT.fullmatch(word)
        if number is not None:
            size = int(number[3])
            encoding = NumberEncoding(size, FORMS[number[2]], number[1] == "LSB" and size > 8)
            return NumberType("", encoding, encoding.is_float, unit)
        if text is not None:
            return StringType("", StringEncoding(int(text[1]) * 8, "ascii"))
        if word in CODES:
            self.losses.add("type", where, f"{word} is given as its number, without {CODES[word]}", spec.line)
            return NumberType("", NumberEncoding(16), unit=unit)
        if word == "TIME8":
            encoding = NumberEncoding(8, calibrator=Polynomial((0.0, 1 / 256)))
            return NumberType("", encoding, real=True, unit=unit or "s")
        if word in TIMES:
            size, unit_ns = TIMES[word]
            return TimeType("", NumberEncoding(size), unit_ns, Fraction(GPS_EPOCH_NS), absolute=True)
        self.losses.add(
            "type", where, f"{word} is not converted: given as bytes", spec.lines.get("type", spec.line)
        )
        n = n_bytes or _n_bytes(word)
        return BinaryType("", BinaryEncoding(n * 8)) if n else None

    def _masked(self, spec: Mapping, kind: NumberType, where: str) -> ParameterType | None:
        """The unsigned bit field of a mask."""
        mask, size = int(spec["mask"]), kind.encoding.size_bits
        shift = (mask & -mask).bit_length() - 1
        run = mask >> max(shift, 0)
        if not 0 < mask < 1 << size or run & (run + 1):
            self.losses.add("mask", where, f"0x{mask:X} is no run of bits: the whole is given", spec.lines["mask"])
            return kind
        bits = run.bit_length()
        if not kind.encoding.little_endian:
            return replace(kind, encoding=NumberEncoding(bits))
        if bits % 8 == 0 and shift % 8:
            text = f"{bits} bits of a little-endian word are not converted: the word is given"
            self.losses.add("mask", where, text, spec.lines["mask"])
            return kind
        return replace(
            kind, encoding=NumberEncoding(bits, "unsigned", bits % 8 == 0 and bits > 8, lsb_first=bits % 8 != 0)
        )


def _first(given: Any) -> int:
    return int(given[0] if isinstance(given, list) else given)


def _n_bytes(word: str) -> int:
    """Size of a type in bytes; 0 if it has no fixed size."""
    array = ARRAY.fullmatch(word)
    if array is not None:
        return _n_bytes(array[1]) * int(array[2])
    number, text = NUMBER.fullmatch(word), TEXT.fullmatch(word)
    if number is not None:
        return int(number[3]) // 8
    if text is not None:
        return int(text[1])
    return {"CMD16": 2, "EVR16": 2, "TIME8": 1, "TIME32": 4, "TIME40": 5, "TIME64": 8}.get(word, 0)


def _first_bit(field: _Field) -> int:
    """First bit in the packet; of little-endian bit fields counted from the least significant bit."""
    start = field.start * 8
    mask = field.spec.get("mask")
    if mask is None or not isinstance(field.kind, NumberType):
        return start
    word = NUMBER.fullmatch(str(field.spec.get("type")))
    size = int(word[3]) if word is not None else field.n_bytes * 8
    encoding = field.kind.encoding
    if encoding.size_bits == size:
        return start
    shift = (int(mask) & -int(mask)).bit_length() - 1
    if word is not None and word[1] == "LSB":
        return start + shift
    return start + size - shift - encoding.size_bits


def _calibrated(field: _Field, kind: NumberType, names: Equations) -> NumberType:
    """The type with the calibration of dntoeu, a formula of the field itself."""
    spec = field.spec["dntoeu"]
    equation = str(spec.get("equation", "")) if isinstance(spec, Mapping) else ""
    parsed, reader = names.parsed(equation), names.reader()
    own = parsed is not None and reader.only(parsed) == names.known[field.name]
    formula = reader.formula(parsed) if parsed is not None and own else None
    line = field.spec.lines["dntoeu"]
    if not isinstance(spec, Mapping) or formula is None or "when" in spec:
        text = f'"{equation}" is no formula of the field alone: the count is given'
        field.losses.add("dntoeu", field.key, text, line)
        return kind
    units = str(spec.get("units") or kind.unit)
    return replace(kind, encoding=replace(kind.encoding, calibrator=formula), real=True, unit=units)


def _labelled(enum: Mapping, kind: NumberType, where: str, losses: Losses) -> ParameterType:
    labels = []
    for value, label in enum.items():
        if isinstance(value, int):
            text = {True: "true", False: "false"}[label] if isinstance(label, bool) else str(label)
            labels.append((int(value), int(value), text))
        else:
            losses.add("enum", where, f"{value} is not an integer", enum.lines[value])
    return EnumeratedType("", kind.encoding, tuple(labels), kind.unit) if labels else kind
