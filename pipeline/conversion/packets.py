"""Make packets from a dictionary: limits first, then random values, that match the criteria of their containers.

In: a dictionary, a seed and a number. Out: space packets, of all containers in turn, and the containers with too few
packets. Each packet is decoded again; one that is decoded as another container is dropped.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import numpy as np

from ..dictionary.compile.plan import Plan
from ..dictionary.decoder import Decoder
from ..dictionary.encoder import Writer, encode_by
from ..dictionary.model.conditions import Remainder, Size
from ..dictionary.model.definitions import Dictionary
from ..dictionary.model.encodings import BinaryEncoding, Tagged, Terminated
from ..dictionary.model.parameter_types import (
    BinaryType,
    BooleanType,
    CodedTimeType,
    EnumeratedType,
    SpelledType,
    StringType,
)
from ..model.batches import PacketBatch
from . import drawing
from .places import is_space_packet, placed_in
from .requirements import PacketRequirements, allowed, packet_requirements, requirements_of

IDLE_APID = 0x7FF
TRIES = 40
"""Most attempts to replace packets that were decoded as another container."""
HINTED = 0.5
MAX_REST = 6
LEAST_BITS = 56
"""A space packet has at least one byte after its header (133.0-B-2 4.1.4.1.1)."""


@dataclass(frozen=True, slots=True)
class Made:
    """Packets in file order, with the container of each; and containers with fewer packets than requested."""

    packets: tuple[bytes, ...]
    containers: tuple[str, ...]
    missing: tuple[tuple[str, str], ...]
    """(container, reason)."""


def make_packets(dictionary: Dictionary, plan: Plan, n: int, seed: int, *, space_packets: bool = True) -> Made:
    """Make `n` packets, of each concrete container in turn. `space_packets`: each has a primary header of CCSDS 133.0-B
    with the right length.
    """
    names = [node.key for node in plan.walk() if not node.abstract]
    shares = [n // len(names) + (i < n % len(names)) for i in range(len(names))] if names else []
    missing: list[tuple[str, str]] = []
    columns: list[list[tuple[str, bytes]]] = []
    decoder = None if plan.origins else Decoder(plan)
    for name, share in zip(names, shares, strict=True):
        if not share:
            continue
        dice = random.Random(f"{seed} {name}")  # noqa: S311 - no secrets
        maker = _Maker(dictionary, plan, name, dice, decoder)
        found, why = maker.make(share, space_packets=space_packets)
        columns.append([(name, octets) for octets in found])
        if len(found) < share:
            missing.append((name, why))
    ordered = [pair for turn in zip_longest(*columns) for pair in turn if pair is not None]
    return Made(tuple(octets for _, octets in ordered), tuple(name for name, _ in ordered), tuple(missing))


class _Maker:
    """Makes packets of one container."""

    def __init__(
        self, dictionary: Dictionary, plan: Plan, name: str, dice: random.Random, decoder: Decoder | None
    ) -> None:
        """`decoder`: shared by all containers; None if it would keep values of other packets."""
        self.dictionary = dictionary
        self.decoder = decoder
        self.plan = plan
        self.name = name
        self.dice = dice
        container = dictionary.containers[name]
        self.requirements = requirements_of(dictionary, container)
        self.is_space_packet = is_space_packet(placed_in(dictionary, container))
        self.why = "its packets are taken for another container, or for none"

    def make(self, n: int, *, space_packets: bool) -> tuple[list[bytes], str]:
        """Make `n` packets; or fewer, and the reason."""
        if space_packets and not self.is_space_packet:
            return [], "it does not begin with a CCSDS primary header: a file of packets cannot hold it"
        found: list[bytes] = []
        n_made = 0
        for _ in range(TRIES):
            if len(found) == n:
                break
            n_more = n - len(found)
            made = (self._one(n_made + i, space_packets) for i in range(n_more))
            tried = [each for each in made if each is not None]
            n_made += n_more
            found += self._right(tried)
        return found, self.why

    def _one(self, place: int, space_packets: bool) -> bytes | None:
        style = drawing.STYLES[place] if place < len(drawing.STYLES) else drawing.RANDOM
        word = self.dice.randrange(2) << 27 | self.dice.randrange(IDLE_APID) << 16 | 3 << 14 | place & 0x3FFF
        required = packet_requirements(
            self.requirements, self.dictionary, self.dice, header=word if space_packets else None
        )
        writer = _Drawing(self.dictionary, required, style, self.dice)
        writer.end = LEAST_BITS if space_packets else 0
        try:
            return encode_by(writer, self.name, space_packet=space_packets)
        except (ValueError, StopIteration, KeyError, OverflowError) as error:
            self.why = str(error) or "no case of a lookup holds"
            return None

    def _right(self, tried: list[bytes]) -> list[bytes]:
        """The packets that are decoded as this container, and are not idle."""
        fitting = [each for each in tried if not self.is_space_packet or _apid(each) != IDLE_APID]
        if not fitting:
            self.why = f"its packets are idle ones (APID {IDLE_APID})" if tried else self.why
            return []
        rows: list[int] = []
        decoder = self.decoder or Decoder(self.plan)
        first = decoder.n_seen
        for batch in decoder.decode(batch_of(fitting)):
            if batch.container == self.name:
                rows += (batch.order - first).tolist()
        decoder.drain_events()
        return [fitting[row] for row in sorted(rows)]


class _Drawing(Writer):
    """Writes a packet, and draws each value when it is needed."""

    def __init__(
        self, dictionary: Dictionary, required: PacketRequirements, style: str, dice: random.Random
    ) -> None:
        super().__init__(dictionary, {})
        self.own = required
        self.style = style
        self.dice = dice
        self.rest = {drawing.ZEROS: 0, drawing.MOST: MAX_REST}.get(style, dice.randrange(MAX_REST + 1))

    def size(self, size: Size | Tagged) -> int:
        return self.rest * 8 if isinstance(size, Remainder) else super().size(size)

    def choose(self, key: str, kind: Any) -> Any:
        if key in self.own.fixed:
            return self.own.fixed[key]
        if isinstance(kind, SpelledType):
            return drawing.spelled(kind, self._n_bytes(kind), self.dice)
        if isinstance(kind, StringType):
            return drawing.text(kind.encoding, self._n_bytes(kind), self.style, self.dice)
        if isinstance(kind, BinaryType | CodedTimeType):
            return self._octets(kind)
        check = kind.encoding.check
        if check is not None and kind.encoding.size_bits == check.algorithm.width_bits:
            return None
        return self._number(key, kind)

    def _n_bytes(self, kind: Any) -> int | None:
        if isinstance(kind.encoding, BinaryEncoding):
            return None
        if isinstance(kind.encoding.size, Terminated | Tagged):
            return None
        return self.size(kind.encoding.size) // 8

    def _octets(self, kind: BinaryType | CodedTimeType) -> bytes:
        size = kind.encoding.size
        if isinstance(size, Tagged):
            n_bytes = self.dice.randrange(min(MAX_REST, ((1 << size.tag_bits) - 1) * size.unit_bits // 8) + 1)
            return drawing.octets(n_bytes * 8, self.style, self.dice)
        found = drawing.octets(self.size(size), self.style, self.dice)
        if isinstance(kind, CodedTimeType):
            prefix = self.dice.choice(kind.codes)[0]
            found = prefix + found[len(prefix) :]
        return found

    def _number(self, key: str, kind: Any) -> Any:
        rules = self.own.rules.get(key, [])
        if key in self.own.ranges:
            low, high = self.own.ranges[key]
            least, most = drawing.bounds(kind.encoding)
            low, high = max(low, least), min(high, most)
            known = {drawing.ZEROS: low, drawing.LEAST: low, drawing.MOST: high}
            return known.get(self.style, self.dice.randint(low, max(low, high)))
        hints = [each for each in self.own.hints.get(key, []) if _fits(each, kind.encoding)]
        if hints and self.style == drawing.RANDOM and self.dice.random() < HINTED:
            return self.dice.choice(hints)
        value = self._plain(kind, self.style)
        for _ in range(TRIES if rules else 0):
            if allowed(value, rules):
                break
            near = [int(literal) + by for _, literal in rules for by in (-1, 0, 1)]
            candidates = [each for each in near if _fits(each, kind.encoding)]
            value = self.dice.choice([*candidates, self._plain(kind, drawing.RANDOM)])
        return value

    def _plain(self, kind: Any, style: str) -> Any:
        if isinstance(kind, EnumeratedType | BooleanType):
            return drawing.coded(kind, style, self.dice)
        return drawing.number(kind.encoding, style, self.dice)


def _fits(value: int, encoding: Any) -> bool:
    low, high = drawing.bounds(encoding)
    return low <= value <= high


def _apid(octets: bytes) -> int:
    return int.from_bytes(octets[:2], "big") & IDLE_APID


def batch_of(packets: list[bytes]) -> PacketBatch:
    """Packets as a batch of the link layer."""
    heads = np.array([int.from_bytes(each[:4].ljust(4, b"\0"), "big") for each in packets], np.int64)
    length = np.array([len(each) for each in packets], np.int64)
    n = len(packets)
    return PacketBatch(
        np.frombuffer(b"".join(packets), np.uint8),
        np.concatenate([[0], np.cumsum(length)[:-1]]).astype(np.int64),
        length,
        (heads >> 16 & IDLE_APID).astype(np.uint16),
        (heads & 0x3FFF).astype(np.uint16),
        (heads >> 14 & 3).astype(np.uint8),
        np.zeros(n, np.uint16),
        np.zeros(n, np.uint8),
        np.zeros(n, np.int64),
        np.zeros(n, np.uint32),
    )
