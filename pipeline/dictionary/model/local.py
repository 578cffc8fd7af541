"""References from one member of an aggregate to another (Yamcs' attribute aggregateMember): which parameter is meant.

Where such a type is read nobody knows in which parameter it will stand. Its references begin with LOCAL until the
members are laid out; the innermost aggregate that has a member of the name is meant.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

from .conditions import Dynamic, Size, Span
from .encodings import BinaryEncoding, StringEncoding
from .parameter_types import AggregateType, ArrayType, ParameterType

LOCAL = "~"


def localized(kind: ParameterType, key: str, names: frozenset[str]) -> ParameterType:
    """The type of a member of the aggregate `key`, whose members have these names; itself where nothing refers so."""
    if isinstance(kind, ArrayType):
        element = localized(kind.element, key, names)
        dimensions = kind.dimensions and tuple(_size(each, key, names) for each in kind.dimensions)
        if (element, dimensions) == (kind.element, kind.dimensions):
            return kind
        return replace(kind, element=element, dimensions=dimensions)
    if isinstance(kind, AggregateType):
        own = frozenset(name for name, _ in kind.members)
        members = tuple((name, localized(member, key, names - own)) for name, member in kind.members)
        return kind if members == kind.members else replace(kind, members=members)
    encoding = getattr(kind, "encoding", None)
    if isinstance(encoding, StringEncoding | BinaryEncoding) and isinstance(encoding.size, Dynamic):
        size = _size(encoding.size, key, names)
        if size != encoding.size:
            return cast("ParameterType", replace(cast("Any", kind), encoding=replace(encoding, size=size)))
    return kind


def _size(size: Size, key: str, names: frozenset[str]) -> Size:
    if isinstance(size, Span):
        return Span(_size(size.start, key, names), _size(size.behind, key, names))
    if not isinstance(size, Dynamic) or not size.of.parameter.startswith(LOCAL):
        return size
    name = size.of.parameter.removeprefix(LOCAL)
    if name.partition(".")[0] not in names:
        return size
    return replace(size, of=replace(size.of, parameter=f"{key}.{name}"))
