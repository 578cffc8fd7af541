"""Limits checked on whole columns: which rows are outside their valid range, and the alarm level of each.

Of arrays the worst element of a row counts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...model.batches import Column, Ragged
from ...model.errors import ConfigError
from ..model.conditions import Condition
from ..model.definitions import Dictionary
from ..model.encodings import Spline
from ..model.notices import Notice, Notices
from ..model.parameter_types import Alarm, ArrayType, Limits, NumberType, ParameterType, SpelledType
from ..run.comparisons import compile_condition
from ..run.criteria import Criterion
from ..run.ragged import any_in_rows, flat_index
from ..run.steps import Slot
from ..run.values import Values

Rows = NDArray[np.bool_]
Limit = tuple[float | str | None, str]
"""A limit and its kind: "high", "low", "inside" (a range that values should not be in: the end of it that is nearer),
"label" (also the pattern of a text), "condition" (what other parameters say: it has no value) or "change" (how the
value changes: neither). NaN-free, as in JSON."""
NORMAL: Limit = (None, "")


@dataclass(frozen=True, slots=True)
class Check:
    """What is checked on one parameter of one container. `domain`: NaN stands for counts outside of a spline."""

    key: str
    name: str
    limits: Limits
    contexts: tuple[tuple[Criterion, Alarm], ...]
    domain: bool
    conditions: tuple[tuple[tuple[int, Criterion], ...], ...] = ()
    """What other parameters say to the default alarm and to that of each context."""
    validity: Criterion | None = None
    types: Mapping[str, ParameterType] = field(default_factory=dict)
    """Of the parameter, and of those that it looks at."""

    def needs(self) -> frozenset[str]:
        """Parameters that it looks at beside its own."""
        criteria = [criterion for criterion, _ in self.contexts]
        criteria += [criterion for each in self.conditions for _, criterion in each]
        criteria += [self.validity] if self.validity is not None else []
        return frozenset[str]().union(*(criterion.needs() for criterion in criteria))

    def out_of_range(self, values: Values) -> Rows | None:
        """bool[n]: rows with a value outside of the valid range; None: nothing to check."""
        wrong = None
        if self.domain:
            column = values.calibrated[Slot(self.key)]
            wrong = _any_in_row(column, np.isnan)
        if self.limits.valid is not None:
            table = values.raw if self.limits.valid_is_raw else values.calibrated
            valid = self.limits.valid
            outside = _any_in_row(table[Slot(self.key)], lambda x: ~valid.holds(x))
            wrong = outside if wrong is None else wrong | outside
        if self.validity is not None:
            # What is not valid at all is not within its range either.
            invalid = ~self.validity.holds(values)
            wrong = invalid if wrong is None else wrong | invalid
        return wrong

    def levels(self, values: Values) -> NDArray[np.int8] | None:
        """int8[n]: the level of concern of each row; -1 where the row has no value."""
        if self.limits.alarm is None and not self.contexts:
            return None
        column = values.calibrated[Slot(self.key)]
        n = values.n
        level = np.zeros(n, np.int8) if self.limits.alarm is None else self._level(values, self.limits.alarm, 0)
        waiting = np.ones(n, np.bool_)
        for i, (criterion, alarm) in enumerate(self.contexts, 1):
            hits = waiting & criterion.holds(values)
            level[hits] = self._level(values, alarm, i)[hits]
            waiting &= ~hits
        if isinstance(column, Ragged):
            level[column.length == 0] = -1
        if self.validity is not None:
            level[~self.validity.holds(values)] = -1
        return level

    def _level(self, values: Values, alarm: Alarm, place: int) -> NDArray[np.int8]:
        level = _levels(values.calibrated[Slot(self.key)], alarm)
        for its_level, criterion in self.conditions[place]:
            hits = criterion.holds(values)
            level[hits] = np.maximum(level[hits], its_level)
        return level

    def places(self, values: Values) -> NDArray[np.int8] | None:
        """int8[n]: the alarm that applies to each row: 0 the default, else 1 + its place in `contexts`; None: all 0."""
        if not self.contexts:
            return None
        places = np.zeros(values.n, np.int8)
        for i, (criterion, _) in reversed(list(enumerate(self.contexts, 1))):
            places[criterion.holds(values)] = i
        return places

    def limit(self, place: int, value: Any, level: int) -> Limit:
        """The limit by which a value is at a level, of the alarm at a place as `places` counts them."""
        alarm = self.contexts[place - 1][1] if place else self.limits.alarm
        return _crossed(alarm or Alarm(), value, level)

    @property
    def alarms(self) -> tuple[Alarm, ...]:
        """As `places` counts them."""
        return (self.limits.alarm or Alarm(), *(alarm for _, alarm in self.contexts))

    @property
    def has_changes(self) -> bool:
        return any(alarm.changes for alarm in self.alarms)

    def counts(self, places: NDArray[np.int8] | None) -> NDArray[np.int64]:
        """int64[alarms, 2]: values in a row before an alarm begins, and before it ends; with `places`: int64[n, 2]."""
        counts = np.array([(alarm.violations, alarm.conformance) for alarm in self.alarms])
        return counts if places is None else counts[places]


def _any_in_row(column: Column, test: Callable[[Any], Any]) -> Rows:
    if isinstance(column, Ragged):
        return any_in_rows(np.asarray(_rows(test(column.values)).any(axis=1)), column.start, column.length)
    return np.asarray(_rows(test(column)).any(axis=1))


def _rows(array: NDArray[Any]) -> NDArray[Any]:
    """All axes but the first as one."""
    return array.reshape(len(array), prod(array.shape[1:]))


def _levels(column: Column, alarm: Alarm) -> NDArray[np.int8]:
    flat: Any = column.values if isinstance(column, Ragged) else column
    level = np.full(flat.shape, alarm.default, np.int8)
    for name, its_level in alarm.labels:
        level[flat == name] = its_level
    if alarm.patterns:
        level = _levels_of_texts(np.asarray(flat), alarm)
    for its_level, where, inside in sorted(alarm.bands, key=lambda band: band[0]):
        # NaN is in no range, and so outside of each.
        hits = where.holds(flat) == inside
        level[hits] = np.maximum(level[hits], its_level)
    if isinstance(column, Ragged):
        worst = np.zeros(len(column), np.int8)
        rows = np.repeat(np.arange(len(column)), column.length)
        np.maximum.at(worst, rows, _rows(level).max(axis=1, initial=0)[flat_index(column.start, column.length)])
        return worst
    return np.asarray(_rows(level).max(axis=1, initial=0))


def _levels_of_texts(texts: NDArray[Any], alarm: Alarm) -> NDArray[np.int8]:
    """The highest level of the patterns that a text matches as a whole; each text is looked at once."""
    known, which = np.unique(texts, return_inverse=True)
    levels = np.full(len(known), alarm.default, np.int8)
    for i, text in enumerate(known.tolist()):
        found = [level for pattern, level in alarm.patterns if re.fullmatch(pattern, text)]
        levels[i] = max(found, default=alarm.default)
    return np.asarray(levels[which.reshape(texts.shape)])


def _crossed(alarm: Alarm, value: Any, level: int) -> Limit:
    """The limit by which the worst element of a value has a level."""
    if level == 0:
        return NORMAL
    flat = np.ravel(np.asarray(value))
    for _, where, inside in (band for band in alarm.bands if band[0] == level and flat.dtype.kind in "biuf"):
        hits = where.holds(flat) == inside
        if not hits.any():
            continue
        x = flat[hits][0]
        if inside:
            ends = [end for end in (where.low, where.high) if isfinite(end)]
            return min(ends, key=lambda end: abs(x - end), default=None), "inside"
        return (where.low, "low") if x <= where.low else (where.high, "high")
    labels = [name for name, its_level in alarm.labels if its_level == level and (flat == name).any()]
    labels += [each for each, its_level in alarm.patterns if its_level == level and re.fullmatch(each, str(value))]
    if labels:
        return labels[0], "label"
    if any(band[0] == level for change in alarm.changes for band in change.bands):
        return None, "change"
    of_others = any(its_level == level for its_level, _ in alarm.conditions)
    return (None, "condition") if of_others else (str(flat[0]) if len(flat) else None, "label")


NO_LIMITS = Limits()


class ChecksOf:
    """What there is to check on columns, found out once for each parameter.

    An alarm whose conditions cannot be compared is passed over, and goes to `notices`.
    """

    def __init__(self, dictionary: Dictionary, notices: Notices) -> None:
        self._dictionary = dictionary
        self._compiler = _Conditions(dictionary, notices)
        self._known: dict[tuple[str, str], Check | None] = {}

    def columns(self, columns: Sequence[tuple[str, str]]) -> tuple[Check, ...]:
        """The checks of a container's columns (parameter key, column name)."""
        found: list[Check] = []
        for column in columns:
            if column not in self._known:
                self._known[column] = self._of(*column)
            check = self._known[column]
            if check is not None:
                found.append(check)
        return tuple(found)

    def _of(self, key: str, name: str) -> Check | None:
        parameter = self._dictionary.parameters[key]
        kind = parameter.type
        while isinstance(kind, ArrayType):
            kind = kind.element
        kind = kind.value if isinstance(kind, SpelledType) else kind
        limits = getattr(kind, "limits", NO_LIMITS)
        calibrator = kind.encoding.calibrator if isinstance(kind, NumberType) else None
        domain = isinstance(calibrator, Spline) and not calibrator.extrapolate
        if limits == NO_LIMITS and parameter.validity is None and not domain:
            return None
        contexts = tuple(
            (criterion, alarm)
            for condition, alarm in limits.contexts
            if (criterion := self._compiler.compiled(condition, name)) is not None
        )
        validity = None if parameter.validity is None else self._compiler.compiled(parameter.validity, name)
        alarms = [limits.alarm or Alarm(), *(alarm for _, alarm in contexts)]
        conditions = tuple(
            tuple(
                (level, criterion)
                for level, condition in alarm.conditions
                if (criterion := self._compiler.compiled(condition, name)) is not None
            )
            for alarm in alarms
        )
        if limits.valid is None and limits.alarm is None and not contexts and not domain and validity is None:
            return None
        check = Check(key, name, limits, contexts, domain, conditions, validity)
        types = {each: self._dictionary.parameters[each].type for each in (key, *check.needs())}
        return replace(check, types=types)


@dataclass(frozen=True, slots=True)
class _Conditions:
    dictionary: Dictionary
    notices: Notices

    def compiled(self, condition: Condition, name: str) -> Criterion | None:
        """None, with a notice, for what can never be compared."""
        try:
            return compile_condition(condition, self.dictionary, late=True)
        except ConfigError as error:
            for problem in error.problems:
                text = f"an alarm or validity is passed over: {problem.text}"
                self.notices.add(Notice(text, problem.file, problem.line, f'Parameter "{name}"'))
            return None
