"""Containers of nothing but plain numbers in fixed places: what becomes of a packet that comes alone is known before.

Limits, check words, sizes, texts, calibrations and the like all want the common way, and so does a packet of another
length than its container's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model.layouts import Array, Form, LateArrays
from .compile.plan_nodes import Node
from .run.blocks import BlockProgram
from .run.lone import Lone


@dataclass(frozen=True, slots=True)
class Plain:
    """`n_bytes`: of each packet; `form`: what columns of one row are like; `names` of columns by parameter key."""

    node: Node
    n_bytes: int
    form: Form
    names: Mapping[str, str]
    _lone: Lone
    _order: Callable[[list[Array]], Any]
    _spans: tuple[tuple[int, int], ...]

    def columns(self, packet: NDArray[np.uint8]) -> LateArrays:
        """Of one packet, `packet: uint8[n_bytes]` or longer."""
        return LateArrays(self.form, partial(self._arrays, packet), partial(self._octets, packet))

    def _arrays(self, packet: NDArray[np.uint8]) -> dict[str, Array]:
        found: tuple[Array, ...] = self._order(self._lone.columns(packet))
        return dict(zip(self.form.names, found, strict=True))

    def _octets(self, packet: NDArray[np.uint8]) -> list[bytes]:
        octets = self._lone.octets(packet)
        return [octets[first:stop] for first, stop in self._spans]


def compile_plain(node: Node, form: Form | None) -> Plain | None:
    """None for a container that is not so plain. `form`: as above, None where it may change."""
    program = node.program
    special = (node.constants, node.checks, node.integrity, node.size, node.has_sizes, node.wanted.several)
    if form is None or any(special) or program.fixed_bits is None or program.contextual or len(program.steps) != 1:
        return None
    block = program.steps[0]
    if not isinstance(block, BlockProgram) or block.words or not block.from_start or len(node.wanted.firsts) < 2:
        return None
    lone = block.work.lone
    if lone is None or lone.others or len(lone.slots) != len(node.wanted.firsts):
        return None
    if set(form.shapes) != {(1,)}:
        return None
    place = {slot: i for i, slot in enumerate(lone.slots)}
    places = [place[slot] for slot in node.wanted.firsts]
    n_bytes = [0] * len(place)
    for at, dtype in zip(places, form.dtypes, strict=True):
        n_bytes[at] = dtype.itemsize
    ends = [*accumulate(n_bytes)]
    spans = tuple((ends[at] - n_bytes[at], ends[at]) for at in places)
    whole = (program.fixed_bits + 7) // 8
    return Plain(node, whole, form, dict(node.columns), lone, itemgetter(*places), spans)
