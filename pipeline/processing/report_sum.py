"""Adds the pass reports of consecutive recordings to one report with the same keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

MAX_LISTED = 1000
"""Most entries of a list in the report."""
_FIRST = frozenset({"first_received_ns"})
_LAST = frozenset({"last_received_ns", "clcw"})
_IDENTITIES = (("scid", "vcid"), ("name",))


def add_reports(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Add two reports key by key: counts are summed, channels matched by their ids, other lists concatenated."""
    keys = dict.fromkeys([*first, *second])
    if all(key.isdigit() for key in keys):  # APIDs, numbers of corrected symbols
        keys = dict.fromkeys(sorted(keys, key=int))
    return {key: _sum(key, first.get(key), second.get(key)) for key in keys}


def _sum(key: str, first: Any, second: Any) -> Any:
    if first is None or key in _LAST:
        return second or first
    if second is None or key in _FIRST:
        return first or second
    if isinstance(first, Mapping):
        return add_reports(first, second)
    if isinstance(first, list):
        return _lists(key, first, second)
    return first + second if isinstance(first, int) else second


def _lists(key: str, first: list[Any], second: list[Any]) -> list[Any]:
    entries = [*first, *second]
    identity = next((names for names in _IDENTITIES if all(_has(entry, names) for entry in entries)), None)
    if identity is None:
        return entries[:MAX_LISTED]
    merged: dict[tuple[Any, ...], Any] = {}
    for entry in entries:
        name = tuple(entry[part] for part in identity)
        same = dict(zip(identity, name, strict=True))
        merged[name] = add_reports(merged[name], entry) | same if name in merged else entry
    found = list(merged.values())
    return sorted(found, key=lambda entry: -entry["frames"]) if key == "other_channels" else found


def _has(entry: Any, names: Sequence[str]) -> bool:
    return isinstance(entry, Mapping) and all(name in entry for name in names)
