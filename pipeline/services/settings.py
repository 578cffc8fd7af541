"""Settings of the services, as the command line makes them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..mission.loading import Mission
from ..mqtt.address import BrokerAddress
from ..recordings.log import Policy
from ..stations.address import Station
from .dispatch import Pace


@dataclass(frozen=True, slots=True)
class CommonSettings:
    """Of every service. `address`: of the broker. `health`: host and port of /health and /metrics, or None.

    `open_to_all`: names of listeners that other machines may reach without certificates. `remember_s`: seconds for
    which what the broker has acknowledged is resent after a loss of connection. `readers`: the broker that readers use,
    if it is not the services' own: publish watches both.
    """

    mission: Mission
    address: BrokerAddress
    health: tuple[str, int] | None
    open_to_all: Collection[str] = ()
    remember_s: float = 60.0
    readers: BrokerAddress | None = None


@dataclass(frozen=True, slots=True)
class IngestSettings:
    """Of ingest. `folder`: of the recordings. `gap_s`: seconds without a byte that end a pass.

    `share_bytes`, `reserve_bytes`: as in `recordings.disk_share.DiskShare`.
    """

    stations: Sequence[Station]
    folder: Path
    policy: Policy
    gap_s: float
    pace: Pace
    share_bytes: int = 0
    reserve_bytes: int | None = None
