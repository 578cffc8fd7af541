"""Alarm limits of a dictionary by the names of parameters in a history, for displays."""

from __future__ import annotations

from math import isfinite
from typing import Any

from ..dictionary.compile.limits_sets import resolved
from ..dictionary.model.parameter_types import CONCERN_LEVELS, Alarm
from ..mission.loading import Mission
from ..model.container_names import product_name


def parameter_limits(mission: Mission) -> dict[str, list[dict[str, Any]]]:
    """The bands of the default alarm by `KIND.PARAMETER`, of the limits set of the mission: `level`, `low`, `high`
    (None: unbounded), `inside`.

    `inside`: values inside the band have the level, else values outside. For texts `level` and `label`. Alarms that
    depend on other parameters or on changes of a value are not included.
    """
    if mission.plan is None:
        return {}
    origins = {origin.key: origin for origin in mission.plan.origins}
    found: dict[str, list[dict[str, Any]]] = {}
    for node in mission.plan.walk():
        if node.abstract:
            continue
        names = dict(node.columns)
        for check in (resolved(one, origins) for one in node.checks):
            if check.limits.alarm is None or check.key not in names:
                continue
            bands = _bands(check.limits.alarm)
            if bands:
                found[f"{product_name(node.key)}.{names[check.key]}"] = bands
    return found


def _bands(alarm: Alarm) -> list[dict[str, Any]]:
    labels = [{"level": CONCERN_LEVELS[level], "label": label} for label, level in alarm.labels if level]
    return labels + [
        {
            "level": CONCERN_LEVELS[level],
            "low": band.low if isfinite(band.low) else None,
            "high": band.high if isfinite(band.high) else None,
            "inside": inside,
        }
        for level, band, inside in alarm.bands
    ]
