"""Against a real mosquitto that is killed, stopped, guarded and limited."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import aiomqtt
import pytest
from downlink_pipeline.model.batches import Message
from downlink_pipeline.model.errors import RunError
from downlink_pipeline.mqtt.publisher import Publisher, Timing, subscribe
from waiting import until

ROOT = Path(__file__).parents[2]
DYING_PUBLISHER = """
import asyncio, os, signal
from downlink_pipeline.model.batches import Message
from downlink_pipeline.mqtt.address import BrokerAddress
from downlink_pipeline.mqtt.publisher import Publisher

async def main():
    will = Message("w", b"offline", retain=True)
    async with Publisher(BrokerAddress("127.0.0.1", PORT), will=will) as publisher:
        await publisher.publish([Message("w", b"online", retain=True)])
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


async def gather_until(stream, is_last, payloads=None):
    """The payloads of a subscription up to the last."""
    payloads = [] if payloads is None else payloads
    async with aclosing(stream):
        async for _, payload, _ in stream:
            payloads.append(payload)
            if is_last(payload):
                return payloads
    return payloads


async def test_messages_arrive_in_order_with_their_topics(mosquitto):
    broker = await mosquitto()
    listening = asyncio.Event()
    async with Publisher(broker.address) as publisher:
        stream = subscribe(broker.address, ["m/#"], on_listening=listening.set)
        first = asyncio.ensure_future(anext(stream))
        await listening.wait()
        await publisher.publish([Message(f"m/{i % 3}", b"%d" % i) for i in range(30)])
        got = [await first] + [await anext(stream) for _ in range(29)]
        await stream.aclose()
    assert got == [(f"m/{i % 3}", b"%d" % i, False) for i in range(30)]


async def test_a_retained_message_reaches_a_later_subscriber_marked_so(mosquitto):
    broker = await mosquitto()
    async with Publisher(broker.address) as publisher:
        await publisher.publish([Message("latest/a", b"1", retain=True), Message("latest/a", b"2", retain=True)])
    async with aclosing(subscribe(broker.address, ["latest/+"])) as stream:
        assert await anext(stream) == ("latest/a", b"2", True)


async def test_of_topics_asked_for_as_retained_only_what_the_broker_had_comes(mosquitto):
    broker = await mosquitto()
    async with Publisher(broker.address) as publisher:
        old = [Message(f"latest/{i}", b"old", retain=True) for i in range(200)]
        await publisher.publish(old)
        async with aclosing(subscribe(broker.address, ["news"], retained=["latest/+"])) as stream:
            got = [await anext(stream) for _ in old]
            for news in (b"1", b"2"):  # a message there and back: by then it has unsubscribed
                await publisher.publish([Message("news", news)])
                assert await anext(stream) == ("news", news, False)
            await publisher.publish([Message("latest/0", b"new", retain=True), Message("news", b"3")])
            assert await anext(stream) == ("news", b"3", False)
    assert sorted(got) == sorted((one.topic, b"old", True) for one in old)


async def test_the_content_type_goes_along_in_mqtt_5(mosquitto):
    broker = await mosquitto()
    async with Publisher(broker.address) as publisher:
        await publisher.publish([Message("a", b"{}", retain=True, content_type="application/json")])
    async with aiomqtt.Client("127.0.0.1", broker.port, protocol=aiomqtt.ProtocolVersion.V5) as client:
        await client.subscribe("a")
        assert (await anext(client.messages)).properties.ContentType == "application/json"


async def test_a_broker_killed_in_mid_stream_costs_a_subscriber_with_a_session_nothing(mosquitto, hasty):
    broker = await mosquitto("allow_anonymous true", "persistence true", "autosave_interval 1")
    told, received = [], []
    sent = [b"%d" % i for i in range(400)]
    subscription = subscribe(
        broker.address, ["s"], client_id="reader", session_s=600, timing=hasty, on_trouble=told.append
    )
    reader = asyncio.create_task(gather_until(subscription, lambda payload: payload == sent[-1], received))
    saved = broker.folder / "mosquitto.db"
    await until(lambda: saved.exists() and b"reader" in saved.read_bytes())
    async with Publisher(broker.address, timing=hasty, on_trouble=told.append) as publisher:
        writer = asyncio.create_task(write_slowly(publisher, sent))
        await until(lambda: len(received) > 40)
        broker.kill()
        await until(lambda: sum("lost the connection" in line for line in told) == 2)
        await broker.start()
        await writer
        await asyncio.wait_for(reader, 20)
    assert set(received) == set(sent)
    assert list(dict.fromkeys(received)) == sorted(set(received), key=int)
    assert sum("lost the connection" in line for line in told) == 2


async def write_slowly(publisher, payloads):
    for start in range(0, len(payloads), 4):
        await publisher.publish([Message("s", payload) for payload in payloads[start : start + 4]])
        await asyncio.sleep(0.008)


async def test_a_broker_that_stands_still_is_waited_for(mosquitto, hasty):
    broker = await mosquitto()
    told = []
    async with Publisher(broker.address, timing=hasty, on_trouble=told.append) as publisher:
        await publisher.publish([Message("t", b"1")])
        broker.signal(signal.SIGSTOP)
        publishing = asyncio.ensure_future(publisher.publish([Message("t", b"2", retain=True)]))
        await until(lambda: told)
        assert not publishing.done()
        broker.signal(signal.SIGCONT)
        await asyncio.wait_for(publishing, 5)
    assert "no acknowledgement" in told[0]


async def test_retained_values_are_there_again_after_the_broker_forgot_them(mosquitto, hasty):
    broker = await mosquitto()
    async with Publisher(broker.address, timing=hasty, on_trouble=lambda _: None) as publisher:
        await publisher.publish([Message("latest/a", b"1", retain=True)])
        broker.kill()
        await broker.start()
        await publisher.publish([Message("t", b"x")])
        async with aclosing(subscribe(broker.address, ["latest/#"])) as stream:
            assert await anext(stream) == ("latest/a", b"1", True)


async def test_a_wrong_password_is_final_and_one_line_without_it(mosquitto, tmp_path):
    if not shutil.which("mosquitto_passwd"):
        pytest.skip("mosquitto_passwd is not installed")
    subprocess.run(["mosquitto_passwd", "-b", "-c", tmp_path / "users", "anna", "sesame"], check=True)  # noqa: ASYNC221
    (tmp_path / "users").chmod(0o644)
    broker = await mosquitto("allow_anonymous false", f"password_file {tmp_path}/users")
    start = time.monotonic()
    for address in (broker.address, replace(broker.address, username="anna", password="guessed")):
        with pytest.raises(
            RunError, match=r"^cannot connect to mqtt://[^\n]*: the broker refuses: not authori"
        ) as caught:
            await Publisher(address).__aenter__()
        assert "guessed" not in str(caught.value)
        with pytest.raises(RunError, match="the broker refuses"):
            await anext(subscribe(address, ["#"]))
    assert time.monotonic() - start < 1
    async with Publisher(replace(broker.address, username="anna", password="sesame")) as publisher:
        await publisher.publish([Message("t", b"x")])


async def test_tls_is_spoken_to_a_broker_whose_certificate_is_known(mosquitto, tmp_path, monkeypatch):
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    make = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=x -addext subjectAltName=DNS:localhost"
    files = ["-keyout", tmp_path / "key", "-out", tmp_path / "cert"]
    subprocess.run([*make.split(), *files], check=True, capture_output=True)  # noqa: ASYNC221
    broker = await mosquitto("allow_anonymous true", f"certfile {tmp_path}/cert", f"keyfile {tmp_path}/key")
    address = replace(broker.address, host="localhost", tls=True)
    with pytest.raises(RunError, match=r"^cannot connect to mqtts://[^\n]*certificate verify failed[^\n]*$"):
        await Publisher(address, timing=Timing(first_s=0)).__aenter__()
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert"))
    async with Publisher(address) as publisher:
        await publisher.publish([Message("t", bytes(1 << 20), retain=True), Message("t", b"x", retain=True)])
    async with aclosing(subscribe(address, ["t"])) as stream:
        assert await anext(stream) == ("t", b"x", True)


async def test_a_topic_that_the_broker_forbids_is_an_error_that_names_it(mosquitto, tmp_path):
    (tmp_path / "acl").write_text("topic write open\n")
    broker = await mosquitto("allow_anonymous true", f"acl_file {tmp_path}/acl")
    async with Publisher(broker.address) as publisher:
        with pytest.raises(RunError, match="the broker refuses secret: Not authorized"):
            await publisher.publish([Message("open", b""), Message("secret", b"")])


async def test_the_broker_says_the_will_of_a_publisher_that_is_killed(mosquitto):
    broker = await mosquitto()
    program = DYING_PUBLISHER.replace("PORT", str(broker.port))
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    dying = await asyncio.create_subprocess_exec(sys.executable, "-c", program, env=environ)
    await dying.wait()
    async with aclosing(subscribe(broker.address, ["w"])) as stream:
        async with asyncio.timeout(5):
            async for _, payload, _ in stream:
                if payload == b"offline":
                    break


async def test_a_message_in_work_when_the_reader_died_comes_again(mosquitto):
    broker = await mosquitto()

    listening = asyncio.Event()

    def reader():
        return subscribe(broker.address, ["w"], client_id="worker", session_s=60, on_listening=listening.set)

    stream = reader()
    first = asyncio.ensure_future(anext(stream))
    await listening.wait()
    async with Publisher(broker.address) as publisher:
        await publisher.publish([Message("w", b"1"), Message("w", b"2"), Message("w", b"3")])
    assert (await first)[1] == b"1"
    assert (await anext(stream))[1] == b"2"
    await stream.aclose()
    async with aclosing(reader()) as again:
        assert [(await anext(again))[1], (await anext(again))[1]] == [b"2", b"3"]


async def test_a_subscription_goes_on_after_the_broker_was_away(mosquitto, hasty):
    broker = await mosquitto()
    told = []
    listening = asyncio.Event()
    stream = subscribe(broker.address, ["t"], timing=hasty, on_trouble=told.append, on_listening=listening.set)
    reader = asyncio.create_task(gather_until(stream, lambda payload: payload == b"end"))
    await listening.wait()
    broker.kill()
    await broker.start()
    async with Publisher(broker.address) as publisher:
        async with asyncio.timeout(20):
            while not reader.done():
                await publisher.publish([Message("t", b"end")])
                await asyncio.sleep(0.05)
    assert reader.result() == [b"end"]
    assert ["lost" in line for line in told] == [True, False]


@pytest.mark.parametrize(("remember_bytes", "complete"), [(1 << 20, True), (10, False)])
async def test_after_a_loss_it_is_told_whether_all_of_the_last_minute_went_out_again(
    mosquitto, hasty, remember_bytes, complete
):
    broker = await mosquitto()
    told = []
    async with Publisher(
        broker.address,
        timing=hasty,
        remember_bytes=remember_bytes,
        on_return=told.append,
        on_trouble=lambda _: None,
    ) as publisher:
        await publisher.publish([Message("a", b"x" * 8) for _ in range(3)])
        broker.kill()
        await broker.start()
        await until(lambda: told)
    assert told == [complete]
