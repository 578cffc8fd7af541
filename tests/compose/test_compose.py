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
from downlink_pipeline.messages.topics import product_message, unpack_product
from downlink_pipeline.mission.loading import load_mission
from downlink_pipeline.mqtt.address import BrokerAddress
from downlink_pipeline.mqtt.publisher import subscribe
from downlink_pipeline.mqtt.reconnect import Timing
from downlink_pipeline.processing.chain import ProcessingChain
from downlink_pipeline.recordings.reader import read_pass
from downlink_pipeline.system.certs import make_certificates

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
    line = ProcessingChain(load_mission("zhurong"), "live")
    products = [
        product for batch in read_pass(ROOT / "replay_data" / name) for product in line.process(batch).products
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
    await compose.healthy("broker", "readers", "ingest", "decode", "publish")
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


@pytest.mark.parametrize("service", ["broker", "readers", "ingest", "decode", "publish", "dashboard"])
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
def test_the_image_adds_less_than_340_mb_to_that_of_python():
    """A third of these is SciPy, which solves for the continuum of LIBS."""
    words = ["docker", "image", "inspect", "-f", "{{.Size}}", "downlink", "python:3.11-slim"]
    sizes = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
    assert int(sizes[0]) - int(sizes[1]) < 340e6


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


def addresses(compose, service):
    networks = compose.inspect(service)["NetworkSettings"]["Networks"]
    return {name.removeprefix(f"{PROJECT}_"): one["IPAddress"] for name, one in networks.items()}


def within(compose, service, *words):
    """What a command says inside the container of a service, and its status."""
    container = compose("ps", "-q", service).split()[0]
    done = subprocess.run(["docker", "exec", container, *words], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


async def test_the_services_door_takes_nobody_without_a_certificate_of_its_own_authority(compose, tmp_path):
    """Every user of the host reaches the addresses of containers."""
    await compose.healthy("broker")
    make_certificates(tmp_path, ["broker"], "+", 1)
    files = {"--cafile": "ca.crt", "--cert": "publish.crt", "--key": "publish.key"}
    foreign = [word for option, file in files.items() for word in (option, str(tmp_path / file))]
    for address in addresses(compose, "broker").values():
        for shown in ([], [*foreign, "--insecure"]):
            words = [
                "mosquitto_pub",
                "-h",
                address,
                "-p",
                "1884",
                "-q",
                "1",
                "-t",
                "zhurong/stage/out",
                "-m",
                "forged",
            ]
            done = await asyncio.to_thread(subprocess.run, [*words, *shown], capture_output=True, timeout=30)
            assert done.returncode != 0
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(address, 1885)


def test_the_services_broker_is_on_no_network_of_the_dashboard_or_of_who_watches(compose):
    assert set(addresses(compose, "broker")) == {"stages"}
    assert set(addresses(compose, "dashboard")) == {"outside"}
    reach = "import socket; socket.create_connection(('broker', 1884), 3)"
    status, told = within(compose, "dashboard", "python", "-c", reach)
    assert status != 0
    assert "Name or service not known" in told or "name resolution" in told
    assert within(compose, "decode", "python", "-c", reach) == (0, "")


@pytest.mark.parametrize("service", ["ingest", "decode", "publish"])
def test_a_service_has_its_own_key_and_nobody_elses(compose, service):
    assert within(compose, service, "find", "/keys", "-name", "*.key") == (0, "/keys/own/own.key\n")
    status, told = within(compose, service, "touch", "/keys/own/another")
    assert status != 0
    assert "Read-only file system" in told


def test_a_start_later_on_keeps_the_certificates(compose):
    before = within(compose, "publish", "cat", "/keys/own/own.crt")
    compose("up", "--detach", "--scale", "decode=3")
    assert before[0] == 0
    assert within(compose, "publish", "cat", "/keys/own/own.crt") == before


async def test_the_dashboard_takes_no_socket_from_a_page_of_another_site(compose):
    await compose.healthy("dashboard")
    status = {}
    for origin in (f"http://127.0.0.1:{compose.page_port}", "http://evil.example", "http://evil.example:5006"):
        page = await asyncio.to_thread(urllib.request.urlopen, f"http://127.0.0.1:{compose.page_port}/", timeout=10)
        token = re.search(r'"token":"([^"]+)"', page.read().decode())[1]
        lines = [
            "GET /ws HTTP/1.1",
            f"Host: 127.0.0.1:{compose.page_port}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Protocol: bokeh, {token}",
            f"Origin: {origin}",
        ]
        reader, writer = await asyncio.open_connection("127.0.0.1", compose.page_port)
        writer.write("\r\n".join([*lines, "", ""]).encode())
        status[origin] = (await asyncio.wait_for(reader.readline(), 10)).decode().split()[1]
        writer.close()
    assert list(status.values()) == ["101", "403", "403"]
