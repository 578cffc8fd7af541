"""What products of any kind hold, parameter by parameter: newest values, and rows for plots, in bounded memory.

In: product messages of every kind, and the retained JSON topics of telemetry. Out: a `Parameter` for each array, and a
`Container` of rows for each kind: one number for each row of an array that has one value a row, of an enumeration the
place of its label in `labels`. Of arrays that have several values a row only the newest row is kept. Dropped: the
oldest rows, so that a stream takes MAX_BYTES, and parameters beyond MAX_PARAMETERS, which are counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..messages.time_texts import iso_utc
from ..messages.topics import level
from ..model.batches import GENERIC_INSTRUMENT, NO_TIME, RAW_SUFFIX
from ..model.printable import printable
from . import array_rows
from .array_rows import ArrayRows
from .binned import Binned
from .ring import Ring
from .rows import QUALITY, TIME

MAX_PARAMETERS = 10_000
MAX_BYTES = 24 << 20
MAX_ARRAY_BYTES = 8 << 20
"""Of all rows of arrays that have several values a row."""
MAX_ROWS, MIN_ROWS = 4000, 32
"""Of one container: at most, and where memory is short."""
MAX_LABELS = 64
MAX_ARRAY = 65_536
"""Values of the newest row of an array that are kept; of more every second one, and so on."""
MIN_HISTORY_BYTES = 16 << 10
"""Of the rows of one array, where memory is short."""
MAX_NAME, MAX_TEXT = 160, 60
VALUES = "values"
AXES = NUMBER, RECEIVED, ONBOARD = "number", "received", "onboard"
"""What the time of a row is: its number, the time of reception, or onboard time as UTC; the last is the best one."""
_TIMES = frozenset({"time_utc_ns", "time_onboard_ns"})
_PARAMETER_BYTES, _CONTAINER_BYTES = 1200, 4000
"""Upper bounds of what a parameter and a container take as Python objects."""


@dataclass(slots=True)
class Arrival:
    """What the newest values of a container share. `onboard`: onboard time as UTC, `received`: time of reception, as
    text, empty where not known; `arrived_s`: when they came, 0 of what the broker had retained.
    """

    quality: int = 0
    onboard: str = ""
    received: str = ""
    arrived_s: float = 0.0


@dataclass(slots=True)
class Parameter:
    """What is known of one parameter. `newest`: its newest value; `column`: its place in the rows, -1 for none."""

    container: str
    name: str
    unit: str = ""
    about: str = ""
    column: int = -1
    newest: Any = None
    arrival: Arrival = field(default_factory=Arrival)
    labels: list[str] = field(default_factory=list)
    """Of an enumeration, in order of appearance."""
    array: NDArray[np.float32] | None = None
    """The newest row, where a row has several values."""
    shape: str = ""
    """Of a row that has several values."""
    history: ArrayRows | None = None
    """The last rows, where a row has several values along one axis."""

    @property
    def key(self) -> str:
        return f"{self.container}/{level(self.name)}"

    def labelled(self, values: NDArray[np.float64]) -> NDArray[Any]:
        """Values of rows as they were published: labels as text, empty where not known; numbers as they are."""
        if not self.labels:
            return values
        labels = np.array([*self.labels, ""])
        return labels[np.where(np.isfinite(values), values, -1).astype(np.int64)]

    @property
    def value(self) -> str:
        """The newest value as text."""
        return f"array of {self.shape}" if self.shape else _text(self.newest)


class Container:
    """The last rows of one kind of product: `values float64[n, k]` of the parameters `names`, by column."""

    def __init__(self, names: tuple[str, ...], axis: str) -> None:
        self.names, self.axis = names, axis
        self.arrival = Arrival()
        self.ring = Ring(MAX_ROWS)
        self.n_rows = 0

    def halve(self) -> bool:
        """Keep the newer half of the rows, and no more from now on; False where they are few already."""
        n = min(self.ring.capacity, len(self.ring)) // 2
        if n < MIN_ROWS:
            return False
        old, self.ring = self.ring, Ring(n)
        self.ring.append({name: values[-n:] for name, values in old.rows().items()}, old.arrived_s)
        return True


class Parameters:
    """All parameters of one stream, by key. `n_left_out`: those that had no room."""

    def __init__(self) -> None:
        self.known: dict[str, Parameter] = {}
        self._slots: dict[str, tuple[tuple[str, ...], tuple[Parameter | None, ...]]] = {}
        self._array_bytes = self._ring_bytes = 0
        self._history_bytes = array_rows.MAX_BYTES
        """Of the rows of one array."""
        self._has_no_room = False
        """Whether arrays took too much, and are no longer kept."""
        self.containers: dict[str, Container] = {}
        self.unheard = "retained"
        """Where values come from that were not heard."""
        self.is_loading = False
        """Whether rows are still to come from a history."""
        self.binned: dict[str, Binned] = {}
        """By key, counts and means of the rows of a history that are drawn as bins."""
        self._left_out: set[str] = set()
        self.n_changes = 0

    @property
    def n_left_out(self) -> int:
        return len(self._left_out)

    @property
    def n_bytes(self) -> int:
        """Bytes kept: of arrays exactly, of other objects at most."""
        small = len(self.known) * _PARAMETER_BYTES + len(self.containers) * _CONTAINER_BYTES
        return small + self._array_bytes + self._ring_bytes

    def rows_of(
        self, parameter: Parameter
    ) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64], str]:
        """Times, values and quality of the rows that are kept of a parameter, and what the times are."""
        container = self.containers.get(parameter.container)
        if container is None or parameter.column < 0 or not len(container.ring):
            return np.empty(0, np.int64), np.empty(0), np.empty(0, np.int64), NUMBER
        rows = container.ring.rows()
        return rows[TIME], rows[VALUES][:, parameter.column], rows[QUALITY], container.axis

    def onboard_span(self) -> tuple[int, int] | None:
        """Onboard times (UTC, ns since 1970) of the first and the last row that is kept of any container; None without
        such rows.
        """
        times = [one.ring.rows()[TIME] for one in self.containers.values() if one.axis == ONBOARD and len(one.ring)]
        if not times:
            return None
        return min(int(one[0]) for one in times), max(int(one[-1]) for one in times)

    def raw_of(self, parameter: Parameter) -> str:
        """The raw value of the newest row as text, where products bring raw counts beside; empty elsewhere."""
        raw = self.known.get(f"{parameter.container}/{level(parameter.name + RAW_SUFFIX)}")
        return raw.value if raw else ""

    def is_raw(self, parameter: Parameter) -> bool:
        """Whether it is the raw counts of another parameter, in whose row they stand."""
        base = parameter.name.removesuffix(RAW_SUFFIX)
        return base != parameter.name and f"{parameter.container}/{level(base)}" in self.known

    def take(self, kind: str, product: Mapping[str, Any], heard_s: float) -> None:
        """Take a product of `<instrument>/<product>`. `heard_s`: when it came, 0 of one that was retained."""
        n = len(product["quality"])
        if not n:
            return
        name = kind.removeprefix(f"{GENERIC_INSTRUMENT}/")
        arrays = {key: one for key, one in product["arrays"].items() if _is_of_rows(key, one["values"], n)}
        slots = self._slots_of(name, arrays)
        single = tuple(key for key, one in arrays.items() if one["values"].ndim == 1)
        values = np.full((min(n, MAX_ROWS), len(single)), np.nan)
        times = _Times.of(product, n)
        arrival = Arrival(int(product["quality"][-1]), times.onboard, times.received, heard_s)
        column = 0
        for parameter, entry in zip(slots, arrays.values(), strict=True):
            found = entry["values"]
            if found.ndim > 1:
                if parameter:
                    self._take_array(parameter, found, times)
            else:
                if parameter:
                    values[:, column] = _numbers(found[-len(values) :], parameter.labels)
                    parameter.column, parameter.newest, parameter.shape = column, found[-1], ""
                column += 1
            if parameter:
                parameter.arrival = arrival
        self._append(name, single, times, product["quality"], values, heard_s)
        self.n_changes += 1
        self._keep_bounds()

    def _slots_of(self, container: str, arrays: Mapping[str, Mapping[str, Any]]) -> tuple[Parameter | None, ...]:
        """The parameters of arrays, in their order; None for those that have no room."""
        names = tuple(arrays)
        known = self._slots.get(container)
        if known is None or known[0] != names:
            found = tuple(self._parameter(container, key, entry) for key, entry in arrays.items())
            known = self._slots[container] = names, found
        return known[1]

    def _take_array(self, parameter: Parameter, rows: NDArray[Any], times: _Times) -> None:
        before = _array_bytes(parameter)
        row = rows[-1]
        parameter.column, parameter.shape = -1, " x ".join(map(str, row.shape))
        parameter.array = None if self._has_no_room else _thinned(row)
        if rows.ndim == 2 and parameter.array is not None and times.axis != NUMBER and row.size > 1:
            history = parameter.history
            if history is None or (history.width, history.axis) != (row.size, times.axis):
                history = parameter.history = ArrayRows(row.size, times.axis, self._history_bytes)
            known = times.rows_ns != NO_TIME
            history.append(times.rows_ns[known], rows[known], 0.0)
        self._array_bytes += _array_bytes(parameter) - before

    def declare(self, container: str, name: str, unit: str = "", about: str = "") -> None:
        """Make a parameter known of which no value is known."""
        self._parameter(container, name, {"unit": unit, "description": about})

    def take_latest(self, container: str, name: str, content: Mapping[str, Any]) -> None:
        """Take a retained JSON value of telemetry: it is shown until a product brings a newer one."""
        key = f"{container}/{name}"
        if key in self.known:
            return
        parameter = self._parameter(container, name, {"unit": content.get("unit")})
        if parameter:
            quality, onboard, received = (content.get(word) for word in ("quality", "time", "received"))
            parameter.newest = content.get("value")
            parameter.arrival = Arrival(quality if isinstance(quality, int) else 0, _date(onboard), _date(received))
            self.n_changes += 1

    def _parameter(self, container: str, name: str, entry: Mapping[str, Any]) -> Parameter | None:
        """The parameter, made where it is new and there is room."""
        name = printable(name[:MAX_NAME])
        key = f"{container}/{level(name)}"
        found = self.known.get(key)
        if found is None:
            if len(self.known) >= MAX_PARAMETERS:
                if len(self._left_out) < MAX_PARAMETERS:
                    self._left_out.add(key)
                return None
            unit, about = (printable(str(entry.get(word) or "")[:MAX_TEXT]) for word in ("unit", "description"))
            found = self.known[key] = Parameter(container, name, unit, about)
        return found

    def _append(
        self,
        name: str,
        single: tuple[str, ...],
        times: _Times,
        quality: NDArray[Any],
        values: NDArray[np.float64],
        heard_s: float,
    ) -> None:
        container = self.containers.get(name)
        if container is None or container.names != single or AXES.index(container.axis) < AXES.index(times.axis):
            self._ring_bytes -= container.ring.n_bytes if container else 0
            container = self.containers[name] = Container(single, times.axis)
        if container.axis != times.axis:  # rows without a time, in a series that has times
            return
        n = len(quality)
        time_ns = container.n_rows + np.arange(n, dtype=np.int64) if times.axis == NUMBER else times.rows_ns
        container.n_rows += n
        last = slice(n - len(values), None)
        known = time_ns[last] != NO_TIME
        rows = {TIME: time_ns[last], QUALITY: np.asarray(quality[last]).astype(np.int64), VALUES: values}
        before = container.ring.n_bytes
        container.ring.append({key: column[known] for key, column in rows.items()}, heard_s)
        self._ring_bytes += container.ring.n_bytes - before

    def _keep_bounds(self) -> None:
        """Drop earlier rows of arrays until they take MAX_ARRAY_BYTES at most, then the older half of the largest rows
        until all fit, then arrays.
        """
        while self._array_bytes > MAX_ARRAY_BYTES and self._history_bytes > MIN_HISTORY_BYTES:
            self._history_bytes //= 2
            self._shorten_histories()
        while self.n_bytes > MAX_BYTES:
            rings = sorted(self.containers.values(), key=lambda one: one.ring.n_bytes)
            if not rings or not any(one.halve() for one in reversed(rings)):
                break
            self._ring_bytes = sum(one.ring.n_bytes for one in self.containers.values())
        if self._array_bytes > MAX_BYTES:
            self._has_no_room, self._array_bytes = True, 0
            for one in self.known.values():
                one.array = one.history = None

    def _shorten_histories(self) -> None:
        for one in self.known.values():
            if one.history is not None:
                one.history.shorten(self._history_bytes)
        self._array_bytes = sum(map(_array_bytes, self.known.values()))


@dataclass(frozen=True, slots=True)
class _Times:
    """Times of the rows of a product, of the best kind that it has; its last ones as text."""

    axis: str
    rows_ns: NDArray[np.int64]
    onboard: str
    received: str

    @staticmethod
    def of(product: Mapping[str, Any], n: int) -> _Times:
        utc = product["arrays"].get("time_utc_ns")
        utc_ns = np.asarray(utc["values"]).astype(np.int64) if utc else np.empty(0, np.int64)
        lineage = product.get("lineage")
        ends = lineage.get("received_ns") if isinstance(lineage, Mapping) else None
        first_ns, last_ns = map(int, ends) if isinstance(ends, list) and len(ends) == 2 else (0, 0)
        received = _date(iso_utc(last_ns, "ms")) if last_ns else ""
        known = utc_ns[utc_ns != NO_TIME]
        if len(known) and len(utc_ns) == n:
            return _Times(ONBOARD, utc_ns, _date(iso_utc(int(known[-1]), "ms")), received)
        axis = RECEIVED if first_ns and first_ns == last_ns else NUMBER
        return _Times(axis, np.full(n, first_ns, np.int64), "", received)


def _array_bytes(one: Parameter) -> int:
    """Of the newest row and the rows before it, where a row has several values."""
    newest = one.array.nbytes if one.array is not None else 0
    return newest + (one.history.n_bytes if one.history is not None else 0)


def _is_of_rows(name: str, values: NDArray[Any], n: int) -> bool:
    return name not in _TIMES and values.ndim > 0 and len(values) == n and values.dtype.kind in "biufU"


def _numbers(values: NDArray[Any], labels: list[str]) -> NDArray[Any]:
    """Values as numbers; of texts their places in `labels`, which grows; NaN for labels beyond MAX_LABELS."""
    if values.dtype.kind != "U":
        return values
    found, which = np.unique(values, return_inverse=True)
    return np.array([_place(printable(text[:MAX_TEXT]), labels) for text in found.tolist()])[which]


def _place(text: str, labels: list[str]) -> float:
    if text not in labels:
        if len(labels) >= MAX_LABELS:
            return float("nan")
        labels.append(text)
    return float(labels.index(text))


def _thinned(row: NDArray[Any]) -> NDArray[np.float32] | None:
    """The values of one row, thinned where they are many; None for texts."""
    if row.dtype.kind == "U" or not row.size:
        return None
    while row.size > MAX_ARRAY:
        row = row[tuple(slice(None, None, 2) if length > 3 else slice(None) for length in row.shape)]
    return row.astype(np.float32)


def _text(value: object) -> str:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return f"{value:.7g}"
    return printable(str(value)[:MAX_TEXT]) if value is not None else ""


def _date(text: object) -> str:
    """An ISO 8601 date as people read it; empty for what is none."""
    return printable(text[:23].replace("T", " ").rstrip("Z")) if isinstance(text, str) else ""


def matching(parameters: Sequence[Parameter], words: str) -> list[Parameter]:
    """Those of which each word is in name, container, unit or description, upper and lower case alike."""
    wanted = words.lower().split()
    if not wanted:
        return list(parameters)
    texts = (f"{one.container} {one.name} {one.unit} {one.about}".lower() for one in parameters)
    return [one for one, text in zip(parameters, texts, strict=True) if all(word in text for word in wanted)]
