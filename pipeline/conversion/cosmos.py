"""COSMOS and OpenC3 telemetry definitions (cmd_tlm/*.txt) into the neutral definition.

In: files as COSMOS reads them, after ERB. Out: a container for each packet, with its items, selected by the values of
its ID items, in the order of the files. Commands and keywords for the display of values are listed as losses. Source:
the configuration guide of COSMOS 6 and openc3/packets/packet_config.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from ..dictionary.model.conditions import AllOf, Comparison, Condition, Reference
from ..dictionary.model.definitions import Container, Dictionary, Parameter, ParameterEntry
from ..dictionary.model.encodings import NumberEncoding
from ..dictionary.model.parameter_types import EnumeratedType, Limits, StringType, UnencodedType
from ..model.errors import ConfigError, Problem
from .cosmos_items import DEFAULT_LIMITS, LIMITS_SET, Item, integer, place_items, type_of, value_of
from .losses import Converted, Losses, Source
from .names import Names, clean

TOKENS = re.compile(r"""(?:"(?:[^\\"]|\\.)*")|(?:'(?:[^\\']|\\.)*')|\S+""")
ERB = re.compile(r"<%.*?%>|<%")
ITEM = re.compile(r"(APPEND_)?(ID_|ARRAY_)?ITEM")
SHOWS = frozenset({"FORMAT_STRING", "META", "HIDDEN", "LIMITS_RESPONSE", "PROCESSOR", "SCREEN", "RELATED_ITEM"})
"""Keywords that change how COSMOS displays or handles a value, not the value."""
SILENT = frozenset({"OVERLAP", "IGNORE_OVERLAP", "KEY", "CATCHALL", "RESTRICTED", "DISABLED", "ALLOW_SHORT"})
"""Keywords without effect on the values of a complete binary packet."""
TEXT_OF_PROGRAM = ("GENERIC_READ_CONVERSION_START", "GENERIC_WRITE_CONVERSION_START")
BIG, LITTLE = "BIG_ENDIAN", "LITTLE_ENDIAN"


@dataclass(slots=True)
class Packet:
    """One TELEMETRY definition."""

    target: str
    name: str
    endianness: str
    line: int
    losses: Losses
    description: str = ""
    virtual: bool = False
    items: list[Item] = field(default_factory=list)

    def length_bits(self) -> int:
        """Bit offset of the next APPEND_ITEM: bits before the items at the packet's end, plus the bits of those."""
        front = max((each.end_bits for each in self.items if not each.is_derived and each.offset >= 0), default=0)
        return front + max((-each.offset for each in self.items if each.offset < 0), default=0)

    def item(self, name: str) -> Item | None:
        return next((each for each in self.items if each.name == name), None)


def read_cosmos(sources: Sequence[Source]) -> Converted:
    """Read a definition. Raises ConfigError with every line that COSMOS would not read either."""
    reader = _Reader()
    for source in sources:
        reader.read(source)
    if reader.problems:
        raise ConfigError(reader.problems)
    file = sources[0].file if sources else ""
    try:
        dictionary = _Making(list(reader.packets.values())).dictionary(file)
    except ValueError as error:
        raise ConfigError([Problem(str(error), file)]) from error
    return Converted(dictionary, tuple(loss for each in reader.losses for loss in each))


class _Reader:
    def __init__(self) -> None:
        self.packets: dict[tuple[str, str], Packet] = {}
        self.losses: list[Losses] = []
        self.problems: list[Problem] = []
        self.packet: Packet | None = None
        self.item: Item | None = None
        self.in_command = False
        """Whether the lines belong to a command, which is not converted."""

    def read(self, source: Source) -> None:
        losses = Losses(source.file)
        self.losses.append(losses)
        self.packet, self.item, self.in_command = None, None, False
        program = False
        for line, words in _lines(source, losses):
            keyword = words[0].upper()
            if keyword.endswith("_CONVERSION_END"):
                program = False
            elif not program:
                program = keyword in TEXT_OF_PROGRAM
                try:
                    self._take(keyword, words[1:], line, losses)
                except (ValueError, IndexError) as error:
                    text = "has too few words" if isinstance(error, IndexError) else str(error)
                    self.problems.append(Problem(text, source.file, line, keyword))

    def _take(self, keyword: str, words: list[str], line: int, losses: Losses) -> None:
        if keyword in {"COMMAND", "SELECT_COMMAND"}:
            losses.add(keyword, " ".join(words[:2]), "commands are not converted", line)
            self.packet, self.item, self.in_command = None, None, True
        elif keyword in {"TELEMETRY", "SELECT_TELEMETRY"}:
            self.in_command, self.item = False, None
            self._packet(keyword, words, line, losses)
        elif keyword.startswith("LIMITS_GROUP"):
            losses.add(keyword, " ".join(words), "limits groups are not converted", line)
        elif self.packet is None:
            if not self.in_command:
                raise ValueError("comes before any TELEMETRY")
        elif ITEM.fullmatch(keyword) or keyword.endswith("STRUCTURE"):
            self._item(keyword, words, line, losses)
        elif keyword in {"SELECT_ITEM", "DELETE_ITEM"}:
            self._select(keyword, words[0].upper())
        else:
            self._modify(keyword, words, line, losses)

    def _packet(self, keyword: str, words: list[str], line: int, losses: Losses) -> None:
        key = words[0].upper(), words[1].upper()
        if keyword == "SELECT_TELEMETRY":
            if key not in self.packets:
                raise ValueError(f"there is no packet {' '.join(key)}")
            self.packet = self.packets[key]
            return
        endianness = words[2].upper()
        if endianness not in {BIG, LITTLE}:
            raise ValueError(f'"{words[2]}" is neither {BIG} nor {LITTLE}')
        description = words[3] if len(words) > 3 else ""
        self.packet = self.packets[key] = Packet(*key, endianness, line, losses, description)

    def _select(self, keyword: str, name: str) -> None:
        assert self.packet is not None
        self.item = self.packet.item(name)
        if self.item is None:
            raise ValueError(f"there is no item {name}")
        if keyword == "DELETE_ITEM":
            self.packet.items.remove(self.item)
            self.item = None

    def _item(self, keyword: str, words: list[str], line: int, losses: Losses) -> None:
        assert self.packet is not None
        packet, self.item = self.packet, None
        name = words[0].upper()
        if keyword.endswith("STRUCTURE"):
            losses.add(keyword, f"{packet.name} {name}", "items of another packet are not converted", line)
            words, keyword = [*words[:2], "BLOCK"], "APPEND_ITEM" if keyword.startswith("APPEND") else "ITEM"
            if not re.fullmatch(r"-?\d+", words[1]):
                raise ValueError("a structure whose size is that of another packet is not converted")
        appended, is_id, is_array = (word in keyword for word in ("APPEND_", "ID_", "ARRAY_"))
        rest = words[1 if appended else 2 :]
        offset = packet.length_bits() if appended else integer(words[1])
        size, data_type = integer(rest[0]), rest[1].upper()
        extra = rest[2] if is_id or is_array else None
        behind = rest[3 if extra is not None else 2 :]
        endianness = behind[1].upper() if len(behind) > 1 else packet.endianness
        if endianness not in {BIG, LITTLE}:
            raise ValueError(f'"{behind[1]}" is neither {BIG} nor {LITTLE}')
        item = Item(name, offset, size, data_type, endianness == LITTLE, line, losses, packet.name)
        item.description = behind[0] if behind else ""
        item.array_bits = integer(extra) if is_array and extra is not None else None
        item.id_value = extra if is_id else None
        known = packet.item(name)
        if known is not None:
            losses.add("ITEM", f"{packet.name} {name}", "is defined twice: the later one is used", known.line)
            packet.items.remove(known)
        packet.items.append(item)
        self.item = item

    def _modify(self, keyword: str, words: list[str], line: int, losses: Losses) -> None:
        assert self.packet is not None
        packet, item = self.packet, self.item
        where = f"{packet.name} {item.name}" if item else packet.name
        if keyword == "VIRTUAL":
            packet.virtual = True
        elif keyword in {"ACCESSOR", "TEMPLATE", "TEMPLATE_FILE", "TEMPLATE_BASE64", "SUBPACKET", "SUBPACKETIZER"}:
            if keyword != "ACCESSOR" or "binary" not in words[0].lower():
                losses.add(keyword, where, "the packet is read as plain binary", line)
        elif keyword in SHOWS:
            losses.add(keyword, where, "is not converted: it does not change the value", line)
        elif item is None or keyword in SILENT:
            if keyword not in SILENT:
                losses.add(keyword, where, "is unknown and ignored", line)
        else:
            _MODIFIERS.get(keyword, _unknown)(item, keyword, words, line)


def _lines(source: Source, losses: Losses) -> Iterator[tuple[int, list[str]]]:
    """The words of each line, without comments and empty lines; a line that ends with & continues in the next."""
    try:
        text = source.document.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = source.document.decode("latin-1")
    begun: tuple[int, str] | None = None
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        first, before = begun or (number, "")
        if stripped.endswith(" &"):
            begun = first, before + stripped[:-1]
            continue
        begun = None
        whole = before + stripped
        found = ERB.search(whole)
        if found and TOKENS.match(ERB.sub("X", whole)) and not whole.startswith("<%"):
            losses.add("ERB", found[0], "is replaced by TARGET: convert the output of COSMOS for this file", first)
            whole = ERB.sub("TARGET", whole)
        elif found:
            losses.add("ERB", found[0], "is not run: convert the output of COSMOS for this file", first)
            continue
        words = [_unquoted(word) for word in TOKENS.findall(whole)]
        cut = next((i for i, word in enumerate(words) if word.startswith("#") and i), len(words))
        if words[:cut]:
            yield first, words[:cut]


def _unquoted(word: str) -> str:
    quoted = len(word) > 1 and word[0] == word[-1] and word[0] in "\"'"
    return word[1:-1].replace(f"\\{word[0]}", word[0]) if quoted else word


# Modifiers: lines after an item

Modifier = Callable[[Item, str, list[str], int], None]


def _state(item: Item, _keyword: str, words: list[str], line: int) -> None:
    item.states.append((words[0].upper(), words[1], words[2].upper() if len(words) > 2 else "", line))


def _units(item: Item, _keyword: str, words: list[str], _line: int) -> None:
    item.unit = words[1] if len(words) > 1 else words[0]


def _description(item: Item, _keyword: str, words: list[str], _line: int) -> None:
    item.description = words[0]


def _polynomial(item: Item, _keyword: str, words: list[str], _line: int) -> None:
    item.coefficients = tuple(map(float, words))
    if not words:
        raise ValueError("needs a coefficient")


def _segment(item: Item, _keyword: str, words: list[str], _line: int) -> None:
    item.segments.append((float(words[0]), tuple(map(float, words[1:]))))


def _limits(item: Item, keyword: str, words: list[str], line: int) -> None:
    name = words[0].upper()
    if not item.limits and name != DEFAULT_LIMITS:
        raise ValueError(f"limits of the set {DEFAULT_LIMITS} come first")
    values = tuple(map(float, words[3:7]))
    if len(values) < 4:
        raise ValueError("needs four limits")
    item.limits[name] = values
    # Of all sets of an item the last line counts, as in COSMOS.
    item.persistence, item.has_limits_enabled = max(integer(words[1]), 1), words[2].upper() == "ENABLED"
    item.limits_line = line
    if len(words) > 7:
        item.lost(keyword, "the green limits are not converted", line)


def _variable(item: Item, _keyword: str, words: list[str], _line: int) -> None:
    per, by = (integer(words[i]) if len(words) > i else default for i, default in ((1, 8), (2, 0)))
    item.variable = words[0].upper(), per, by


def _program(item: Item, keyword: str, words: list[str], line: int) -> None:
    item.lost(keyword, f"{words[0] if words else 'it'} is a program: the raw value is decoded", line)


def _unknown(item: Item, keyword: str, words: list[str], line: int) -> None:
    item.lost(keyword, f"{' '.join(words[:2])} is not converted", line)


_MODIFIERS: dict[str, Modifier] = {
    "STATE": _state,
    "UNITS": _units,
    "DESCRIPTION": _description,
    "POLY_READ_CONVERSION": _polynomial,
    "SEG_POLY_READ_CONVERSION": _segment,
    "LIMITS": _limits,
    "VARIABLE_BIT_SIZE": _variable,
    "READ_CONVERSION": _program,
    "GENERIC_READ_CONVERSION_START": _program,
}


# The dictionary


class _Making:
    def __init__(self, packets: list[Packet]) -> None:
        self.packets = packets
        self.several_targets = len({each.target for each in packets}) > 1
        self.names = Names()
        self.parameters: dict[str, Parameter] = {}
        self.containers: dict[str, Container] = {}

    def dictionary(self, file: str) -> Dictionary:
        for packet in self.packets:
            if packet.virtual:
                packet.losses.add("TELEMETRY", packet.name, "a virtual packet is never identified", packet.line)
            else:
                self._packet(packet)
        self._limits_sets()
        targets = {each.target for each in self.packets}
        name = clean(next(iter(targets))) if len(targets) == 1 else "COSMOS"
        return Dictionary(name, self.parameters, self.containers, file)

    def _limits_sets(self) -> None:
        """Add the constant whose label selects the limits of alarms, if there are sets other than DEFAULT."""
        alarms = (getattr(each.type, "limits", Limits()) for each in self.parameters.values())
        conditions = [condition for limits in alarms for condition, _ in limits.contexts]
        names = dict.fromkeys(str(each.right) for each in conditions if isinstance(each, Comparison))
        if names:
            labels = tuple((k, k, name) for k, name in enumerate([DEFAULT_LIMITS, *names]))
            kind = UnencodedType("", value=EnumeratedType("", NumberEncoding(8, "unsigned"), labels))
            about = "The limits set of all alarms, selected by the operator"
            self.parameters[LIMITS_SET] = Parameter(
                LIMITS_SET, LIMITS_SET, kind, initial=DEFAULT_LIMITS, description=about
            )

    def _packet(self, packet: Packet) -> None:
        name = self.names.take(f"{packet.target}_{packet.name}" if self.several_targets else packet.name)
        own = Names()
        keys = {each.name: (f"{name}.{own.take(each.name)}") for each in packet.items}
        in_packet = [each for each in packet.items if not each.is_derived]
        for item in packet.items:
            if clean(item.name) != item.name:
                item.lost("ITEM", f"is renamed to {keys[item.name].rpartition('.')[2]}", item.line)
            if item.is_derived and not item.has_program:
                item.lost("ITEM", "DERIVED: it is not in the packet", item.line)
        placed = list(place_items([each for each in in_packet if self._parameter(each, keys)], in_packet))
        entries = tuple(ParameterEntry(keys[item.name], place) for item, place in placed)
        criteria = self._criteria(in_packet, keys)
        if criteria is None and len(self.packets) == 1:
            self.containers[name] = Container(name, entries, line=packet.line)
            return
        base = self.names.take(f"{name}_Base")
        self.containers[base] = Container(base, entries, abstract=True, line=packet.line)
        self.containers[name] = Container(name, (), base=base, criteria=criteria, line=packet.line)

    def _parameter(self, item: Item, keys: dict[str, str]) -> bool:
        kind = type_of(item, keys)
        if kind is None:
            return False
        key = keys[item.name]
        name = key.rpartition(".")[2]
        self.parameters[key] = Parameter(key, name, kind, item.line, description=item.description)
        return True

    def _criteria(self, items: list[Item], keys: dict[str, str]) -> Condition | None:
        parts: list[Condition] = []
        for item in items:
            key = keys[item.name]
            if item.id_value is None or key not in self.parameters:
                continue
            is_text = isinstance(self.parameters[key].type, StringType)
            value = value_of(item.id_value, item.data_type)
            if value is None:
                item.lost(
                    "ID_ITEM",
                    f'"{item.id_value}" is not a valid {item.data_type}: the packet is not identified by it',
                    item.line,
                )
                continue
            parts.append(Comparison(Reference(key, calibrated=is_text), "==", value))
        return AllOf(tuple(parts)) if parts else None
