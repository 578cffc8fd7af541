"""Where everything stands: the entries of a container, its bases and the containers inside, as a list of steps.

A container with fixed places only is one block, whatever its order, overlays, gaps and repeats.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Self

from ...model.errors import ConfigError, Problem
from ..model.conditions import AllOf, AnyOf, Condition, NoneOf, Remainder, asked_by
from ..model.definitions import (
    MAX_NESTING,
    Container,
    ContainerEntry,
    Dictionary,
    Entry,
    FixedEntry,
    IndirectEntry,
    Location,
    MissingEntry,
    ParameterEntry,
    Placement,
    bases_of,
)
from ..model.encodings import BinaryEncoding
from ..model.indirect import choices_of
from ..model.parameter_types import ArrayType, BinaryType
from ..run.steps import Assure, Block, Field, Group, Mark, Move, Step
from .cursor import Count, Start
from .next_entries import with_places
from .parameter_layout import ParameterCursor


def lay_out(container: Container, dictionary: Dictionary) -> tuple[Step, ...]:
    """The steps of a packet of this container, its bases' entries first. Raises ConfigError."""
    return Layouts(dictionary).of(container)


class Layouts:
    """The steps of the containers of one dictionary. What a container has of its base is laid out once for all."""

    def __init__(self, dictionary: Dictionary) -> None:
        self._dictionary = dictionary
        self._known: dict[str, _Walk] = {}
        """Behind the entries of containers with children."""

    def of(self, container: Container) -> tuple[Step, ...]:
        """The steps of a packet of this container, its bases' entries first. Raises ConfigError."""
        steps = self._walk(container).finish()
        if container.size is not None and _counts_from_end(steps):
            text = "containerEnd in a container that says its own size is not implemented"
            raise ConfigError([Problem(text, self._dictionary.file, container.line)])
        return steps

    def _walk(self, container: Container) -> _Walk:
        family = list(bases_of(container, self._dictionary))
        chain = tuple(each.key for each in family)
        n_new = next((n for n, key in enumerate(chain) if key in self._known), len(chain))
        if n_new < len(chain):
            walk = self._known[chain[n_new]].below(chain)
        else:
            walk = _Walk(self._dictionary, Count(chain=chain), from_start=True)
        for each in reversed(family[:n_new]):
            # What a base has at the packet's end does not stand between it and its child.
            walk.return_to_front()
            walk.container(each)
            if each.key in self._dictionary.children and not walk.count.depends_on_chain:
                self._known[each.key] = walk.below(chain)
        return walk


def _counts_from_end(steps: Iterable[Step]) -> bool:
    return any(
        _counts_from_end(step.steps) if isinstance(step, Group) else isinstance(step, Move) and step.anchor == "end"
        for step in steps
    )


class _Walk(ParameterCursor):
    """Goes through entries, and through containers inside others."""

    def container(self, container: Container) -> None:
        """All entries of a container."""
        self._note(container.line)
        for entry in with_places(container.entries, self._measure, self._fail):
            self.entry(entry)

    def below(self, chain: tuple[str, ...]) -> Self:
        """Return a copy that goes on with a container further down. No container is open inside."""
        copy = type(self)(self.dictionary, self.count.below(chain), from_start=self.from_start)
        copy.steps, copy.fields = list(self.steps), list(self.fields)
        copy.offset_bits, copy.is_at_end = self.offset_bits, self.is_at_end
        copy.is_whole = self.is_whole
        return copy

    def _measure(self, entry: Entry) -> int | None:
        """Bits that the entry takes wherever it stands; None: that varies."""
        inside = _Walk(self.dictionary, self.count.like(), from_start=False)
        inside.entry(replace(entry, place=replace(entry.place, location=None, condition=None)))
        steps = inside.finish()
        block = steps[0] if len(steps) == 1 else None
        return block.end_bits if isinstance(block, Block) and not block.from_start else None

    def _go_to_end(self, entry: Entry, bits: int) -> None:
        """To where the entry must begin, so that it ends `bits` before the packet does."""
        size_bits = self._measure(entry)
        if not self.is_whole:
            raise self._fail("containerEnd inside of another container is not implemented", entry.place.line)
        if size_bits is None:
            raise self._fail("containerEnd for an entry of varying size is not implemented", entry.place.line)
        self._step(Move(-bits - size_bits, "end"))
        self.is_at_end = True

    def entry(self, entry: Entry) -> None:
        place = entry.place
        if place.condition is not None:
            if place.location is not None and place.location.from_end:
                self.return_to_front()
            inside = self._part(self._starts_from_here())
            inside.is_whole = self.is_whole
            inside.entry(replace(entry, place=replace(place, condition=None)))
            inside.return_to_front()
            self._step(Group(place.condition, inside.finish()))
            return
        if place.location is not None and place.location.from_end:
            assert isinstance(place.location.bits, int)
            self._go_to_end(entry, place.location.bits)
        else:
            self._locate(place.location, place.line)
        if place.repetition is None:
            self.content(entry)
            return
        inside = self._part()
        inside.content(entry)
        self._repeat(inside.finish(), (place.repetition.count,), place.repetition.gap, place)

    def content(self, entry: Entry) -> None:
        if isinstance(entry, ContainerEntry):
            self._container_inside(self.dictionary.containers[entry.container])
        elif isinstance(entry, FixedEntry):
            self._note(entry.place.line)
            slot = self.count.slot(f"#{self.count.entries}")
            kind = BinaryType("", BinaryEncoding(entry.size_bits))
            self.fields.append(Field(slot, kind, self.offset_bits, entry.size_bits, expected=entry.value))
            self._advance(entry.size_bits, entry.place.line)
        elif isinstance(entry, IndirectEntry):
            self._indirect(entry)
        elif isinstance(entry, MissingEntry):
            self._step(Assure(None))
        else:
            parameter = self.dictionary.parameters[entry.parameter]
            if entry.dimensions is not None and not isinstance(parameter.type, ArrayType):
                raise self._fail(f'"{entry.parameter}" is not an array', entry.place.line)
            self.parameter(entry, parameter.key, parameter.type, entry.dimensions)

    def _indirect(self, entry: IndirectEntry) -> None:
        """One parameter of many, by another one's value."""
        choices = list(choices_of(entry, self.dictionary))
        for condition, key in choices:
            inside = self._part()
            inside.entry(ParameterEntry(key, Placement(line=entry.place.line)))
            self._step(Group(condition, inside.finish()))
        if not choices:
            raise self._fail(
                f'no parameter has a name that "{entry.of.parameter}" can have as a value', entry.place.line
            )
        self._step(Assure(AnyOf(tuple(condition for condition, _ in choices))))

    def _container_inside(self, container: Container) -> None:
        if container.check is not None:
            text = f'the check word of "{container.key}" inside another container is not implemented'
            raise self._fail(text, container.line)
        self.count.nesting += 1
        if self.count.nesting > MAX_NESTING:
            raise self._fail(f"containers nested deeper than {MAX_NESTING}", container.line)
        start = Start(0)
        if self._wants_mark(container):
            start.mark = self.count.marks = self.count.marks + 1
            self._step(Mark(start.mark))
        start.offset_bits = self.offset_bits
        whole, self.is_whole = self.is_whole, False
        self.starts.append(start)
        # A child may contain this container again: then it is laid out without children, or the layout never ends.
        is_recursive = container.key in self.count.inside
        self.count.inside.append(container.key)
        self.container(container)
        if not is_recursive:
            self._children_inside(container)
        if container.size is not None and not isinstance(container.size, Remainder):
            self._locate(Location(container.size, from_start=True), container.line)
        self.count.inside.pop()
        self.starts.pop()
        self.count.nesting -= 1
        self.is_whole = whole

    def _children(self, container: Container) -> list[Container]:
        keys = self.dictionary.children.get(container.key, ())
        self.count.depends_on_chain |= bool(keys)
        inside, chain = self.count.inside, self.count.chain
        return [self.dictionary.containers[key] for key in keys if key not in inside and key not in chain]

    def _children_inside(self, container: Container) -> None:
        """What a container inside another is beside itself: the first of its children that applies."""
        before: list[Condition] = []
        for child in self._children(container):
            applies = self._applies(child)
            if applies is False:
                continue
            parts = [applies] if isinstance(applies, Condition) else []
            if before:
                parts.append(NoneOf(tuple(before)))
            self.count.inside.append(child.key)
            if parts:
                inside = self._part(self._starts_from_here())
                inside.child_inside(child)
                steps = inside.finish()
                self._step(Group(AllOf(tuple(parts)), steps))
            else:
                self.child_inside(child)
            self.count.inside.pop()
            if applies is True:
                return
            before.append(applies)

    def child_inside(self, child: Container) -> None:
        """The entries of a child, and those of its own children."""
        self.container(child)
        self._children_inside(child)

    def _applies(self, child: Container) -> Condition | bool:
        """When a child applies, always (True) or never (False): an abstract one only where one below it does."""
        own: Condition | bool = child.criteria if child.criteria is not None else True
        if not child.abstract:
            return own
        below = [self._applies(each) for each in self._children(child)]
        if not any(below):
            return False
        conditions = [each for each in below if isinstance(each, Condition)]
        own_parameters = {entry.parameter for entry in child.entries if isinstance(entry, ParameterEntry)}
        later = any(asked_by(each) & own_parameters for each in conditions)
        if later or any(each is True for each in below):
            return own
        leaf = AnyOf(tuple(conditions))
        return AllOf((own, leaf)) if isinstance(own, Condition) else leaf

    def _wants_mark(self, container: Container) -> bool:
        """Whether entries, or its end, are counted from its start, and something before them varies."""
        places = [entry.place.location for each in self._family(container) for entry in each.entries]
        if container.size is not None and not isinstance(container.size, Remainder):
            places.append(Location(container.size, from_start=True))
        counted = [place for place in places if place is not None and place.from_start]
        if self.is_trial or not counted:
            return False
        if not all(isinstance(place.bits, int) for place in counted):
            return True
        trial = _Walk(self.dictionary, self.count.like(), from_start=False, starts=[Start(0)])
        trial.is_trial = True
        trial.child_inside(container)
        return len(trial.finish()) > 1

    def _family(self, container: Container) -> Iterator[Container]:
        yield container
        for child in self._children(container):
            yield from self._family(child)
