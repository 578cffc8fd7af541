"""A connection that is cancelled while it is made: `asyncio.wait_for` of Python 3.11 may lose that."""

import asyncio

import pytest
from downlink_pipeline.mqtt.connection import MQTT_5, Connection
from downlink_pipeline.mqtt.session import SessionOptions


@pytest.mark.parametrize("n_turns", range(3))
async def test_a_cancellation_that_comes_with_the_brokers_answer_is_not_lost(fake_broker, n_turns):
    """`n_turns`: of the event loop, between the answer and the cancellation."""
    broker = await fake_broker()
    connection = Connection(broker.address, SessionOptions("a"), MQTT_5)
    opening = asyncio.create_task(connection.open())
    accepted = []
    """Whether the connection was still being made when it was cancelled."""

    def cancel(left):
        if left:
            asyncio.get_running_loop().call_soon(cancel, left - 1)
        else:
            accepted.append(opening.cancel())

    connection._connected.add_done_callback(lambda _: cancel(n_turns))
    await asyncio.wait([opening], timeout=10)
    assert [opening.cancelled()] == accepted
    if not opening.cancelled():
        await opening.result().close()
