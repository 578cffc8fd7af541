"""What a stranger puts on a broker is bounded before it is here, whatever version of MQTT is spoken."""

import asyncio
import subprocess
import tracemalloc
from contextlib import aclosing
from dataclasses import replace

import pytest
from downlink_pipeline.messages import topics
from downlink_pipeline.model.batches import Message
from downlink_pipeline.mqtt import publisher as mqtt
from downlink_pipeline.mqtt import receive_limit
from downlink_pipeline.mqtt.connection import MQTT_3_1_1, Connection
from downlink_pipeline.mqtt.publisher import Publisher, subscribe
from downlink_pipeline.mqtt.session import SessionOptions
from downlink_pipeline.services.protocol import Outgoing, Output, RunId, pack
from structlog.testing import capture_logs
from waiting import until


async def put(broker, topic, n_bytes, tmp_path, *more):
    """Publish zeros from another program, which knows nothing of our bounds."""
    (tmp_path / "payload").write_bytes(bytes(n_bytes))
    words = ["mosquitto_pub", "-p", str(broker.port), "-q", "1", "-t", topic, "-f", tmp_path / "payload", *more]
    await asyncio.to_thread(subprocess.run, words, check=True, timeout=20)


async def next_topics(address, n, **more):
    async with aclosing(subscribe(address, ["t/#"], **more)) as messages, asyncio.timeout(20):
        return [(await anext(messages))[0] for _ in range(n)]


async def test_what_is_larger_than_announced_is_not_sent_by_an_mqtt_5_broker(mosquitto, tmp_path, monkeypatch):
    monkeypatch.setattr(receive_limit.ReceiveLimiter, "_drop", lambda *_: pytest.fail("it was sent"))
    broker = await mosquitto()
    await put(broker, "t/a-giant", receive_limit.MAX_PACKET_BYTES, tmp_path, "-r")
    await put(broker, "t/small", 10, tmp_path, "-r")
    assert await next_topics(broker.address, 1) == ["t/small"]


async def test_a_giant_of_a_3_1_1_broker_is_dropped_acknowledged_and_never_held(mosquitto, tmp_path, monkeypatch):
    monkeypatch.setattr(receive_limit, "MAX_PACKET_BYTES", 1 << 20)
    broker = await mosquitto()
    address = replace(broker.address, mqtt_5=False)
    session = {"client_id": "keeps", "session_s": 60}
    await put(broker, "t/kept", 10, tmp_path, "-r")
    assert await next_topics(address, 1, **session) == ["t/kept"]  # which is not acknowledged, and comes again
    await put(broker, "t/giant", 30 << 20, tmp_path)
    await put(broker, "t/small", 10, tmp_path)
    tracemalloc.start()
    try:
        with capture_logs() as told:
            assert await next_topics(address, 2, **session) == ["t/kept", "t/small"]
        assert [(one["event"], one["topic"]) for one in told] == [("dropped: too large", "t/giant")]
        assert tracemalloc.get_traced_memory()[1] < 2 << 20
    finally:
        tracemalloc.stop()
    with capture_logs() as told:
        assert await next_topics(address, 1, **session) == ["t/small"]
    assert not told  # the giant was acknowledged and is gone


async def test_a_broker_that_sends_a_giant_of_another_kind_is_left(tcp_server, hasty):
    async def serve(reader, writer):
        await reader.read(100)
        writer.write(b"\x20\xff\xff\xff\x7f" + bytes(1000))
        await reader.read()

    with pytest.raises(mqtt.RunError, match=r"without an answer|closed|lost"):
        async with Publisher(replace(await tcp_server(serve), mqtt_5=False), timing=hasty):
            pass


async def test_while_nobody_takes_messages_no_more_than_the_room_for_them_is_read(mosquitto, monkeypatch):
    monkeypatch.setattr(receive_limit, "MAX_WAITING_BYTES", 1 << 20)
    broker = await mosquitto()
    connection = await Connection(replace(broker.address, mqtt_5=False), SessionOptions("idle"), MQTT_3_1_1).open()
    try:
        await connection.listen(["t"])
        async with Publisher(broker.address) as publisher:
            await publisher.publish([Message("t", b"%03d" % i + bytes(100_000)) for i in range(60)])
        await until(lambda: connection.n_waiting >= 11)
        await asyncio.sleep(0.3)  # nothing more comes
        assert connection.n_waiting == 11  # the first that is too many, and no other
        numbers = []
        async with asyncio.timeout(20), aclosing(connection.received()) as received:
            while len(numbers) < 60:
                numbers.append(int((await anext(received)).payload[:3]))
        assert numbers == list(range(60))
    finally:
        await connection.close()


def test_the_largest_product_fits_what_publishers_send_and_subscribers_read():
    product = Message("t" * 1000, bytes(topics.MAX_PAYLOAD_BYTES))
    out = Output(
        RunId("s" * 100, "p" * 100, "r" * 12), 1 << 40, 1 << 60, False, 1 << 62, (Outgoing(product, "k" * 400),)
    )
    assert len(pack(out)) <= mqtt.MAX_PAYLOAD_BYTES
    assert mqtt.MAX_PAYLOAD_BYTES + 65_535 + 300 < receive_limit.MAX_PACKET_BYTES
