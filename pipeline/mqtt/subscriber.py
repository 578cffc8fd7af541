"""What a broker has on some topics, through its restarts: for `watch`, the dashboard and the stages."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, Callable, Sequence

from ..model.errors import RunError
from .address import BrokerAddress
from .connection import MQTT_3_1_1, Connection
from .reconnect import Reconnector, Tell, Timing, log_trouble
from .session import ConnectionLostError, RefusedError, SessionOptions


async def subscribe(
    address: BrokerAddress,
    topics: Sequence[str],
    *,
    client_id: str = "",
    session_s: int = 0,
    on_trouble: Tell = log_trouble,
    timing: Timing | None = None,
    n_in_work: int = 1,
    on_depth: Callable[[int], None] = lambda _n: None,
    on_listening: Callable[[], None] = lambda: None,
    retained: Sequence[str] = (),
) -> AsyncGenerator[tuple[str, bytes, bool], None]:
    """(topic, payload, retained) of each message on `topics` (filters, QoS 1), for ever.

    A message is acknowledged when `n_in_work` later ones are asked for: what was in work when this process died comes
    again, where `client_id` is a stable one and `session_s` lets the broker keep the session meanwhile. Without a
    session, what is published while the connection is lost is missed, but for retained messages. RunError in one
    line where the broker refuses, or is not there at the start. Close it with `contextlib.aclosing` to disconnect at
    once. `on_depth` is told with each message how many wait behind it. Of the filters `retained` only
    what the broker has retained comes, each time that it is connected; a broker may refuse these.
    """
    timing = timing or Timing()
    options = SessionOptions(
        client_id or f"downlink-{secrets.token_hex(4)}", session_s=session_s, answer_s=timing.answer_s
    )
    reconnector = Reconnector(address, options, timing, on_trouble)
    connection = await reconnector.first()
    while True:
        listening = asyncio.create_task(
            _listen(connection, topics, address, on_listening, retained), name="subscribe"
        )
        try:
            async for message in connection.received(n_in_work):
                reconnector.reset_backoff()
                on_depth(connection.n_waiting)
                yield message.topic, message.payload, message.retain
        except ConnectionLostError as error:
            reason = str(error)
        finally:
            listening.cancel()
            await asyncio.wait((listening,))
            await connection.close()
        connection = await reconnector.reconnect(reason)


async def _listen(
    connection: Connection,
    topics: Sequence[str],
    address: BrokerAddress,
    on_listening: Callable[[], None],
    retained: Sequence[str],
) -> None:
    """Subscribe while messages are taken up; a failure ends the wait for messages."""
    try:
        await connection.listen([_as_known(topic, connection) for topic in topics])
    except RefusedError as error:
        connection.fail(RunError(f"cannot subscribe at {address}: {error}"))
    except ConnectionLostError as error:
        connection.fail(error)
    else:
        on_listening()
        if retained:
            await _ask_for_retained(connection, retained)


async def _ask_for_retained(connection: Connection, filters: Sequence[str]) -> None:
    """Subscribe and unsubscribe: a broker queues what it has retained when it answers (MQTT 5, 3.8.4)."""
    try:
        await connection.listen(filters)
    except RefusedError:
        return
    except ConnectionLostError as error:
        connection.fail(error)
        return
    connection.ignore(filters)


def _as_known(topic: str, connection: Connection) -> str:
    """A shared subscription is a plain one where the broker does not know of sharing."""
    shared = topic.startswith("$share/") and connection.protocol == MQTT_3_1_1
    return topic.split("/", 2)[2] if shared else topic
