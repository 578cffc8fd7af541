"""Content of the live page: tabs of installed packages, dictionaries and alarms of missions, a history."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import structlog

from ..dashboard.history_source import HistorySource
from ..dashboard.missions import KnownMission
from ..dashboard.tabs import Tab
from ..dictionary.packet_fields import FieldReader
from ..mission.loading import Mission, load_mission
from ..mission.named_objects import load_place
from ..mission.packages import usable_packages
from ..model.errors import DownlinkError
from .alarm_bands import alarms_by_limits_set, mission_alarms
from .live_page import PageContent

_log = structlog.get_logger("dashboard")


def page_content(named: Sequence[Mission], history: str | None = None) -> PageContent:
    """The content of the page, for the missions `named` and those of packages. `history`: its folder or URL;
    ConfigError if there is none.
    """
    missions = all_missions(named)
    return PageContent(
        tuple(known_missions(missions)), tuple(package_tabs()), _history(history, missions) if history else None
    )


def _history(url: str, missions: Sequence[Mission]) -> HistorySource:
    from .dashboard_history import DashboardHistory  # noqa: PLC0415 - Arrow, which no other command here needs

    return DashboardHistory(url, missions)


def package_tabs() -> list[Tab]:
    """Tabs of all usable packages; a log line for each package that cannot be used."""
    packages, problems = usable_packages()
    for problem in problems:
        _log.warning("a mission package is left out", why=problem)
    return [
        Tab(look, one.name, partial(load_place, module, look.place, one.words) if look.place else None)
        for one in packages
        for look, module in one.looks()
    ]


def known_missions(missions: Sequence[Mission]) -> list[KnownMission]:
    """The parts of missions that the page uses."""
    from .packets import field_reader  # noqa: PLC0415 - a replay writes no files, and `packets` does

    return [_known_mission(one, field_reader(one)) for one in missions]


def _known_mission(mission: Mission, reader: FieldReader | None) -> KnownMission:
    sets = alarms_by_limits_set(mission.plan)
    alarms = next(iter(sets.values())) if sets else mission_alarms(mission.plan)
    return KnownMission(mission.name, mission.folder, reader, alarms, sets)


def all_missions(named: Sequence[Mission]) -> list[Mission]:
    """The missions `named`, and those of usable packages."""
    found = {one.name: one for one in named}
    for package in usable_packages()[0]:
        if package.name not in found:
            try:
                found[package.name] = load_mission(package.name)
            except DownlinkError as error:
                _log.warning("a mission is not known to the page", mission=package.name, why=str(error))
    return list(found.values())
