"""docker-compose.yml on a real engine: a pass through the containers, one of which is killed in the middle."""

import asyncio
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from pathlib import Path

import msgpack
import pytest

from pipeline.mission import load_mission
from pipeline.stages.line import Line
from pipeline.topics import product_message, unpack_product
from pipeline.transport.address import BrokerAddress
from pipeline.transport.dialer import Timing
from pipeline.transport.mqtt import subscribe
from pipeline.transport.source import read_pass

ROOT = Path(__file__).parents[2]
PROJECT = "downlinktest"


def engine_missing():
    """Why there is none; empty where there is one."""
    if not shutil.which("docker-compose"):
        return "no container engine: docker-compose is not installed"
    answer = subprocess.run(["docker", "info"], capture_output=True, text=True, check=False)
    return "" if answer.returncode == 0 else "no container engine: docker info fails"


pytestmark = pytest.mark.skipif(bool(engine_missing()), reason=engine_missing() or "there is one")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Compose:
    """The stack under a project name of its own, on free ports."""

    def __init__(self):
        self.mqtt_port, self.page_port = free_port(), free_port()
        self._environment = {
            **os.environ,
            "COMPOSE_PROJECT_NAME": PROJECT,
            "DOCKER_BUILDKIT": "0",
            "COMPOSE_DOCKER_CLI_BUILD": "0",
            "DOWNLINK_MQTT_PORT": str(self.mqtt_port),
            "DOWNLINK_STATION_PORT": str(free_port()),
            "DOWNLINK_DASHBOARD_PORT": str(self.page_port),
            "DOWNLINK_PASS_GAP_S": "60",
        }

    def __call__(self, *words, **more):
        done = subprocess.run(
            ["docker-compose", *words],
            cwd=ROOT,
            env={**self._environment, **more},
            capture_output=True,
            text=True,
            check=False,
            timeout=400,
        )
        assert done.returncode == 0, f"{words}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
        return done.stdout

    def inspect(self, service):
        container = self("ps", "-q", service).split()[0]
        answer = subprocess.run(["docker", "inspect", container], capture_output=True, text=True, check=True)
        return json.loads(answer.stdout)[0]

    def kill(self, service):
        """As a crash is: what is killed by its own process is started again by the engine."""
        os.kill(self.inspect(service)["State"]["Pid"], signal.SIGKILL)

    async def healthy(self, *services, within_s=90):
        end = time.monotonic() + within_s
        for service in services:
            state = {}
            while state.get("Health", {}).get("Status") != "healthy":
                assert time.monotonic() < end, self("logs", "--tail", "30", service)
                await asyncio.sleep(0.5)
                state = (await asyncio.to_thread(self.inspect, service))["State"]


@pytest.fixture(scope="module")
def compose():
    made = Compose()
    made("down", "--volumes", "--remove-orphans")
    made("build", "ingest")
    made("up", "--detach", "--scale", "decode=3")
    yield made
    made("down", "--volumes", "--remove-orphans")


def without_receipt(payload):
    """A product without its Earth receive times, which are those of this run and not those of the recording."""
    told = msgpack.unpackb(payload)
    del told["lineage"]["received_ns"]
    return msgpack.packb(told)


def undisturbed(name):
    line = Line(load_mission("zhurong"), "live")
    products = [
        product for batch in read_pass(ROOT / "replay_data" / name) for product in line.feed(batch).products
    ]
    products += line.flush().products
    return {product.id: without_receipt(product_message(product).payload) for product in products}


async def listen(port, products):
    address = BrokerAddress("127.0.0.1", port)
    stream = subscribe(
        address, ["zhurong/+/product/#"], client_id="compose-witness", session_s=600, timing=Timing(first_s=60)
    )
    async for _, payload, _ in stream:
        products.setdefault(unpack_product(payload)["id"], set()).add(payload)


async def test_a_pass_goes_through_the_containers_while_one_after_the_other_is_killed(compose):
    expected = undisturbed("clean.cadu") | undisturbed("damaged.cadu")
    await compose.healthy("broker", "ingest", "decode", "publish")
    products = {}
    listening = asyncio.create_task(listen(compose.mqtt_port, products))
    await asyncio.sleep(1)
    compose("--profile", "replay", "run", "--rm", "replay", DOWNLINK_SPEED="max", DOWNLINK_PASS_NAME="first")
    await until(products, undisturbed("clean.cadu").keys(), 60)
    replay = asyncio.create_task(
        asyncio.to_thread(
            compose,
            *("--profile", "replay", "run", "--rm", "replay"),
            DOWNLINK_PASS="damaged.cadu",
            DOWNLINK_PASS_NAME="second",
            DOWNLINK_SPEED="0.6",
        )
    )
    for victim in ("decode", "publish", "ingest", "broker"):
        await asyncio.sleep(4)
        compose.kill(victim)
    await replay
    await until(products, expected.keys(), 120)
    equal = {key: without_receipt(payloads.pop()) for key, payloads in products.items() if len(payloads) == 1}
    assert equal == expected
    await compose.healthy("broker", "ingest", "decode", "publish")
    listening.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await listening


async def until(products, ids, within_s):
    end = time.monotonic() + within_s
    while not ids <= products.keys():
        assert time.monotonic() < end, f"{len(ids - products.keys())} of {len(ids)} products are missing"
        await asyncio.sleep(0.2)


@pytest.mark.parametrize("service", ["broker", "ingest", "decode", "publish", "dashboard"])
async def test_each_container_is_confined(compose, service):
    told = compose.inspect(service)
    assert told["Config"]["User"] not in {"", "root", "0"}
    assert told["HostConfig"]["ReadonlyRootfs"]
    assert told["HostConfig"]["Memory"] > 0
    assert told["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"
    assert told["HostConfig"]["CapDrop"] == ["ALL"]
    bound = [one["HostIp"] for ports in told["NetworkSettings"]["Ports"].values() for one in ports or []]
    assert set(bound) <= {"127.0.0.1"}


async def test_the_live_page_answers_and_asks_nothing_of_anyone_outside(compose):
    await compose.healthy("dashboard")
    url = f"http://127.0.0.1:{compose.page_port}/"
    page = (await asyncio.to_thread(urllib.request.urlopen, url, timeout=10)).read().decode()
    scripts = re.findall(r'<script[^>]* src="([^"]+)"', page)
    assert scripts
    for script in scripts:
        assert not urllib.parse.urlsplit(script).netloc
        answer = await asyncio.to_thread(urllib.request.urlopen, urllib.parse.urljoin(url, script), timeout=10)
        assert answer.status == 200


@pytest.mark.usefixtures("compose")
def test_the_image_adds_less_than_220_mb_to_that_of_python():
    words = ["docker", "image", "inspect", "-f", "{{.Size}}", "downlink", "python:3.11-slim"]
    sizes = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
    assert int(sizes[0]) - int(sizes[1]) < 220e6


async def test_who_comes_from_outside_reads_products_and_neither_reads_nor_writes_stage_topics(compose):
    await compose.healthy("broker", "publish")
    port = str(compose.mqtt_port)
    words = ["mosquitto_sub", "-h", "127.0.0.1", "-p", port, "-t", "zhurong/#", "-v", "-W", "4"]
    reader = await asyncio.create_subprocess_exec(*words, stdout=subprocess.PIPE)
    await asyncio.sleep(0.5)
    for topic in ("zhurong/stage/hello", "zhurong/live/product/a/b", "zhurong/status/intruder"):
        words = ["mosquitto_pub", "-h", "127.0.0.1", "-p", port, "-q", "1", "-t", topic, "-m", "forged"]
        await (await asyncio.create_subprocess_exec(*words)).wait()
    heard = (await reader.communicate())[0].decode()
    assert "zhurong/status/publish" in heard
    assert "forged" not in heard
    assert "/stage/" not in heard
