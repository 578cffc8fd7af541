"""What a container's steps depend on, and whether it is there: before a packet comes, not when one does."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.dictionary.conditions import Remainder, Size
from pipeline.dictionary.contexts import contextual_slots
from pipeline.dictionary.definitions import Container, Dictionary
from pipeline.dictionary.encodings import Tagged, Terminated
from pipeline.dictionary.limits import Check
from pipeline.dictionary.steps import Assure, Block, Group, Loop, Move, Repeat, Step, Variable, slots_of
from pipeline.dictionary.values import compile_condition, compile_size
from pipeline.errors import ConfigError, Problem


def misfit(text: str, container: Container, dictionary: Dictionary) -> ConfigError:
    """A problem of a container, with its line."""
    return ConfigError([Problem(text, dictionary.file, container.line, f'SequenceContainer "{container.key}"')])


def check_order(steps: Sequence[Step], dictionary: Dictionary) -> None:
    """A size must have been read before what it measures."""
    known: set[str] = set()
    for step in steps:
        missing = needs_of(step, dictionary) - known
        if missing:
            what = f'"{step.slot.key}"' if isinstance(step, Variable) else "a place in the packet"
            text = f'{what} depends on "{min(missing)}", which does not come before it'
            raise ConfigError([Problem(text, dictionary.file)])
        known.update(keys_of(step))


def check_contexts(steps: Sequence[Step], container: Container, dictionary: Dictionary) -> None:
    """What a calibration looks at must be in the packet, before or behind."""
    known = {key for step in steps for key in keys_of(step)}
    for each in contextual_slots(steps, dictionary):
        missing = each.needs() - known
        if missing:
            text = f'the calibration of "{each.slot.key}" depends on "{min(missing)}", which is not in it'
            raise ConfigError(
                [Problem(text, dictionary.file, container.line, f'SequenceContainer "{container.key}"')]
            )


def check_alarms(
    checks: Sequence[Check], steps: Sequence[Step], container: Container, dictionary: Dictionary
) -> None:
    """What a context alarm looks at must be in the packet."""
    known = {key for step in steps for key in keys_of(step)}
    for check in checks:
        wanted = check.needs()
        check_single(steps, container, dictionary, wanted)
        missing = wanted - known
        if missing:
            text = f'an alarm or the validity of "{check.name}" depends on "{min(missing)}", which is not in it'
            raise ConfigError(
                [Problem(text, dictionary.file, container.line, f'SequenceContainer "{container.key}"')]
            )


def check_single(
    steps: Sequence[Step], container: Container, dictionary: Dictionary, wanted: frozenset[str]
) -> None:
    """What decides something must be one value, not an array or a repeated entry."""
    many = wanted & _plural(steps)
    if many:
        text = f'something depends on "{min(many)}", which has more than one value'
        raise misfit(text, container, dictionary)


def _plural(steps: Sequence[Step]) -> frozenset[str]:
    found: set[str] = set()
    for step in steps:
        if isinstance(step, Block):
            found.update(field.slot.key for field in step.fields if field.shape)
        elif isinstance(step, Repeat | Loop) or (isinstance(step, Variable) and step.is_array):
            found.update(keys_of(step))
        elif isinstance(step, Group):
            found |= _plural(step.steps)
    return frozenset(found)


def check_known(
    wanted: frozenset[str], steps: Sequence[Step], container: Container, dictionary: Dictionary
) -> None:
    """What tells the children apart must be in the base."""
    missing = wanted - {key for step in steps for key in keys_of(step)}
    if missing:
        text = f'its children are told apart by "{min(missing)}", which is not in it'
        raise misfit(text, container, dictionary)


def check_sized(
    wanted: frozenset[str], steps: Sequence[Step], container: Container, dictionary: Dictionary
) -> None:
    """What tells a container's size must be in it, and one value."""
    check_single(steps, container, dictionary, wanted)
    missing = wanted - {key for step in steps for key in keys_of(step)}
    if missing:
        raise misfit(f'its size depends on "{min(missing)}", which is not in it', container, dictionary)


def keys_of(step: Step) -> list[str]:
    """Parameters that the step fills."""
    return [slot.key for slot in slots_of((step,))]


def _sizes(step: Step) -> tuple[Size, ...]:
    if isinstance(step, Variable):
        own = () if isinstance(step.size, Terminated | Tagged | Remainder) else (step.size,)
        return own + step.dimensions
    if isinstance(step, Repeat | Loop):
        return (*step.counts, step.gap)
    return (step.bits,) if isinstance(step, Move) else ()


def needs_of(step: Step, dictionary: Dictionary) -> frozenset[str]:
    """Parameters of earlier steps that tell the step its size, place or presence."""
    needed = frozenset().union(*(compile_size(size, dictionary).needs() for size in _sizes(step)))
    if isinstance(step, Group | Assure) and step.condition is not None:
        needed |= compile_condition(step.condition, dictionary).needs()
    if isinstance(step, Group | Loop):
        known: set[str] = set()
        for each in step.steps:
            needed |= needs_of(each, dictionary) - known
            known.update(keys_of(each))
    return needed
