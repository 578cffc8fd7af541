"""Makes the parts of the services out of their settings: recorders and sources, stages, connections to the broker."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from ..link.evidence import evidence_of
from ..link.settings import record_bytes
from ..messages import topics
from ..messages.topics import topic_root
from ..mission.loading import Mission
from ..model.errors import ConfigError
from ..mqtt.client_ids import ClientIds
from ..mqtt.publisher import Publisher, Timing, subscribe
from ..processing.chain import ProcessingChain
from ..products.instrument import load_libraries
from ..recordings.disk_share import DiskShare
from ..recordings.log import Recorder
from ..stations.address import LISTENERS, Station, check_listener
from ..stations.feed_listener import FeedListener
from ..stations.file import GrowingFile, StandardInput
from ..stations.tcp import Source, TcpClient, TcpListener
from ..stations.udp import UdpListener
from .broker_watch import BrokerWatch
from .bus import Bus, MqttBus, topics_of
from .decode import Decode
from .decoder_runs import Worker
from .ingest import Ingest
from .metrics import DecodeMeters, IngestMeters, PublishMeters
from .settings import CommonSettings, IngestSettings
from .station_recorder import StationRecorder
from .supervision import Part

SESSION_S = 3600
"""How long the broker keeps the session of a service that is away."""
PATIENT = Timing(first_s=math.inf)
"""A service waits for its broker, also at the start; only a refusal that is final ends it."""


def broker_watches(common: CommonSettings, meters: PublishMeters) -> dict[str, Part]:
    """Make a watch of each broker, by its name in /health."""
    brokers = {"services": common.address, "readers": common.readers}
    return {f"broker_of_{name}": BrokerWatch(name, one, meters) for name, one in brokers.items() if one}


def check_listeners(common: CommonSettings, stations: Sequence[Station] = ()) -> None:
    """ConfigError for a listener that other machines reach without certificates and that is not in `open_to_all`."""
    for station in stations:
        if station.kind in LISTENERS:
            check_listener(
                station.name, station.host, authenticates=station.authenticates, open_to_all=common.open_to_all
            )
    if common.health:
        check_listener("health", common.health[0], authenticates=None, open_to_all=common.open_to_all)


def make_recorders(common: CommonSettings, settings: IngestSettings) -> dict[str, tuple[StationRecorder, Source]]:
    """Make recorder and source of each station, by its name. ConfigError for names that are taken or no topic level."""
    names = [station.name for station in settings.stations]
    if len(set(names)) < len(names):
        raise ConfigError(f"stations need names of their own: {', '.join(names)}")
    recorders: dict[str, tuple[StationRecorder, Source]] = {}
    share = DiskShare(
        settings.folder, names, share_bytes=settings.share_bytes, reserve_bytes=settings.reserve_bytes
    )
    for station in settings.stations:
        topic_root(common.mission.name, station.name)  # a ConfigError where it can be no topic
        folder = settings.folder / station.name
        log = Recorder(folder, settings.policy, share=share, datagrams=station.kind == "udp")
        unmarked = common.mission.link.framing != "cadu"
        recorder = StationRecorder(station.name, log, settings.policy, settings.pace, marks_connections=unmarked)
        recorders[station.name] = recorder, _source(station, recorder, common.mission, folder)
    return recorders


def make_ingest(
    recorders: Mapping[str, tuple[StationRecorder, Source]],
    settings: IngestSettings,
    bus: Bus,
    meters: IngestMeters,
) -> Ingest:
    """Make the ingest stage of recorders and sources."""
    return Ingest(recorders, bus, meters, gap_s=settings.gap_s, fsync_s=settings.policy.fsync_s)


def _source(station: Station, recorder: StationRecorder, mission: Mission, folder: Path) -> Source:
    match station.kind:
        case "tcp-listen":
            return TcpListener(station, evidence_of(mission.link, mission.channels))
        case "tcp":
            return TcpClient(station)
        case "feed":
            return FeedListener(station, recorder)
        case "udp":
            unmarked = mission.link.framing in {"frames", "codeblocks"}
            return UdpListener(station, _datagram_bytes(mission), strict=unmarked, marker=mission.link.sync_marker)
        case "file":
            return GrowingFile(station, recorder.position_of, folder / "followed.json")
        case _:
            return StandardInput()


def _datagram_bytes(mission: Mission) -> int:
    """Length of a frame as it is sent, with prefix and suffix; 0 where datagrams may have any length."""
    return record_bytes(mission.link) if mission.link.container == "none" else 0


def make_decode(common: CommonSettings, name: str, folder: Path, bus: Bus, meters: DecodeMeters) -> Decode:
    """Make the decode stage of a worker `name`. `folder`: for quarantined batches. Imports what instruments need."""
    mission = common.mission
    load_libraries(
        mission.instruments.values()
    )  # not when the first pass begins: a worker that imports answers nobody
    at_once = not any(one.wait_rows for one in mission.instruments.values())
    worker = Worker(
        mission.name,
        lambda stream: ProcessingChain(mission, stream),
        folder / "quarantine",
        release_complete=at_once,
    )
    return Decode(name, worker, bus, meters)


def connect(
    common: CommonSettings,
    ids: ClientIds,
    service: str,
    client: str,
    *,
    remember_s: float,
    on_return: Callable[[bool], None] | None = None,
    connect_later: bool = False,
) -> AbstractAsyncContextManager[Publisher]:
    """Make the connection that publishes for a service, with its status as birth and will.

    `client`: part of its client id. `remember_s`, `on_return`: as in Publisher. `connect_later`: do not wait for the
    broker, whatever it answers: the service records meanwhile.
    """
    name = common.mission.name
    return Publisher(
        common.address,
        client_id=ids.of(f"{name}-{client}-out"),
        birth=topics.status_message(name, service, "online"),
        will=topics.status_message(name, service, "offline"),
        remember_s=remember_s,
        remember_bytes=128 << 20,
        timing=PATIENT,
        on_return=on_return,
        connect_later=connect_later,
    )


def mqtt_bus(
    common: CommonSettings, ids: ClientIds, service: str, client: str, publisher: Publisher, worker: str = ""
) -> MqttBus:
    """Make the bus of a service over MQTT. `client`: part of its client id. `worker`: of a decode stage, its name."""
    name = common.mission.name
    wanted = topics_of(name, service, worker)

    def listen(
        on_depth: Callable[[int], None], on_listening: Callable[[], None]
    ) -> AsyncGenerator[tuple[str, bytes, bool], None]:
        return subscribe(
            common.address,
            wanted,
            client_id=ids.of(f"{name}-{client}-in"),
            session_s=SESSION_S,
            timing=PATIENT,
            n_in_work=2,
            on_depth=on_depth,
            on_listening=on_listening,
        )

    return MqttBus(name, publisher, listen)
