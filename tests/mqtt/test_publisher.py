import asyncio
import time
from dataclasses import replace

import pytest
from downlink_pipeline.model.batches import Message
from downlink_pipeline.model.errors import RunError
from downlink_pipeline.mqtt.address import BrokerAddress
from downlink_pipeline.mqtt.publisher import Publisher
from downlink_pipeline.mqtt.reconnect import Timing


def messages(n, topic="t"):
    return [Message(topic, b"%d" % i) for i in range(n)]


def payloads(n):
    return [b"%d" % i for i in range(n)]


async def hang(reader, _writer):
    await reader.read()
    await asyncio.sleep(60)


async def hang_up(_reader, writer):
    writer.close()


async def test_publish_returns_when_the_broker_has_everything_in_order(fake_broker):
    broker = await fake_broker()
    async with Publisher(broker.address) as publisher:
        await publisher.publish(messages(300))
        assert broker.payloads == payloads(300)
        assert broker.n_in_flight == 0


async def test_publishing_nothing_returns_at_once(fake_broker):
    broker = await fake_broker()
    async with Publisher(broker.address) as publisher:
        await publisher.publish([])


async def test_a_message_of_qos_0_is_done_when_it_is_written(fake_broker):
    broker = await fake_broker()
    async with Publisher(broker.address) as publisher:
        await publisher.publish([Message("t", b"x", qos=0)])


async def test_no_more_than_the_window_is_in_flight(fake_broker):
    broker = await fake_broker(delay_s=0.01)
    async with Publisher(broker.address, window=7) as publisher:
        await publisher.publish(messages(50))
    assert broker.most_in_flight == 7


async def test_the_brokers_receive_maximum_is_kept(fake_broker):
    broker = await fake_broker(delay_s=0.01, connack_properties=b"\x21\x00\x03")
    async with Publisher(broker.address) as publisher:
        await publisher.publish(messages(20))
    assert broker.most_in_flight == 3


async def test_large_messages_are_in_flight_one_by_one(fake_broker):
    broker = await fake_broker(delay_s=0.05)
    async with Publisher(broker.address) as publisher:
        await publisher.publish([Message("t", bytes(9 << 20)) for _ in range(3)])
    assert broker.most_in_flight == 1


async def test_a_broker_that_knows_no_mqtt_5_is_spoken_to_in_3_1_1(fake_broker):
    broker = await fake_broker(accepts=(4,))
    async with Publisher(broker.address) as publisher:
        await publisher.publish(messages(3))
    assert broker.levels == [5, 4]
    assert broker.payloads == payloads(3)


async def test_what_a_lost_connection_left_is_sent_again_in_order(fake_broker, hasty):
    broker = await fake_broker(n_acknowledges=[10, 0, 25])
    async with Publisher(broker.address, timing=hasty, on_trouble=lambda _: None, remember_s=0) as publisher:
        await publisher.publish(messages(60))
    assert len(broker.levels) == 4
    assert broker.payloads == payloads(10) + [b"%d" % i for i in range(10, 35)] + [b"%d" % i for i in range(35, 60)]


async def test_what_was_acknowledged_lately_is_sent_again_before_the_rest(fake_broker, hasty):
    broker = await fake_broker(n_acknowledges=[4])
    async with Publisher(broker.address, timing=hasty, on_trouble=lambda _: None) as publisher:
        await publisher.publish(messages(6))
    assert broker.payloads == payloads(4) + payloads(6)


async def test_the_person_is_told_once_of_a_loss_and_once_of_its_end(fake_broker, hasty):
    told = []
    broker = await fake_broker(n_acknowledges=[5])
    async with Publisher(broker.address, timing=hasty, on_trouble=told.append) as publisher:
        await publisher.publish(messages(10))
    assert [line.split(" to mqtt://")[0] for line in told] == ["lost the connection", "connected"]


async def test_a_broker_that_stops_answering_is_left_and_called_again(fake_broker, hasty):
    told = []
    broker = await fake_broker(delay_s=0.5)
    async with Publisher(broker.address, timing=hasty, on_trouble=told.append) as publisher:
        await publisher.publish(messages(1))
    assert "no acknowledgement for 0 s" in told[0]
    assert set(broker.payloads) == {b"0"}
    assert len(broker.levels) > 1


async def test_calls_of_several_tasks_all_return(fake_broker, hasty):
    broker = await fake_broker(n_acknowledges=[33])
    async with Publisher(broker.address, timing=hasty, on_trouble=lambda _: None) as publisher:
        await asyncio.gather(*(publisher.publish(messages(20)) for _ in range(5)))
    assert len(broker.payloads) >= 100


async def test_a_call_that_is_cancelled_takes_its_unsent_messages_with_it(fake_broker):
    broker = await fake_broker(delay_s=0.05)
    async with Publisher(broker.address, window=1) as publisher:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(publisher.publish(messages(50)), 0.12)
        await publisher.publish([Message("t", b"after")])
    assert broker.payloads[-1] == b"after"
    assert len(broker.payloads) < 10


async def test_the_will_is_said_at_the_end_and_the_birth_at_each_beginning(fake_broker, hasty):
    broker = await fake_broker(n_acknowledges=[3])
    async with Publisher(
        broker.address,
        will=Message("s", b"offline", retain=True),
        birth=Message("s", b"online", retain=True),
        timing=hasty,
        remember_s=0,
        on_trouble=lambda _: None,
    ) as publisher:
        await publisher.publish(messages(4))
    assert broker.payloads == [b"online", b"0", b"1", b"online", b"2", b"3", b"offline"]


async def test_nobody_at_the_address_is_one_line_after_a_bounded_wait(hasty):
    address = BrokerAddress("127.0.0.1", 1)
    with pytest.raises(RunError, match=r"^cannot connect to mqtt://127.0.0.1:1: [^\n]*refused$"):
        await Publisher(address, timing=hasty).__aenter__()


async def test_a_host_that_does_not_exist_is_one_line(hasty):
    with pytest.raises(RunError, match=r"^cannot connect to mqtt://[^\n]*$"):
        await Publisher(BrokerAddress("no-such-host.invalid", 1883), timing=hasty).__aenter__()


async def test_a_host_name_that_is_none_is_one_line(hasty):
    with pytest.raises(RunError, match=r"^cannot connect to mqtt://[^\n]*$"):
        await Publisher(BrokerAddress("x" * 80, 1883), timing=hasty).__aenter__()


async def test_a_listener_that_never_answers_is_one_line_after_a_bounded_wait(tcp_server):
    address = await tcp_server(hang)
    start = time.monotonic()
    with pytest.raises(RunError, match=r"^cannot connect to \S+: no answer within 1 s; is it an MQTT broker\?$"):
        await Publisher(address, timing=Timing(first_s=0.1, answer_s=0.2)).__aenter__()
    assert time.monotonic() - start < 2


async def test_a_listener_that_hangs_up_is_one_line(tcp_server, hasty):
    address = await tcp_server(hang_up)
    with pytest.raises(RunError, match="closes the connection without an answer"):
        await Publisher(address, timing=hasty).__aenter__()


@pytest.mark.parametrize("topic", ["", "a/+", "#", "a\0b", "x" * 70_000])
async def test_what_is_no_topic_is_refused_before_it_is_sent(fake_broker, topic):
    broker = await fake_broker()
    async with Publisher(broker.address) as publisher:
        with pytest.raises(ValueError, match="no topic"):
            await publisher.publish([Message(topic, b"")])
        await publisher.publish(messages(1))
    assert broker.payloads == payloads(1)


async def test_a_message_larger_than_the_broker_takes_is_refused_and_the_others_go(fake_broker):
    broker = await fake_broker(connack_properties=b"\x27\x00\x00\x10\x00")
    async with Publisher(broker.address) as publisher:
        with pytest.raises(RunError, match="the broker refuses big: packet too large"):
            await publisher.publish([Message("big", bytes(5000)), *messages(2)])
    assert broker.payloads == payloads(2)


async def test_a_broker_of_ours_that_ended_for_good_ends_the_waiting(fake_broker, hasty):
    broker = await fake_broker(n_acknowledges=[1])
    address = replace(broker.address, ended=lambda: "it broke" if broker.payloads else "")
    async with Publisher(address, timing=hasty, on_trouble=lambda _: None) as publisher:
        with pytest.raises(RunError, match="no broker any more: it broke"):
            await publisher.publish(messages(5))
        with pytest.raises(RunError, match="it broke"):
            await publisher.publish(messages(1))


async def test_a_publisher_that_was_left_publishes_no_more(fake_broker):
    broker = await fake_broker()
    async with Publisher(broker.address) as publisher:
        pass
    with pytest.raises(RunError, match="closed"):
        await publisher.publish(messages(1))
