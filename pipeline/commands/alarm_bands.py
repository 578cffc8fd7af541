"""Convert the alarms of a dictionary to bands of values for the live page, by context."""

from __future__ import annotations

from math import inf

from ..dashboard.alarm_bands import Band, joined_bands
from ..dashboard.alarm_contexts import AlarmContext, MissionAlarms, ParameterAlarms, short_name
from ..dictionary.compile.limit_watch import SEVERITIES
from ..dictionary.compile.limits import Check
from ..dictionary.compile.limits_sets import limits_sets, resolved, with_limits_set
from ..dictionary.compile.plan import Plan
from ..dictionary.model.conditions import AllOf, AnyOf, Comparison, Condition, Reference
from ..dictionary.model.parameter_types import CONCERN_LEVELS, Alarm
from ..messages.topics import level
from ..model.container_names import product_name

SEVERE = SEVERITIES.index("error")


def alarms_by_limits_set(plan: Plan | None) -> dict[str, MissionAlarms]:
    """By name, the alarms of each limits set, that which applies first; empty if the dictionary has none."""
    if plan is None:
        return {}
    return {name: mission_alarms(with_limits_set(plan, name), name) for name in limits_sets(plan)}


def mission_alarms(plan: Plan | None, limits_set: str = "") -> MissionAlarms:
    """Alarms by `<container>/<name>` of the parameter, and the places of parameters that alarms depend on.

    `limits_set`: the name of the limits set of the plan.
    """
    if plan is None:
        return MissionAlarms()
    origins = {origin.key: origin for origin in plan.origins}
    found: dict[str, ParameterAlarms] = {}
    places: dict[str, list[str]] = {}
    for node in plan.walk():
        container = level(product_name(node.key))
        for key, name in node.columns:
            places.setdefault(key, []).append(f"{container}/{level(name)}")
        for check in (resolved(check, origins) for check in node.checks):
            if check.limits.alarm or check.contexts:
                found[f"{container}/{level(check.name)}"] = _alarms(check)
    asked = {key for one in found.values() for key in one.check.needs()}
    return MissionAlarms(
        found,
        {key: places[key] for key in asked if key in places},
        {key: origins[key] for key in origins if key in asked},
        limits_set,
    )


def _alarms(check: Check) -> ParameterAlarms:
    words = {id(alarm): condition_words(condition) for condition, alarm in check.limits.contexts}
    contexts = tuple(AlarmContext(words.get(id(alarm), ""), _bands(alarm)) for _, alarm in check.contexts)
    return ParameterAlarms(check, _bands(check.limits.alarm) if check.limits.alarm else (), contexts)


def _bands(alarm: Alarm) -> tuple[Band, ...]:
    """The bands of an alarm, joined; values outside of ranges have its default level."""
    levels: list[tuple[int, float, float]] = [(alarm.default, -inf, inf)] if alarm.default else []
    for concern, where, inside in alarm.bands:
        if inside:
            levels.append((concern, where.low, where.high))
        else:
            levels += [(concern, low, high) for low, high in ((-inf, where.low), (where.high, inf)) if low < high]
    return joined_bands(levels, CONCERN_LEVELS, SEVERE)


def condition_words(condition: Condition) -> str:
    """A condition as text: `MODE == 2 and HEATER != OFF`."""
    if isinstance(condition, Comparison):
        right = condition.right
        return f"{_side(condition.left)} {condition.operator} {_side(right) if isinstance(right, Reference) else right}"
    parts = [condition_words(part) for part in condition.parts]
    parts = [
        part if isinstance(of, Comparison) else f"({part})" for part, of in zip(parts, condition.parts, strict=True)
    ]
    if isinstance(condition, AllOf | AnyOf):
        return (" and " if isinstance(condition, AllOf) else " or ").join(parts)
    return f"not ({' or '.join(parts)})"


def _side(reference: Reference) -> str:
    return short_name(reference.parameter) if reference.calibrated else f"raw {short_name(reference.parameter)}"
