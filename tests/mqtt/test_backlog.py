"""What a broker kept for a session comes before its answer to the subscription: however much it is, it is taken up."""

import asyncio
from contextlib import aclosing

from downlink_pipeline.model.batches import Message
from downlink_pipeline.mqtt.publisher import Publisher, subscribe
from downlink_pipeline.mqtt.receive_limit import MAX_WAITING_BYTES

PAYLOAD = bytes(1 << 20)
N_MESSAGES = MAX_WAITING_BYTES // len(PAYLOAD) + 16
"""More than may wait here before reading stops."""


async def heard(broker, hasty, n_messages, *, client_id="stage", on_listening=lambda: None):
    messages = subscribe(
        broker.address, ["s/#"], client_id=client_id, session_s=3600, timing=hasty, on_listening=on_listening
    )
    payloads = []
    async with aclosing(messages), asyncio.timeout(60):
        async for _, payload, _ in messages:
            payloads.append(payload[:4])
            if len(payloads) == n_messages:
                break
    return payloads


async def test_a_session_with_more_than_may_wait_here_is_taken_up(mosquitto, hasty):
    broker = await mosquitto("allow_anonymous true", "max_inflight_messages 1000")
    listening = asyncio.Event()
    first = asyncio.create_task(heard(broker, hasty, 1, on_listening=listening.set))
    await asyncio.wait_for(listening.wait(), 10)
    first.cancel()
    await asyncio.wait([first])
    async with Publisher(broker.address, timing=hasty) as publisher:
        for i in range(N_MESSAGES):
            await publisher.publish([Message("s/x", i.to_bytes(4, "big") + PAYLOAD)])
    assert await heard(broker, hasty, N_MESSAGES) == [i.to_bytes(4, "big") for i in range(N_MESSAGES)]


async def test_a_broker_that_never_answers_a_subscription_is_left_after_a_silence(tcp_server, hasty):
    """And one that goes on sending is not."""
    n_connections = 0
    answered = asyncio.Event()

    async def serve(reader, writer):
        nonlocal n_connections
        n_connections += 1
        await reader.read(1)
        writer.write(b"\x20\x03\x00\x00\x00")
        if n_connections > 1:
            for i in range(20):  # a message each 0.1 s, four times the time that silence may last
                await asyncio.sleep(0.1)
                writer.write(b"\x30\x05\x00\x01s\x00" + bytes([i]))
            answered.set()
        await reader.read()
        await asyncio.sleep(60)

    address = await tcp_server(serve)
    payloads = []
    async with aclosing(subscribe(address, ["s"], client_id="a", timing=hasty)) as messages, asyncio.timeout(30):
        async for _, payload, _ in messages:
            payloads.append(payload[0])
            if answered.is_set():
                break
    assert n_connections == 2
    assert payloads == list(range(20))
