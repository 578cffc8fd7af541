"""Subscribes to topics of a broker and resubscribes after each loss: for `watch`, the dashboard and the stages."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, Callable, Sequence

from ..model.errors import RunError
from .address import BrokerAddress
from .connection import MQTT_3_1_1, Connection
from .reconnect import Reconnector, Report, Timing, log_trouble
from .session import ConnectionLostError, RefusedError, SessionOptions


async def subscribe(
    address: BrokerAddress,
    topics: Sequence[str],
    *,
    client_id: str = "",
    session_s: int = 0,
    on_trouble: Report = log_trouble,
    timing: Timing | None = None,
    n_in_work: int = 1,
    on_depth: Callable[[int], None] = lambda _n: None,
    on_listening: Callable[[], None] = lambda: None,
    retained: Sequence[str] = (),
) -> AsyncGenerator[tuple[str, bytes, bool], None]:
    """Yield (topic, payload, retained) of each message on `topics` (filters, QoS 1), without end.

    A message is acknowledged once `n_in_work` later ones are requested. Messages without acknowledgement are delivered
    again to the next process with this `client_id`, if the broker keeps its session (`session_s`). Without a session,
    messages published while the connection is lost are missed, except retained ones. RunError in one line where the
    broker refuses, or is not there at the start. Close it with `contextlib.aclosing` to disconnect at once.

    `on_depth` is called with the number of messages that wait behind each. `on_listening` is called once the broker has
    accepted a subscription. Of the filters `retained` only retained messages come, after each connect; the broker may
    refuse these.
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
    """Subscribe while messages are consumed; a failure is raised where messages are awaited."""
    try:
        await connection.listen([_without_share(topic, connection) for topic in topics])
    except RefusedError as error:
        connection.fail(RunError(f"cannot subscribe at {address}: {error}"))
    except ConnectionLostError as error:
        connection.fail(error)
    else:
        on_listening()
        if retained:
            await _ask_for_retained(connection, retained)


async def _ask_for_retained(connection: Connection, filters: Sequence[str]) -> None:
    """Subscribe and unsubscribe: a broker queues retained messages when it answers SUBSCRIBE (MQTT 5, 3.8.4)."""
    try:
        await connection.listen(filters)
    except RefusedError:
        return
    except ConnectionLostError as error:
        connection.fail(error)
        return
    connection.ignore(filters)


def _without_share(topic: str, connection: Connection) -> str:
    """The filter; without its share name for a broker of MQTT 3.1.1, which has no shared subscriptions."""
    shared = topic.startswith("$share/") and connection.protocol == MQTT_3_1_1
    return topic.split("/", 2)[2] if shared else topic
