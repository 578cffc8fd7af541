"""The broker to publish to: the one of the given URL, else an embedded one for as long as the run lasts."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from .address import BrokerAddress, read_address
from .embedded import LOOPBACK, EmbeddedBroker, find_program

__all__ = ["BrokerAddress", "broker"]

SLOWER = "no mosquitto is installed: good for a demo or a replay, slower and without MQTT 5"

_log = structlog.get_logger("broker")


@asynccontextmanager
async def broker(url: str | None) -> AsyncIterator[BrokerAddress]:
    """The address of the broker at `url`, or of an embedded one where that is None.

    ConfigError for an invalid URL; RunError where no broker is installed or it does not start. A named broker is
    contacted by the publisher, not here.
    """
    if url is not None:
        yield read_address(url, os.environ)
        return
    async with EmbeddedBroker(find_program()) as embedded:
        name = embedded.program.name
        _log.info("embedded broker", broker=name, port=embedded.port)
        if name != "mosquitto":
            _log.warning(SLOWER)
        yield BrokerAddress(LOOPBACK, embedded.port, mqtt_5=name == "mosquitto", ended=embedded.ended)
