"""The stages as services, joined in data order: each a process of its own, or all three in one.

    stations -> Ingest -bus-> Decode -bus-> Publish -> MQTT

Each serves `/health` and `/metrics`, publishes its state under `<mission>/status/`, and stops cleanly at SIGTERM.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import structlog

from ..link.evidence import evidence_of
from ..link.settings import record_bytes
from ..messages import topics
from ..messages.topics import topic_root
from ..mission.loading import Mission
from ..model.errors import ConfigError, DownlinkError
from ..mqtt.broker import BrokerAddress
from ..mqtt.client_ids import ClientIds
from ..mqtt.publisher import Publisher, Timing, subscribe
from ..processing.chain import ProcessingChain
from ..products.instrument import load_libraries
from ..recordings.disk import LATER
from ..recordings.disk_share import DiskShare
from ..recordings.expiry import remaining_s
from ..recordings.log import Policy, Recorder
from ..stations.address import LISTENERS, Station, check_listener
from ..stations.feed_listener import FeedListener
from ..stations.file import GrowingFile, StandardInput
from ..stations.tcp import Source, TcpClient, TcpListener
from ..stations.udp import UdpListener
from ..system.allocator import keep_objects
from ..system.files import own_folder
from ..system.signals import stopped_by_signals
from .broker_watch import BrokerWatch
from .bus import Bus, LocalBus, MqttBus, topics_of
from .decode import Decode
from .decoder_runs import Worker
from .dispatch import Pace
from .health import watched
from .ingest import Ingest
from .metrics import DecodeMeters, HistoryMeters, IngestMeters, Meters, PublishMeters
from .publish import Publish
from .published_keys import PublishedKeys
from .station_recorder import StationRecorder

SESSION_S = 3600
"""How long the broker keeps the session of a service that is away."""
PATIENT = Timing(first_s=math.inf)
"""A service waits for its broker, also at the start; only a refusal that is final ends it."""
_log = structlog.get_logger("service")


@dataclass(frozen=True, slots=True)
class Common:
    """Settings of every service. `health`: host and port, or None; `open_to_all`: listeners that may take anyone."""

    mission: Mission
    address: BrokerAddress
    health: tuple[str, int] | None
    open_to_all: Collection[str] = ()
    remember_s: float = 60.0
    readers: BrokerAddress | None = None
    """The broker that readers use, where it is not the services' own: publish watches both."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """Settings of ingest: stations, where and how to record, `gap_s` without a byte that end a pass."""

    stations: Sequence[Station]
    folder: Path
    policy: Policy
    gap_s: float
    pace: Pace
    share_bytes: int = 0
    reserve_bytes: int | None = None
    """As in DiskShare."""


async def ingest(common: Common, recorded: Recorded) -> None:
    """Run the ingest stage until SIGTERM."""
    meters = IngestMeters()
    _check_listeners(common, recorded.stations)
    with own_folder(recorded.folder):
        recorders, ids = _recorders(common, recorded), ClientIds(recorded.folder)
        async with _connected(common, ids, "ingest", "ingest", remember_s=0, connect_later=True) as publisher:
            bus = _bus(common, ids, "ingest", "ingest", publisher)
            service = _ingest(recorders, recorded, bus, meters)
            certificates = [path for one in recorded.stations for path in (one.cert, one.ca)]
            await _serve("ingest", common, meters, publisher, {"ingest": bus}, {"ingest": service}, certificates)


async def decode(common: Common, name: str, folder: Path) -> None:
    """Run a decode worker until SIGTERM. `folder`: for what breaks the line."""
    meters = DecodeMeters()
    _check_listeners(common)
    client, ids = f"decode-{name}", ClientIds(folder)
    async with _connected(common, ids, client, client, remember_s=0) as publisher:
        bus = _bus(common, ids, "decode", client, publisher, name)
        service = _decode(common, name, folder, bus, meters)
        await _serve(client, common, meters, publisher, {"decode": bus}, {"decode": service})


async def publish(common: Common, folder: Path) -> None:
    """Run the publish stage until SIGTERM. `folder`: for the keys of what is published."""
    meters = PublishMeters()
    _check_listeners(common)
    later: list[Publish] = []

    def returned(complete: bool) -> None:
        if later and not complete:
            later[0].begin_anew()

    with own_folder(folder), PublishedKeys(folder / "published.keys", common.remember_s) as keys:
        ids = ClientIds(folder)
        async with _connected(
            common, ids, "publish", "publish", remember_s=common.remember_s, on_return=returned
        ) as publisher:
            bus = _bus(common, ids, "publish", "publish", publisher)
            service = Publish(keys, publisher.publish, bus, meters, remember_s=common.remember_s)
            later.append(service)
            parts: dict[str, _Part] = {"publish": service, **_watches(common, meters)}
            await _serve("publish", common, meters, publisher, {"publish": bus}, parts)


async def history(
    common: Common, url: str, folder: Path, keep: tuple[float | None, int | None, float | None]
) -> None:
    """Run the history until SIGTERM. `url`: where its rows are; `folder`: for the name of its session."""
    from .history import History, Keep  # noqa: PLC0415 - an optional extra

    meters = HistoryMeters()
    _check_listeners(common)
    with own_folder(folder):
        ids = ClientIds(folder)
        async with _connected(common, ids, "history", "history", remember_s=0) as publisher:
            bus = _bus(common, ids, "history", "history", publisher)
            service = History(url, bus, meters, Keep(*keep))
            await _serve("history", common, meters, publisher, {"history": bus}, {"history": service})


async def everything(
    common: Common,
    recorded: Recorded,
    history_url: str = "",
    keep: tuple[float | None, int | None, float | None] = (None, None, None),
) -> None:
    """Run all three in one process until SIGTERM: the same, with calls in place of the stage topics.

    `history_url`: of a history that keeps the rows too; empty for none. `keep`: how long, as `history.Keep` has it.
    """
    buses = LocalBus.of("ingest", "decode", "publish", *(["history"] if history_url else []))
    of_ingest = IngestMeters()
    of_decode, of_publish = DecodeMeters(of_ingest), PublishMeters(of_ingest)
    later: list[Publish] = []

    def returned(complete: bool) -> None:
        if later and not complete:
            later[0].begin_anew()

    _check_listeners(common, recorded.stations)
    with (
        own_folder(recorded.folder),
        PublishedKeys(recorded.folder / "published.keys", common.remember_s) as keys,
    ):
        recorders, ids = _recorders(common, recorded), ClientIds(recorded.folder)
        async with _connected(
            common,
            ids,
            "downlink",
            "all",
            remember_s=common.remember_s,
            on_return=returned,
            connect_later=True,
        ) as publisher:
            first = _ingest(recorders, recorded, buses["ingest"], of_ingest)
            second = _decode(common, "local", recorded.folder, buses["decode"], of_decode)
            third = Publish(keys, publisher.publish, buses["publish"], of_publish, remember_s=common.remember_s)
            later.append(third)
            parts: dict[str, _Part] = {"ingest": first, "decode": second, "publish": third}
            if history_url:
                from .history import History, Keep  # noqa: PLC0415 - an optional extra

                meters = HistoryMeters(of_ingest)
                parts["history"] = History(history_url, buses["history"], meters, Keep(*keep))
            parts |= _watches(common, of_publish)
            await _serve("downlink", common, of_ingest, publisher, buses, parts)


def _watches(common: Common, meters: PublishMeters) -> dict[str, _Part]:
    """Watches of the brokers, by their names in /health."""
    brokers = {"services": common.address, "readers": common.readers}
    return {f"broker_of_{name}": BrokerWatch(name, one, meters) for name, one in brokers.items() if one}


def _check_listeners(common: Common, stations: Sequence[Station] = ()) -> None:
    """ConfigError for a listener that other machines reach without certificates and that is not in `open_to_all`."""
    for station in stations:
        if station.kind in LISTENERS:
            check_listener(
                station.name, station.host, authenticates=station.authenticates, open_to_all=common.open_to_all
            )
    if common.health:
        check_listener("health", common.health[0], authenticates=None, open_to_all=common.open_to_all)


def _recorders(common: Common, recorded: Recorded) -> dict[str, tuple[StationRecorder, Source]]:
    names = [station.name for station in recorded.stations]
    if len(set(names)) < len(names):
        raise ConfigError(f"stations need names of their own: {', '.join(names)}")
    recorders: dict[str, tuple[StationRecorder, Source]] = {}
    share = DiskShare(
        recorded.folder, names, share_bytes=recorded.share_bytes, reserve_bytes=recorded.reserve_bytes
    )
    for station in recorded.stations:
        topic_root(common.mission.name, station.name)  # a ConfigError where it can be no topic
        folder = recorded.folder / station.name
        log = Recorder(folder, recorded.policy, share=share, datagrams=station.kind == "udp")
        unmarked = common.mission.link.framing != "cadu"
        recorder = StationRecorder(station.name, log, recorded.policy, recorded.pace, marks_connections=unmarked)
        recorders[station.name] = recorder, _source(station, recorder, common.mission, folder)
    return recorders


def _ingest(
    recorders: Mapping[str, tuple[StationRecorder, Source]], recorded: Recorded, bus: Bus, meters: IngestMeters
) -> Ingest:
    return Ingest(recorders, bus, meters, gap_s=recorded.gap_s, fsync_s=recorded.policy.fsync_s)


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
    """Of a frame as it is sent, with what its sender puts around it; 0 where datagrams may have any length."""
    return record_bytes(mission.link) if mission.link.container == "none" else 0


def _decode(common: Common, name: str, folder: Path, bus: Bus, meters: DecodeMeters) -> Decode:
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


def _connected(
    common: Common,
    ids: ClientIds,
    service: str,
    client: str,
    *,
    remember_s: float,
    on_return: Callable[[bool], None] | None = None,
    connect_later: bool = False,
) -> AbstractAsyncContextManager[Publisher]:
    """`connect_later`: the service records, which never waits for a broker, whatever that answers."""
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


def _bus(
    common: Common, ids: ClientIds, service: str, client: str, publisher: Publisher, worker: str = ""
) -> MqttBus:
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


class _Part(Protocol):
    """A stage, or a watch, that runs until it is cancelled."""

    async def run(self) -> None: ...
    def health(self) -> tuple[bool, dict[str, Any]]: ...


async def _serve(
    service: str,
    common: Common,
    meters: Meters,
    publisher: Publisher,
    buses: Mapping[str, Bus],
    parts: Mapping[str, _Part],
    certificates: Sequence[Path | None] = (),
) -> None:
    """Run until SIGTERM or Ctrl-C, watched. `certificates`: in use beside those for the broker."""
    in_use = [common.address.cert, common.address.ca, *certificates]
    n_counted = dict.fromkeys(buses, 0)

    def text() -> bytes:
        meters.outgoing.set(publisher.n_open)
        meters.connected.set(publisher.connected)
        meters.certificate.set(remaining_s(in_use))
        for stage, bus in buses.items():
            meters.incoming.labels(stage).set(bus.n_waiting)
            meters.trouble.labels(stage).set(bool(bus.trouble))
            meters.malformed.labels(stage).inc(bus.n_malformed - n_counted[stage])
            n_counted[stage] = bus.n_malformed
        return meters.text()

    def health() -> tuple[bool, dict[str, Any]]:
        healths = {name: part.health() for name, part in parts.items()}
        troubles = {stage: bus.trouble for stage, bus in buses.items() if bus.trouble}
        if publisher.trouble:
            troubles["broker"] = publisher.trouble
        well = not troubles and all(well for well, _ in healths.values())
        days = remaining_s(in_use) / 86_400
        own = {"broker": publisher.connected, "certificate_days": round(days, 1) if math.isfinite(days) else None}
        state = own | {name: more for name, (_, more) in healths.items()}
        return well, state | ({"trouble": troubles} if troubles else {})

    structlog.contextvars.bind_contextvars(service=service, mission=common.mission.name)
    asyncio.get_running_loop().set_exception_handler(_on_loop_error)
    async with AsyncExitStack() as stack:
        if common.health:
            host, port = common.health
            await stack.enter_async_context(watched(host, port, health, text))
        keep_objects()
        _log.info("ready")
        with stopped_by_signals() as stop:
            waiting = (*(part.run() for part in parts.values()), stop.wait())
            tasks: list[asyncio.Future[Any]] = [asyncio.ensure_future(one) for one in waiting]
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in tasks:
                    task.cancel()
                ended = await asyncio.gather(*tasks, return_exceptions=True)
        for error in ended:
            if isinstance(error, Exception):
                raise _first(error)
        _log.info("stopped")


def _on_loop_error(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log a listener that cannot accept (EMFILE) in one line; asyncio retries each second."""
    error = context.get("exception")
    if isinstance(error, OSError) and error.errno in LATER:
        _log.warning("nothing can be opened for now: tried again each second", reason=error.strerror)
    else:
        loop.default_exception_handler(context)


def _first(error: Exception) -> Exception:
    """The failure to report out of a group: one with a cause for the user, where there is one."""
    if not isinstance(error, ExceptionGroup):
        return error
    inner = [_first(one) for one in error.exceptions]
    return next((one for one in inner if isinstance(one, DownlinkError)), inner[0])
