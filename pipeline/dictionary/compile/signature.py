"""The bits by which packets find their container without a search: those of a few windows near the packet's start.

Packets in which these bits are equal belong to one container, as long as nothing else was looked at to find it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..model.encodings import NumberEncoding
from ..run.blocks import BlockProgram
from ..run.rows import MIN_ROW_BYTES
from ..run.steps import Block, Field, Step
from .plan_nodes import Node
from .program import Program

MAX_HEAD_BYTES = 32
"""Half a cache line: what is read with the bits that decide should cost nothing where it is not wanted."""
MAX_WINDOW_BYTES = 8
MAX_WINDOWS = 3
MAX_BITS = 64
Span = tuple[int, int]
"""First bit, and the bit behind the last."""
Spans = dict[tuple[int, str], Span]
"""By the number of the root, and the parameter's key."""


class Window(NamedTuple):
    """Bytes from `byte` on, of which the bits of `mask` count. Of several windows the bits are moved up by `shift`
    (negative: down), so that no two share a bit.
    """

    byte: int
    stored: np.dtype[Any]
    mask: np.unsignedinteger[Any]
    shift: int

    @property
    def end(self) -> int:
        """The byte behind the last."""
        return self.byte + self.stored.itemsize


class Signature(NamedTuple):
    """What is read of each packet. `keys`: the parameters that the bits are; `nodes`: containers that ask for them at
    these places, and look at nothing behind `least_bytes`, which a packet must have. `head_bytes`: so much of a
    packet's front is read together with the windows, for the containers that go on from there; 0: none does.
    """

    windows: tuple[Window, ...]
    keys: frozenset[str]
    nodes: frozenset[str]
    least_bytes: int
    head_bytes: int = 0


def signature_of(roots: Sequence[tuple[Node, Sequence[Step]]]) -> Signature | None:
    """Find the parameters at fixed places of the roots that tell most. None: no place is fixed, or values of other
    packets decide.
    """
    nodes = [node for root, _ in roots for node in root.walk()]
    if any(branch.needs_others for node in nodes for branch in node.branches):
        return None
    spans = _chosen(_spans(roots), _depths([root for root, _ in roots]))
    if not spans:
        return None
    windows = _windows(spans.values())
    end = max(window.end for window in windows)
    reaches = [_bytes_of(root.probe) for root, _ in roots]
    least = max(end, *(reach for reach in reaches if reach is not None), 0)
    plain = frozenset(
        node.key
        for number, (root, _) in enumerate(roots)
        for node in root.walk()
        if _is_plain(node, number, spans, least)
    )
    head = max(_head_bytes(root, end) for root, _ in roots)
    return Signature(tuple(windows), frozenset(key for _, key in spans), plain | {""}, least, head)


def _depths(roots: Sequence[Node]) -> dict[str, int]:
    """How far from its root a parameter is first asked for."""
    found: dict[str, int] = {}
    here, depth = list(roots), 0
    while here:
        for key in frozenset().union(*(node.probe_keys for node in here)):
            found.setdefault(key, depth)
        here, depth = [branch.node for node in here for branch in node.branches], depth + 1
    return found


def _spans(roots: Sequence[tuple[Node, Sequence[Step]]]) -> Spans:
    """Where the parameters that tell containers apart stand; without those that have no fixed place in some root whose
    containers ask for them.
    """
    found: Spans = {}
    unfixed: set[str] = set()
    for number, (root, steps) in enumerate(roots):
        fields = {each.slot.key: each for each in _fixed(steps)}
        for key in sorted(frozenset().union(*(node.probe_keys for node in root.walk()))):
            field = fields.get(key)
            if field is None or field.shape or field.slot.times:
                unfixed.add(key)
            else:
                found[number, key] = _span(field)
    return {place: span for place, span in found.items() if place[1] not in unfixed}


def _fixed(steps: Sequence[Step]) -> Iterator[Field]:
    for step in steps:
        if isinstance(step, Block) and step.from_start:
            yield from step.fields


def _span(field: Field) -> Span:
    encoding = field.type.encoding
    if isinstance(encoding, NumberEncoding) and encoding.lsb_first:
        return field.offset_bits // 8 * 8, -(-field.end_bits // 8) * 8
    return field.offset_bits, field.end_bits


def _chosen(spans: Spans, depths: dict[str, int]) -> Spans:
    """As many as fit, those first that are asked for first."""
    chosen: Spans = {}
    places = {key: min(span for place, span in spans.items() if place[1] == key) for _, key in spans}
    for key in sorted(places, key=lambda key: (depths[key], places[key])):
        more = chosen | {place: span for place, span in spans.items() if place[1] == key}
        wide = any(high - low // 8 * 8 > MAX_WINDOW_BYTES * 8 for low, high in more.values())
        if not wide and _fits(_windows(more.values())):
            chosen = more
    return chosen


def _fits(windows: Sequence[Window]) -> bool:
    n_bits = sum(_width(int(window.mask)) for window in windows)
    return len(windows) <= MAX_WINDOWS and (len(windows) == 1 or n_bits <= MAX_BITS)


def _windows(spans: Iterable[Span]) -> list[Window]:
    """Windows of 8 bytes or less that hold all spans, in the order of the packet."""
    groups: list[list[Span]] = []
    for span in sorted(spans):
        if groups and (span[1] + 7) // 8 - groups[-1][0][0] // 8 <= MAX_WINDOW_BYTES:
            groups[-1].append(span)
        else:
            groups.append([span])
    windows: list[Window] = []
    n_bits = 0
    for group in groups:
        byte, end = group[0][0] // 8, (max(high for _, high in group) + 7) // 8
        size = next(each for each in (1, 2, 4, 8) if each >= end - byte)
        mask = 0
        for low, high in group:
            mask |= ((1 << (high - low)) - 1) << (byte + size) * 8 - high
        shift = n_bits - _lowest(mask) if len(groups) > 1 else 0
        unsigned = np.dtype(f"u{8 if len(groups) > 1 else size}")
        windows.append(Window(byte, np.dtype(f">u{size}"), unsigned.type(mask), shift))
        n_bits += _width(mask)
    return windows


def _lowest(mask: int) -> int:
    return (mask & -mask).bit_length() - 1


def _width(mask: int) -> int:
    return mask.bit_length() - _lowest(mask)


def _is_plain(node: Node, number: int, spans: Spans, least: int) -> bool:
    """Whether the container's probe reads parameters of the signature where the signature does."""
    reach = _bytes_of(node.probe)
    if reach is None or reach > least:
        return False
    places: dict[str, Span] = {}
    for block in node.probe.steps:
        if isinstance(block, BlockProgram):
            places.update((each.slot.key, _span(each)) for each in block.fields)
    wanted = [(key, spans[number, key]) for key in node.probe_keys if (number, key) in spans]
    return all(places.get(key, span) == span for key, span in wanted)


def _bytes_of(probe: Program) -> int | None:
    """What of a packet the probe looks at; None: that varies."""
    return None if probe.fixed_bits is None else (probe.fixed_bits + 7) // 8


def _head_bytes(root: Node, least: int) -> int:
    """The first bytes that containers of varying size want, and no fewer than `least`."""
    wanted = [node.program.head_bytes for node in root.walk() if not node.abstract]
    few = [each for each in wanted if 0 < each <= MAX_HEAD_BYTES]
    return max(*few, least, MIN_ROW_BYTES) if few and least <= MAX_HEAD_BYTES else 0
