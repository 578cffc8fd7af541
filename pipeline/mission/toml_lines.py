"""Read TOML with the line of each key, which tomllib does not give; convert errors of pydantic to problems."""

from __future__ import annotations

import difflib
import re
import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from ..model.errors import ConfigError, Problem

MAX_FILE_BYTES = 64 << 20
"""Largest size of a file of a mission."""
_HEADER = re.compile(r"^\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(#.*)?$")
_KEY = re.compile(
    r"""^\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*="""
)


def load_toml(path: Path, max_bytes: int) -> tuple[str, dict[str, Any]]:
    """Read a file. Returns its text and table. Raises ConfigError if it cannot be read or parsed."""
    try:
        text = read_limited(path, max_bytes).decode("utf-8")
    except OSError as error:
        raise ConfigError([Problem(f"cannot be read: {error.strerror}", str(path))]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([Problem("is not UTF-8 text", str(path))]) from error
    try:
        return text, tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        match = re.search(r"line (\d+)", str(error))
        line = int(match[1]) if match else text.count("\n") + 1
        what = re.sub(r" \(at .*\)$", "", str(error))
        raise ConfigError([Problem(f"is no TOML: {what}", str(path), line)]) from error


def read_limited(path: Path, max_bytes: int) -> bytes:
    """Read a whole file. Raises ConfigError if it is larger than `max_bytes`, OSError if it cannot be read."""
    with path.open("rb") as file:
        content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise ConfigError([Problem(f"is larger than {max_bytes >> 20} MiB", str(path))])
    return content


def line_of(text: str, path: tuple[str | int, ...]) -> int:
    """The line (from 1) of the longest prefix of `path` in the file; 0 if there is none."""
    wanted = tuple(str(part) for part in path)
    best, depth = 0, 0
    for line, found in _keys(text):
        shared = 0
        while shared < min(len(found), len(wanted)) and found[shared] == wanted[shared]:
            shared += 1
        if shared > depth and shared == len(found):
            best, depth = line, shared
    return best


def _keys(text: str) -> list[tuple[int, tuple[str, ...]]]:
    """Line and path of each table header and key, with indices of arrays of tables."""
    table: tuple[str, ...] = ()
    seen: dict[tuple[str, ...], int] = {}
    keys: list[tuple[int, tuple[str, ...]]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            table = _parts(header[2])
            if header[1] == "[[":
                keys.append((number, table))
                seen[table] = seen.get(table, -1) + 1
                table = (*table, str(seen[table]))
            keys.append((number, table))
        elif key := _KEY.match(line):
            keys.append((number, (*table, *_parts(key[1]))))
    return keys


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in dotted.split("."))


def validation_problems(error: ValidationError, text: str, file: str, model: type[BaseModel]) -> list[Problem]:
    """The errors of pydantic as problems with file, line and key."""
    problems = []
    for item in error.errors(include_url=False):
        path = tuple(part for part in item["loc"] if part not in {"float", "int", "str"})
        what = item["msg"].removeprefix("Value error, ")
        if item["type"] == "extra_forbidden":
            what = "unknown key" + _hint(str(path[-1]), path[:-1], model)
        elif item["type"] == "missing":
            what = "is missing"
        elif not isinstance(item["input"], dict):
            what = f"{what[0].lower()}{what[1:]}, not {item['input']!r:.60}"
        problems.append(Problem(what, file, line_of(text, path), ".".join(map(str, path))))
    return sorted(problems, key=lambda problem: problem.line)


def leave_out(table: dict[str, Any], path: tuple[str | int, ...]) -> None:
    """Remove a key from a parsed file, if it is there."""
    inside: Any = table
    for part in path[:-1]:
        try:
            inside = inside[part]
        except (KeyError, IndexError, TypeError):
            return
    if isinstance(inside, dict):
        inside.pop(path[-1], None)


def _hint(key: str, path: tuple[str | int, ...], model: type[BaseModel]) -> str:
    """A hint with the most similar known key, or with all."""
    known: list[str] = list(model.model_fields)
    current: Any = model
    for part in path:
        current = _model_inside(current, str(part))
        if current is None:
            return ""
        known = list(current.model_fields)
    near = difflib.get_close_matches(key, known, 1)
    return f": did you mean {near[0]}?" if near else f": known are {', '.join(known)}"


def _model_inside(model: type[BaseModel], part: str) -> type[BaseModel] | None:
    if part not in model.model_fields:
        return model  # an index of a list, or the name in a mapping
    stack: list[Any] = [model.model_fields[part].annotation]
    while stack:
        item = stack.pop()
        if isinstance(item, type) and issubclass(item, BaseModel):
            return item
        stack += getattr(item, "__args__", ())
    return None
