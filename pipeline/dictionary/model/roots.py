"""Where packets enter: the roots of a dictionary's containers, and the containers that no packet can ever reach."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...model.errors import ConfigError, Problem
from .definitions import Container, ContainerEntry, Dictionary

MAX_NAMES = 20


def roots_of(dictionary: Dictionary, root: str | Sequence[str] | None) -> list[Container]:
    """The containers that are named, or all without a base that do not stand only inside others. One that nothing
    extends has no criteria at all, so any packet would be one: it counts only where no other has a container below it.

    A name is a key, a path (/SYSTEM/NAME), or the end of one; that of a header that several files repeat means all of
    them. Raises ConfigError with every name that is none.
    """
    if root is not None:
        names = [root] if isinstance(root, str) else list(root)
        found = [_named(dictionary, name) for name in names]
        problems = [each for each in found if isinstance(each, Problem)]
        if problems:
            raise ConfigError(problems)
        return [container for each in found if not isinstance(each, Problem) for container in each]
    free = _free(dictionary)
    extended = {each.base for each in dictionary.containers.values()}
    first = [each for each in free if each.key in extended]
    return first or [each for each in free if not each.abstract]


def left_out(dictionary: Dictionary, roots: Sequence[Container]) -> list[Container]:
    """Containers without a base that could be roots if they were named."""
    names = {each.key for each in roots}
    return [each for each in _free(dictionary) if each.key not in names and not each.abstract and each.entries]


def _free(dictionary: Dictionary) -> list[Container]:
    """Containers without a base that do not stand inside others; inside their own children does not count."""
    containers = dictionary.containers
    inside = {
        entry.container
        for each in containers.values()
        for entry in each.entries
        if isinstance(entry, ContainerEntry) and entry.container != _first(each, containers)
    }
    return [each for each in containers.values() if each.base is None and each.key not in inside]


def _first(container: Container, containers: Mapping[str, Container]) -> str:
    """The base of all bases."""
    seen: set[str] = set()
    while container.base is not None and container.key not in seen:
        seen.add(container.key)
        container = containers[container.base]
    return container.key


def _named(dictionary: Dictionary, name: str) -> list[Container] | Problem:
    known = dictionary.containers.get(name)
    end = f"/{name.strip('/')}"
    found = [each for each in dictionary.containers.values() if each.path == end]
    found = found or [each for each in dictionary.containers.values() if each.path.endswith(end)]
    if known is not None:
        return [each for each in found if each.base is None] if _is_repeated(known, dictionary) else [known]
    if len(found) == 1:
        return found
    names = [each.path for each in found] or list(dictionary.containers)
    more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
    listed = ", ".join(names[:MAX_NAMES]) + more
    text = (
        f"several containers have this name: {listed}"
        if found
        else f"there is no such container; there are {listed}"
    )
    return Problem(text, dictionary.file, 0, f'root "{name}"')


def _is_repeated(container: Container, dictionary: Dictionary) -> bool:
    """Whether it is the first of a header that several files have, which alone of them has a plain name as its key."""
    return container.base is None and len(dictionary.files) > 1 and "." not in container.key
