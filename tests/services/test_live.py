"""A live pass, over UDP and over TCP in pieces of any size, gives the products that a replay of its recording gives."""

import asyncio
import json
import random
import shutil
import socket
from pathlib import Path

import aiomqtt
import numpy as np
import pytest
from downlink_pipeline.api import open_pass
from downlink_pipeline.messages.topics import product_message
from downlink_pipeline.mission.loading import load_mission
from downlink_pipeline.processing.chain import ProcessingChain
from downlink_pipeline.recordings.reader import read_pass
from waiting import until

CADU_BYTES = 1024


@pytest.fixture
def without_windows(tmp_path):
    """Zhurong with its products grouped by receipt."""
    folder = tmp_path / "zhurong"
    shutil.copytree(Path(__file__).parents[2] / "configs" / "zhurong", folder)
    text = (folder / "mission.toml").read_text()
    assert "window_s = 10.0" in text
    (folder / "mission.toml").write_text(text.replace("window_s = 10.0", "window_s = 0.0"))
    return folder


def replayed(folder, recording):
    line = ProcessingChain(load_mission(str(folder)), "test")
    products = [product for batch in read_pass(recording, 50_000) for product in line.process(batch).products]
    products += line.flush().products
    return {product.id: product_message(product).payload for product in products}


async def send(stack, octets, sizes):
    scheme = socket.SOCK_DGRAM if stack.scheme == "udp" else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, scheme) as sock:
        sock.connect(("127.0.0.1", stack.feed_ports["test"]))
        place = 0
        for size in sizes:
            sock.sendall(octets[place : place + size])
            place += size
            await asyncio.sleep(0.001)  # a pace that the socket's buffer keeps up with
    assert place >= len(octets)


def metric(text, name):
    return float(next(line.split()[-1] for line in text.splitlines() if line.startswith(f"downlink_{name}")))


@pytest.mark.parametrize(("scheme", "together"), [("udp", False), ("tcp-listen", True)])
async def test_a_live_pass_gives_the_products_of_its_recording(
    make_stack, subscriber, bundled, without_windows, scheme, together
):
    octets = (bundled / "damaged.cadu").read_bytes()[: 600 * CADU_BYTES]
    chance = random.Random(3)
    n = len(octets) // CADU_BYTES
    sizes = [CADU_BYTES] * n if scheme == "udp" else [chance.randint(1, 4000) for _ in range(n)]
    stack = make_stack(
        mission=str(without_windows),
        together=together,
        scheme=scheme,
        settings={"DOWNLINK_PASS_GAP_S": "1"},
    )
    stack.start()
    async with subscriber(stack) as witness:
        await stack.ready()
        await send(stack, octets, sizes)
        recordings = stack.folder / ("all" if together else "ingest") / "test"
        await until(lambda: list(recordings.glob("*/ended")))
        (recording,) = recordings.iterdir()
        assert b"".join(batch.data.tobytes() for batch in read_pass(recording)) == octets
        expected = replayed(without_windows, recording)
        await witness.until(expected.keys(), 20)
        await asyncio.sleep(0.5)  # nothing more comes
        assert witness.products == expected
        assert len(expected) > 20


async def test_each_service_says_what_it_does(make_stack, bundled):
    """Retained: status, link counters, the pass report, the latest values."""
    stack = make_stack(settings={"DOWNLINK_PASS_GAP_S": "1"})
    stack.start()
    await stack.ready()
    stack.feed(bundled / "clean.cadu")
    told = {}
    async with aiomqtt.Client("127.0.0.1", stack.port) as client, asyncio.timeout(20):
        await client.subscribe("zhurong/#")
        async for message in client.messages:
            if not message.topic.matches("zhurong/stage/#"):
                told[str(message.topic)] = message.payload
            if "zhurong/test/report" in told and "zhurong/test/latest/weather/pressure_pa" in told:
                break
    states = {key: json.loads(value)["state"] for key, value in told.items() if "/status/" in key}
    assert states == {f"zhurong/status/{name}": "online" for name in stack.services}
    report = json.loads(told["zhurong/test/report"])
    assert report["frames"]["read"] == report["frames"]["clean"]
    assert report["pass"] == "pass"
    assert json.loads(told["zhurong/test/link/rover_relay"])["lost_frames"] == 0
    frames = f'downlink_frames{{fate="clean",station="test"}} {report["frames"]["clean"]}'
    assert frames in stack.get("decode-one", "/metrics")
    assert (
        metric(stack.get("ingest", "/metrics"), 'recorded_bytes_total{station="test"}')
        == (bundled / "clean.cadu").stat().st_size
    )
    assert "downlink_published_messages_total" in stack.get("publish", "/metrics")
    lines = [json.loads(line) for line in stack.log("ingest").splitlines()]
    assert {"ready", "a pass begins", "the pass ended"} <= {line["event"] for line in lines}
    assert {line["service"] for line in lines} == {"ingest"}


async def test_a_service_that_is_asked_to_stop_says_offline_and_ends_well(make_stack):
    stack = make_stack()
    stack.start()
    await stack.ready()
    process = stack.processes["decode-one"]
    process.terminate()
    assert await asyncio.to_thread(process.wait, 10) == 0
    async with aiomqtt.Client("127.0.0.1", stack.port) as client, asyncio.timeout(10):
        await client.subscribe("zhurong/status/decode-one")
        async for message in client.messages:
            if json.loads(message.payload)["state"] == "offline":
                break
    assert "Traceback" not in stack.log("decode-one")


async def test_a_broker_that_speaks_3_1_1_alone_will_do(make_stack, bundled, undisturbed, without_receipt):
    """amqtt: no MQTT 5, no shared subscriptions, no sessions for who is anonymous."""
    pytest.importorskip("amqtt", reason="amqtt is not installed")
    stack = make_stack()
    stack.amqtt = True
    expected = undisturbed("clean.cadu")
    stack.start()
    await stack.ready(within_s=30)
    found = {}
    async with aiomqtt.Client("127.0.0.1", stack.port) as client, asyncio.timeout(60):
        await client.subscribe("zhurong/test/product/#", qos=1)
        stack.feed(bundled / "clean.cadu")
        async for message in client.messages:
            if message.topic.matches("zhurong/status/#"):
                continue  # amqtt gives a new session what was retained for another
            found[len(found)] = without_receipt(message.payload)
            if set(found.values()) >= set(expected.values()):
                break
    assert np.unique(list(map(len, found.values()))).size > 1


async def test_packets_of_a_live_pass_are_published_where_decode_is_asked_to(make_stack, bundled, tmp_path):
    octets = (bundled / "clean.cadu").read_bytes()[: 40 * CADU_BYTES]
    short = tmp_path / "short.cadu"
    short.write_bytes(octets)
    settings = {"DOWNLINK_PASS_GAP_S": "1", "DOWNLINK_PACKETS": "true"}
    stack = make_stack(scheme="udp", settings=settings)
    stack.start()
    await stack.ready()
    expected = sorted(
        batch.data[start : start + length].tobytes()
        for batch in open_pass(short, mission="zhurong").packets()
        for start, length in zip(batch.start.tolist(), batch.length.tolist(), strict=True)
    )
    found = []
    async with aiomqtt.Client("127.0.0.1", stack.port) as client, asyncio.timeout(20):
        await client.subscribe("zhurong/test/packet/+", qos=1)
        await send(stack, octets, [CADU_BYTES] * 40)
        async for message in client.messages:
            found.append(bytes(message.payload))
            if len(found) >= len(expected):
                break
    assert sorted(found) == expected
