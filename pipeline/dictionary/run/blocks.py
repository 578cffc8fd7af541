"""A block of fixed fields as a program: its operations, chunk by chunk, and the columns they make."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...model.categorical import Categorical
from ...model.reused_memory import LEAST_BYTES, Arena, Empty
from ..model.encodings import NumberEncoding
from .integrity import is_word
from .operation_plans import Conversions, compile_operations
from .operations import Arrays, Operation
from .rows import MIN_ROW_BYTES, Chunk
from .steps import Block, Field, Slot
from .values import Values

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class BlockWork:
    """How the fields of a block are read."""

    operations: tuple[Operation, ...]
    row_bytes: int
    """What the columns of one packet take."""
    slots: tuple[Slot, ...]
    latest: dict[str, Slot]
    """The last slot of each parameter."""


@dataclass(slots=True, eq=False)
class BlockProgram:
    """A block of fixed fields; rows begin at `first_bits` from the anchor and are `width_bits` wide.

    `fields`: with offsets from the row's start. How they are read is compiled when the first packet comes: of a large
    dictionary most containers never do.
    """

    fields: tuple[Field, ...]
    from_start: bool
    first_bits: int
    width_bits: int
    end_bits: int
    words: tuple[tuple[Slot, int], ...]
    """Check words, and their bits from the row's start."""
    conversions: Conversions
    lsb_first: bool = False
    """Whether it has fields that are read right only where rows begin with a byte."""
    _work: BlockWork | None = None

    @property
    def work(self) -> BlockWork:
        """The operations, compiled once."""
        if self._work is None:
            self._work = _compile_work(self.fields, self.width_bits, self.conversions)
        return self._work

    def only(self, wanted: frozenset[str]) -> BlockProgram:
        """The same block, of which no other fields are read."""
        fields = tuple(each for each in self.fields if each.slot.key in wanted)
        words = tuple(each for each in self.words if each[0].key in wanted)
        return replace(self, fields=fields, words=words, _work=None)

    def run(self, pieces: Iterable[Chunk], values: Values) -> None:
        """Read the fields of all rows into `values`."""
        work = self.work
        n_bytes = work.row_bytes * values.n
        arrays = 2 * len(work.operations) + 1
        empty: Empty = np.empty if n_bytes < LEAST_BYTES else Arena(n_bytes, arrays).empty
        _operate(work.operations, work.slots, pieces, values, empty)
        values.latest.update(work.latest)


def _operate(
    operations: Sequence[Operation], slots: Sequence[Slot], pieces: Iterable[Chunk], values: Values, empty: Empty
) -> None:
    if not operations:
        return
    n = values.n
    memory: Sequence[Arrays] = [operation.allocate(n, empty) for operation in operations]
    if values.stay is not None:
        memory = values.stay.placed(operations, memory, n)
    pairs = list(zip(operations, memory, strict=True))
    unknown: dict[int, NDArray[np.bool_]] = {}
    for piece in pieces:
        for number, (operation, arrays) in enumerate(pairs):
            flags = operation.fill(arrays, piece)
            if flags is not None:
                unknown.setdefault(number, np.zeros(n, np.bool_))[piece.low : piece.high] = flags
    raw: list[Array] = []
    calibrated: list[Array | Categorical] = []
    for number, (operation, arrays) in enumerate(pairs):
        delivered = operation.deliver(arrays, has_unknown=number in unknown)
        raw += delivered[0]
        calibrated += delivered[1]
    for flags in unknown.values():
        values.flag(flags)
    values.raw.update(zip(slots, raw, strict=True))
    values.calibrated.update(zip(slots, calibrated, strict=True))


def compile_block(block: Block, conversions: Conversions) -> BlockProgram:
    """Where the rows of the block are. `conversions`: shared by the blocks of a dictionary."""
    # Rows that start with the packet start there even if the first field does not: they may then be a view.
    ends = [each.end_bits for each in block.fields]
    first = 0 if block.from_start else min([0, *(each.offset_bits for each in block.fields)])
    width = max([0, *ends]) - first
    lsb_first = _has_lsb_first(block.fields)
    if lsb_first:
        width = -(-width // 8) * 8
    fields = tuple(replace(each, offset_bits=each.offset_bits - first) if first else each for each in block.fields)
    words = tuple((each.slot, each.offset_bits) for each in fields if is_word(each.type) and not each.shape)
    return BlockProgram(fields, block.from_start, first, width, block.end_bits, words, conversions, lsb_first)


def _compile_work(fields: Sequence[Field], width_bits: int, conversions: Conversions) -> BlockWork:
    operations = compile_operations(fields, max((width_bits + 7) // 8, MIN_ROW_BYTES), conversions)
    works = [operation.allocate(1) for operation in operations]
    row_bytes = sum(
        raw.nbytes + (not np.may_share_memory(raw, calibrated)) * calibrated.nbytes for raw, calibrated in works
    )
    slots = tuple(slot for operation in operations for slot in operation.slots)
    latest = {each.slot.key: each.slot for each in fields}
    return BlockWork(operations, row_bytes, slots, latest)


def _has_lsb_first(fields: Sequence[Field]) -> bool:
    return any(isinstance(found := each.type.encoding, NumberEncoding) and found.lsb_first for each in fields)
