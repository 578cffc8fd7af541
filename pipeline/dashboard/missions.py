"""What the page knows of a mission beside its messages: its dictionary, which takes packets apart, and alarms."""

from __future__ import annotations

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
