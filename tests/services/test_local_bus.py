"""The stages of one process hand messages on at once where the receiver waits, and in their order always."""

import asyncio
from contextlib import aclosing

from downlink_pipeline.model.batches import ByteBatch
from downlink_pipeline.services.bus import LocalBus
from downlink_pipeline.services.protocol import Chunk, RunId

RUN = RunId("live", "pass", "abc")


def raw(seq):
    return Chunk(RUN, seq, ByteBatch.of(b"x"))


async def waiting(bus):
    """A service that waits for its first message."""
    received = bus.received()
    task = asyncio.ensure_future(anext(received))
    await asyncio.sleep(0)
    return received, task


async def test_a_service_that_waits_takes_a_message_at_once():
    buses = LocalBus.of("ingest", "decode", "publish")
    taken = []
    buses["decode"].attend(lambda message: taken.append(message.seq) or True)
    received, task = await waiting(buses["decode"])
    assert buses["ingest"].give(raw(0))
    await buses["ingest"].send([raw(1)])
    assert (taken, task.done()) == ([0, 1], False)
    task.cancel()
    await asyncio.wait([task])
    await received.aclose()


async def test_what_is_not_taken_at_once_waits_and_all_after_it():
    buses = LocalBus.of("ingest", "decode", "publish")
    taken = []
    buses["decode"].attend(lambda message: message.seq != 1 and not taken.append(message.seq))
    received, task = await waiting(buses["decode"])
    await buses["ingest"].send([raw(seq) for seq in range(4)])
    assert not buses["ingest"].give(raw(4))
    await buses["ingest"].send([raw(4)])
    taken.append((await task).seq)
    async with aclosing(received):
        taken += [(await anext(received)).seq for _ in range(3)]
    assert taken == [0, 1, 2, 3, 4]


async def test_a_service_that_is_at_work_is_given_nothing():
    buses = LocalBus.of("ingest", "decode", "publish")
    buses["decode"].attend(lambda message: message.seq > 0)
    received, task = await waiting(buses["decode"])
    await buses["ingest"].send([raw(0)])
    assert (await task).seq == 0
    assert not buses["ingest"].is_clear
    assert not buses["ingest"].give(raw(1))
    await received.aclose()
