"""A broker that ends the connection for what it refuses: each refusal has its reason, and costs a reconnect a topic."""

import asyncio

import pytest

from pipeline.batches import Message
from pipeline.transport.mqtt import Publisher, PublishRefusedError
from pipeline.transport.refused_topics import PAUSE_S, RefusedTopics


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
    assert len(returns) <= 3 * 3  # the window goes 100, 10, 1 for each of three topics: it is wide again after each


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
