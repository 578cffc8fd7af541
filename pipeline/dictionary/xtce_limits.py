"""Valid ranges and alarms of a parameter type: numeric ranges, enumeration levels, and alarms by context."""

from __future__ import annotations

from math import inf

from pipeline.dictionary.conditions import Condition
from pipeline.dictionary.document import Node
from pipeline.dictionary.parameter_types import CONCERN_LEVELS, Alarm, Limits, Range
from pipeline.dictionary.scope import Context
from pipeline.dictionary.xtce_conditions import read_criteria

RANGES = {"WatchRange": 1, "WarningRange": 2, "DistressRange": 3, "CriticalRange": 4, "SevereRange": 5}
CONDITIONS = {name.replace("Range", "Alarm"): level for name, level in RANGES.items()}
MAX_COUNT = 1 << 31
Band = tuple[int, Range, bool]


def read_limits(node: Node, context: Context, *, labels: bool = False) -> Limits:
    """ValidRange, DefaultAlarm and ContextAlarmList of a parameter type; `labels`: one whose values are labels."""
    reading = context.reading
    if labels and (any(child.tag == "ValidRange" for child in node.children)):
        reading.problem(node, "labels have no ValidRange")
    valid, valid_is_raw = _read_valid_range(node, context)
    default = reading.child(node, "DefaultAlarm")
    alarm = _read_alarm(default, context, labels=labels) if default is not None else None
    listed = reading.child(node, "ContextAlarmList")
    contexts: list[tuple[Condition, Alarm]] = []
    for each in reading.children(listed, "ContextAlarm") if listed is not None else []:
        match = reading.child(each, "ContextMatch")
        condition = read_criteria(match, context) if match is not None else None
        if match is None:
            reading.problem(each, "ContextMatch is missing")
        else:
            reading.finish(match)
        found = _read_alarm(each, context, labels=labels)
        contexts.extend([(condition, found)] if condition else [])
    if listed is not None:
        reading.finish(listed)
    return Limits(valid, valid_is_raw, alarm, tuple(contexts))


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
        if attribute not in node.attributes:
            return default, True
        return reading.real(node, attribute), not exclusive

    (low, with_low), (high, with_high) = bound("min", -inf), bound("max", inf)
    if low > high:
        reading.problem(node, f"its minimum {low} is above its maximum {high}")
    return Range(low, high, with_low, with_high)


def _read_alarm(node: Node, context: Context, *, labels: bool) -> Alarm:
    reading = context.reading
    violations = reading.integer(node, "minViolations", 1, 1, MAX_COUNT)
    conformance = reading.integer(node, "minConformance", violations, 1, MAX_COUNT)
    default = _read_level(node, "defaultAlarmLevel", context, "normal")
    bands = [*_read_static_ranges(node, context), *_read_multi_ranges(node, context)]
    levels: list[tuple[str, int]] = []
    listed = reading.child(node, "EnumerationAlarmList")
    for each in reading.children(listed, "EnumerationAlarm") if listed is not None else []:
        levels.append((reading.required(each, "enumerationLabel"), _read_level(each, "alarmLevel", context, "")))
        reading.finish(each)
    if listed is not None:
        reading.finish(listed)
    conditions = _read_alarm_conditions(node, context)
    if bool(bands if labels else levels):
        reading.problem(node, f"is no alarm for {'labels' if labels else 'numbers'}")
        bands, levels = [], []
    reading.finish(node)
    return Alarm(tuple(bands), tuple(levels), default, violations, conformance, conditions)


def _read_alarm_conditions(node: Node, context: Context) -> tuple[tuple[int, Condition], ...]:
    """AlarmConditions: what other parameters must say for each level."""
    reading = context.reading
    listed = reading.child(node, "AlarmConditions")
    if listed is None:
        return ()
    found: list[tuple[int, Condition]] = []
    for each in reading.children(listed, *CONDITIONS):
        condition = read_criteria(each, context)
        found.extend([(CONDITIONS[each.tag], condition)] if condition else [])
        reading.finish(each)
    reading.finish(listed)
    return tuple(found)


def _read_level(node: Node, name: str, context: Context, default: str) -> int:
    text = context.reading.attribute(node, name, default)
    if text not in CONCERN_LEVELS:
        context.reading.problem(node, f'{name} "{text}" is not one of {", ".join(CONCERN_LEVELS)}')
        return 0
    return CONCERN_LEVELS.index(text)


def _read_static_ranges(node: Node, context: Context) -> list[Band]:
    reading = context.reading
    found = reading.child(node, "StaticAlarmRanges")
    if found is None:
        return []
    inside = reading.choice(found, "rangeForm", "outside", ("outside", "inside")) == "inside"
    bands: list[Band] = []
    for each in reading.children(found, *RANGES):
        bands.append((RANGES[each.tag], _read_range(each, context), inside))
        reading.finish(each)
    reading.finish(found)
    return bands


def _read_multi_ranges(node: Node, context: Context) -> list[Band]:
    reading = context.reading
    found = reading.child(node, "AlarmMultiRanges")
    bands: list[Band] = []
    for each in reading.children(found, "Range") if found is not None else []:
        inside = reading.choice(each, "rangeForm", "outside", ("outside", "inside")) == "inside"
        bands.append((_read_level(each, "level", context, "normal"), _read_range(each, context), inside))
        reading.finish(each)
    if found is not None:
        reading.finish(found)
    return bands
