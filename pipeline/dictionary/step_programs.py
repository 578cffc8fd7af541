"""The steps of a container, compiled: what a run (`runs.Run`) goes through."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.dictionary.blocks import BlockProgram, compile_block
from pipeline.dictionary.definitions import Dictionary
from pipeline.dictionary.operations import Conversions
from pipeline.dictionary.steps import Assure, Group, Loop, Mark, Move, Repeat, Step, Variable
from pipeline.dictionary.values import Criterion, SizeProgram, compile_condition, compile_size
from pipeline.dictionary.variables import VariableProgram, compile_variable


@dataclass(frozen=True, slots=True)
class MoveProgram:
    """The position goes on, or back, from an anchor (`steps.Move`)."""

    bits: SizeProgram
    anchor: str
    mark: int


@dataclass(frozen=True, slots=True)
class RepeatProgram:
    """A block as often as the packet tells; `shape`: where that is the same for all packets."""

    counts: tuple[SizeProgram, ...]
    gap: SizeProgram
    block: BlockProgram
    shape: tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class LoopProgram:
    """Steps as often as the packet tells; `shape`: where that is the same for all packets."""

    counts: tuple[SizeProgram, ...]
    gap: SizeProgram
    steps: tuple[StepProgram, ...]
    shape: tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class GroupProgram:
    """Steps for the packets in which the criterion holds."""

    criterion: Criterion
    steps: tuple[StepProgram, ...]


@dataclass(frozen=True, slots=True)
class AssureProgram:
    """Packets in which the criterion does not hold are set aside; None: all."""

    criterion: Criterion | None


StepProgram = (
    BlockProgram | VariableProgram | MoveProgram | Mark | RepeatProgram | LoopProgram | GroupProgram | AssureProgram
)


def compile_step(step: Step, dictionary: Dictionary, conversions: Conversions) -> StepProgram:
    """Raises ConfigError where a size cannot be told from what it refers to."""
    if isinstance(step, Repeat | Loop):
        return _compile_repeated(step, dictionary, conversions)
    if isinstance(step, Move):
        return MoveProgram(compile_size(step.bits, dictionary), step.anchor, step.mark)
    if isinstance(step, Variable):
        return compile_variable(step, dictionary)
    if isinstance(step, Group):
        steps = _compile_all(step.steps, dictionary, conversions)
        return GroupProgram(compile_condition(step.condition, dictionary), steps)
    if isinstance(step, Assure):
        return AssureProgram(compile_condition(step.condition, dictionary) if step.condition is not None else None)
    return step if isinstance(step, Mark) else compile_block(step, conversions)


def _compile_repeated(
    step: Repeat | Loop, dictionary: Dictionary, conversions: Conversions
) -> RepeatProgram | LoopProgram:
    counts = tuple(compile_size(each, dictionary) for each in step.counts)
    gap = compile_size(step.gap, dictionary)
    fixed = tuple(each for each in step.counts if isinstance(each, int))
    shape = fixed if len(fixed) == len(counts) else None
    if isinstance(step, Repeat):
        return RepeatProgram(counts, gap, compile_block(step.block, conversions), shape)
    return LoopProgram(counts, gap, _compile_all(step.steps, dictionary, conversions), shape)


def _compile_all(
    steps: tuple[Step, ...], dictionary: Dictionary, conversions: Conversions
) -> tuple[StepProgram, ...]:
    return tuple(compile_step(each, dictionary, conversions) for each in steps)
