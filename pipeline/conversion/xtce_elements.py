"""Write parts of XTCE that several elements share: references, conditions, sizes, calibrators, alarms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isinf
from xml.etree.ElementTree import Element, SubElement

from ..dictionary.model.calibrators import THIS
from ..dictionary.model.conditions import (
    AllOf,
    AnyOf,
    Comparison,
    Condition,
    Dynamic,
    Lookup,
    NoneOf,
    Reference,
    Remainder,
    Size,
)
from ..dictionary.model.encodings import Calibrator, Formula, Polynomial
from ..dictionary.model.parameter_types import CONCERN_LEVELS, Alarm, Limits, Range
from ..dictionary.xtce.conditions import IGNORED
from ..model.errors import ConfigError

LEVEL_RANGES = {1: "WatchRange", 2: "WarningRange", 3: "DistressRange", 4: "CriticalRange", 5: "SevereRange"}
OPPOSITE = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
FALSE = "false"


def number_text(value: float) -> str:
    """The shortest text of a number that reads back as the same."""
    return str(int(value)) if not isinf(value) and value == int(value) and abs(value) < 1 << 53 else repr(value)


@dataclass(frozen=True, slots=True)
class Pieces:
    """Writes parts of elements. `paths`: the absolute reference of each parameter, by key."""

    paths: Mapping[str, str]
    lost: Callable[[str], None]
    """Called with a text for each loss."""

    def refer(self, node: Element, reference: Reference) -> None:
        if reference.parameter not in self.paths:
            raise ConfigError(
                f'"{reference.parameter}" gives a size or condition of others, but is itself not converted'
            )
        node.set("parameterRef", self.paths[reference.parameter])
        if not reference.calibrated:
            node.set("useCalibratedValue", FALSE)

    # conditions

    def criteria(self, parent: Element, condition: Condition) -> None:
        """Add the child of a MatchCriteriaType: Comparison, ComparisonList or BooleanExpression."""
        condition = positive(condition)
        if isinstance(condition, AllOf) and len(condition.parts) == 1:
            condition = condition.parts[0]
        if isinstance(condition, Comparison) and isinstance(condition.right, str):
            self._comparison(parent, condition)
        elif isinstance(condition, AllOf) and all(map(_is_simple, condition.parts)):
            listed = SubElement(parent, "ComparisonList")
            for part in condition.parts:
                assert isinstance(part, Comparison)
                self._comparison(listed, part)
        else:
            self._expression(SubElement(parent, "BooleanExpression"), condition)

    def _comparison(self, parent: Element, comparison: Comparison) -> None:
        node = SubElement(parent, "Comparison")
        self.refer(node, comparison.left)
        node.set("value", str(comparison.right))
        if comparison.operator != "==":
            node.set("comparisonOperator", comparison.operator)

    def _expression(self, parent: Element, condition: Condition) -> None:
        if isinstance(condition, Comparison):
            node = SubElement(parent, "Condition")
            self.refer(SubElement(node, "ParameterInstanceRef"), condition.left)
            SubElement(node, "ComparisonOperator").text = condition.operator
            if isinstance(condition.right, Reference):
                self.refer(SubElement(node, "ParameterInstanceRef"), condition.right)
            else:
                SubElement(node, "Value").text = condition.right
            return
        node = SubElement(parent, "ANDedConditions" if isinstance(condition, AllOf) else "ORedConditions")
        for part in condition.parts:
            self._expression(node, part)

    # sizes

    def size(self, parent: Element, size: Size, *, by: int = 0) -> None:
        """Add the child of an IntegerValueType: FixedValue, DynamicValue or DiscreteLookupList, with `by` added."""
        if isinstance(size, int):
            SubElement(parent, "FixedValue").text = str(size + by)
        elif isinstance(size, Remainder):
            node = SubElement(parent, "DynamicValue")
            SubElement(node, "ParameterInstanceRef", {"parameterRef": IGNORED})
            SubElement(node, "LinearAdjustment", {"intercept": str(-size.behind_bits)})
        elif isinstance(size, Dynamic):
            node = SubElement(parent, "DynamicValue")
            self.refer(SubElement(node, "ParameterInstanceRef"), size.of)
            if (size.slope, size.intercept + by) != (1.0, 0.0):
                adjustment = SubElement(node, "LinearAdjustment")
                adjustment.set("slope", number_text(size.slope))
                adjustment.set("intercept", number_text(size.intercept + by))
        elif isinstance(size, Lookup):
            listed = SubElement(parent, "DiscreteLookupList")
            for condition, value in size.cases:
                case = SubElement(listed, "DiscreteLookup", {"value": str(value + by)})
                self.criteria(case, condition)
        else:
            raise TypeError(size)

    # calibrators

    def calibrator(self, parent: Element, calibrator: Calibrator) -> None:
        if isinstance(calibrator, Polynomial):
            node = SubElement(parent, "PolynomialCalibrator")
            for exponent, coefficient in enumerate(calibrator.coefficients):
                attributes = {"coefficient": number_text(coefficient), "exponent": str(exponent)}
                SubElement(node, "Term", attributes)
        elif isinstance(calibrator, Formula):
            node = SubElement(parent, "MathOperationCalibrator")
            for token in calibrator.tokens:
                self._token(node, token)
        else:
            attributes = {"order": str(calibrator.order), "extrapolate": str(calibrator.extrapolate).lower()}
            node = SubElement(parent, "SplineCalibrator", attributes)
            for raw, calibrated in calibrator.points:
                SubElement(node, "SplinePoint", {"raw": number_text(raw), "calibrated": number_text(calibrated)})

    def _token(self, parent: Element, token: float | str | Reference) -> None:
        if isinstance(token, Reference):
            self.refer(SubElement(parent, "ParameterInstanceRefOperand"), token)
        elif isinstance(token, float):
            SubElement(parent, "ValueOperand").text = number_text(token)
        elif token == THIS:
            SubElement(parent, "ThisParameterOperand")
        else:
            SubElement(parent, "Operator").text = token

    # limits

    def limits(self, parent: Element, limits: Limits) -> None:
        """Add ValidRange, DefaultAlarm and ContextAlarmList."""
        if limits.valid is not None:
            node = SubElement(parent, "ValidRange")
            _bounds(node, limits.valid)
            if limits.valid_is_raw:
                node.set("validRangeAppliesToCalibrated", FALSE)
        if limits.alarm is not None:
            self._alarm(SubElement(parent, "DefaultAlarm"), limits.alarm)
        if limits.contexts:
            listed = SubElement(parent, "ContextAlarmList")
            for condition, alarm in limits.contexts:
                node = SubElement(listed, "ContextAlarm")
                self._alarm(node, alarm)
                self.criteria(SubElement(node, "ContextMatch"), condition)

    def _alarm(self, node: Element, alarm: Alarm) -> None:
        for name, value in (("minViolations", alarm.violations), ("minConformance", alarm.conformance)):
            if value != (1 if name == "minViolations" else alarm.violations):
                node.set(name, str(value))
        if alarm.default:
            node.set("defaultAlarmLevel", CONCERN_LEVELS[alarm.default])
        for inside in (False, True):
            bands = [(level, where) for level, where, own in alarm.bands if own == inside]
            self._bands(node, bands, inside=inside)
        if alarm.labels:
            listed = SubElement(node, "EnumerationAlarmList")
            for label, level in alarm.labels:
                attributes = {"enumerationLabel": label, "alarmLevel": CONCERN_LEVELS[level]}
                SubElement(listed, "EnumerationAlarm", attributes)
        if alarm.conditions or alarm.patterns or alarm.changes:
            self.lost("alarms by conditions, patterns or changes are not written")

    def _bands(self, node: Element, bands: list[tuple[int, Range]], *, inside: bool) -> None:
        if not bands:
            return
        levels = [level for level, _ in bands]
        if len(set(levels)) == len(levels) and all(levels) and not inside:
            ranges = SubElement(node, "StaticAlarmRanges")
            for level, where in sorted(bands, key=lambda band: band[0]):
                _bounds(SubElement(ranges, LEVEL_RANGES[level]), where)
            return
        ranges = SubElement(node, "AlarmMultiRanges")
        for level, where in bands:
            attributes = {"level": CONCERN_LEVELS[level], "rangeForm": "inside" if inside else "outside"}
            _bounds(SubElement(ranges, "Range", attributes), where)


def _is_simple(condition: Condition) -> bool:
    return isinstance(condition, Comparison) and isinstance(condition.right, str)


def positive(condition: Condition) -> Condition:
    """The condition without NoneOf, which XTCE does not have: its parts are negated."""
    if isinstance(condition, NoneOf):
        return AllOf(tuple(_opposite(part) for part in condition.parts))
    if isinstance(condition, AllOf | AnyOf):
        return type(condition)(tuple(map(positive, condition.parts)))
    return condition


def _opposite(condition: Condition) -> Condition:
    if isinstance(condition, Comparison):
        return Comparison(condition.left, OPPOSITE[condition.operator], condition.right)
    parts = tuple(map(_opposite, condition.parts))
    if isinstance(condition, NoneOf):
        return AnyOf(tuple(map(positive, condition.parts)))
    return AnyOf(parts) if isinstance(condition, AllOf) else AllOf(parts)


def _bounds(node: Element, where: Range) -> None:
    for name, value, included in (("min", where.low, where.with_low), ("max", where.high, where.with_high)):
        if not isinf(value):
            node.set(f"{name}{'Inclusive' if included else 'Exclusive'}", number_text(value))
