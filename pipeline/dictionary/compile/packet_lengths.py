"""Containers that are sized by the length field of their packet, and the APIDs of their packets.

The length field of a space packet (CCSDS 133.0-B 4.1.3.5.3) counts the bytes of that packet alone. What is sized by it
is described packet by packet, whatever the sequence flags say: a record joined from segments has the length of the
first, and the rest of it would be lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ..model.conditions import Dynamic, Span
from ..run.steps import Block, Group, Loop, Step, sizes_of
from .plan_nodes import Node

_APID, _LENGTH = (5, 11), (32, 16)
"""First bit and bits of both fields in the primary header."""


def header_keys(steps: Iterable[Step]) -> tuple[str, str]:
    """The parameters that are the APID and the packet length; empty where there are none."""
    places = {
        (field.offset_bits, field.size_bits): field.slot.key
        for step in steps
        if isinstance(step, Block) and step.from_start
        for field in step.fields
        if not field.shape
    }
    return places.get(_APID, ""), places.get(_LENGTH, "")


def is_sized_by_length(steps: Sequence[Step]) -> bool:
    """Whether something in a packet is as long, or stands as often, as its length field says."""
    if all(isinstance(step, Block) for step in steps):
        return False
    _, length = header_keys(steps)
    return bool(length) and any(_is_of(size, length) for size in _sizes(steps))


def _is_of(size: object, key: str) -> bool:
    if isinstance(size, Span):
        return _is_of(size.start, key) or _is_of(size.behind, key)
    return isinstance(size, Dynamic) and size.of.parameter == key


def _sizes(steps: Iterable[Step]) -> Iterator[object]:
    for step in steps:
        yield from sizes_of(step)
        if isinstance(step, Group | Loop):
            yield from _sizes(step.steps)


def apids_by_length(root: Node, apid_key: str) -> frozenset[int]:
    """APIDs whose packets have a container below `root` that is sized by their length."""
    return frozenset(_below(root, apid_key, frozenset())) if apid_key else frozenset()


def _below(node: Node, apid_key: str, apids: frozenset[int]) -> Iterator[int]:
    if node.sized_by_length:
        yield from apids
    for branch in node.branches:
        own = frozenset(value for key, value in branch.switch if key == apid_key)
        yield from _below(branch.node, apid_key, own or apids)
