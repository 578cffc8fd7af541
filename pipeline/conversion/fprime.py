"""Read dictionaries of F Prime (JSON, as fpp-to-dict writes them).

In: one dictionary of a deployment. Out: a container for each telemetry channel, telemetry packet and event, in space
packets with the default APIDs of F Prime. Commands, parameters and text formats are not converted.
Source: the F Prime dictionary specification, Svc/ComCfg, Svc/TlmPacketizer and Fw/Time of F Prime 4.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..dictionary.model.conditions import AllOf
from ..dictionary.model.definitions import Container, Dictionary, Location, Parameter, ParameterEntry, Placement
from ..dictionary.model.encodings import NumberEncoding, StringEncoding, Tagged
from ..dictionary.model.parameter_types import (
    AggregateType,
    Alarm,
    ArrayType,
    BooleanType,
    EnumeratedType,
    Limits,
    NumberType,
    ParameterType,
    Range,
    StringType,
)
from ..model.errors import ConfigError, Problem
from .losses import Converted, Losses, Source
from .names import clean
from .places import HEADER_BITS, PRIMARY_HEADER, equal, fixed_bits

INTEGER = re.compile(r"([UI])(8|16|32|64)")
FLOAT = re.compile(r"F(32|64)")
TIME = {"TIME_CONTEXT": 8, "TIME_SECONDS": 32, "TIME_MICROSECONDS": 32}
DEFAULT_BITS = {
    "FwPacketDescriptorType": 16,
    "FwChanIdType": 32,
    "FwEventIdType": 32,
    "FwTlmPacketizeIdType": 16,
    "FwSizeStoreType": 16,
    "FwTimeBaseStoreType": 16,
}
ROOT = "CCSDSSpacePacket"
KINDS = {
    "FPrimeTelemetryChannel": (1, "FwChanIdType", "CHANNEL_ID"),
    "FPrimeEvent": (2, "FwEventIdType", "EVENT_ID"),
    "FPrimeTelemetryPacket": (4, "FwTlmPacketizeIdType", "PACKET_ID"),
}
"""By container: APID, type of the number behind the descriptor, and name of that number."""
LEVELS = {"yellow": 2, "orange": 3, "red": 4}
LOST = {
    "commands": "commands are not converted",
    "parameters": "parameters are set by commands, and not converted",
    "records": "records of data products are not converted",
    "containers": "containers of data products are not converted",
}
MAX_DEPTH = 30


def read_fprime(sources: Sequence[Source]) -> Converted:
    """Read a definition. Raises ConfigError if the file is no dictionary of F Prime."""
    if len(sources) != 1:
        raise ConfigError("convert one F Prime dictionary at a time")
    (source,) = sources
    try:
        content = json.loads(source.document)
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", 0)
        raise ConfigError([Problem(f"is no JSON: {error}", source.file, line)]) from error
    if not isinstance(content, dict) or "telemetryChannels" not in content:
        raise ConfigError([Problem("is no F Prime dictionary: it has no telemetryChannels", source.file)])
    losses = Losses(source.file)
    try:
        return Converted(_Reader(content, source, losses).dictionary(), tuple(losses))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ConfigError([Problem(f"is no F Prime dictionary: {error!r}", source.file)]) from error


def _lines(document: bytes) -> dict[str, int]:
    """The first line of each quoted text, since the JSON parser gives no lines."""
    found: dict[str, int] = {}
    for number, line in enumerate(document.decode("utf-8", "replace").splitlines(), 1):
        for text in re.findall(r'"((?:[^"\\]|\\.)*)"', line):
            found.setdefault(text, number)
    return found


class _Reader:
    def __init__(self, content: Mapping[str, Any], source: Source, losses: Losses) -> None:
        self.content = content
        self.losses = losses
        self.file = source.file
        self.lines = _lines(source.document)
        self.definitions = {each["qualifiedName"]: each for each in content.get("typeDefinitions", [])}
        self.bits = {name: self._store_bits(name, bits) for name, bits in DEFAULT_BITS.items()}
        self.parameters: dict[str, Parameter] = {}
        self.containers: dict[str, Container] = {}
        channels, events = content["telemetryChannels"], content.get("events", [])
        self.ends = Counter(str(each["name"]).rpartition(".")[2] for each in (*channels, *events))
        self.ends.update(each["name"] for each in self._packets())

    def dictionary(self) -> Dictionary:
        self._bases()
        keys = {each["name"]: self._channel(each) for each in self.content["telemetryChannels"]}
        for name, key in keys.items():
            number = next(each["id"] for each in self.content["telemetryChannels"] if each["name"] == name)
            self._container(name, "FPrimeTelemetryChannel", number, [ParameterEntry(key)])
        for packet in self._packets():
            self._packet(packet, keys)
        for event in self.content.get("events", []):
            self._event(event)
        for section, why in LOST.items():
            for each in self.content.get(section, []):
                self.losses.add(section.removesuffix("s"), each["name"], why, self.lines.get(each["name"], 0))
        name = clean(str((self.content.get("metadata") or {}).get("deploymentName", "FPrime")))
        return Dictionary(name, self.parameters, self.containers, self.file)

    def _store_bits(self, name: str, default: int) -> int:
        known = self.definitions.get(name)
        if known is None:
            return default
        kind = self.type_of({"name": name}, name)
        return kind.encoding.size_bits if isinstance(kind, NumberType) else default

    # headers

    def _bases(self) -> None:
        for name, bits in PRIMARY_HEADER.items():
            self._number(name, bits)
        descriptor = self._number("DESCRIPTOR", self.bits["FwPacketDescriptorType"])
        times = [self._number("TIME_BASE", self.bits["FwTimeBaseStoreType"])]
        times += [self._number(name, bits) for name, bits in TIME.items()]
        self.containers[ROOT] = Container(ROOT, tuple(map(ParameterEntry, PRIMARY_HEADER)), abstract=True)
        for name, (apid, kind, word) in KINDS.items():
            number = self._number(word, self.bits[kind])
            entries = tuple(map(ParameterEntry, (descriptor, number, *times)))
            criteria = AllOf((equal("VERSION", 0), equal("APID", apid)))
            self.containers[name] = Container(name, entries, abstract=True, base=ROOT, criteria=criteria)

    def _number(self, name: str, bits: int) -> str:
        self.parameters[name] = Parameter(name, name, NumberType("", NumberEncoding(bits)))
        return name

    def _header_bits(self, base: str) -> int:
        number = self.bits[KINDS[base][1]]
        before = HEADER_BITS + self.bits["FwPacketDescriptorType"]
        return before + number + self.bits["FwTimeBaseStoreType"] + sum(TIME.values())

    # channels, packets and events

    def _key(self, name: str) -> str:
        """The last part of a qualified name if it is unique, else the whole name."""
        end = name.rpartition(".")[2]
        return end if self.ends[end] == 1 and end not in self.parameters else name

    def _channel(self, channel: Mapping[str, Any]) -> str:
        name = channel["name"]
        line = self.lines.get(name, 0)
        kind = self.type_of(channel["type"], name)
        limits = self._limits(channel.get("limits") or {})
        if isinstance(kind, NumberType) and limits is not None:
            kind = NumberType("", kind.encoding, kind.real, kind.unit, limits)
        elif limits is not None:
            self.losses.add("limits", name, "limits of a value that is not a number are not converted", line)
        if channel.get("format"):
            self.losses.add("format", name, "is not converted: it does not change the value", line)
        key = self._key(name)
        self._parameter(key, key.rpartition(".")[2], kind, line, channel.get("annotation", ""))
        return key

    def _parameter(self, key: str, name: str, kind: ParameterType, line: int, description: str) -> None:
        self.parameters[key] = Parameter(
            key, name, kind, line, description=" ".join(str(description or "").split())
        )
        self.parameters |= {each.key: each for each in _members(key, name, kind, line)}

    def _container(self, name: str, base: str, number: int, entries: Sequence[ParameterEntry]) -> None:
        key = self._key_of_container(name)
        criteria = equal(KINDS[base][2], number)
        path = f"/FPrime/{key.replace('.', '/')}"
        line = self.lines.get(name, 0)
        self.containers[key] = Container(key, tuple(entries), base=base, criteria=criteria, line=line, path=path)

    def _key_of_container(self, name: str) -> str:
        end = name.rpartition(".")[2]
        return end if self.ends[end] == 1 and end not in self.containers else name

    def _packets(self) -> Iterator[Mapping[str, Any]]:
        for each in self.content.get("telemetryPacketSets") or []:
            yield from each.get("members", [])

    def _packet(self, packet: Mapping[str, Any], keys: Mapping[str, str]) -> None:
        """Add a packet. Each channel has its largest size, so all positions are fixed."""
        at = self._header_bits("FPrimeTelemetryPacket")
        entries: list[ParameterEntry] = []
        behind = at
        for member in packet["members"]:
            if member not in keys:
                line = self.lines.get(packet["name"], 0)
                self.losses.add(
                    "packet",
                    packet["name"],
                    f"there is no channel {member}: the rest of the packet is not converted",
                    line,
                )
                break
            kind = self.parameters[keys[member]].type
            place = Placement() if behind == at else Placement(Location(at, from_start=True))
            entries.append(ParameterEntry(keys[member], place))
            behind = at + fixed if (fixed := fixed_bits(kind)) is not None else -1
            at += _most_bits(kind)
        self._container(packet["name"], "FPrimeTelemetryPacket", packet["id"], entries)

    def _event(self, event: Mapping[str, Any]) -> None:
        name = event["name"]
        line = self.lines.get(name, 0)
        if event.get("format"):
            self.losses.add("format", name, "the text of the event is not converted, only its values", line)
        entries: list[ParameterEntry] = []
        for each in event.get("formalParams", []):
            key = f"{name}.{each['name']}"
            self._parameter(key, each["name"], self.type_of(each["type"], key), line, each.get("annotation", ""))
            entries.append(ParameterEntry(key))
        self._container(name, "FPrimeEvent", event["id"], entries)

    # types

    def type_of(self, spec: Mapping[str, Any], where: str, depth: int = 0) -> ParameterType:
        """The type of a specification. Raises KeyError if the dictionary does not define it."""
        name = str(spec["name"])
        integer, real = INTEGER.fullmatch(name), FLOAT.fullmatch(name)
        if integer is not None:
            form = "unsigned" if integer[1] == "U" else "twosComplement"
            return NumberType("", NumberEncoding(int(integer[2]), form))
        if real is not None:
            return NumberType("", NumberEncoding(int(real[1]), "IEEE754"), real=True)
        if name == "bool":
            return BooleanType("", NumberEncoding(8))
        if name == "string":
            tag = self.bits["FwSizeStoreType"] if hasattr(self, "bits") else 16
            size = Tagged(tag, int(spec.get("size", 256)) * 8, 8)
            return StringType("", StringEncoding(size, "utf-8", b"", tag, unit_bits=8))
        if depth > MAX_DEPTH:
            raise ValueError(f"{where}: types are nested in themselves")
        return self._defined(self.definitions[name], where, depth + 1)

    def _defined(self, known: Mapping[str, Any], where: str, depth: int) -> ParameterType:
        kind = known["kind"]
        if kind == "alias":
            return self.type_of(known["underlyingType"], where, depth)
        if kind == "enum":
            number = self.type_of(known["representationType"], where, depth)
            assert isinstance(number, NumberType)
            pairs = [(int(each["value"]), str(each["name"])) for each in known["enumeratedConstants"]]
            return EnumeratedType("", number.encoding, tuple((value, value, label) for value, label in pairs))
        if kind == "array":
            return ArrayType("", self.type_of(known["elementType"], where, depth), (int(known["size"]),))
        members = sorted(known["members"].items(), key=lambda item: int(item[1]["index"]))
        return AggregateType("", tuple((name, self._member(each, where, depth)) for name, each in members))

    def _member(self, member: Mapping[str, Any], where: str, depth: int) -> ParameterType:
        kind = self.type_of(member["type"], where, depth)
        return ArrayType("", kind, (int(member["size"]),)) if member.get("size") is not None else kind

    def _limits(self, limits: Mapping[str, Any]) -> Limits | None:
        bands = []
        for color, level in LEVELS.items():
            low, high = ((limits.get(side) or {}).get(color) for side in ("low", "high"))
            if low is not None or high is not None:
                least = float("-inf") if low is None else float(low)
                most = float("inf") if high is None else float(high)
                bands.append((level, Range(least, most), False))
        return Limits(alarm=Alarm(tuple(bands))) if bands else None


def _members(key: str, name: str, kind: ParameterType, line: int) -> Iterator[Parameter]:
    """Parameters of the members of an aggregate, as the XTCE reader makes them."""
    while isinstance(kind, ArrayType):
        kind = kind.element
    if isinstance(kind, AggregateType):
        for member, inner in kind.members:
            yield Parameter(f"{key}.{member}", f"{name}.{member}", inner, line)
            yield from _members(f"{key}.{member}", f"{name}.{member}", inner, line)


def _most_bits(kind: ParameterType) -> int:
    """The largest size of a value in bits; of text that of the size field and the longest text."""
    if isinstance(kind, ArrayType):
        sizes = [size for size in kind.dimensions or () if isinstance(size, int)]
        return sizes[0] * _most_bits(kind.element)
    if isinstance(kind, AggregateType):
        return sum(_most_bits(member) for _, member in kind.members)
    if isinstance(kind, StringType) and isinstance(kind.encoding.size, Tagged):
        return kind.encoding.size.tag_bits + kind.encoding.size.max_bits
    return fixed_bits(kind) or 0
