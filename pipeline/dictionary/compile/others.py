"""Values of other packets: what a packet that asks for a parameter it does not hold is given.

That is the last value received before it, from whatever packet, in the order of the stream; before the first has come,
the initialValue of the dictionary, or nothing. The last values of a batch go on to the next. A row is flagged STALE
where such a value has not come yet, or was received too long before the packet.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...model.batches import Column, Ragged
from ..model.definitions import Dictionary
from ..model.document import integer_of
from ..model.encodings import BinaryEncoding, StringEncoding
from ..model.parameter_types import BooleanType, EnumeratedType, NumberType, SpelledType, StringType, UnencodedType
from ..run.conversions import conversion_of
from ..run.numbers import dtype_of
from ..run.steps import LeafType, Slot
from ..run.values import Values

Array = NDArray[Any]
Rows = NDArray[np.intp]
BEFORE, NEVER = -1, -2
"""Rows of what came before the batch, and of what never came: the value that the dictionary gives."""


@dataclass(frozen=True, slots=True)
class Origin:
    """A parameter that packets ask for and do not hold. `initial`: raw and calibrated value before one has come."""

    key: str
    raw: np.dtype[Any]
    calibrated: np.dtype[Any]
    initial: tuple[Any, Any] | None
    is_constant: bool = False
    """Whether it never stands in a packet: its value is always the initial one."""


def origin_of(key: str, dictionary: Dictionary) -> Origin:
    """What is known of the parameter's values before one has come."""
    parameter = dictionary.parameters[key]
    kind: Any = _value_type(parameter.type)
    raw = _raw_dtype(kind)
    conversion = conversion_of(kind)
    calibrated = raw if conversion is None else conversion.dtype
    initial = _initial(kind, parameter.initial) if parameter.initial else None
    return Origin(key, raw, calibrated, initial, isinstance(parameter.type, UnencodedType))


def has_origin(key: str, dictionary: Dictionary) -> bool:
    """Whether the dictionary gives the parameter a value before one has come."""
    parameter = dictionary.parameters.get(key)
    return (
        parameter is not None
        and bool(parameter.initial)
        and _initial(_value_type(parameter.type), parameter.initial) is not None
    )


def _value_type(kind: Any) -> Any:
    """What the values are, also of a constant that never stands in a packet."""
    return kind.value if isinstance(kind, UnencodedType) and kind.value is not None else kind


def _raw_dtype(kind: LeafType) -> np.dtype[Any]:
    if isinstance(kind.encoding, StringEncoding | BinaryEncoding):
        return np.dtype(np.uint8)
    return dtype_of(kind.encoding)


def _initial(kind: Any, text: str) -> tuple[Any, Any] | None:
    """Raw and calibrated value of an initialValue, which is a calibrated one."""
    if isinstance(kind, SpelledType):
        kind = kind.value
    if isinstance(kind, StringType):
        return 0, text
    if isinstance(kind, EnumeratedType):
        return next(((low, label) for low, _, label in kind.labels if label == text), None)
    if isinstance(kind, BooleanType):
        truth = text == kind.one or text.lower() in {"true", "1"}
        return int(truth), truth
    if not isinstance(kind, NumberType):
        return None
    try:
        number = float(text) if kind.real or kind.encoding.is_float else integer_of(text)
    except ValueError:
        return None
    return number, number


class _Timeline:
    """The values of one parameter, in the order of the stream."""

    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self.rows: list[Array] = []
        self.raw: list[Array] = []
        self.calibrated: list[Array] = []
        self.received: list[Array] = []
        self._joined: tuple[Array, Array, Array, Array] | None = None
        if origin.initial is not None:
            raw, calibrated = (np.array([value]) for value in origin.initial)
            self.add(np.array([NEVER]), raw, calibrated, np.zeros(1, np.int64))

    def add(self, rows: Array, raw: Array, calibrated: Array, received: Array) -> None:
        if len(rows):
            self.rows.append(rows)
            self.raw.append(raw)
            self.calibrated.append(calibrated)
            self.received.append(received)
            self._joined = None

    def joined(self) -> tuple[Array, Array, Array, Array]:
        """Rows in ascending order, raw and calibrated values, times of receipt."""
        if self._joined is None:
            if not self.rows:
                none = np.zeros(0, np.int64)
                return none, np.zeros(0, self.origin.raw), np.zeros(0, self.origin.calibrated), none
            rows = np.concatenate(self.rows)
            order = np.argsort(rows, kind="stable")
            columns = (np.concatenate(each)[order] for each in (self.raw, self.calibrated, self.received))
            self._joined = (rows[order], *columns)  # type: ignore[assignment]
        assert self._joined is not None
        return self._joined

    def before(self, rows: Rows) -> Array:
        """int[n]: the place of the last value before each row; -1: none."""
        return np.searchsorted(self.joined()[0], rows, "left") - 1

    def last(self) -> _Timeline:
        """What goes on to the next batch."""
        after = _Timeline(self.origin)
        rows, raw, calibrated, received = self.joined()
        if len(rows) and rows[-1] > NEVER:
            after.add(np.array([BEFORE]), raw[-1:], calibrated[-1:], received[-1:])
        return after


class OtherValues:
    """The values of one stream. `begin` a batch, `add` what its packets hold, `given` to others, then `end`."""

    def __init__(self, origins: Iterable[Origin], max_age_ns: int) -> None:
        self._lines = {origin.key: _Timeline(origin) for origin in origins}
        self._kept = dict(self._lines)
        self._max_age_ns = max_age_ns
        self._received: NDArray[np.int64] = np.zeros(0, np.int64)
        self._is_complete = False

    def begin(self, received_ns: NDArray[np.int64]) -> None:
        """A batch begins, or begins anew."""
        self._received, self._is_complete = received_ns, False
        self._lines = {key: _copied(line) for key, line in self._kept.items()}

    def draft(self) -> OtherValues:
        """Return values of the same batch to which nothing of it has been added."""
        copy = OtherValues((), self._max_age_ns)
        copy._kept = self._kept
        copy.begin(self._received)
        return copy

    def complete(self, draft: OtherValues) -> None:
        """Take all values of the batch from a draft; `add` adds nothing to them."""
        self._lines, self._is_complete = draft._lines, True

    def equals(self, other: OtherValues) -> bool:
        """Whether both give every packet of the batch the same values."""
        pairs = [(line.joined(), other._lines[key].joined()) for key, line in self._lines.items()]
        return all(
            np.array_equal(one, two, equal_nan=one.dtype.kind == two.dtype.kind == "f")
            for mine, theirs in pairs
            for one, two in zip(mine, theirs, strict=True)
        )

    def end(self) -> None:
        """The batch is decoded."""
        self._kept = {key: line.last() for key, line in self._lines.items()}

    def add(self, rows: Rows, values: Values) -> None:
        """What the packets of one container hold."""
        if self._is_complete:
            return
        for key, line in self._lines.items():
            if not values.knows(key):
                continue
            there = values.present(key)
            kept = np.flatnonzero(there) if there is not None else np.arange(len(rows))
            raw, calibrated = (values.of(key, calibrated=each)[kept] for each in (False, True))
            if calibrated.ndim > 1:
                continue  # an array is no value that one could ask for
            if raw.ndim > 1:  # the bytes of a text: only the text is asked for
                raw = raw[:, 0] if raw.shape[1] else np.zeros(len(kept), np.uint8)
            line.add(rows[kept], raw, calibrated, self._received[rows[kept]])

    def given(self, rows: Rows) -> Values:
        """For packets of the batch the last value of each parameter before them."""
        found = Values(len(rows), foreign=True)
        for key, line in self._lines.items():
            place = line.before(rows)
            _, raw, calibrated, _ = line.joined()
            found.keep(Slot(key), _column(raw, place), _column(calibrated, place))
        return found

    def stale(self, rows: Rows, keys: Iterable[str]) -> NDArray[np.bool_]:
        """bool[n]: packets that were given a value that had not come yet, or was too old."""
        stale = np.zeros(len(rows), np.bool_)
        for key in keys:
            line = self._lines[key]
            at, _, _, received = line.joined()
            place = line.before(rows)
            came = place >= 0
            if not line.origin.is_constant:
                came[came] = at[place[came]] > NEVER
            stale |= ~came
            if self._max_age_ns and len(at):
                now, then = self._received[rows], received[np.maximum(place, 0)]
                stale |= came & (now > 0) & (then > 0) & (now - then > self._max_age_ns)
        return stale


def _copied(line: _Timeline) -> _Timeline:
    copy = _Timeline(line.origin)
    copy.rows, copy.raw, copy.calibrated, copy.received = (
        list(each) for each in (line.rows, line.raw, line.calibrated, line.received)
    )
    return copy


def _column(values: Array, place: Array) -> Column:
    """One value for each packet, or none."""
    if len(place) and int(place.min()) >= 0:
        return values[place]
    return Ragged(values, np.maximum(place, 0).astype(np.int64), (place >= 0).astype(np.int64))


def in_order(needs: Mapping[str, frozenset[str]], provides: Mapping[str, frozenset[str]]) -> tuple[list[str], bool]:
    """Containers, those first whose values others ask for; and whether some ask for values of each other."""
    done: list[str] = []
    waiting = list(needs)
    asked = frozenset[str]().union(*needs.values())
    providers = Counter(parameter for key in waiting for parameter in provides[key] & asked)
    while waiting:
        # A container may give itself what it asks for; all others that give it must be done.
        ready = [key for key in waiting if all(providers[each] == (each in provides[key]) for each in needs[key])]
        if not ready:
            return done + waiting, True
        done += ready
        providers.subtract(parameter for key in ready for parameter in provides[key] & asked)
        taken = set(ready)
        waiting = [key for key in waiting if key not in taken]
    return done, False
