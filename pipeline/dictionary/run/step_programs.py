"""The steps of a container, compiled: what a run (`runs.Run`) goes through."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

from numpy.typing import NDArray

from ..model.definitions import Dictionary
from .blocks import BlockProgram, compile_block
from .comparisons import compile_condition
from .criteria import Criterion, Ranges, ranges_wanted
from .operation_plans import Conversions
from .sizes import SizeProgram, compile_size
from .steps import Assure, Group, Loop, Mark, Move, Repeat, Slot, Step, Variable, has_text
from .variables import VariableProgram, compile_variable


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
    """Empty where only its size is wanted."""
    shape: tuple[int, ...] | None
    walk: tuple[StepProgram, ...]
    """What of the steps tells where the next time begins."""
    looks_ahead: bool
    """Whether that may be asked of places where perhaps none begins: nothing costly is read for it."""
    has_texts: bool


@dataclass(frozen=True, slots=True)
class GroupProgram:
    """Steps for the packets in which the criterion holds."""

    criterion: Criterion
    steps: tuple[StepProgram, ...]
    absent: list[Mapping[Slot, tuple[NDArray[Any], NDArray[Any]]]] = field(default_factory=list, compare=False)
    """Once it was needed: by slot, raw and calibrated values of no packet, which have their types."""


@dataclass(frozen=True, slots=True)
class ChoiceProgram:
    """Groups that follow each other, each for some raw values of the same parameter only."""

    key: str
    groups: tuple[tuple[Ranges, GroupProgram], ...]
    _by_value: dict[int, list[int]] = field(init=False, repr=False, compare=False)
    """Groups that want single values: their numbers, by value."""
    _of_ranges: list[int] = field(init=False, repr=False, compare=False)
    """The others."""

    def __post_init__(self) -> None:
        by_value: dict[int, list[int]] = {}
        of_ranges: list[int] = []
        for number, (ranges, _) in enumerate(self.groups):
            if any(low != high for low, high in ranges):
                of_ranges.append(number)
                continue
            for low, _ in ranges:
                by_value.setdefault(low, []).append(number)
        object.__setattr__(self, "_by_value", by_value)
        object.__setattr__(self, "_of_ranges", of_ranges)

    def wanted(self, values: Sequence[int]) -> set[int]:
        """The numbers of the groups that want one of the values, which are in ascending order."""
        found = {number for value in values for number in self._by_value.get(value, ())}
        return found.union(number for number in self._of_ranges if _is_any_in(values, self.groups[number][0]))


@dataclass(frozen=True, slots=True)
class AssureProgram:
    """Packets in which the criterion does not hold are set aside; None: all."""

    criterion: Criterion | None


StepProgram = (
    BlockProgram
    | VariableProgram
    | MoveProgram
    | Mark
    | RepeatProgram
    | LoopProgram
    | GroupProgram
    | ChoiceProgram
    | AssureProgram
)


def _is_any_in(ordered: Sequence[int], ranges: Ranges) -> bool:
    """Whether one of the numbers is in one of the ranges."""
    places = ((bisect_left(ordered, low), high) for low, high in ranges)
    return any(place < len(ordered) and ordered[place] <= high for place, high in places)


def compile_steps(
    steps: Sequence[Step], dictionary: Dictionary, conversions: Conversions
) -> tuple[StepProgram, ...]:
    """Raises ConfigError where what a size refers to is no number."""
    return tuple(_with_choices([_compile_step(each, dictionary, conversions) for each in steps]))


def _with_choices(steps: Sequence[StepProgram]) -> Iterator[StepProgram]:
    """The same, with neighbouring groups that values of one parameter decide as one step."""
    for key, some in groupby(steps, key=_decided_by):
        alike = list(some)
        groups = [step for step in alike if isinstance(step, GroupProgram)] if key and len(alike) > 1 else []
        if groups:
            yield ChoiceProgram(key, tuple((dict(ranges_wanted(each.criterion))[key], each) for each in groups))
        else:
            yield from alike


def _decided_by(step: StepProgram) -> str:
    """The parameter of whose values a group wants one, and which is not in it; else nothing."""
    if not isinstance(step, GroupProgram):
        return ""
    return next((key for key, _ in ranges_wanted(step.criterion) if key not in filled_by(step.steps)), "")


def filled_by(steps: Sequence[StepProgram]) -> frozenset[str]:
    """Parameters that the steps read."""
    found: set[str] = set()
    for step in steps:
        if isinstance(step, BlockProgram | RepeatProgram):
            block = step if isinstance(step, BlockProgram) else step.block
            found.update(each.slot.key for each in block.fields)
        elif isinstance(step, VariableProgram):
            found.add(step.slot.key)
        elif isinstance(step, GroupProgram | LoopProgram):
            found |= filled_by(step.steps)
        elif isinstance(step, ChoiceProgram):
            found |= filled_by([group for _, group in step.groups])
    return frozenset(found)


def _compile_step(step: Step, dictionary: Dictionary, conversions: Conversions) -> StepProgram:
    if isinstance(step, Repeat | Loop):
        return _compile_repeated(step, dictionary, conversions)
    if isinstance(step, Move):
        return MoveProgram(compile_size(step.bits, dictionary), step.anchor, step.mark)
    if isinstance(step, Variable):
        return compile_variable(step, dictionary)
    if isinstance(step, Group):
        steps = compile_steps(step.steps, dictionary, conversions)
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
    steps = compile_steps(step.steps, dictionary, conversions)
    walk = _walk(steps, frozenset().union(*(needs_of_program(each) for each in steps)))
    return LoopProgram(counts, gap, steps, shape, walk, _is_cheap(walk), any(map(has_text, step.steps)))


def _walk(steps: Sequence[StepProgram], wanted: frozenset[str]) -> tuple[StepProgram, ...]:
    """The same steps, which take the same bits, without reading more than the wanted parameters."""
    return tuple(_bare(step, wanted) for step in steps)


def _bare(step: StepProgram, wanted: frozenset[str]) -> StepProgram:
    if isinstance(step, ChoiceProgram):
        return replace(step, groups=tuple((ranges, _bare_group(each, wanted)) for ranges, each in step.groups))
    if isinstance(step, GroupProgram):
        return _bare_group(step, wanted)
    if isinstance(step, RepeatProgram):
        return replace(step, block=step.block.only(frozenset()))
    if isinstance(step, LoopProgram):
        return replace(step, steps=())
    if isinstance(step, VariableProgram):
        return replace(step, is_read=step.slot.key in wanted)
    return step.only(wanted) if isinstance(step, BlockProgram) else step


def _bare_group(group: GroupProgram, wanted: frozenset[str]) -> GroupProgram:
    return replace(group, steps=_walk(group.steps, wanted), absent=[])


def _is_cheap(walk: Sequence[StepProgram]) -> bool:
    """Whether nothing in it is a loop, or a value of varying size that is read."""
    return not any(
        isinstance(step, LoopProgram)
        or (isinstance(step, VariableProgram) and step.is_read)
        or (isinstance(step, GroupProgram) and not _is_cheap(step.steps))
        or (isinstance(step, ChoiceProgram) and not _is_cheap([group for _, group in step.groups]))
        for step in walk
    )


def needs_of_program(step: StepProgram) -> frozenset[str]:
    """Parameters that tell a step, or those inside it, its size, place or presence."""
    tests: list[Criterion | SizeProgram] = []
    inside: Sequence[StepProgram] = ()
    if isinstance(step, AssureProgram):
        tests = [step.criterion] if step.criterion is not None else []
    elif isinstance(step, MoveProgram):
        tests = [step.bits]
    elif isinstance(step, VariableProgram):
        tests = [each for each in (step.size, *step.dimensions) if isinstance(each, SizeProgram)]
    elif isinstance(step, GroupProgram):
        tests, inside = [step.criterion], step.steps
    elif isinstance(step, ChoiceProgram):
        inside = [group for _, group in step.groups]
    elif isinstance(step, RepeatProgram | LoopProgram):
        tests, inside = [*step.counts, step.gap], step.steps if isinstance(step, LoopProgram) else ()
    return frozenset[str]().union(*(test.needs() for test in tests), *(needs_of_program(each) for each in inside))
