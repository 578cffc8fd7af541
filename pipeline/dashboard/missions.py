"""What the page knows of a mission beside its messages: its dictionary, by which packets are taken apart."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..dictionary.compile.plan import Plan
from ..dictionary.packet_fields import FieldReader


@dataclass(frozen=True, slots=True)
class KnownMission:
    """`name`: as topics have it. `plan`, `reader`: None without a dictionary; `reader` takes single packets apart."""

    name: str
    folder: Path
    plan: Plan | None = None
    reader: FieldReader | None = None
