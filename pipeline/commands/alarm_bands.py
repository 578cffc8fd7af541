"""The ranges of alarms of a dictionary as bands that the live page draws."""

from __future__ import annotations

from math import inf

from ..dashboard.alarm_bands import Band, joined_bands
from ..dictionary.compile.limit_watch import SEVERITIES
from ..dictionary.compile.plan import Plan
from ..dictionary.model.parameter_types import CONCERN_LEVELS, Alarm
from ..messages.topics import level
from ..model.container_names import product_name

SEVERE = SEVERITIES.index("error")


def alarm_bands(plan: Plan | None) -> dict[str, tuple[Band, ...]]:
    """Of each parameter whose alarm has ranges of values, by `<container>/<name>`; alarms by context are left out."""
    found: dict[str, tuple[Band, ...]] = {}
    for node in plan.walk() if plan else ():
        for check in node.checks:
            bands = _bands(check.limits.alarm) if check.limits.alarm else ()
            if bands:
                found[f"{level(product_name(node.key))}/{level(check.name)}"] = bands
    return found


def _bands(alarm: Alarm) -> tuple[Band, ...]:
    """A value that meets an end of a range is in the band that the range gives, to the width of a line."""
    levels: list[tuple[int, float, float]] = [(alarm.default, -inf, inf)] if alarm.default else []
    for concern, where, inside in alarm.bands:
        if inside:
            levels.append((concern, where.low, where.high))
        else:
            levels += [(concern, low, high) for low, high in ((-inf, where.low), (where.high, inf)) if low < high]
    return joined_bands(levels, CONCERN_LEVELS, SEVERE)
