"""Differences between two dictionaries that subscribers notice: containers, parameters, meaning of values.

In: two dictionaries with their plans. Out: differences. Descriptions, aliases, names of types, lines, the order of the
file, and parameters of no container are ignored.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

from ..dictionary.compile.plan import Plan
from ..dictionary.model.conditions import AllOf, AnyOf, Comparison, Reference
from ..dictionary.model.definitions import Container, Dictionary
from ..dictionary.model.encodings import NumberEncoding, Polynomial, StringEncoding
from ..dictionary.model.parameter_types import (
    AggregateType,
    ArrayType,
    BooleanType,
    EnumeratedType,
    NumberType,
    ParameterType,
    SpelledType,
)
from .places import Placed, criteria_of, placed_in


@dataclass(frozen=True, slots=True)
class Difference:
    """`kind`: what differs, in `container` and `parameter` (empty: the container), with values before and after."""

    kind: str
    container: str
    parameter: str
    before: str
    after: str

    def __str__(self) -> str:
        where = f"{self.container}.{self.parameter}" if self.parameter else self.container
        change = " -> ".join(part for part in (self.before, self.after) if part)
        return f"{self.kind}: {where}{f': {change}' if change else ''}"


class Compared:
    """One of the two dictionaries. `containers`: the concrete ones; `columns`: column names by parameter key; both by
    the container's name in topics.
    """

    def __init__(self, dictionary: Dictionary, plan: Plan) -> None:
        self.dictionary = dictionary
        nodes = [node for node in plan.walk() if not node.abstract]
        self.containers = {node.key: dictionary.containers[node.key] for node in nodes}
        self.columns = {node.key: dict(node.columns) for node in nodes}


def differences(before: Compared, after: Compared) -> Iterator[Difference]:
    """Yield the differences by container, in the order of the first dictionary."""
    old, new = before.containers, after.containers
    for name in old:
        if name not in new:
            yield Difference("container removed", name, "", "", "")
    for name in new:
        if name not in old:
            yield Difference("container added", name, "", "", "")
    for name in old:
        if name in new:
            yield from _of_container(name, before, after)


def _of_container(name: str, before: Compared, after: Compared) -> Iterator[Difference]:
    criteria = [_criteria(each, each.containers[name]) for each in (before, after)]
    if criteria[0] != criteria[1]:
        yield Difference("criteria", name, "", criteria[0] or "always", criteria[1] or "always")
    old, new = (_parameters(each, name) for each in (before, after))
    for key in old:
        if key not in new:
            yield Difference("parameter removed", name, key, "", "")
    for key in new:
        if key not in old:
            yield Difference("parameter added", name, key, "", "")
    for key, placed in old.items():
        if key in new:
            yield from _of_parameter(name, key, (before, placed), (after, new[key]))


def _criteria(side: Compared, container: Container) -> str:
    """The criteria of a container as text, sorted."""
    places = {each.key: each for each in placed_in(side.dictionary, container)}

    def text_of(condition: Any) -> str:
        if isinstance(condition, Comparison):
            return f"{named(condition.left)} {condition.operator} {named(condition.right)}"
        if len(condition.parts) == 1 and isinstance(condition, AllOf | AnyOf):
            return text_of(condition.parts[0])
        joined = " and " if isinstance(condition, AllOf) else " or "
        parts = joined.join(sorted(map(text_of, condition.parts)))
        return parts if isinstance(condition, AllOf) else f"{type(condition).__name__}({parts})"

    def named(side_of: Reference | str) -> str:
        if isinstance(side_of, str):
            return _literal(side_of)
        known = places.get(side_of.parameter)
        return known.name if known else side_of.parameter

    found = sorted(text_of(each) for each in criteria_of(side.dictionary, container))
    return " and ".join(each for each in found if each)


def _literal(text: str) -> str:
    try:
        return str(int(text, 0))
    except ValueError:
        return text


def _parameters(side: Compared, name: str) -> dict[str, list[Placed]]:
    """The positions of the parameters by column name; a parameter may have several."""
    columns = side.columns[name]
    found: dict[str, list[Placed]] = {}
    for each in placed_in(side.dictionary, side.dictionary.containers[name]):
        found.setdefault(columns.get(each.key, each.name), []).append(each)
    return found


Side = tuple[Compared, list[Placed]]


def _of_parameter(container: str, name: str, before: Side, after: Side) -> Iterator[Difference]:
    views = (_view(*before), _view(*after))
    for kind in views[0]:
        old, new = views[0][kind], views[1][kind]
        if old != new:
            yield Difference(kind, container, name, str(old), str(new))


def _view(side: Compared, placed: list[Placed]) -> dict[str, Any]:
    """The properties of a parameter that are compared, as text."""
    first = placed[0]
    parameter = side.dictionary.parameters[first.key]
    leaves = list(_leaves(first.type, ""))
    return {
        "type": _shape(first),
        "unit": _joined(leaves, lambda kind: kind.unit),
        "labels": _joined(leaves, _labels),
        "calibration": _joined(leaves, lambda kind: _calibration(side.dictionary, kind)),
        "encoding": _joined(leaves, lambda kind: _encoding(side.dictionary, kind)),
        "position": "; ".join(_position(side.dictionary, each) for each in placed),
        "limits": _joined(leaves, lambda kind: _limits(side.dictionary, kind)),
        "validity": _text(side.dictionary, parameter.validity),
    }


def _leaves(kind: ParameterType, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(kind, ArrayType):
        yield from _leaves(kind.element, path)
    elif isinstance(kind, AggregateType):
        for name, member in kind.members:
            yield from _leaves(member, f"{path}.{name}")
    else:
        yield path, kind


def _joined(leaves: list[tuple[str, Any]], describe: Any) -> str:
    if len(leaves) == 1 and not leaves[0][0]:
        return str(describe(leaves[0][1]))
    return "; ".join(f"{path.removeprefix('.')} {describe(kind)}" for path, kind in leaves if describe(kind))


def _word(kind: Any) -> str:
    value = kind.value if isinstance(kind, SpelledType) else kind
    if isinstance(value, NumberType):
        return "float" if value.real or value.encoding.is_float else "integer"
    if isinstance(value, EnumeratedType):
        return "enumeration"
    return type(value).__name__.removesuffix("Type").lower()


def _shape(placed: Placed) -> str:
    kind, dimensions = placed.type, placed.entry.dimensions
    words: list[str] = []
    while isinstance(kind, ArrayType):
        sizes = dimensions if dimensions is not None else kind.dimensions or ()
        words.append(f"array of {' x '.join(str(each) if isinstance(each, int) else 'n' for each in sizes)}")
        kind, dimensions = kind.element, None
    leaves = list(_leaves(kind, ""))
    words += [_word(each) for _, each in leaves] if len(leaves) == 1 else [f"{p[1:]} {_word(e)}" for p, e in leaves]
    calibrated = [each for _, each in leaves if isinstance(getattr(each, "encoding", None), NumberEncoding)]
    if any(each.encoding.calibrator and isinstance(each, NumberType) and not each.real for each in calibrated):
        words = [word.replace("integer", "float") for word in words]
    if placed.conditions:
        words.append("not in every packet")
    return " ".join(words)


def _labels(kind: Any) -> str:
    value = kind.value if isinstance(kind, SpelledType) else kind
    if isinstance(value, BooleanType):
        return f"{value.zero}, {value.one}"
    if not isinstance(value, EnumeratedType):
        return ""
    spans = ((low, f"{low}" if low == high else f"{low}-{high}", label) for low, high, label in value.labels)
    return ", ".join(f"{span}={label}" for _, span, label in sorted(spans))


def _calibration(dictionary: Dictionary, kind: Any) -> str:
    encoding = getattr(kind, "encoding", None)
    if isinstance(encoding, NumberEncoding) and (encoding.calibrator or encoding.contexts):
        return _text(dictionary, (_short(encoding.calibrator), encoding.contexts))
    if hasattr(kind, "unit_ns"):
        return f"{kind.unit_ns} ns a count, {kind.offset_ns} ns after"
    return ""


def _short(calibrator: Any) -> Any:
    """A polynomial without highest terms that are 0."""
    if not isinstance(calibrator, Polynomial):
        return calibrator
    kept = list(map(float, calibrator.coefficients))
    while len(kept) > 1 and not kept[-1]:
        kept.pop()
    return Polynomial(tuple(kept))


def _encoding(dictionary: Dictionary, kind: Any) -> str:
    encoding = getattr(kind, "encoding", None)
    if isinstance(encoding, NumberEncoding):
        plain = replace(encoding, calibrator=None, contexts=(), check=None)
        words = [f"{plain.size_bits} bits {plain.form}"]
        words += [name for name in ("little_endian", "mirrored", "lsb_first") if getattr(plain, name)]
        words += [f"bytes {plain.places}"] if plain.places else []
        return " ".join(words)
    if isinstance(encoding, StringEncoding) and not encoding.tag_bits:
        encoding = replace(encoding, unit_bits=8)
    return _text(dictionary, encoding)


def _position(dictionary: Dictionary, placed: Placed) -> str:
    anchor, bits = placed.place
    behind = dictionary.parameters.get(anchor)
    where = f"{bits} bits"
    if anchor:
        where += " from the end" if anchor == "end" else f" behind {behind.name if behind else anchor}"
    parts = [where]
    parts += [f"if {_text(dictionary, each)}" for each in placed.conditions]
    if placed.entry.place.repetition is not None:
        parts.append(f"times {_text(dictionary, placed.entry.place.repetition)}")
    return " ".join(parts)


def _limits(dictionary: Dictionary, kind: Any) -> str:
    limits = getattr(kind, "limits", None)
    if limits is None or not (limits.valid or limits.alarm or limits.contexts):
        return ""
    return _text(dictionary, limits)


def _text(dictionary: Dictionary, value: Any) -> str:
    """An element of the dictionary as text, without lines, and with names of parameters instead of keys."""
    if value is None:
        return ""
    if isinstance(value, Reference):
        known = dictionary.parameters.get(value.parameter)
        return (known.name if known else value.parameter) + ("" if value.calibrated else " (raw)")
    if is_dataclass(value):
        kept = [
            f"{each.name}={_text(dictionary, getattr(value, each.name))}"
            for each in fields(value)
            if each.name not in {"line", "name"} and getattr(value, each.name) not in (None, (), "", False)
        ]
        return f"{type(value).__name__}({', '.join(kept)})"
    if isinstance(value, tuple):
        return f"[{', '.join(_text(dictionary, each) for each in value)}]"
    return repr(float(value)) if isinstance(value, float) else str(value)
