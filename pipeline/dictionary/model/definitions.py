"""What a dictionary says, frozen, with every reference resolved: its parameters and containers.

A parameter is known by its key: its plain name, or its path below the root system where two systems use one
name. Sizes and offsets are in bits. Nothing here reads XML or touches a packet.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from .conditions import Condition, Reference, Size
from .encodings import ErrorCheck
from .notices import Notice
from .parameter_types import ParameterType

MAX_CONTAINER_BITS = 8 * (64 << 20)
"""No packet or joined record is longer; an offset beyond is a mistake in the file."""

MAX_NESTING = 50
"""Types in types, containers in containers: far more than any mission has, far less than Python's stack."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """`name`: as the file has it, which names the column. `validity`: when its values mean something. `initial`: the
    value before one has come, as the file writes it. `aliases`: (name space, name).
    """

    key: str
    name: str
    type: ParameterType
    line: int = 0
    validity: Condition | None = None
    initial: str = ""
    description: str = ""
    aliases: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Location:
    """Where an entry begins: `bits` after the end of the entry before it, or after the container's start. `from_end`:
    where it ends, so many bits before the container's end; `before_next`: before the next entry begins.
    """

    bits: Size
    from_start: bool = False
    from_end: bool = False
    before_next: bool = False


@dataclass(frozen=True, slots=True)
class Repetition:
    """An entry that stands `count` times, `gap` bits between one and the next."""

    count: Size
    gap: Size = 0


@dataclass(frozen=True, slots=True)
class Placement:
    """Where an entry stands, how often, and when; where the condition does not hold it is not there at all."""

    location: Location | None = None
    repetition: Repetition | None = None
    condition: Condition | None = None
    line: int = 0


@dataclass(frozen=True, slots=True)
class ParameterEntry:
    """A parameter stands here. `dimensions`: of its array, where they are not its type's."""

    parameter: str
    place: Placement = Placement()
    dimensions: tuple[Size, ...] | None = None


@dataclass(frozen=True, slots=True)
class ContainerEntry:
    """The entries of another container stand here."""

    container: str
    place: Placement = Placement()


@dataclass(frozen=True, slots=True)
class FixedEntry:
    """`size_bits` that are always the same: `value`, left-aligned. A packet that has others is flagged."""

    value: bytes
    size_bits: int
    place: Placement = Placement()


@dataclass(frozen=True, slots=True)
class IndirectEntry:
    """The parameter whose name, or alias in `name_space`, is the value of another one stands here."""

    of: Reference
    name_space: str = ""
    place: Placement = Placement()


@dataclass(frozen=True, slots=True)
class MissingEntry:
    """Something stands here that no file describes; a packet that comes to it is set aside."""

    reference: str
    place: Placement = Placement()


Entry = ParameterEntry | ContainerEntry | FixedEntry | IndirectEntry | MissingEntry


@dataclass(frozen=True, slots=True)
class Container:
    """`entries` are its own, without those of its base. `criteria`: when a packet of the base is one of these.
    `size`: bits that it takes, where it says so itself; `check`: of all its bytes.
    """

    key: str
    entries: tuple[Entry, ...]
    abstract: bool = False
    base: str | None = None
    criteria: Condition | None = None
    size: Size | None = None
    check: ErrorCheck | None = None
    line: int = 0
    path: str = ""
    """Its name behind those of all systems around it: /SYSTEM/NAME."""


@dataclass(frozen=True, slots=True)
class Dictionary:
    """Parameters and containers by key, in the order of the files. `notices`: what the reader passed over."""

    name: str
    parameters: Mapping[str, Parameter]
    containers: Mapping[str, Container]
    file: str = ""
    files: tuple[str, ...] = ()
    notices: tuple[Notice, ...] = ()
    children: Mapping[str, tuple[str, ...]] = field(init=False, compare=False, repr=False)
    """Containers by the one that they extend, in the order of the files."""

    def __post_init__(self) -> None:
        found: dict[str, list[str]] = {}
        for container in self.containers.values():
            if container.base is not None:
                found.setdefault(container.base, []).append(container.key)
        object.__setattr__(self, "children", {base: tuple(keys) for base, keys in found.items()})


def bases_of(container: Container, dictionary: Dictionary) -> Iterator[Container]:
    """The container, its base, its base's base."""
    here: Container | None = container
    while here is not None:
        yield here
        here = dictionary.containers[here.base] if here.base is not None else None
