"""What the page has of a mission beside its messages: what reads single packets, and alarms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..dictionary.packet_fields import FieldReader
from .alarm_contexts import MissionAlarms


@dataclass(frozen=True, slots=True)
class KnownMission:
    """`name`: as topics have it. `reader`: takes single packets apart; None without a dictionary."""

    name: str
    folder: Path
    reader: FieldReader | None = None
    alarms: MissionAlarms = field(default_factory=MissionAlarms)
    limits_sets: Mapping[str, MissionAlarms] = field(default_factory=dict)
    """By name, the alarms of each limits set, where the dictionary has several; the first is that of `alarms`."""

    def alarms_by(self, limits_set: str) -> MissionAlarms:
        """The alarms of a limits set; of one that there is not, those by which the services make events."""
        return self.limits_sets.get(limits_set, self.alarms)
