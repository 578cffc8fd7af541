"""How many fields packets of a dictionary have, counted before they are laid out: a small file may mean billions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ...model.errors import ConfigError, Problem
from ..model.definitions import Container, ContainerEntry, Dictionary, Entry, ParameterEntry
from ..model.parameter_types import AggregateType, ArrayType, ParameterType

MAX_FIELDS = 200_000
"""Of one packet: containers inside containers could multiply without end."""
MAX_ALL_FIELDS = 1_000_000
"""Of the packets of all containers: each is laid out by itself."""


def check_field_counts(dictionary: Dictionary, roots: Iterable[Container]) -> None:
    """Raise ConfigError for the first container whose packets have too many fields, bases and parts counted.

    Takes a time in proportion to the dictionary as written, whatever it means.
    """
    count, n_all = _Count(dictionary), 0
    for container, n_base in _with_extensions(dictionary, roots, count):
        n_fields = n_base + count.of(container)
        n_all += n_fields
        what = ""
        if n_fields > MAX_FIELDS:
            what = f"a packet of more than {MAX_FIELDS} fields"
        elif n_all > MAX_ALL_FIELDS:
            what = f"packets of more than {MAX_ALL_FIELDS} fields in all"
        if what:
            raise ConfigError([Problem(what, dictionary.file, container.line)])


def _with_extensions(
    dictionary: Dictionary, roots: Iterable[Container], count: _Count
) -> Iterator[tuple[Container, int]]:
    """Each container that packets may be, and the number of fields of its bases."""
    waiting = [(root, 0) for root in roots]
    while waiting:
        container, n_base = waiting.pop()
        yield container, n_base
        n_own = n_base + count.of(container)
        waiting += [(dictionary.containers[key], n_own) for key in dictionary.children.get(container.key, ())]


class _Count:
    """Fields of containers without their bases, and of types: each is counted once."""

    def __init__(self, dictionary: Dictionary) -> None:
        self._dictionary = dictionary
        self._containers: dict[str, int] = {}
        self._done: set[str] = set()
        self._types: dict[int, int] = {}

    def of(self, container: Container) -> int:
        """One for the container, and its entries. A container inside itself counts once: `lay_out` tells of it."""
        waiting = [container]
        while waiting:
            here = waiting[-1]
            if here.key not in self._containers:
                self._containers[here.key] = 1
                waiting += [one for one in self._inside(here) if one.key not in self._containers]
            else:
                waiting.pop()
                if here.key not in self._done:
                    self._done.add(here.key)
                    self._containers[here.key] += sum(map(self._of_entry, here.entries))
        return self._containers[container.key]

    def _inside(self, container: Container) -> list[Container]:
        keys = [entry.container for entry in container.entries if isinstance(entry, ContainerEntry)]
        return [
            self._dictionary.containers[key] for key in dict.fromkeys(keys) if key in self._dictionary.containers
        ]

    def _of_entry(self, entry: Entry) -> int:
        if isinstance(entry, ContainerEntry):
            return self._containers.get(entry.container, 1)
        parameter = self._dictionary.parameters.get(entry.parameter) if isinstance(entry, ParameterEntry) else None
        return self._of_type(parameter.type) if parameter else 1

    def _of_type(self, kind: ParameterType) -> int:
        """Fields of a value; an array is one of its element. Types are not nested deeply."""
        while isinstance(kind, ArrayType):
            kind = kind.element
        if not isinstance(kind, AggregateType):
            return 1
        if id(kind) not in self._types:
            self._types[id(kind)] = sum(self._of_type(member) for _, member in kind.members)
        return self._types[id(kind)]
