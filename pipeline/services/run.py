"""The stages as services, joined in data order: each a process of its own, or all three in one.

    stations -> Ingest -bus-> Decode -bus-> Publish -> MQTT

Each serves `/health` and `/metrics`, publishes its state under `<mission>/status/`, and stops cleanly at SIGTERM.
"""

from __future__ import annotations

from pathlib import Path

from ..mqtt.client_ids import ClientIds
from ..recordings.log import Policy
from ..system.files import own_folder
from .bus import LocalBus
from .dispatch import Pace
from .metrics import DecodeMeters, HistoryMeters, IngestMeters, PublishMeters
from .publish import Publish
from .published_keys import PublishedKeys
from .settings import CommonSettings, IngestSettings
from .supervision import Part, serve
from .wiring import broker_watches, check_listeners, connect, make_decode, make_ingest, make_recorders, mqtt_bus

__all__ = [
    "CommonSettings",
    "IngestSettings",
    "Pace",
    "Policy",
    "decode",
    "everything",
    "history",
    "ingest",
    "publish",
]


async def ingest(common: CommonSettings, settings: IngestSettings) -> None:
    """Run the ingest stage until SIGTERM."""
    meters = IngestMeters()
    check_listeners(common, settings.stations)
    with own_folder(settings.folder):
        recorders, ids = make_recorders(common, settings), ClientIds(settings.folder)
        async with connect(common, ids, "ingest", "ingest", remember_s=0, connect_later=True) as publisher:
            bus = mqtt_bus(common, ids, "ingest", "ingest", publisher)
            service = make_ingest(recorders, settings, bus, meters)
            certificates = [path for one in settings.stations for path in (one.cert, one.ca)]
            await serve("ingest", common, meters, publisher, {"ingest": bus}, {"ingest": service}, certificates)


async def decode(common: CommonSettings, name: str, folder: Path) -> None:
    """Run a decode worker until SIGTERM. `name`: of the worker. `folder`: for quarantined batches."""
    meters = DecodeMeters()
    check_listeners(common)
    client, ids = f"decode-{name}", ClientIds(folder)
    async with connect(common, ids, client, client, remember_s=0) as publisher:
        bus = mqtt_bus(common, ids, "decode", client, publisher, name)
        service = make_decode(common, name, folder, bus, meters)
        await serve(client, common, meters, publisher, {"decode": bus}, {"decode": service})


async def publish(common: CommonSettings, folder: Path) -> None:
    """Run the publish stage until SIGTERM. `folder`: for the published keys."""
    meters = PublishMeters()
    check_listeners(common)
    later: list[Publish] = []

    def returned(complete: bool) -> None:
        if later and not complete:
            later[0].restart()

    with own_folder(folder), PublishedKeys(folder / "published.keys", common.remember_s) as keys:
        ids = ClientIds(folder)
        async with connect(
            common, ids, "publish", "publish", remember_s=common.remember_s, on_return=returned
        ) as publisher:
            bus = mqtt_bus(common, ids, "publish", "publish", publisher)
            service = Publish(keys, publisher.publish, bus, meters, remember_s=common.remember_s)
            later.append(service)
            parts: dict[str, Part] = {"publish": service, **broker_watches(common, meters)}
            await serve("publish", common, meters, publisher, {"publish": bus}, parts)


async def history(
    common: CommonSettings, url: str, folder: Path, keep: tuple[float | None, int | None, float | None]
) -> None:
    """Run the history until SIGTERM. `url`: of its store. `folder`: for client ids. `keep`: as in `history.Keep`."""
    from .history import History, Keep  # noqa: PLC0415 - an optional extra

    meters = HistoryMeters()
    check_listeners(common)
    with own_folder(folder):
        ids = ClientIds(folder)
        async with connect(common, ids, "history", "history", remember_s=0) as publisher:
            bus = mqtt_bus(common, ids, "history", "history", publisher)
            service = History(url, bus, meters, Keep(*keep))
            await serve("history", common, meters, publisher, {"history": bus}, {"history": service})


async def everything(
    common: CommonSettings,
    settings: IngestSettings,
    history_url: str = "",
    keep: tuple[float | None, int | None, float | None] = (None, None, None),
) -> None:
    """Run ingest, decode and publish in one process until SIGTERM, with calls in place of the stage topics.

    `history_url`: of the store of a history to run, too; empty for none. `keep`: as in `history.Keep`.
    """
    buses = LocalBus.of("ingest", "decode", "publish", *(["history"] if history_url else []))
    of_ingest = IngestMeters()
    of_decode, of_publish = DecodeMeters(of_ingest), PublishMeters(of_ingest)
    later: list[Publish] = []

    def returned(complete: bool) -> None:
        if later and not complete:
            later[0].restart()

    check_listeners(common, settings.stations)
    with (
        own_folder(settings.folder),
        PublishedKeys(settings.folder / "published.keys", common.remember_s) as keys,
    ):
        recorders, ids = make_recorders(common, settings), ClientIds(settings.folder)
        async with connect(
            common,
            ids,
            "downlink",
            "all",
            remember_s=common.remember_s,
            on_return=returned,
            connect_later=True,
        ) as publisher:
            first = make_ingest(recorders, settings, buses["ingest"], of_ingest)
            second = make_decode(common, "local", settings.folder, buses["decode"], of_decode)
            third = Publish(keys, publisher.publish, buses["publish"], of_publish, remember_s=common.remember_s)
            later.append(third)
            parts: dict[str, Part] = {"ingest": first, "decode": second, "publish": third}
            if history_url:
                from .history import History, Keep  # noqa: PLC0415 - an optional extra

                meters = HistoryMeters(of_ingest)
                parts["history"] = History(history_url, buses["history"], meters, Keep(*keep))
            parts |= broker_watches(common, of_publish)
            await serve("downlink", common, of_ingest, publisher, buses, parts)
