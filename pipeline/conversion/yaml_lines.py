"""Read YAML with the line of each mapping and key, and with custom tags."""

from __future__ import annotations

from typing import Any

import yaml

from ..model.errors import ConfigError, Problem
from .losses import Source

MAX_DEPTH = 100
MAX_NODES = 1_000_000


class Mapping(dict[Any, Any]):
    """A mapping with its line and tag, and the line of each of its keys."""

    line = 0
    tag = ""

    def __init__(self) -> None:
        super().__init__()
        self.lines: dict[Any, int] = {}


class List(list[Any]):
    """A list with its line and tag."""

    line = 0
    tag = ""


class Word(str):  # noqa: SLOT000 - has a tag
    """A text with a custom tag."""

    tag = ""


def read_yaml(source: Source) -> Any:
    """The content of a single document. Raises ConfigError if it is no YAML."""
    try:
        loader = yaml.SafeLoader(source.document)
        node = loader.get_single_node()
        return _Building(loader).value(node, 0) if node is not None else None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        text = f"is no YAML: {getattr(error, 'problem', None) or error}".splitlines()[0]
        raise ConfigError([Problem(text, source.file, mark.line + 1 if mark else 0)]) from error


class _Building:
    def __init__(self, loader: yaml.SafeLoader) -> None:
        self.loader = loader
        self.n = 0

    def value(self, node: yaml.Node, depth: int) -> Any:
        self.n += 1
        if depth > MAX_DEPTH or self.n > MAX_NODES:
            raise ValueError("it is nested too deep, or too large")
        line = node.start_mark.line + 1
        if isinstance(node, yaml.MappingNode):
            found = Mapping()
            found.line, found.tag = line, _tag(node)
            for key_node, value_node in node.value:
                key = self.value(key_node, depth + 1)
                found[key] = self.value(value_node, depth + 1)
                found.lines[key] = key_node.start_mark.line + 1
            return found
        if isinstance(node, yaml.SequenceNode):
            listed = List(self.value(each, depth + 1) for each in node.value)
            listed.line, listed.tag = line, _tag(node)
            return listed
        if not node.tag.startswith("tag:yaml.org,2002:"):
            return _word(node)
        return self.loader.construct_object(node)


def _word(node: yaml.Node) -> Word:
    found = Word(node.value)
    found.tag = _tag(node)
    return found


def _tag(node: yaml.Node) -> str:
    return str(node.tag).removeprefix("!") if node.tag.startswith("!") else ""
