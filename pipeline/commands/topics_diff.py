"""Changes for subscribers of a mission's topics after a new dictionary, calibration or package.

In: two AsyncAPI documents of `downlink topics`. Out: added and removed topics and arrays, and those whose type, unit or
axes differ.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..model.errors import ConfigError

Map = dict[str, Any]
Facts = dict[str, str]
"""`type`, `unit` and `axes` of an array, by name."""


@dataclass(frozen=True, slots=True)
class Change:
    """`what`: added, removed or changed. `topic`: with `{stream}` for the stream; `array`: empty for the topic itself.

    `fact`: type, unit, axes or level, with its values before and after.
    """

    what: str
    topic: str
    array: str = ""
    fact: str = ""
    before: str = ""
    after: str = ""

    def __str__(self) -> str:
        place = f"{self.topic} {self.array}".strip()
        how = f": {self.fact} {self.before or 'none'} -> {self.after or 'none'}" if self.fact else ""
        return f"{self.what:8} {place}{how}"


def read_document(path: Path) -> Map:
    """Read an AsyncAPI document written by `downlink topics`. ConfigError if the file is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from error
    except ValueError as error:
        raise ConfigError(f"{path}: is no JSON: {error}") from error
    if not isinstance(found, dict) or "asyncapi" not in found or not isinstance(found.get("channels"), dict):
        raise ConfigError(f"{path}: is no description of topics, as `downlink topics M --json` writes it")
    return found


def changes(before: Map, after: Map) -> Iterator[Change]:
    """Changes from one document to the other, sorted by topic."""
    old, new = _topics(before), _topics(after)
    for topic in sorted(old.keys() | new.keys()):
        if topic not in old:
            yield Change("added", topic)
        elif topic not in new:
            yield Change("removed", topic)
        else:
            yield from _changed(topic, old[topic], new[topic])


def _changed(topic: str, old: dict[str, Facts], new: dict[str, Facts]) -> Iterator[Change]:
    for array in [*old, *(name for name in new if name not in old)]:
        if array not in old:
            yield Change("added", topic, array)
        elif array not in new:
            yield Change("removed", topic, array)
        else:
            for fact in ("level", "type", "unit", "axes"):
                one, other = old[array].get(fact, ""), new[array].get(fact, "")
                if one != other and not _is_unknown(fact, one, other):
                    yield Change("changed", topic, array, fact, one, other)


def _is_unknown(fact: str, one: str, other: str) -> bool:
    """Whether one of the documents does not know the type, which is no change."""
    return fact == "type" and not (one and other)


def _topics(document: Map) -> dict[str, dict[str, Facts]]:
    """Facts of the arrays of each topic; of the product itself, or of a newest value, under the empty name."""
    return {channel["address"]: dict(_arrays(channel)) for channel in document["channels"].values()}


def _arrays(channel: Map) -> Iterator[tuple[str, Facts]]:
    parts = channel["messages"]["message"]["payload"].get("allOf", ())
    own = parts[1].get("properties", {}) if len(parts) > 1 else {}
    if "value" in own:
        yield "", {"type": str(own["value"]["type"][0]), "unit": own["unit"]["const"]}
        return
    yield "", {"level": own.get("level", {}).get("const", "")}
    for name, array in own.get("arrays", {}).get("properties", {}).items():
        form = array["allOf"][1]["properties"]
        dtype = form.get("dtype", {})
        kind, axes = "text" if "pattern" in dtype else dtype.get("const", ""), " ".join(form["dims"]["const"])
        yield name, {"type": kind, "unit": form["unit"]["const"], "axes": axes}
