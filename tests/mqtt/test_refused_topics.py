"""A broker that ends the connection for what it refuses: each refusal has its reason, and costs a reconnect a topic."""

import asyncio
from contextlib import aclosing
from dataclasses import replace

import pytest
from downlink_pipeline.model.batches import Message
from downlink_pipeline.model.errors import RunError
from downlink_pipeline.mqtt.publisher import Publisher, PublishRefusedError, subscribe
from downlink_pipeline.mqtt.refused_topics import PAUSE_S, RefusedTopics


async def test_what_an_access_list_forbids_is_refused_by_name_with_one_reconnect_a_topic(mosquitto, tmp_path):
    """With `max_queued_messages 0`, as advised, mosquitto 2.0 answers 135 to a forbidden message and hangs up."""
    (tmp_path / "acl").write_text("topic write m/status/#\ntopic write m/product/good/#\n")
    broker = await mosquitto("allow_anonymous true", f"acl_file {tmp_path}/acl")
    returns = []
    forbidden = [Message(f"m/product/bad/{i % 3}", b"%d" % i) for i in range(60)]
    allowed = [Message("m/product/good/x", bytes(3000)) for _ in range(240)]
    mixed = [one for i in range(60) for one in (*allowed[4 * i : 4 * i + 4], forbidden[i])]
    async with Publisher(broker.address, on_return=returns.append) as publisher, asyncio.timeout(30):
        with pytest.raises(PublishRefusedError) as refusal:
            await publisher.publish(mixed)
        await publisher.publish([Message("m/product/good/x", b"after")])
    refused = [message for message, _ in refusal.value.refused]
    assert sorted(int(message.payload) for message in refused) == list(range(60))
    assert all(message in forbidden for message in refused)
    assert {reason.lower() for _, reason in refusal.value.refused} == {"not authorized"}
    assert len(returns) <= 3 + 3  # topics, and losses until one message is sent at a time


async def test_the_window_stays_narrow_over_the_messages_that_waited_when_one_was_refused(fake_broker, hasty):
    """Of a broker whose answer is lost with the connection unless the refused message is the last that it was sent."""
    n_topics = 8
    broker = await fake_broker(forbidden=b"bad")
    mixed = [Message(f"{'bad' if i % 3 == 0 else 'good'}/{i % n_topics}", b"%d" % i) for i in range(240)]
    returns = []
    async with (
        asyncio.timeout(20),
        Publisher(broker.address, timing=hasty, on_return=returns.append, on_trouble=lambda _: None) as publisher,
    ):
        with pytest.raises(PublishRefusedError) as refusal:
            await publisher.publish(mixed)
        assert {one.topic for one, _ in refusal.value.refused} == {f"bad/{i}" for i in range(n_topics)}
        assert len(refusal.value.refused) == 80
        assert len(returns) <= 3 + n_topics  # 100 in flight twice, 10 once, then one at a time
        broker.most_in_flight = 0
        await publisher.publish([Message("good/0", b"x")] * 200)
        assert broker.most_in_flight > 1  # wide again


@pytest.mark.parametrize(("code", "words"), [(0x87, "not authorized"), (0x97, "quota exceeded")])
async def test_a_refused_birth_is_trouble_and_repeated_until_it_is_taken(fake_broker, hasty, code, words):
    """Others take a service for away until they hear it."""
    broker = await fake_broker()
    broker.codes["m/status/x"] = code
    birth = Message("m/status/x", b"online", retain=True)
    timing = replace(hasty, birth_s=0.05)
    async with Publisher(broker.address, birth=birth, timing=timing, on_trouble=lambda _: None) as publisher:
        await publisher.publish([Message("t", b"0")])
        assert publisher.trouble == f"the broker refuses m/status/x: {words}"
        broker.codes.clear()
        async with asyncio.timeout(10):
            while publisher.trouble:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    assert broker.payloads.count(b"online") >= 2


@pytest.mark.parametrize(("code", "words"), [(0x80, "unspecified error"), (0x87, "not authorized")])
async def test_a_refused_subscription_names_its_topic(tcp_server, hasty, code, words):
    async def serve(reader, writer):
        await reader.read(1)
        writer.write(b"\x20\x03\x00\x00\x00")
        while (octets := await reader.read(1000)) and (at := octets.find(b"\x82")) < 0:
            pass
        writer.write(b"\x90\x05" + octets[at + 2 : at + 4] + bytes([0, 1, code]))
        await reader.read()
        await asyncio.sleep(60)

    messages = subscribe(await tcp_server(serve), ["m/one", "m/two"], client_id="a", timing=hasty)
    with pytest.raises(RunError, match=f"the broker refuses m/two: {words}"):
        async with aclosing(messages), asyncio.timeout(10):
            await anext(messages)


def test_a_topic_is_tried_again_after_a_pause_and_at_once_where_the_connection_lasted():
    now = [0.0]
    topics = RefusedTopics(lambda: now[0])
    topics.refused("m/bad", "not authorized")
    assert topics.reason("m/bad") == ""
    topics.lost()
    assert topics.reason("m/bad") == "not authorized"
    assert topics.reason("m/good") == ""
    now[0] = PAUSE_S
    assert topics.reason("m/bad") == ""


def test_a_topic_that_was_taken_is_not_paused():
    topics = RefusedTopics(lambda: 0.0)
    topics.refused("m/bad", "quota exceeded")
    topics.taken("m/bad")
    topics.lost()
    assert topics.reason("m/bad") == ""
