"""Which alarm of the dictionary applies to each row of a parameter that the page holds; the level of its newest row.

In: rows of the parameter, and of those that the conditions of its alarms look at. Out: for each row the default
alarm, one of those by context, or UNKNOWN. A parameter of another packet counts with its last value at or before the
row, as in the decoder; before that, with the initial value that the dictionary gives, and without one the context is
not known. Nor is it where the two have no clock in common, or a raw value is asked that was not published.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dictionary.compile.limit_watch import SEVERITIES
from ..dictionary.compile.limits import Check
from ..dictionary.compile.others import Origin
from ..dictionary.model.parameter_types import CONCERN_LEVELS, BooleanType, EnumeratedType
from ..dictionary.run.conversions import conversion_of
from ..dictionary.run.criteria import Criterion
from ..dictionary.run.steps import Slot
from ..dictionary.run.values import Values
from ..messages.topics import level
from ..model.batches import RAW_SUFFIX
from .alarm_bands import Band
from .parameters import NUMBER, Parameter, Parameters

UNKNOWN, DEFAULT = -1, 0
"""Places of alarms of which it is not known which one applies, and of the default alarm; contexts count from 1."""
Array = NDArray[Any]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class AlarmContext:
    """An alarm by context: the condition in words, and its ranges of values."""

    words: str
    bands: tuple[Band, ...]


@dataclass(frozen=True, slots=True)
class ParameterAlarms:
    """The alarms of a parameter of one container. `bands`: of the default alarm; `contexts`: in the dictionary's order,
    of which the first that holds precedes the default one.
    """

    check: Check
    bands: tuple[Band, ...] = ()
    contexts: tuple[AlarmContext, ...] = ()

    @property
    def has_bands(self) -> bool:
        return bool(self.bands) or any(one.bands for one in self.contexts)

    def bands_at(self, place: int) -> tuple[Band, ...]:
        """The ranges of the alarm at a place; none of UNKNOWN."""
        return () if place == UNKNOWN else self.contexts[place - 1].bands if place else self.bands

    @property
    def asked(self) -> list[str]:
        """Names of the parameters that decide which alarm applies."""
        keys = {key for criterion, _ in self.check.contexts for key in criterion.needs()}
        return sorted(short_name(key) for key in keys)


@dataclass(frozen=True, slots=True)
class MissionAlarms:
    """`of`: by key of the parameter on the page, `<container>/<name>`. `places`: of parameters of the dictionary, by
    their qualified name, their keys on the page. `origins`: initial values. `limits_set`: the set of limits that they
    are of, where the dictionary has several.
    """

    of: Mapping[str, ParameterAlarms] = field(default_factory=dict)
    places: Mapping[str, Sequence[str]] = field(default_factory=dict)
    origins: Mapping[str, Origin] = field(default_factory=dict)
    limits_set: str = ""

    def applied(self, one: Parameter, parameters: Parameters) -> NDArray[np.int8]:
        """int8[n]: the place of the alarm that applies to each row that is kept of a parameter."""
        rows = _Rows(self, one, parameters)
        found, decided = np.zeros(rows.n, np.int8), np.zeros(rows.n, np.bool_)
        for place, (criterion, _) in enumerate(self.of[one.key].check.contexts, 1):
            holds, known = rows.test(criterion)
            found[~decided & ~known] = UNKNOWN
            found[~decided & known & holds] = place
            decided |= ~known | holds
        return found

    def state(self, one: Parameter, parameters: Parameters) -> tuple[str, str] | None:
        """Level of concern and severity of the newest row; None where it is normal, not known, or has not been there
        for as many rows as the alarm asks for.
        """
        alarms = self.of.get(one.key)
        if alarms is None or one.shape:
            return None
        check = alarms.check
        rows = _Rows(self, one, parameters, last=int(check.counts(None)[:, 0].max()))
        if not rows.n or not all(rows.known_rows(key).all() for key in check.needs()):
            return None
        try:
            levels, places = check.levels(rows.values), check.places(rows.values)
        except LookupError:  # a raw value that was not published
            return None
        n = check.alarms[0 if places is None else places[-1]].violations
        if rows.n < n or levels is None:
            return None
        levels = levels[-n:]
        if levels[-1] <= 0 or (levels != levels[-1]).any():
            return None
        return CONCERN_LEVELS[levels[-1]], SEVERITIES[levels[-1]]


class _PublishedValues(Values):
    """Of raw values those that were published, or follow from calibrated ones; LookupError for others."""

    def of(self, key: str, *, calibrated: bool) -> Array:
        return np.asarray((self.calibrated if calibrated else self.raw)[Slot(key)])

    def present(self, key: str) -> Mask | None:
        del key
        return None


class _Rows:
    """The rows of one parameter, with the values beside them that conditions look at."""

    def __init__(self, alarms: MissionAlarms, one: Parameter, parameters: Parameters, last: int = 0) -> None:
        """`last`: of so many of the newest rows; 0: of all."""
        self._alarms, self._parameters, self._one = alarms, parameters, one
        self._check = alarms.of[one.key].check
        rows = slice(-last if last else None, None)
        self._rows = rows
        time_ns, values, _, self._axis = parameters.rows_of(one)
        self._time_ns, self.n = time_ns[rows], len(time_ns[rows])
        self.values = _PublishedValues(self.n)
        self._known: dict[str, Mask] = {}
        self._keep(self._check.key, one.labelled(values[rows]), self._raw_of(one, rows))
        self._known[self._check.key] = np.ones(self.n, np.bool_)
        for key in self._check.needs() - {self._check.key}:
            self._add(key)

    def test(self, criterion: Criterion) -> tuple[Mask, Mask]:
        """bool[n] twice: whether a condition holds, and whether that is known."""
        known = np.logical_and.reduce([self.known_rows(key) for key in criterion.needs()])
        try:
            return np.asarray(criterion.holds(self.values)) & known, known
        except LookupError:
            return np.zeros(self.n, np.bool_), np.zeros(self.n, np.bool_)

    def known_rows(self, key: str) -> Mask:
        """bool[n]: rows for which the value of a parameter is known."""
        return self._known.get(key, np.zeros(self.n, np.bool_))

    def _add(self, key: str) -> None:
        """The values of a parameter at or before each row: those of the same packets, or the last ones of others."""
        places = self._alarms.places.get(key, ())
        own = next((place for place in places if self._is_beside(self._parameters.known.get(place))), None)
        if own is not None:
            beside = self._parameters.known[own]
            values = self._parameters.rows_of(beside)[1][self._rows]
            self._keep(key, beside.labelled(values), self._raw_of(beside, self._rows))
            self._known[key] = np.ones(self.n, np.bool_)
            return
        others = [one for place in places if (one := self._parameters.known.get(place)) is not None]
        self._add_others(key, [one for one in others if self._has_common_clock(one)])

    def _add_others(self, key: str, others: Sequence[Parameter]) -> None:
        times = [self._parameters.rows_of(one)[0] for one in others]
        values = [one.labelled(self._parameters.rows_of(one)[1]) for one in others]
        raw = [self._raw_of(one, slice(None)) for one in others]
        origin = self._alarms.origins.get(key)
        if origin is not None and origin.initial is not None:
            times.append(np.full(1, np.iinfo(np.int64).min))
            values.append(np.array([origin.initial[1]]))
            raw.append(np.array([origin.initial[0]]))
        if not times:
            return
        time_ns = np.concatenate(times)
        order = np.argsort(time_ns, kind="stable")
        place = np.searchsorted(time_ns[order], self._time_ns, "right") - 1
        self._known[key] = place >= 0
        chosen = order[np.maximum(place, 0)]
        counts = [one for one in raw if one is not None]
        whole = np.concatenate(counts)[chosen] if len(counts) == len(raw) else None
        self._keep(key, np.concatenate(values)[chosen], whole)

    def _keep(self, key: str, calibrated: Array, raw: Array | None) -> None:
        """The columns of a parameter; raw values that were not published follow from calibrated ones where they can."""
        slot, kind = Slot(key), self._check.types.get(key)
        if isinstance(kind, BooleanType) and calibrated.dtype.kind == "f":
            calibrated = calibrated != 0
        self.values.calibrated[slot] = calibrated
        if raw is None and isinstance(kind, EnumeratedType) and calibrated.dtype.kind == "U":
            raw = _raw_of_labels(calibrated, kind)
        elif raw is None and kind is not None and not isinstance(kind, EnumeratedType) and _is_plain(kind):
            raw = calibrated
        if raw is not None:
            self.values.raw[slot] = raw

    def _raw_of(self, one: Parameter, rows: slice) -> Array | None:
        """Raw values that products bring beside calibrated ones."""
        raw = self._parameters.known.get(f"{one.container}/{level(one.name + RAW_SUFFIX)}")
        if raw is None or raw.column < 0 or raw.labels:
            return None
        return self._parameters.rows_of(raw)[1][rows]

    def _is_beside(self, one: Parameter | None) -> bool:
        return one is not None and one.container == self._one.container and one.column >= 0

    def _has_common_clock(self, one: Parameter) -> bool:
        axis = self._parameters.rows_of(one)[3]
        return axis == self._axis != NUMBER


def _raw_of_labels(labels: Array, kind: EnumeratedType) -> NDArray[np.int64]:
    """The lowest raw value of each label; of a text that is none, one below all."""
    known, which = np.unique(labels, return_inverse=True)
    lowest = {label: low for low, _, label in reversed(kind.labels)}
    none = min((low for low, _, _ in kind.labels), default=0) - 1
    return np.array([lowest.get(text, none) for text in known.tolist()], np.int64)[which]


def _is_plain(kind: Any) -> bool:
    """Whether raw and calibrated values of a type are equal as numbers."""
    if isinstance(kind, BooleanType):
        return kind.encoding.size_bits == 1
    try:
        return conversion_of(kind) is None and not kind.encoding.is_contextual
    except AttributeError:
        return False


def short_name(key: str) -> str:
    """The name of a parameter without its space systems."""
    return key.rpartition("/")[2]


def join_names(names: Iterable[str]) -> str:
    """Names as a person lists them."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
