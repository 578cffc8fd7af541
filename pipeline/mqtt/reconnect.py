"""Connects to a broker, and reconnects with backoff after a loss.

The first connection fails after a bounded time, since its address may be mistyped. Every later one is retried without
bound; the loss, each new reason and the return are reported once. MQTT 5 is tried first, then 3.1.1.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Collection
from dataclasses import dataclass

import structlog

from ..model.errors import RunError
from ..system.backoff import Backoff
from .address import BrokerAddress
from .connection import MQTT_3_1_1, MQTT_5, Connection
from .session import ConnectionLostError, SessionOptions

Report = Callable[[str], None]
"""Takes one line of text for the user."""

_log = structlog.get_logger("mqtt")


def log_trouble(text: str) -> None:
    """Log what is reported: the default where the caller reports in no other way."""
    _log.warning(text)


@dataclass(frozen=True, slots=True)
class Timing:
    """Timeouts and pauses, in seconds."""

    first_s: float = 5.0
    """Until the first connection, with its retries, fails."""
    answer_s: float = 3.0
    """Timeout of the TCP connection, and again of the broker's answer."""
    acknowledge_s: float = 2.0
    """Without any acknowledgement until the connection counts as lost; doubled after each such loss."""
    pause_s: float = 0.1
    """Before the first retry; doubled each time, up to `longest_pause_s`."""
    longest_pause_s: float = 5.0
    birth_s: float = 11.0
    """Before a refused birth is sent again: longer than a refused topic is paused."""


class Reconnector:
    """Makes the connections of one client, one after the other, with backoff."""

    def __init__(self, address: BrokerAddress, options: SessionOptions, timing: Timing, report: Report) -> None:
        self._address = address
        self._options = options
        self._timing = timing
        self._report = report
        self._protocols = [MQTT_5, MQTT_3_1_1] if address.mqtt_5 else [MQTT_3_1_1]
        self._backoff = Backoff(timing.pause_s, timing.longest_pause_s)
        self.trouble = ""
        """Why there is no connection; empty while there is one."""

    async def first(self) -> Connection:
        """Make the first connection. RunError in one line where the broker refuses, or is not there in time."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self._timing.first_s
        reported = set()
        while True:
            try:
                return await self._open()
            except ConnectionLostError as error:
                if error.final or loop.time() >= end:
                    raise RunError(f"cannot connect to {self._address}: {error}") from None
                self._give_up_where_ended()
                if str(error) not in reported and math.isinf(end):
                    self._report(f"waiting for {self._address}: {error}")
                    reported.add(str(error))
            await self._backoff.wait()

    async def reconnect(self, reason: str) -> Connection:
        """Report the loss, retry until there is a connection, and report that. `reason`: of the loss.

        RunError only where an embedded broker has ended for good.
        """
        self._report(
            f"lost the connection to {self._address}: {reason}; waiting for it, and keeping what is unsent"
        )
        await self._backoff.wait()
        connection = await self.retry("still waiting for", {reason})
        self._report(f"connected to {self._address} again")
        return connection

    async def retry(self, waiting: str = "waiting for", logged: Collection[str] = ()) -> Connection:
        """Connect, however long it takes and whatever the broker answers. Each new reason is reported once, and stays
        in `trouble` meanwhile. RunError only where an embedded broker has ended for good.
        """
        known = set(logged)
        while True:
            self._give_up_where_ended()
            try:
                connection = await self._open()
            except ConnectionLostError as error:
                self.trouble = str(error)
                if self.trouble not in known:
                    self._report(f"{waiting} {self._address}: {error}")
                    known.add(self.trouble)
            else:
                self.trouble = ""
                return connection
            await self._backoff.wait()

    def reset_backoff(self) -> None:
        """The connection works: the next backoff begins with the shortest pause."""
        self._backoff.reset()

    async def _open(self) -> Connection:
        """Connect with the newest protocol version that the broker accepts, and keep to it."""
        try:
            return await Connection(self._address, self._options, self._protocols[0]).open()
        except ConnectionLostError as error:
            if not error.other_protocol or len(self._protocols) == 1:
                raise
        connection = await Connection(self._address, self._options, self._protocols[1]).open()
        del self._protocols[0]
        return connection

    def _give_up_where_ended(self) -> None:
        if not self._address.alive:
            raise RunError(f"no broker any more: {self._address.ended()}")
