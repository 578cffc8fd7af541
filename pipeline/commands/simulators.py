"""The simulators that installed mission packages bring."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..mission.packages import find_package, usable_packages
from ..model.errors import ConfigError


def simulator_of(name: str) -> Callable[..., Any]:
    """The function of a simulator: of the mission of this name; without one, of the only mission that has any."""
    if name:
        package = find_package(name)
        if package is None or not package.package.simulator:
            raise ConfigError(f"no mission package '{name}' with a simulator is installed")
        found: Callable[..., Any] = package.load(package.package.simulator)
        return found
    having = [one for one in usable_packages()[0] if one.package.simulator]
    if len(having) != 1:
        names = ", ".join(one.name for one in having)
        raise ConfigError(f"name the mission by --mission: {names}" if names else "no package brings a simulator")
    only: Callable[..., Any] = having[0].load(having[0].package.simulator)
    return only
