"""What a container's steps depend on, and whether it is there: before a packet comes, not when one does."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ...model.errors import ConfigError, Problem
from ..model.definitions import Container, Dictionary
from ..model.notices import Notice, Notices
from ..run.comparisons import compile_condition
from ..run.sizes import compile_size
from ..run.steps import Assure, Block, Group, Loop, Repeat, Step, Variable, sizes_of, slots_of
from .contexts import Contextual, Offset
from .limits import Check

Keys = frozenset[str]
Elsewhere = Callable[[str], bool]
"""Whether other packets hold the parameter, or the dictionary gives it a value before one comes."""


def misfit(text: str, container: Container, dictionary: Dictionary) -> ConfigError:
    """A problem of a container, with its line."""
    return ConfigError([Problem(text, dictionary.file, container.line, f'SequenceContainer "{container.key}"')])


def check_order(steps: Sequence[Step], container: Container, dictionary: Dictionary, elsewhere: Elsewhere) -> Keys:
    """A size must have been read before what it measures, or be of another packet. Gives those that are."""
    if all(isinstance(step, Block) for step in steps):
        return frozenset()
    known: set[str] = set()
    own = {key for step in steps for key in keys_of(step)}
    others: set[str] = set()
    for step in steps:
        for key in sorted(needs_of(step, dictionary) - known):
            if key in own or not elsewhere(key):
                what = f'"{step.slot.key}"' if isinstance(step, Variable) else "a place in the packet"
                text = f'{what} depends on "{key}", which does not come before it'
                raise misfit(text, container, dictionary)
            others.add(key)
        known.update(keys_of(step))
    return frozenset(others)


def check_contexts(
    contextual: Sequence[Contextual | Offset],
    steps: Sequence[Step],
    container: Container,
    dictionary: Dictionary,
    elsewhere: Elsewhere,
) -> Keys:
    """What a calibration looks at must be in the packet, or be of another one. Gives those that are."""
    known = {key for step in steps for key in keys_of(step)} if contextual else set[str]()
    others: set[str] = set()
    for each in contextual:
        missing = each.needs() - known
        nowhere = [key for key in sorted(missing) if not elsewhere(key)]
        if nowhere:
            text = f'the calibration of "{each.slot.key}" depends on "{nowhere[0]}", which is not in it'
            raise misfit(text, container, dictionary)
        others |= missing
    return frozenset(others)


def checks_in(
    checks: Sequence[Check],
    steps: Sequence[Step],
    container: Container,
    dictionary: Dictionary,
    elsewhere: Elsewhere,
    notices: Notices,
) -> tuple[tuple[Check, ...], Keys]:
    """The checks whose parameters are in the packet, or in others, and those of others. The rest goes to `notices`."""
    if not checks:
        return (), frozenset()
    known = {key for step in steps for key in keys_of(step)}
    many = plural(steps)
    kept: list[Check] = []
    others: set[str] = set()
    for check in checks:
        wanted = check.needs()
        wrong = sorted(key for key in wanted if key in many or not (key in known or elsewhere(key)))
        if wrong and check.validity is not None and wrong[0] in check.validity.needs():
            text = f'the validity of "{check.name}" depends on "{wrong[0]}", which is not in it'
            raise misfit(text, container, dictionary)
        if wrong:
            why = "has more than one value" if wrong[0] in many else "is in no packet"
            text = f'an alarm or validity is passed over: it depends on "{wrong[0]}", which {why}'
            notices.add(Notice(text, "", container.line, f'"{check.name}" in "{container.key}"'))
            continue
        kept.append(check)
        others |= wanted - known
    return tuple(kept), frozenset(others)


def check_single(
    steps: Sequence[Step], container: Container, dictionary: Dictionary, wanted: frozenset[str]
) -> None:
    """What decides something must be one value, not an array or a repeated entry."""
    many = wanted & plural(steps) if wanted else Keys()
    if many:
        text = f'something depends on "{min(many)}", which has more than one value'
        raise misfit(text, container, dictionary)


def plural(steps: Sequence[Step]) -> Keys:
    """Parameters that have more than one value in the packet."""
    found: set[str] = set()
    for step in steps:
        if isinstance(step, Block):
            found.update(field.slot.key for field in step.fields if field.shape)
        elif isinstance(step, Repeat | Loop) or (isinstance(step, Variable) and step.is_array):
            found.update(keys_of(step))
        elif isinstance(step, Group):
            found |= plural(step.steps)
    return frozenset(found)


def check_known(missing: Keys, container: Container, dictionary: Dictionary, elsewhere: Elsewhere) -> Keys:
    """What tells the children apart and is not in the base must be in other packets. Gives what is."""
    nowhere = [key for key in sorted(missing) if not elsewhere(key)]
    if nowhere:
        text = f'its children are told apart by "{nowhere[0]}", which is not in it'
        raise misfit(text, container, dictionary)
    return missing


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


def needs_of(step: Step, dictionary: Dictionary) -> frozenset[str]:
    """Parameters of earlier steps that tell the step its size, place or presence."""
    needed = frozenset().union(*(compile_size(size, dictionary).needs() for size in sizes_of(step)))
    if isinstance(step, Group | Assure) and step.condition is not None:
        needed |= compile_condition(step.condition, dictionary).needs()
    if isinstance(step, Group | Loop):
        known: set[str] = set()
        for each in step.steps:
            needed |= needs_of(each, dictionary) - known
            known.update(keys_of(each))
    return needed
