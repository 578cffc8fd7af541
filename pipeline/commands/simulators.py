"""The simulators of installed mission packages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..mission.packages import find_package, usable_packages
from ..model.errors import ConfigError


def simulator_of(name: str) -> Callable[..., Any]:
    """The function of the simulator of a mission; without a name, of the only mission that has one. ConfigError if
    there is none.
    """
    if name:
        package = find_package(name)
        if package is None or not package.package.simulator:
            raise ConfigError(f"no mission package '{name}' with a simulator is installed")
    else:
        having = [one for one in usable_packages()[0] if one.package.simulator]
        names = ", ".join(one.name for one in having)
        if len(having) != 1:
            raise ConfigError(
                f"name the mission by --mission: {names}" if names else "no package brings a simulator"
            )
        package = having[0]
    found: Callable[..., Any] = package.load(package.package.simulator)
    return found
