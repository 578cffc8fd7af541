"""Where everything stands: the entries of a container, its bases and the containers inside, as a list of steps.

A container with fixed places only is one block, whatever its order, overlays, gaps and repeats.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from ...model.errors import ConfigError, Problem
from ..model.conditions import AllOf, AnyOf, Condition, NoneOf, Remainder, Size, asked_by
from ..model.definitions import (
    MAX_CONTAINER_BITS,
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
from ..model.encodings import BinaryEncoding, NumberEncoding
from ..model.indirect import choices_of
from ..model.local import localized
from ..model.parameter_types import (
    AggregateType,
    ArrayType,
    BinaryType,
    NumberType,
    ParameterType,
    UnencodedType,
)
from ..run.steps import (
    Assure,
    Block,
    Field,
    Group,
    LeafType,
    Loop,
    Mark,
    Move,
    Repeat,
    Slot,
    Step,
    Variable,
    size_of,
)
from .field_counts import MAX_FIELDS
from .next_entries import with_places

MAX_ELEMENTS = 1 << 26


def lay_out(container: Container, dictionary: Dictionary) -> tuple[Step, ...]:
    """The steps of a packet of this container, its bases' entries first. Raises ConfigError."""
    chain = list(bases_of(container, dictionary))
    walk = _Walk(dictionary, _Count(chain=tuple(each.key for each in chain)), from_start=True)
    for each in reversed(chain):
        # What a base has at the packet's end does not stand between it and its child.
        walk.return_to_front()
        walk.container(each)
    steps = walk.finish()
    if container.size is not None and _counts_from_end(steps):
        text = "containerEnd in a container that says its own size is not implemented"
        raise ConfigError([Problem(text, dictionary.file, container.line)])
    return steps


def _counts_from_end(steps: Iterable[Step]) -> bool:
    return any(
        _counts_from_end(step.steps) if isinstance(step, Group) else isinstance(step, Move) and step.anchor == "end"
        for step in steps
    )


@dataclass(slots=True)
class _Count:
    """What the walks through one container and its parts count together."""

    entries: int = 0
    marks: int = 0
    nesting: int = 0
    times: dict[str, int] = field(default_factory=dict)
    chain: tuple[str, ...] = ()
    """The packet's container and its bases."""
    inside: list[str] = field(default_factory=list)
    """Containers inside others that are being laid out."""

    def like(self) -> _Count:
        """For a walk that only measures."""
        return _Count(chain=self.chain, inside=list(self.inside))

    def slot(self, key: str) -> Slot:
        times = self.times.get(key, 0)
        self.times[key] = times + 1
        return Slot(key, times)


@dataclass(slots=True)
class _Start:
    """Where a container inside another begins: so many bits from the block at hand, or, behind what varies, a mark."""

    offset_bits: int | None
    mark: int | None = None


class _Walk:
    """Goes through entries and keeps the place; a part of a container has a walk of its own.

    `starts`: of the containers inside others, the innermost last. `is_trial`: only to find out what varies.
    """

    def __init__(
        self, dictionary: Dictionary, count: _Count, *, from_start: bool, starts: Sequence[_Start] = ()
    ) -> None:
        self.dictionary = dictionary
        self.count = count
        self.steps: list[Step] = []
        self.fields: list[Field] = []
        self.from_start = from_start
        self.offset_bits = 0
        self.starts = list(starts)
        self.is_trial = False
        self.is_whole = from_start
        """Whether the end of the container at hand is the end of the packet."""
        self.is_at_end = False

    def finish(self) -> tuple[Step, ...]:
        self._close()
        return tuple(self.steps)

    def container(self, container: Container) -> None:
        """All entries of a container."""
        self._note(container.line)
        for entry in with_places(container.entries, self._measure, self._fail):
            self.entry(entry)

    def _fail(self, text: str, line: int) -> ConfigError:
        return ConfigError([Problem(text, self.dictionary.file, line)])

    def _note(self, line: int) -> None:
        self.count.entries += 1
        if self.count.entries > MAX_FIELDS:
            raise self._fail(f"a packet of more than {MAX_FIELDS} fields", line)

    # the place

    def _open(self, *, from_start: bool = False) -> None:
        self.from_start, self.offset_bits = from_start, 0
        for start in self.starts:
            start.offset_bits = None

    def _close(self) -> None:
        if self.fields or self.offset_bits or self.from_start:
            self.steps.append(Block(self.from_start, tuple(_in_structures(self.fields)), self.offset_bits))
        self.fields = []

    def _step(self, step: Step) -> None:
        self._close()
        self.steps.append(step)
        self._open()

    def _locate(self, location: Location | None, line: int) -> None:
        if location is None:
            return
        start = self.starts[-1] if self.starts and location.from_start else None
        if start is not None and (start.offset_bits is None or not isinstance(location.bits, int)):
            self._step(Move(location.bits, "mark", start.mark or 0))
            return
        if not isinstance(location.bits, int):
            self._step(Move(location.bits, "start" if location.from_start else "here"))
            return
        if start is not None:
            self.offset_bits = (start.offset_bits or 0) + location.bits
        elif location.from_start:
            if not self.from_start:
                self._close()
                self._open(from_start=True)
            self.offset_bits = location.bits
        else:
            self.offset_bits += location.bits
        if self.from_start and self.offset_bits < 0:
            raise self._fail("an entry lies before the start of the packet", line)

    def return_to_front(self) -> None:
        """Go on where the entries before those at the end left off."""
        if self.is_at_end:
            self._step(Move(0, "front"))
            self.is_at_end = False

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

    def _advance(self, bits: int, line: int) -> None:
        self.offset_bits += bits
        if self.offset_bits > MAX_CONTAINER_BITS:
            raise self._fail(f"the packet would be longer than {MAX_CONTAINER_BITS} bits", line)

    # entries

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

    def _part(self, starts: Sequence[_Start] = ()) -> _Walk:
        """A walk through a part of the entries, whose places count from where it begins."""
        part = _Walk(self.dictionary, self.count, from_start=False, starts=starts)
        part.is_trial = self.is_trial
        return part

    def _starts_from_here(self) -> list[_Start]:
        return [
            _Start(None if start.offset_bits is None else start.offset_bits - self.offset_bits, start.mark)
            for start in self.starts
        ]

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
        start = _Start(0)
        if self._wants_mark(container):
            start.mark = self.count.marks = self.count.marks + 1
            self._step(Mark(start.mark))
        start.offset_bits = self.offset_bits
        whole, self.is_whole = self.is_whole, False
        self.starts.append(start)
        # What a child holds may hold this container once more: then it stands alone, without an end otherwise.
        alone = container.key in self.count.inside
        self.count.inside.append(container.key)
        self.container(container)
        if not alone:
            self._children_inside(container)
        if container.size is not None and not isinstance(container.size, Remainder):
            self._locate(Location(container.size, from_start=True), container.line)
        self.count.inside.pop()
        self.starts.pop()
        self.count.nesting -= 1
        self.is_whole = whole

    def _children(self, container: Container) -> list[Container]:
        keys = self.dictionary.children.get(container.key, ())
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
        held = {entry.parameter for entry in child.entries if isinstance(entry, ParameterEntry)}
        later = any(asked_by(each) & held for each in conditions)
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
        trial = _Walk(self.dictionary, self.count.like(), from_start=False, starts=[_Start(0)])
        trial.is_trial = True
        trial.child_inside(container)
        return len(trial.finish()) > 1

    def _family(self, container: Container) -> Iterator[Container]:
        yield container
        for child in self._children(container):
            yield from self._family(child)

    def parameter(self, entry: ParameterEntry, key: str, kind: ParameterType, own: tuple[Size, ...] | None) -> None:
        """One parameter or member; arrays of arrays are arrays of more dimensions."""
        line = entry.place.line
        self._note(line)
        dimensions: tuple[Size, ...] = ()
        while isinstance(kind, ArrayType):
            here, own = own if own is not None else kind.dimensions, None
            if here is None:
                raise self._fail(f'nothing says how many elements "{entry.parameter}" has', line)
            dimensions += here
            kind = kind.element
        if isinstance(kind, UnencodedType):
            raise self._fail(f'"{entry.parameter}" has no data encoding', line)
        if isinstance(kind, AggregateType):
            self._members(entry, key, kind, dimensions)
        else:
            self._leaf(entry, key, kind, dimensions)

    def _members(self, entry: ParameterEntry, key: str, kind: AggregateType, dimensions: tuple[Size, ...]) -> None:
        inside = self._part() if dimensions else self
        names = frozenset(name for name, _ in kind.members)
        for name, member in kind.members:
            inside.parameter(entry, f"{key}.{name}", localized(member, key, names), None)
        if dimensions:
            self._repeat(inside.finish(), dimensions, 0, entry.place)

    def _leaf(self, entry: ParameterEntry, key: str, kind: LeafType, dimensions: tuple[Size, ...]) -> None:
        size, slot = size_of(kind), self.count.slot(key)
        if not isinstance(size, int):
            one: Step = Variable(slot, kind, size)
            if dimensions:
                self._repeat((one,), dimensions, 0, entry.place)
            else:
                self._step(one)
        elif any(isinstance(each, Remainder) for each in dimensions):
            self._rest(slot, kind, dimensions, entry.place.line)
        elif not dimensions:
            self.fields.append(Field(slot, kind, self.offset_bits, size))
            self._advance(size, entry.place.line)
        elif isinstance(kind, NumberType) and not all(isinstance(each, int) for each in dimensions):
            self._step(Variable(slot, kind, size, dimensions))
        else:
            self._repeat((Block(False, (Field(slot, kind, 0, size),), size),), dimensions, 0, entry.place)

    def _rest(self, slot: Slot, kind: LeafType, dimensions: tuple[Size, ...], line: int) -> None:
        """An array of what the packet holds."""
        if len(dimensions) > 1 or not isinstance(kind, NumberType):
            raise self._fail(f'"{slot.key}": only a list of numbers can go on to the packet\'s end', line)
        assert isinstance(dimensions[0], Remainder)
        self._step(Variable(slot, kind, dimensions[0]))

    def _repeat(self, steps: Sequence[Step], counts: tuple[Size, ...], gap: Size, place: Placement) -> None:
        """The same contents, once for each of the counts."""
        if not steps:
            return
        block = steps[0]
        if len(steps) != 1 or not isinstance(block, Block):
            self._loop(tuple(steps), counts, gap, place)
            return
        if isinstance(gap, int) and counts and block.end_bits + gap <= 0:
            raise self._fail("a repeat that takes no bits", place.line)
        if isinstance(gap, int) and all(isinstance(each, int) for each in counts):
            self._spread(block, tuple(each for each in counts if isinstance(each, int)), gap, place)
        else:
            self._step(Repeat(counts, gap, block))

    def _loop(self, steps: tuple[Step, ...], counts: tuple[Size, ...], gap: Size, place: Placement) -> None:
        fixed = [each for each in counts if isinstance(each, int)]
        if _strides(tuple(fixed), 1)[1] > MAX_ELEMENTS:
            raise self._fail(f"an array of more than {MAX_ELEMENTS} elements", place.line)
        self._step(Loop(counts, gap, steps))

    def _spread(self, block: Block, shape: tuple[int, ...], gap_bits: int, place: Placement) -> None:
        """Fixed contents a fixed number of times remain fixed fields."""
        stride_bits = block.end_bits + gap_bits
        strides, total = _strides(shape, stride_bits)
        if total > MAX_ELEMENTS:
            raise self._fail(f"an array of more than {MAX_ELEMENTS} elements", place.line)
        for each in block.fields:
            moved = replace(each, offset_bits=self.offset_bits + each.offset_bits)
            self.fields.append(replace(moved, shape=shape + each.shape, strides_bits=strides + each.strides_bits))
        self._advance(total * stride_bits - (gap_bits if shape and total else 0), place.line)


def _in_structures(fields: Sequence[Field]) -> Iterator[Field]:
    """The fields, of which one in little-endian order that goes on within a byte from a bit field of that order is
    one of the same structure, and read by the same rule, though it is whole bytes wide.
    """
    ends: set[int] = set()
    for each in fields:
        encoding = each.type.encoding
        found = each
        if isinstance(encoding, NumberEncoding) and not each.shape:
            if encoding.little_endian and each.offset_bits % 8 and each.offset_bits in ends:
                encoding = replace(encoding, little_endian=False, lsb_first=True)
                found = replace(each, type=replace(each.type, encoding=encoding))  # type: ignore[arg-type]
            if encoding.lsb_first:
                ends.add(each.end_bits)
        yield found


def _strides(shape: tuple[int, ...], stride_bits: int) -> tuple[tuple[int, ...], int]:
    """Bits between neighbours along each axis, the last running fastest, and the number of elements."""
    strides: list[int] = []
    total = 1
    for n in reversed(shape):
        strides.insert(0, stride_bits * total)
        total *= n
    return tuple(strides), total
