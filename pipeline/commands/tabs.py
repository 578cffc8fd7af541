"""The tabs of the live page that installed mission packages bring."""

from __future__ import annotations

from functools import partial

import structlog

from ..dashboard.tabs import Tab
from ..mission.packages import load_place, usable_packages

_log = structlog.get_logger("dashboard")


def package_tabs() -> list[Tab]:
    """Tabs of all packages that can be used; a line in the log for each other package."""
    packages, problems = usable_packages()
    for problem in problems:
        _log.warning("a mission package is left out", why=problem)
    return [
        Tab(look, one.name, partial(load_place, module, look.place, one.words) if look.place else None)
        for one in packages
        for look, module in one.looks()
    ]
