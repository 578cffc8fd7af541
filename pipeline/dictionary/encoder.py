"""Raw values in, one packet out, by the same dictionary: for tests, and for simulators of others.

Written apart from the decoder: it goes through the entries one by one, in plain Python, and writes bit by bit into
one large number. It knows nothing of plans, layouts or windows. Slow, and meant to be.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .encoder_numbers import check_word, integer_bits, pattern
from .encoder_values import WrittenValues
from .model.conditions import AllOf, Comparison, Condition, Remainder, Size
from .model.definitions import Container, ContainerEntry, Dictionary, Entry, FixedEntry, IndirectEntry, MissingEntry
from .model.encodings import BinaryEncoding, ErrorCheck, StringEncoding, Tagged, Terminated
from .model.parameter_types import (
    AggregateType,
    ArrayType,
    BinaryType,
    BooleanType,
    CodedTimeType,
    EnumeratedType,
    ParameterType,
    SpelledType,
    StringType,
)


def encode(
    dictionary: Dictionary, container: str, values: Mapping[str, Any], *, space_packet: bool = True
) -> bytes:
    """One packet of `container` that holds the raw `values`, by parameter key.

    An array, or a parameter that comes more than once, is a sequence, nested or flat, in the order of the packet. Blobs
    and strings are bytes and str. What is not given is what the restriction criteria ask for, or what a check word
    must be, else 0. Parity bits are not written.
    `space_packet`: bytes 4 and 5 become the packet length of CCSDS 133.0-B. Raises ValueError where a value does
    not fit.
    """
    return encode_by(Writer(dictionary, values), container, space_packet=space_packet)


def encode_by(writer: Writer, container: str, *, space_packet: bool = True) -> bytes:
    """The same by a writer, which may choose values itself."""
    dictionary = writer.dictionary
    chain: list[Container] = [dictionary.containers[container]]
    while (base := chain[0].base) is not None:
        chain.insert(0, dictionary.containers[base])
    for each in chain:
        writer.require(each.criteria)
    for each in chain:
        writer.container(each)
    writer.finish()
    octets = bytearray(writer.octets())
    if space_packet:
        octets[4:6] = (len(octets) - 7).to_bytes(2, "big")
    writer.fill_check_words(octets)
    declared = next((each for each in reversed(chain) if each.check or each.size is not None), None)
    if declared is not None and declared.check is not None:
        _fill(octets, declared.check)
    return bytes(octets)


def _fill(octets: bytearray, check: ErrorCheck) -> None:
    """The check word of the whole packet, at its place."""
    n_bytes, distance = check.algorithm.width_bits // 8, (check.bits or 0) // 8
    place = len(octets) - distance - n_bytes if check.from_end else distance
    octets[place : place + n_bytes] = check_word(check.algorithm, bytes(octets[:place]))


class Writer(WrittenValues):
    """Writes one packet, entry by entry."""

    def __init__(self, dictionary: Dictionary, values: Mapping[str, Any]) -> None:
        super().__init__(dictionary)
        self.given = {key: iter(list(_flat(value))) for key, value in values.items()}
        self.wanted: dict[str, int] = {}
        self.bits: dict[int, int] = {}
        self.position = 0
        self.end = 0
        self.late: list[Any] = []
        """Entries counted from the end of the packet."""
        self.words: list[tuple[int, ErrorCheck, bool]] = []
        """Fields that are check words and have no value given: their place, and whether the last byte comes first."""

    def octets(self) -> bytes:
        number, n_bytes = 0, (self.end + 7) // 8
        for position, bit in self.bits.items():
            number |= bit << (n_bytes * 8 - 1 - position)
        return number.to_bytes(n_bytes, "big")

    def fill_check_words(self, octets: bytearray) -> None:
        for place, check, reverse in self.words:
            word = check_word(check.algorithm, bytes(octets[: place // 8]))
            octets[place // 8 : place // 8 + len(word)] = word[::-1] if reverse else word

    def require(self, condition: Condition | None) -> None:
        """Note the raw values that equalities ask for."""
        if isinstance(condition, AllOf):
            for part in condition.parts:
                self.require(part)
        elif isinstance(condition, Comparison) and condition.operator == "==" and isinstance(condition.right, str):
            kind = self.dictionary.parameters[condition.left.parameter].type
            literal = condition.right
            if isinstance(kind, EnumeratedType) and condition.left.calibrated:
                self.wanted[condition.left.parameter] = next(
                    low for low, _, label in kind.labels if label == literal
                )
            elif isinstance(kind, BooleanType) and condition.left.calibrated:
                self.wanted[condition.left.parameter] = int(literal == kind.one or literal.lower() in {"true", "1"})
            else:
                self.wanted[condition.left.parameter] = int(float(literal)) if "." in literal else int(literal, 0)

    def container(self, container: Container, begin: int = 0) -> None:
        """`begin`: bits from the packet's start to where the container's places are counted from."""
        for i, entry in enumerate(container.entries):
            place = entry.place
            if place.condition is not None and not self.holds(place.condition):
                continue
            if place.location is not None and place.location.from_end:
                self.late.append(entry)
                continue
            if place.location is not None and place.location.before_next:
                self.position = begin + self.start_before(container.entries[i:])
            elif place.location is not None:
                bits = self.size(place.location.bits)
                self.position = begin + bits if place.location.from_start else self.position + bits
            repetition = place.repetition
            for time in range(self.size(repetition.count) if repetition else 1):
                if time and repetition:
                    self.position += self.size(repetition.gap)
                self.entry(entry)

    def finish(self) -> None:
        """Write what is counted from the packet's end, behind all else: the packet is no longer than that asks for."""
        spans = [self.size(each.place.location.bits) + self.fixed_bits(each) for each in self.late]
        end = (self.end + 7) // 8 * 8 + max(spans, default=0)
        for entry, span in zip(self.late, spans, strict=True):
            self.position = end - span
            self.entry(entry)

    def children(self, key: str, begin: int) -> None:
        """What a container inside another is beside itself: the first of its children that applies."""
        for name in self.dictionary.children.get(key, ()):
            if self.applies(name):
                self.container(self.dictionary.containers[name], begin)
                self.children(name, begin)
                return

    def applies(self, key: str) -> bool:
        container = self.dictionary.containers[key]
        if container.criteria is not None and not self.holds(container.criteria):
            return False
        return not container.abstract or any(map(self.applies, self.dictionary.children.get(key, ())))

    def start_before(self, entries: Sequence[Any]) -> int:
        """Where the first entry begins, which ends before the next one: in the container, counted from its start."""
        first, following = entries[0], entries[1]
        place = following.place.location
        begin = self.start_before(entries[1:]) if place.before_next else self.size(place.bits)
        size_bits = self.fixed_bits(first)
        return begin - self.size(first.place.location.bits) - size_bits

    def fixed_bits(self, entry: Any) -> int:
        """Bits that a number or array of numbers takes, wherever it stands."""
        kind, n = self.dictionary.parameters[entry.parameter].type, 1
        while isinstance(kind, ArrayType):
            n, kind = n * math.prod(self.size(each) for each in kind.dimensions or ()), kind.element
        size_bits = _size_bits(kind)
        if isinstance(size_bits, int):
            return n * size_bits
        raise ValueError(f'"{entry.parameter}" before the next entry is not written: it varies in size')

    def entry(self, entry: Entry) -> None:
        if isinstance(entry, ContainerEntry):
            begin, inside = self.position, self.dictionary.containers[entry.container]
            self.container(inside, begin)
            self.children(entry.container, begin)
            if inside.size is not None and not isinstance(inside.size, Remainder):
                self.position = begin + self.size(inside.size)
                self.end = max(self.end, self.position)
        elif isinstance(entry, IndirectEntry | MissingEntry):
            raise ValueError("an entry that another parameter names is not written")  # noqa: TRY004 - of the file
        elif isinstance(entry, FixedEntry):
            self.write(int.from_bytes(entry.value, "big"), entry.size_bits)
        else:
            self.parameter(entry.parameter, self.dictionary.parameters[entry.parameter].type, entry.dimensions)

    def parameter(self, key: str, kind: ParameterType, dimensions: tuple[Size, ...] | None) -> None:
        if isinstance(kind, ArrayType):
            sizes = dimensions if dimensions is not None else kind.dimensions or ()
            for _ in range(math.prod(self.size(each) for each in sizes)):
                self.parameter(key, kind.element, None)
            # Even an empty array has the bits before it.
            self.end = max(self.end, self.position)
        elif isinstance(kind, AggregateType):
            for name, member in kind.members:
                self.parameter(f"{key}.{name}", member, None)
        else:
            self.value(key, kind)

    def choose(self, key: str, _kind: Any) -> Any:
        """The raw value that a parameter has here; None: what the criteria ask for, or 0."""
        return next(self.given[key], None) if key in self.given else None

    def value(self, key: str, kind: Any) -> None:
        given = self.choose(key, kind)
        check = kind.encoding.check
        if given is None and check is not None and _size_bits(kind) == check.algorithm.width_bits:
            self.words.append((self.position, check, getattr(kind.encoding, "little_endian", False)))
        if isinstance(kind, SpelledType):
            self.spelled(key, given, kind)
        elif isinstance(kind, StringType):
            self.text("" if given is None else given, kind.encoding)
        elif isinstance(kind, BinaryType | CodedTimeType):
            if isinstance(kind.encoding.size, Tagged):
                self.tagged(b"" if given is None else bytes(given), kind.encoding.size)
                return
            size_bits = self.size(kind.encoding.size)
            octets = bytes((size_bits + 7) // 8) if given is None else bytes(given)
            if len(octets) != (size_bits + 7) // 8:
                raise ValueError(f'"{key}" wants {size_bits} bits, not {len(octets)} bytes')
            self.write(int.from_bytes(octets, "big") & ((1 << size_bits) - 1), size_bits)
        else:
            number = self.wanted.get(key, 0) if given is None else given
            self.last[key] = number
            if kind.encoding.lsb_first:
                self.write_lsb_first(integer_bits(int(number), kind.encoding), kind.encoding.size_bits)
            else:
                self.write(pattern(number, kind.encoding), kind.encoding.size_bits)

    def tagged(self, octets: bytes, size: Tagged) -> None:
        """Bytes behind their number."""
        self.write(len(octets) * 8 // size.unit_bits, size.tag_bits)
        self.write(int.from_bytes(octets, "big"), len(octets) * 8)

    def spelled(self, key: str, given: Any, kind: SpelledType) -> None:
        """A number, label or truth value as text; a str is written as it is."""
        if isinstance(kind.encoding, BinaryEncoding):
            size_bits = self.size(kind.encoding.size)
            self.write(int(bool(given)), size_bits)
            self.last[key] = bool(given)
            return
        value = self.wanted.get(key, 0) if given is None else given
        text = str(value)
        if isinstance(kind.value, BooleanType) and not isinstance(value, str):
            text = kind.value.one if value else kind.value.zero
        self.last[key] = text
        self.text(text, kind.encoding)

    def text(self, text: str, encoding: StringEncoding) -> None:
        octets = text.encode(encoding.charset)
        if encoding.tag_bits:
            count = len(octets) * 8 // encoding.unit_bits
            octets = count.to_bytes(encoding.tag_bits // 8, "big") + octets
        if isinstance(encoding.size, Terminated):
            octets += encoding.terminator
        elif not isinstance(encoding.size, Tagged):
            n_bytes = self.size(encoding.size) // 8
            if len(octets) < n_bytes:
                octets += encoding.terminator
            if len(octets) > n_bytes:
                raise ValueError(f'"{text}" does not fit into {n_bytes} bytes')
            octets = octets.ljust(n_bytes, b"\0")
        self.write(int.from_bytes(octets, "big"), len(octets) * 8)

    def write(self, number: int, size_bits: int) -> None:
        for i in range(size_bits):
            self.bits[self.position + i] = number >> (size_bits - 1 - i) & 1
        self.position += size_bits
        self.end = max(self.end, self.position)

    def write_lsb_first(self, number: int, size_bits: int) -> None:
        """A bit field of a little-endian structure: bits are counted from the least significant of each byte."""
        for i in range(size_bits):
            byte, bit = divmod(self.position + i, 8)
            self.bits[byte * 8 + 7 - bit] = number >> i & 1
        self.position += size_bits
        self.end = max(self.end, self.position)


def _size_bits(kind: Any) -> Any:
    """Of one value; None, or no number, where the packet tells."""
    return getattr(kind.encoding, "size_bits", None) or getattr(kind.encoding, "size", None)


def _flat(value: Any) -> Iterator[Any]:
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray):
        for each in value:
            yield from _flat(each)
    else:
        yield value
