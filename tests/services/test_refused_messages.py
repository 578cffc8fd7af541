"""Each message that a stage sends, refused by the broker: it is told by its topic until the broker takes it again."""

import asyncio
from contextlib import suppress

import numpy as np
import pytest
from downlink_pipeline.model.batches import ByteBatch, Message
from downlink_pipeline.mqtt.publisher import PublishRefusedError
from downlink_pipeline.services.bus import MqttBus
from downlink_pipeline.services.metrics import PublishMeters
from downlink_pipeline.services.protocol import Ack, Chunk, Claim, Nack, Offer, Outgoing, Output, Restarted, RunId
from downlink_pipeline.services.publish import Publish
from downlink_pipeline.services.published_keys import PublishedKeys

RUN = RunId("live", "pass", "abc")
NOTHING = ByteBatch(np.empty(0, np.uint8), np.empty(0, np.int64), np.empty(0, np.int64))
STAGE = {
    "m/stage/offer": Offer(RUN),
    "m/stage/raw/w": Chunk(RUN, 0, NOTHING),
    "m/stage/claim": Claim(RUN, "w"),
    "m/stage/out": Output(RUN, 0, 0, False, 0, ()),
    "m/stage/done": Ack(RUN, 0, ended=False),
    "m/stage/lost": Nack(RUN, "why"),
    "m/stage/hello": Restarted("publish"),
}
REASONS = ["Not authorized", "Quota exceeded", "Packet too large"]
"""Of MQTT 5.0 3.4.2.1 and 4.13.2: 0x87, 0x97, 0x95."""


class Refusing:
    """A broker that takes all topics but those in `refused`, and notes what it took."""

    def __init__(self, refused):
        self.refused, self.taken = dict(refused), []

    async def publish(self, messages):
        refused = [(one, self.refused[one.topic]) for one in messages if one.topic in self.refused]
        self.taken += [one.topic for one in messages if one.topic not in self.refused]
        if refused:
            raise PublishRefusedError(refused)


def bus_to(broker, now=lambda: 0.0):
    return MqttBus("m", broker, None, now)


@pytest.mark.parametrize("reason", REASONS)
@pytest.mark.parametrize("topic", STAGE)
async def test_a_refused_stage_message_is_told_by_its_topic_until_it_is_taken(topic, reason):
    broker = Refusing({topic: reason})
    bus = bus_to(broker)
    assert not await bus.send([STAGE[topic]], "w")
    for other in STAGE.keys() - {topic}:
        assert await bus.send([STAGE[other]], "w")
    assert bus.trouble == f"the broker refuses {topic}: {reason.lower()}"
    broker.refused.clear()
    assert await bus.send([STAGE[topic]], "w")
    assert bus.trouble == ""


async def test_a_refusal_that_nothing_repeats_is_forgotten():
    """A lost run is begun again without its message."""
    now = [0.0]
    bus = bus_to(Refusing({"m/stage/lost": "Not authorized"}), lambda: now[0])
    await bus.send([STAGE["m/stage/lost"]])
    now[0] = 121.0  # runs that are refused begin again within 120 s: until then it may be refused yet
    assert bus.trouble
    now[0] = 600.0
    assert bus.trouble == ""


async def running(stage, until):
    """Run a stage until something holds."""
    task = asyncio.create_task(stage.run())
    try:
        async with asyncio.timeout(10):
            while not until():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_a_refused_hello_is_sent_again(tmp_path, monkeypatch):
    """It asks for what the broker may have lost."""
    monkeypatch.setattr("downlink_pipeline.services.publish.RESTARTED_AGAIN_S", 0.05)
    broker = Refusing({"m/stage/hello": "Not authorized"})

    async def listen(_note, _listening):
        await asyncio.sleep(60)
        yield

    bus = MqttBus("m", broker, listen)
    with PublishedKeys(tmp_path / "keys", 0) as keys:
        stage = Publish(keys, broker.publish, bus, PublishMeters(), remember_s=0)
        await running(stage, lambda: bus.trouble)
        broker.refused.clear()
        await running(stage, lambda: "m/stage/hello" in broker.taken)
    assert bus.trouble == ""


@pytest.mark.parametrize("reason", REASONS)
@pytest.mark.parametrize("level", ["product/libs/shot", "event/warning", "latest/libs/x", "link/x", "report"])
async def test_a_refused_output_is_neither_published_nor_settled(tmp_path, level, reason):
    topic = f"m/live/{level}"
    broker = Refusing({topic: reason})
    messages = tuple(Outgoing(Message(one, b"x"), one) for one in ("m/live/product/a/b", topic))
    sent = []

    class Bus:
        async def send(self, messages, _worker=""):
            sent.extend(messages)
            return True

        async def serve(self, take):
            take(Output(RUN, 0, 8, True, 0, messages))
            await asyncio.sleep(60)

    with PublishedKeys(tmp_path / "keys", 0) as keys:
        stage = Publish(keys, broker.publish, Bus(), PublishMeters(), remember_s=0)
        await running(stage, lambda: any(isinstance(one, Ack) for one in sent))
        (done,) = (one for one in sent if isinstance(one, Ack))
        assert done.refused == f"{topic}: {reason}"
        assert stage.health() == (False, {"keys": 1, "dropped": 0, "refused": {topic: reason}})
        assert topic not in keys
        assert "m/live/product/a/b" in keys
