"""Getting a connection, and getting another when it is lost.

The first one fails after a bounded time, since a person may have mistyped it; every later one is waited for until
it comes, and the person is told once. MQTT 5 is asked for, and 3.1.1 where the broker does not know that.
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

Tell = Callable[[str], None]

_log = structlog.get_logger("mqtt")


def log_trouble(text: str) -> None:
    """What a person is told where nobody asked to be told otherwise."""
    _log.warning(text)


@dataclass(frozen=True, slots=True)
class Timing:
    """How long to wait for what, in seconds."""

    first_s: float = 5.0
    """For the first connection, refusals and all."""
    answer_s: float = 3.0
    """For the TCP connection, and again for the broker's answer."""
    acknowledge_s: float = 2.0
    """For an acknowledgement, while none at all comes; doubled each time that it was not enough."""
    pause_s: float = 0.1
    """Before trying again; doubled each time up to `longest_pause_s`."""
    longest_pause_s: float = 5.0
    birth_s: float = 11.0
    """Before a refused birth is sent again: longer than a refused topic is paused."""


class Reconnector:
    """Makes the connections of one client, one after the other."""

    def __init__(self, address: BrokerAddress, options: SessionOptions, timing: Timing, tell: Tell) -> None:
        self._address = address
        self._options = options
        self._timing = timing
        self._tell = tell
        self._protocols = [MQTT_5, MQTT_3_1_1] if address.mqtt_5 else [MQTT_3_1_1]
        self._backoff = Backoff(timing.pause_s, timing.longest_pause_s)
        self.trouble = ""
        """Why there is no connection; empty while there is one."""

    async def first(self) -> Connection:
        """RunError in one line where the broker refuses, or is not there within a bounded time."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self._timing.first_s
        told = set()
        while True:
            try:
                return await self._open()
            except ConnectionLostError as error:
                if error.final or loop.time() >= end:
                    raise RunError(f"cannot connect to {self._address}: {error}") from None
                self._give_up_where_ended()
                if str(error) not in told and math.isinf(end):
                    self._tell(f"waiting for {self._address}: {error}")
                    told.add(str(error))
            await self._backoff.wait()

    async def reconnect(self, reason: str) -> Connection:
        """Tell that the connection is lost, wait for another for as long as it takes, and tell that it is back.

        RunError only where a broker of our own has ended for good.
        """
        self._tell(f"lost the connection to {self._address}: {reason}; waiting for it, and keeping what is unsent")
        await self._backoff.wait()
        connection = await self.patient("still waiting for", {reason})
        self._tell(f"connected to {self._address} again")
        return connection

    async def patient(self, waiting: str = "waiting for", logged: Collection[str] = ()) -> Connection:
        """Connect, however long it takes and whatever the broker answers; each new reason is told once, and kept in
        `trouble`. RunError only where a broker of our own has ended for good.
        """
        known = set(logged)
        while True:
            self._give_up_where_ended()
            try:
                connection = await self._open()
            except ConnectionLostError as error:
                self.trouble = str(error)
                if self.trouble not in known:
                    self._tell(f"{waiting} {self._address}: {error}")
                    known.add(self.trouble)
            else:
                self.trouble = ""
                return connection
            await self._backoff.wait()

    def reset_backoff(self) -> None:
        """The connection serves: the next pause is a short one."""
        self._backoff.reset()

    async def _open(self) -> Connection:
        """Connect by the first protocol that the broker takes, and remember it."""
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
