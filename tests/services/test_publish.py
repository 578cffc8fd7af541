"""Publishing does not wait for the broker's answer to the output before, and acknowledges in the order of the run."""

import asyncio

import pytest
from downlink_pipeline.model.batches import Message, Outgoing
from downlink_pipeline.services.metrics import PublishMeters
from downlink_pipeline.services.protocol import Ack, Output, RunId
from downlink_pipeline.services.publish import MAX_OPEN_BYTES, Publish
from downlink_pipeline.services.published_keys import PublishedKeys
from waiting import until

RUN = RunId("live", "pass", "abc")


class Broker:
    """Takes messages, and answers when it is told to: a future for each call."""

    def __init__(self):
        self.payloads, self.answers = [], []

    def publish(self, messages):
        self.payloads += [message.payload for message in messages]
        self.answers.append(asyncio.get_running_loop().create_future())
        return self.answers[-1]


class Bus:
    """Gives `take` of the service, and keeps what it sends to ingest."""

    n_malformed = n_waiting = 0
    trouble, largest_bytes = "", 1 << 20

    def __init__(self):
        self.take = None
        self.acks = []

    async def serve(self, take):
        self.take = take
        await asyncio.Event().wait()

    def send(self, messages):
        self.acks += [one for one in messages if isinstance(one, Ack)]
        done = asyncio.get_running_loop().create_future()
        done.set_result(True)
        return done


def output(seq, payload=b"x"):
    return Output(RUN, seq, seq + 1, False, 0, (Outgoing(Message("m/t", payload), f"key {seq}"),))


@pytest.fixture
async def service(tmp_path):
    broker, bus = Broker(), Bus()
    with PublishedKeys(tmp_path / "keys", 0) as keys:
        task = asyncio.create_task(Publish(keys, broker.publish, bus, PublishMeters(), remember_s=0).run())
        await until(lambda: bus.take)
        yield broker, bus
        task.cancel()
        await asyncio.wait([task])


async def test_outputs_go_out_before_the_broker_has_answered_and_are_acknowledged_in_order(service):
    broker, bus = service
    assert [bus.take(output(seq, b"%d" % seq)) for seq in range(3)] == [None] * 3
    assert broker.payloads == [b"0", b"1", b"2"]
    broker.answers[2].set_result(None)
    broker.answers[1].set_result(None)
    for _ in range(5):
        await asyncio.sleep(0)
    assert not bus.acks  # an Ack is for all of the run up to its bytes, and output 0 is not published
    broker.answers[0].set_result(None)
    await until(lambda: bus.acks and bus.acks[-1].n_bytes == 3)


async def test_an_output_waits_while_too_many_bytes_are_not_acknowledged(service):
    broker, bus = service
    assert bus.take(output(0, bytes(MAX_OPEN_BYTES + 1))) is None
    waiting = asyncio.ensure_future(bus.take(output(1)))
    await asyncio.sleep(0)
    assert len(broker.payloads) == 1
    broker.answers[0].set_result(None)
    await waiting
    assert len(broker.payloads) == 2
    assert bus.take(output(2)) is None
    for answer in broker.answers[1:]:
        answer.set_result(None)
    await until(lambda: bus.acks and bus.acks[-1].n_bytes == 3)
