"""The ingest stage: records the bytes of all stations on disk, and sends them to decode until publish confirms them.

    source -> recorder        a task for each station: nothing is sent before it is recorded
    recording -> bus          one task for all passes, with flow control by acknowledgements (`dispatch`)

A pass begins with its first byte. It ends when its sender ends it, or after `gap_s` without a byte. While the disk
fails, the station is not read (back-pressure); the write is retried each second, logged and in `/health`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Any

import structlog

from ..stations.tcp import Arrival, Source
from ..stations.udp import UdpListener
from .bus import Bus
from .metrics import IngestMeters
from .odd_datagrams import OddWatch, odd_datagrams_health
from .protocol import Offer, Presence, Restarted, StageMessage
from .station_recorder import PassInFlight, StationRecorder

MAX_ACTIVE = 4
"""Passes of a backlog that are dispatched at once, besides open ones."""
HOUSEKEEPING_S = 0.5
_log = structlog.get_logger("ingest")


class Ingest:
    """The ingest stage. `gap_s`: seconds without a byte that end a pass. `fsync_s`: interval of syncs, or None."""

    def __init__(
        self,
        stations: Mapping[str, tuple[StationRecorder, Source]],
        bus: Bus,
        meters: IngestMeters,
        *,
        gap_s: float,
        fsync_s: float | None,
    ) -> None:
        self._stations = stations
        self._odd = {name: OddWatch(name) for name in stations}
        self._bus = bus
        self._meters = meters
        self._recorded = {name: meters.recorded.labels(name) for name in stations}
        self._gap_s = gap_s
        self._fsync_s = fsync_s
        self._wake = asyncio.Event()
        self._sent: asyncio.Future[bool] | None = None
        """Done once the receiver handles the messages sent last."""
        self._publish_away = False

    async def run(self) -> None:
        """Until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                for name, (station, source) in self._stations.items():
                    group.create_task(self._record(station, source), name=f"record {name}")
                group.create_task(self._send(), name="send")
                group.create_task(self._bus.serve(self._take), name="listen")
                group.create_task(self._housekeeping(), name="housekeeping")
                if self._fsync_s:
                    group.create_task(self._sync(self._fsync_s), name="fsync")
        finally:
            for station, _ in self._stations.values():
                station.recorder.close()

    def health(self) -> tuple[bool, dict[str, Any]]:
        """Well while every disk works, no recording is damaged, publish is online, and no pass is stalled."""
        stations = {
            name: {
                "lag_bytes": station.lag()[0],
                "disk_full": station.disk_full,
                "reason": station.recorder.reason,
                "untidy": station.checkpoint_failure,
                "unsettled": len(station.passes),
                "damaged": [one.folder.name for one in station.passes if one.n_damaged],
                "stalled": station.stalled(time.monotonic()),
                "unread": next((one.dispatch.unread for one in station.passes if one.dispatch.unread), ""),
            }
            | odd_datagrams_health(source)
            for name, (station, source) in self._stations.items()
        }
        stopped = any(
            station.disk_full or station.recorder.broken or station.n_damaged
            for station, _ in self._stations.values()
        )
        stopped |= any(one["stalled"] or one["unread"] or one["untidy"] for one in stations.values())
        return not stopped and not self._publish_away, {"stations": stations, "publish": not self._publish_away}

    async def _record(self, station: StationRecorder, source: Source) -> None:
        if isinstance(source, UdpListener):
            source.set_handler(partial(self._take_arrival, station))
        async for arrival in source.arrivals():
            left = self._take_arrival(station, arrival)
            while left is not None:
                await asyncio.sleep(1.0)
                left = self._take_arrival(station, left)
            if arrival.name:
                await self._report_recorded(station, source, arrival)

    def _take_arrival(self, station: StationRecorder, arrival: Arrival) -> Arrival | None:
        """Record an arrival and send it if nothing waits. Returns the part that the disk refused, or None."""
        left = station.record(arrival)
        self._send_now(station)
        n_left = sum(map(len, left.pieces)) if left else 0
        self._recorded[station.name].inc(sum(map(len, arrival.pieces)) - n_left)
        return left

    async def _report_recorded(self, station: StationRecorder, source: Source, arrival: Arrival) -> None:
        """Acknowledge recorded bytes to the sender; retried each second where the folder cannot be read."""
        while True:
            try:
                n_bytes = station.n_recorded(arrival)
            except OSError as error:
                _log.warning("the recordings cannot be looked at", station=station.name, reason=error.strerror)
                await asyncio.sleep(1.0)
            else:
                source.recorded(n_bytes)
                return

    def _send_now(self, station: StationRecorder) -> None:
        """Send recorded bytes if the messages before are received; else wake the task that sends.

        So under load, or over a broker, bytes recorded meanwhile are sent in one message.
        """
        if not station.passes or not self._has_sent():
            self._wake.set()
            return
        one = station.passes[-1]
        messages = self._due(station, one)
        if messages:
            self._sent = self._bus.send(messages, one.dispatch.worker)
        if len(messages) > 1:
            self._wake.set()

    def _has_sent(self) -> bool:
        """Whether the messages sent last are received. Raises what sending them raised."""
        return self._sent is None or (self._sent.done() and (self._sent.result() or True))

    async def _send(self) -> None:
        while True:
            self._wake.clear()
            if not await self._send_what_is_due():
                with suppress(TimeoutError):
                    async with asyncio.timeout(0.2):
                        await self._wake.wait()

    async def _send_what_is_due(self) -> int:
        """Send all due messages. Returns their number."""
        n_sent = 0
        if self._sent:
            await self._sent
        for station, one in self._active():
            messages = self._due(station, one)
            if messages:
                self._sent = self._bus.send(messages, one.dispatch.worker)
                await self._sent
            n_sent += len(messages)
        return n_sent

    def _due(self, station: StationRecorder, one: PassInFlight) -> list[StageMessage]:
        """The messages of a pass that are due now."""
        complete_at = -1 if one.ended else station.complete_at
        n_recorded = None if one.ended else station.recorder.n_bytes
        messages = one.dispatch.send(
            time.monotonic(),
            ended=one.ended,
            complete_at=complete_at,
            n_recorded=n_recorded,
            max_bytes=self._bus.largest_bytes // 2,  # the receive times need the other half at the worst
            publish_away=self._publish_away,
        )
        run = messages[0].id.run if messages and isinstance(messages[0], Offer) else ""
        if run and one.dispatch.n_runs > 1 and run != one.logged_run:
            one.logged_run = run
            _log.warning(
                "the pass is sent again from its beginning",
                pass_=one.folder.name,
                run=run,
                n_runs=one.dispatch.n_runs,
            )
        return station.with_events(messages)

    def _active(self) -> list[tuple[StationRecorder, PassInFlight]]:
        """The open passes, and the MAX_ACTIVE oldest of the ended ones that are not confirmed."""
        recorders = [station for station, _ in self._stations.values()]
        going = [(station, one) for station in recorders for one in station.passes if not one.dispatch.finished]
        backlog = [pair for pair in going if pair[1].ended][:MAX_ACTIVE]
        return [pair for pair in going if not pair[1].ended] + backlog

    def _take(self, message: StageMessage) -> None:
        now = time.monotonic()
        if isinstance(message, Restarted):
            _log.warning("a service has started: passes that are not closed are sent again", by=message.service)
        elif isinstance(message, Presence):
            self._note_presence(online=message.online)
        for station, _ in self._stations.values():
            for one in station.passes:
                one.dispatch.take(message, now)
        self._wake.set()

    def _note_presence(self, *, online: bool) -> None:
        """Note whether publish is online. While it is offline passes are recorded, and no run begins (`dispatch`)."""
        if online == self._publish_away:
            text = "publish is back" if online else "publish is away: passes are recorded and wait for it"
            _log.warning(text)
        self._publish_away = not online
        self._meters.publish_away.set(self._publish_away)

    async def _housekeeping(self) -> None:
        while True:
            await asyncio.sleep(HOUSEKEEPING_S)
            for station, source in self._stations.values():
                station.end_after(self._gap_s)
                await station.commit(time.monotonic())
                self._measure(station, source)
            self._wake.set()

    async def _sync(self, interval_s: float) -> None:
        while True:
            await asyncio.sleep(interval_s)
            for station, source in self._stations.values():
                with suppress(OSError):  # logged, and in /health
                    await asyncio.to_thread(station.recorder.sync_copy())
                if station.recorder.open:
                    source.recorded(station.recorder.n_durable)

    def _measure(self, station: StationRecorder, source: Source) -> None:
        lag_bytes, lag_s = station.lag()
        self._meters.lag_bytes.labels(station.name).set(lag_bytes)
        self._meters.lag_seconds.labels(station.name).set(lag_s)
        n_out = sum(one.dispatch.n_unconfirmed for one in station.passes)
        self._meters.unconfirmed.labels(station.name).set(n_out)
        self._meters.open_passes.labels(station.name).set(len(station.passes))
        self._meters.runs.labels(station.name).set(sum(one.dispatch.n_runs for one in station.passes))
        self._meters.disk_full.labels(station.name).set(station.disk_full or bool(station.recorder.broken))
        self._meters.checkpoint_failed.labels(station.name).set(bool(station.checkpoint_failure))
        self._meters.stalled.labels(station.name).set(len(station.stalled(time.monotonic())))
        self._meters.damaged.labels(station.name).set(station.n_damaged)
        if isinstance(source, UdpListener):
            self._meters.odd.labels(station.name).set(source.n_odd)
            station.events.extend(self._odd[station.name].report(source))
        n_lost = source.n_lost
        if n_lost > station.n_lost:
            _log.warning("datagrams are lost", station=station.name, lost=n_lost)
        station.n_lost = n_lost
        self._meters.lost.labels(station.name).set(n_lost)
        self._meters.refused.labels(station.name).set(getattr(source, "n_refused", 0))
