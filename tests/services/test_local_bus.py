"""The stages of one process call each other where the receiver is at rest, and messages keep their order always."""

import asyncio

import pytest
from downlink_pipeline.model.batches import ByteBatch
from downlink_pipeline.services.bus import LocalBus
from downlink_pipeline.services.protocol import Ack, Chunk, Output, RunId

RUN = RunId("live", "pass", "abc")


def raw(seq):
    return Chunk(RUN, seq, ByteBatch.of(b"x"))


class Busy:
    """A service that needs a moment for every message but the first, as long as `free` is not set."""

    def __init__(self):
        self.taken, self.free = [], asyncio.Event()

    def take(self, message):
        self.taken.append(message.seq)
        return None if message.seq == 0 else self.free.wait()


@pytest.fixture
async def served():
    """Start services; they end with the test."""
    tasks = []

    async def serve(bus, take):
        tasks.append(asyncio.ensure_future(bus.serve(take)))
        await asyncio.sleep(0)

    yield serve
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_service_at_rest_has_a_message_before_send_returns(served):
    buses = LocalBus.of("ingest", "decode", "publish")
    decode = Busy()
    await served(buses["decode"], decode.take)
    assert buses["ingest"].send([raw(0)]).done()
    assert decode.taken == [0]


async def test_a_service_at_work_has_one_message_and_the_others_wait_in_order(served):
    buses = LocalBus.of("ingest", "decode", "publish")
    decode = Busy()
    await served(buses["decode"], decode.take)
    sent = buses["ingest"].send([raw(seq) for seq in (0, 1, 2)])
    later = buses["ingest"].send([raw(3)])
    await asyncio.sleep(0)
    assert (decode.taken, sent.done(), buses["decode"].n_waiting) == ([0, 1], False, 2)
    decode.free.set()
    assert await sent
    assert await later
    assert decode.taken == [0, 1, 2, 3]


async def test_what_is_sent_before_a_service_starts_waits_for_it(served):
    buses = LocalBus.of("ingest", "decode", "publish")
    sent = buses["ingest"].send([raw(0), raw(1)])
    await asyncio.sleep(0)
    assert not sent.done()
    decode = Busy()
    decode.free.set()
    await served(buses["decode"], decode.take)
    assert await sent
    assert decode.taken == [0, 1]


async def test_a_message_that_comes_back_while_its_sender_is_at_work_waits(served):
    """Decode answers ingest while ingest calls it: neither is called again before its call has returned."""
    buses = LocalBus.of("ingest", "decode", "publish")
    events = []

    def decode(message):
        events.append(f"decode {message.seq} begins")
        buses["decode"].send([Ack(RUN, message.seq, ended=False)])
        events.append(f"decode {message.seq} ends")

    def ingest(message):
        events.append(f"ingest {message.n_bytes}")
        if message.n_bytes == 0:
            buses["ingest"].send([raw(1)])

    await served(buses["decode"], decode)
    await served(buses["ingest"], ingest)
    buses["ingest"].send([raw(0)])
    async with asyncio.timeout(5):
        while len(events) < 6:  # noqa: ASYNC110 - what the services append to
            await asyncio.sleep(0)
    assert events == [
        "decode 0 begins",
        "ingest 0",
        "decode 0 ends",
        "decode 1 begins",
        "ingest 1",
        "decode 1 ends",
    ]


async def test_an_output_is_sent_once_publish_and_history_both_have_it(served):
    buses = LocalBus.of("ingest", "decode", "publish", "history")
    history = Busy()
    published = []
    await served(buses["publish"], lambda message: published.append(message.seq))
    await served(buses["history"], history.take)
    outs = [Output(RUN, seq, 0, False, 0, ()) for seq in range(4)]
    sent = buses["decode"].send(outs)
    assert (published, history.taken, sent.done()) == ([0, 1, 2, 3], [0, 1], False)
    history.free.set()
    assert await sent
    assert history.taken == [0, 1, 2, 3]


async def test_each_message_goes_out_before_the_next_is_made(served):
    """Products are on their way before the newest values are made that follow them."""
    buses = LocalBus.of("ingest", "decode", "publish")
    events = []

    def made():
        for seq in range(2):
            events.append(f"make {seq}")
            yield raw(seq)

    await served(buses["decode"], lambda message: events.append(f"take {message.seq}"))
    assert buses["ingest"].send(made()).done()
    assert events == ["make 0", "take 0", "make 1", "take 1"]
