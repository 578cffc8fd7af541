"""The steps of a container as a program that runs on all its packets at once.

Comes in: flat bytes with the start and length of each packet. Goes out: a raw and a calibrated column for each
slot, and which packets were too short for what they should hold. A container with fixed places is one block and
needs no arithmetic on positions; behind a variable field the position of each packet is its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..model.definitions import Dictionary
from ..run.blocks import BlockProgram
from ..run.operation_plans import Conversions
from ..run.rows import chunks
from ..run.runs import Result, Run
from ..run.step_programs import StepProgram, compile_steps, filled_by, needs_of_program
from ..run.steps import Step
from ..run.values import Places, Values
from .contexts import Contextual, Offset

Positions = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Program:
    """Compiled steps. `fixed_bits`: the length, where it is the same for all packets."""

    steps: tuple[StepProgram, ...]
    fixed_bits: int | None
    contextual: tuple[Contextual | Offset, ...] = ()

    def run(
        self,
        data: NDArray[np.uint8],
        start: Positions,
        length: Positions,
        heads: NDArray[np.uint8] | None = None,
        given: Values | None = None,
        stay: Places | None = None,
    ) -> Result:
        """Decode the packets `data[start : start + length]` (bytes), every one with this program.

        Where all have one fixed length the caller has set shorter packets aside. `heads: uint8[n, width]`: their first
        bytes, if they have been read already. `given`: for each of them, values of other packets. `stay`: memory for
        what is read at fixed places.
        """
        n = len(start)
        values = Values(n) if given is None else Values(n, given, np.arange(n))
        values.stay = stay
        result = self._read(data, start, length, heads, values)
        for each in self.contextual:
            if each.slot in result.values.raw:
                each.apply(result.values)
        return result

    def _read(
        self,
        data: NDArray[np.uint8],
        start: Positions,
        length: Positions,
        heads: NDArray[np.uint8] | None,
        values: Values,
    ) -> Result:
        if self.fixed_bits is None:
            begin = start * 8
            end = (start + length) * 8
            return Run(data, begin, end, begin, values, heads=heads).run(self.steps)
        result = Result(values, None, self.fixed_bits)
        for block in self.steps:
            assert isinstance(block, BlockProgram)
            for slot, bits in block.words:
                result.values.places[slot] = np.full(len(start), bits, np.int64)
            if block.fields:
                pieces = chunks(data, start, (block.width_bits + 7) // 8)
                block.run(pieces, result.values)
        return result

    def only(self, wanted: frozenset[str], *, to_end: bool) -> Program:
        """The same program, of which fixed fields are read only where they are `wanted` or tell where something stands.
        `to_end`: it still finds which packets are too short; else it ends where all that is wanted has been read.
        """
        contextual, needed = self._contextual_for(wanted)
        steps = self.steps
        if not to_end:
            last = max((i for i, step in enumerate(steps) if needed & filled_by([step])), default=-1)
            steps = steps[: last + 1]
        needed = needed.union(*map(needs_of_program, steps))
        kept = tuple(step.only(needed) if isinstance(step, BlockProgram) else step for step in steps)
        return Program(kept, self.fixed_bits, contextual)

    def _contextual_for(self, wanted: frozenset[str]) -> tuple[tuple[Contextual | Offset, ...], frozenset[str]]:
        """The calibrations by context of what is wanted, and all that these look at, with what is wanted."""
        found: tuple[Contextual | Offset, ...] = ()
        n_before = -1
        while len(found) > n_before:
            n_before = len(found)
            found = tuple(each for each in self.contextual if each.slot.key in wanted)
            wanted = wanted.union(*(each.needs() for each in found))
        return found, wanted

    @property
    def head_bytes(self) -> int:
        """How much of a packet's front it reads first, before what varies; 0: nothing varies, or it is elsewhere."""
        first = self.steps[0] if self.steps and self.fixed_bits is None else None
        return (first.width_bits + 7) // 8 if isinstance(first, BlockProgram) and first.from_start else 0


def compile_program(
    steps: Sequence[Step],
    dictionary: Dictionary,
    conversions: Conversions,
    contextual: Sequence[Contextual | Offset] = (),
) -> Program:
    """Raises ConfigError where what a size refers to is no number. `conversions`: shared by all programs of
    the dictionary. `contextual`: what is calibrated by context.
    """
    compiled = compile_steps(steps, dictionary, conversions)
    blocks = [step for step in compiled if isinstance(step, BlockProgram) and step.from_start]
    fixed_bits = max((each.width_bits for each in blocks), default=0) if len(blocks) == len(compiled) else None
    return Program(compiled, fixed_bits, tuple(contextual))
