"""Runs the parts of a service until a signal, with `/health` and `/metrics`; the first that fails ends all."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Protocol

import structlog

from ..model.errors import DownlinkError
from ..mqtt.publisher import Publisher
from ..recordings.disk import LATER
from ..recordings.expiry import remaining_s
from ..system.allocator import keep_objects
from ..system.signals import stopped_by_signals
from ..system.tasks import until_first_ends
from .bus import Bus
from .health import watched
from .metrics import Meters
from .settings import CommonSettings

_log = structlog.get_logger("service")


class Part(Protocol):
    """A stage, or the watch of a broker: runs until it is cancelled. `health`: whether it is well, and its state."""

    async def run(self) -> None: ...
    def health(self) -> tuple[bool, dict[str, Any]]: ...


async def serve(
    service: str,
    common: CommonSettings,
    meters: Meters,
    publisher: Publisher,
    buses: Mapping[str, Bus],
    parts: Mapping[str, Part],
    certificates: Sequence[Path | None] = (),
) -> None:
    """Run `parts` until SIGTERM or Ctrl-C, with /health and /metrics. `certificates`: beside those for the broker.

    Raises the error of the first part that fails.
    """
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
            ended = await until_first_ends(*(part.run() for part in parts.values()), stop.wait())
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
    """The error of a group to report: one that is meant for users, where there is one."""
    if not isinstance(error, ExceptionGroup):
        return error
    inner = [_first(one) for one in error.exceptions]
    return next((one for one in inner if isinstance(one, DownlinkError)), inner[0])
