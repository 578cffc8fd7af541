"""Entries that end where the next one begins (LocationInContainerInBits, nextEntry): where that is.

Going backwards, a location refers to the end of the entry. So the next entry must say its place itself: from the
container's start, from its end, or again from the entry that follows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from ...model.errors import ConfigError
from ..model.conditions import shifted
from ..model.definitions import Entry, Location

Measure = Callable[[Entry], int | None]
Fail = Callable[[str, int], ConfigError]


def with_places(entries: Sequence[Entry], measure: Measure, fail: Fail) -> Iterator[Entry]:
    """The entries, none of them placed by the next any more. `measure`: bits of an entry, None where they vary."""
    if not any(_is_before_next(entry) for entry in entries):
        yield from entries
        return
    found: list[Entry] = []
    for entry in reversed(entries):
        following = found[-1] if found else None
        found.append(_placed(entry, following, measure, fail) if _is_before_next(entry) else entry)
    yield from reversed(found)


def _is_before_next(entry: Entry) -> bool:
    return entry.place.location is not None and entry.place.location.before_next


def _placed(entry: Entry, following: Entry | None, measure: Measure, fail: Fail) -> Entry:
    location, line = entry.place.location, entry.place.line
    assert location is not None
    assert isinstance(location.bits, int)
    where = following.place.location if following is not None else None
    if following is None or where is None or not (where.from_start or where.from_end):
        raise fail("nextEntry, and the next entry does not say where it begins", line)
    size_bits = measure(entry)
    if size_bits is None:
        raise fail("nextEntry for an entry of varying size is not implemented", line)
    if where.from_start:
        place = Location(shifted(where.bits, -location.bits - size_bits), from_start=True)
    else:
        behind_bits = measure(following)
        if behind_bits is None:
            raise fail("nextEntry before an entry of varying size at the end is not implemented", line)
        place = Location(shifted(where.bits, location.bits + behind_bits), from_end=True)
    return replace(entry, place=replace(entry.place, location=place))
