"""Valid ranges and alarms of a parameter type: ranges of values and of their changes, levels of labels and texts, what
other parameters say, and alarms by context. An alarm that cannot be watched is passed over with a notice.
"""

from __future__ import annotations

import re
from dataclasses import replace
from math import inf

from ..model.conditions import Condition
from ..model.document import Node
from ..model.parameter_types import CONCERN_LEVELS, Alarm, Change, Limits, Range
from .conditions import read_criteria, read_criteria_in
from .scope import Context

RANGES = {"WatchRange": 1, "WarningRange": 2, "DistressRange": 3, "CriticalRange": 4, "SevereRange": 5}
CONDITIONS = {name.replace("Range", "Alarm"): level for name, level in RANGES.items()}
MAX_COUNT = 1 << 31
MAX_SPAN = 4096
ENDLESS = ("inf", "infinity")
CHANGES = ("changePerSecond", "changePerSample")
BASES = ("absoluteChange", "percentageChange")
Band = tuple[int, Range, bool]


NUMBERS, LABELS, TRUTHS, TEXTS, OCTETS, TIMES = "numbers", "labels", "truth values", "texts", "bytes", "times"
SECONDS_NS = {"seconds": 1e9, "picoSeconds": 1e-3, "days": 86400e9, "minutes": 60e9, "hours": 3.6e12}


def read_limits(node: Node, context: Context, *, kind: str = NUMBERS) -> Limits:
    """ValidRange, DefaultAlarm and ContextAlarmList of a parameter type; `kind`: of its values."""
    reading = context.reading
    if kind != NUMBERS:
        if any(child.tag == "ValidRange" for child in node.children):
            reading.notice(node, f"{kind} have no ValidRange that is looked at")
        reading.past(node, "ValidRange")
    valid, valid_is_raw = _read_valid_range(node, context)
    default = reading.child(node, "DefaultAlarm")
    alarm = _read_alarm(default, context, kind) if default is not None else None
    contexts: list[tuple[Condition, Alarm]] = []
    for each in reading.listed(node, "ContextAlarmList", "ContextAlarm"):
        if all(child.tag != "ContextMatch" for child in each.children):
            reading.notice(each, "ContextMatch is missing")
        condition = read_criteria_in(each, "ContextMatch", context)
        found = _read_alarm(each, context, kind)
        contexts.extend([(condition, found)] if condition else [])
    return Limits(valid, valid_is_raw, alarm, tuple(contexts))


def in_nanoseconds(limits: Limits, epoch_ns: int) -> Limits:
    """The limits of times, whose ranges are in nanoseconds from an epoch, as of columns of times."""

    def moved(alarm: Alarm) -> Alarm:
        bands = tuple(
            (level, replace(where, low=where.low + epoch_ns, high=where.high + epoch_ns), inside)
            for level, where, inside in alarm.bands
        )
        return replace(alarm, bands=bands)

    contexts = tuple((condition, moved(alarm)) for condition, alarm in limits.contexts)
    return replace(limits, alarm=moved(limits.alarm) if limits.alarm is not None else None, contexts=contexts)


def _read_valid_range(node: Node, context: Context) -> tuple[Range | None, bool]:
    reading = context.reading
    found = reading.child(node, "ValidRange")
    if found is None:
        return None, False
    calibrated = reading.flag(found, "validRangeAppliesToCalibrated", default=True)
    valid = _read_range(found, context)
    reading.finish(found)
    return valid, not calibrated


def _read_range(node: Node, context: Context) -> Range:
    reading = context.reading

    def bound(name: str, default: float) -> tuple[float, bool]:
        exclusive = f"{name}Exclusive" in node.attributes
        attribute = f"{name}Exclusive" if exclusive else f"{name}Inclusive"
        if attribute not in node.attributes or node.attributes[attribute].strip().lstrip("+-").lower() in ENDLESS:
            node.attributes.pop(attribute, None)
            return default, True
        return reading.real(node, attribute), not exclusive

    (low, with_low), (high, with_high) = bound("min", -inf), bound("max", inf)
    if low > high:
        reading.notice(node, "a minimum is above its maximum", f"its minimum {low} is above its maximum {high}")
    return Range(low, high, with_low, with_high)


def _read_alarm(node: Node, context: Context, kind: str) -> Alarm:
    reading = context.reading
    violations = reading.integer(node, "minViolations", 1, 1, MAX_COUNT)
    conformance = reading.integer(node, "minConformance", violations, 1, MAX_COUNT)
    default = _read_level(node, "defaultAlarmLevel", context, "normal")
    bands = [*_read_static_ranges(node, context, kind), *_read_multi_ranges(node, context, kind)]
    changes = _read_changes(node, context, kind)
    patterns, own_default = _read_patterns(node, context)
    levels: list[tuple[str, int]] = []
    for each in reading.listed(node, "EnumerationAlarmList", "EnumerationAlarm"):
        levels.append((reading.required(each, "enumerationLabel"), _read_level(each, "alarmLevel", context, "")))
        reading.finish(each)
    conditions = _read_alarm_conditions(node, context)
    if (
        ((bands or changes) and kind not in {NUMBERS, TIMES})
        or (levels and kind != LABELS)
        or (patterns and kind not in {TEXTS, LABELS})
    ):
        text = f"is no alarm for {'numbers' if kind == NUMBERS else kind}"
        reading.notice(node, f"{text}, and passed over", text)
        bands, levels, patterns, changes = [], [], [], []
    reading.finish(node)
    return Alarm(
        tuple(bands),
        tuple(levels),
        max(default, own_default),
        violations,
        conformance,
        conditions,
        tuple(patterns),
        tuple(changes),
    )


def _read_patterns(node: Node, context: Context) -> tuple[list[tuple[str, int]], int]:
    """StringAlarmList: patterns with their levels; and the level of texts that match none."""
    reading = context.reading
    listed = reading.child(node, "StringAlarmList")
    if listed is None:
        return [], 0
    found: list[tuple[str, int]] = []
    for each in reading.children(listed, "StringAlarm"):
        pattern, level = reading.required(each, "matchPattern"), _read_level(each, "alarmLevel", context, "")
        try:
            re.compile(pattern)
            found.append((pattern, level))
        except re.error as error:
            reading.notice(
                each, "a matchPattern is no regular expression, and passed over", f"matchPattern: {error}"
            )
        reading.finish(each)
    default = _read_level(listed, "defaultAlarmLevel", context, "normal")
    reading.finish(listed)
    return found, default


def _read_changes(node: Node, context: Context, kind: str) -> list[Change]:
    """ChangeAlarmRanges, and ChangePerSecondAlarmRanges of times."""
    reading = context.reading
    found: list[Change] = []
    for each in reading.children(node, "ChangeAlarmRanges", "ChangePerSecondAlarmRanges"):
        by_time = reading.choice(each, "changeType", CHANGES[0], CHANGES) == CHANGES[0]
        percent = reading.choice(each, "changeBasis", BASES[0], BASES) == BASES[1]
        n_samples = reading.integer(each, "spanOfInterestInSamples", 1, 1, MAX_SPAN)
        span_s = reading.real(each, "spanOfInterestInSeconds", 0.0)
        bands = tuple(_read_bands(each, context, kind))
        reading.finish(each)
        found.append(Change(bands, n_samples, max(span_s, 0.0), by_time, percent))
    return found


def _scaled(where: Range, by: float) -> Range:
    return replace(where, low=where.low * by, high=where.high * by)


def _read_alarm_conditions(node: Node, context: Context) -> tuple[tuple[int, Condition], ...]:
    """AlarmConditions: what other parameters must say for each level."""
    reading = context.reading
    found: list[tuple[int, Condition]] = []
    for each in reading.listed(node, "AlarmConditions", *CONDITIONS):
        condition = read_criteria(each, context)
        found.extend([(CONDITIONS[each.tag], condition)] if condition else [])
        reading.finish(each)
    return tuple(found)


def _read_level(node: Node, name: str, context: Context, default: str) -> int:
    text = context.reading.attribute(node, name, default)
    if text not in CONCERN_LEVELS:
        words = f'{name} "{text}" is not one of {", ".join(CONCERN_LEVELS)}'
        context.reading.notice(node, words)
        return 0
    return CONCERN_LEVELS.index(text)


def _read_static_ranges(node: Node, context: Context, kind: str) -> list[Band]:
    reading = context.reading
    found = reading.child(node, "StaticAlarmRanges")
    if found is None:
        return []
    bands = _read_bands(found, context, kind)
    reading.finish(found)
    return bands


def _read_bands(node: Node, context: Context, kind: str) -> list[Band]:
    """The ranges of each level; those of times in nanoseconds."""
    reading = context.reading
    inside = reading.choice(node, "rangeForm", "outside", ("outside", "inside")) == "inside"
    unit = _unit_of(node, context, kind)
    bands: list[Band] = []
    for each in reading.children(node, *RANGES):
        where = _read_range(each, context)
        bands.append((RANGES[each.tag], _scaled(where, unit), inside))
        reading.finish(each)
    return bands


def _unit_of(node: Node, context: Context, kind: str) -> float:
    """What a limit is multiplied with: limits of times become nanoseconds."""
    return SECONDS_NS.get(context.reading.attribute(node, "timeUnits", "seconds"), 1e9) if kind == TIMES else 1.0


def _read_multi_ranges(node: Node, context: Context, kind: str) -> list[Band]:
    reading = context.reading
    found = reading.child(node, "AlarmMultiRanges")
    unit = _unit_of(found, context, kind) if found is not None else 1.0
    bands: list[Band] = []
    for each in reading.children(found, "Range") if found is not None else []:
        inside = reading.choice(each, "rangeForm", "outside", ("outside", "inside")) == "inside"
        where = _scaled(_read_range(each, context), unit)
        bands.append((_read_level(each, "level", context, "normal"), where, inside))
        reading.finish(each)
    reading.finish(found)
    return bands
