"""The access lists that are shipped, on a real mosquitto: who may say and hear what, by any way that MQTT has."""

import asyncio
import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import pytest
from downlink_pipeline.model.batches import Message
from downlink_pipeline.mqtt.address import BrokerAddress
from downlink_pipeline.mqtt.publisher import Publisher
from downlink_pipeline.mqtt.reconnect import Timing
from downlink_pipeline.system.cert_folders import keep_certificates
from downlink_pipeline.system.certs import CLIENTS, make_certificates
from waiting import until, wait_until

ROOT = Path(__file__).parents[2]
MOSQUITTO = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/sbin")
pytestmark = pytest.mark.skipif(not MOSQUITTO, reason="mosquitto is not installed")

STAGE = [f"zhurong/stage/{name}" for name in ("offer", "raw/one", "claim", "out", "done", "lost", "hello")]
TOLD = [
    f"zhurong/live/{name}" for name in ("product/a/b", "latest/a/b", "link/x", "event/info", "report", "progress")
]
STATUS, CONTROL = "zhurong/status/publish", "zhurong/live/control"
EVERYTHING = [*STAGE, *TOLD, STATUS, CONTROL]
WAYS_IN = ("#", "zhurong/#", "zhurong/stage/#", "+/stage/+", "$share/decode/zhurong/stage/offer", "$share/g/#")


def takes_connections(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


class Ear:
    """A mosquitto_sub and what it hears, a line a message: topic and payload."""

    def __init__(self, process):
        self._process = process
        self.lines = []
        self.stands = False
        """Its subscription was answered, or its connection refused."""
        self._reading = asyncio.create_task(self._read())

    async def _read(self):
        async for octets in self._process.stdout:
            line = octets.decode().rstrip("\n")
            if line.startswith(("Subscribed", "Client ")):  # of -d
                self.stands |= line.startswith("Subscribed")
            else:
                self.lines.append(line)
        self.stands = True

    async def hears(self, *parts):
        """Wait until each of `parts` is in a line."""
        await until(lambda: all(any(part in line for line in self.lines) for part in parts))

    async def ended(self):
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGKILL)
        await self._reading
        await self._process.wait()
        return "\n".join(self.lines)


class Broker:
    """A mosquitto with a shipped configuration; `door(who)`: what a client of that name says to be let in."""

    def __init__(self, folder, conf, door):
        if os.geteuid() == 0:
            conf += "user root\n"
        (folder / "broker.conf").write_text(conf)
        self.door = door
        self._log = (folder / "broker.log").open("ab")
        self.process = subprocess.Popen(
            [MOSQUITTO, "-c", folder / "broker.conf"], stdout=self._log, stderr=self._log
        )
        port = int(re.search(r"^listener (\d+)", conf, re.MULTILINE)[1])
        wait_until(lambda: takes_connections(port))

    async def put(self, who, topic, payload, *more):
        words = ["mosquitto_pub", *self.door(who), "-q", "1", "-t", topic, "-m", payload, *more]
        done = await asyncio.create_subprocess_exec(*words, stderr=asyncio.subprocess.DEVNULL)
        await done.wait()

    async def hear(self, who, *topics, will=()):
        """Listen, from now on."""
        filters = [word for topic in topics for word in ("-t", topic)]
        words = [
            "stdbuf",
            "-oL",
            "mosquitto_sub",
            *self.door(who),
            "-q",
            "1",
            *filters,
            "-F",
            "%t %p",
            "-V",
            "mqttv5",
            "-d",
            *will,
        ]
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*words, stdout=pipe, stderr=asyncio.subprocess.DEVNULL)
        ear = Ear(process)
        await until(lambda: ear.stands)
        return ear

    def stop(self):
        self.process.kill()
        self.process.wait()
        self._log.close()


@pytest.fixture
def unused_port():
    """And the one behind it."""
    while True:
        with socket.socket() as one, socket.socket() as other:
            one.bind(("127.0.0.1", 0))
            with contextlib.suppress(OSError, OverflowError):
                other.bind(("127.0.0.1", one.getsockname()[1] + 1))
                return one.getsockname()[1]


@pytest.fixture
def lab(tmp_path, unused_port):
    """As `downlink certs` sets it up."""
    make_certificates(tmp_path / "certs", ["127.0.0.1"], "zhurong", 1)
    conf = (tmp_path / "certs" / "mosquitto.conf").read_text()
    conf = conf.replace("listener 8883", f"listener {unused_port} 127.0.0.1").replace("persistence true\n", "")

    def door(who):
        files = {"--cafile": "ca.crt", "--cert": f"{who}.crt", "--key": f"{who}.key"}
        named = [word for option, file in files.items() for word in (option, str(tmp_path / "certs" / file))]
        return ["-h", "127.0.0.1", "-p", str(unused_port), *named]

    broker = Broker(tmp_path, conf, door)
    yield broker
    broker.stop()


class Composed:
    """As docker-compose.yml sets it up: the services' broker, and the readers' broker that is a reader of it."""

    def __init__(self, folder, inner, outer):
        self._ports = {"inner": inner, "outer": outer}
        self._keys = folder / "keys"
        keep_certificates(self._keys, ("broker", *CLIENTS), ["127.0.0.1"], "+", 100)
        self._services = Broker(self._folder(folder, "services"), self._services_conf(folder), self.door)
        self._readers = Broker(self._folder(folder, "readers"), self._readers_conf(), self.door)

    @staticmethod
    def _folder(folder, name):
        (folder / name).mkdir()
        return folder / name

    def _services_conf(self, folder):
        return changed(
            "mosquitto.conf",
            ("listener 1884", f"listener {self._ports['inner']} 127.0.0.1"),
            ("listener 1885 127.0.0.1", f"listener {unused()} 127.0.0.1"),
            ("/mosquitto/keys/", f"{self._keys}/broker/"),
            ("/mosquitto/config/health.acl", str(ROOT / "docker" / "health.acl")),
            ("persistence_location /mosquitto/data/", f"persistence_location {folder}/"),
        )

    def _readers_conf(self):
        return changed(
            "readers.conf",
            ("listener 1883", f"listener {self._ports['outer']} 127.0.0.1"),
            ("address broker:1884", f"address 127.0.0.1:{self._ports['inner']}"),
            ("/mosquitto/keys/", f"{self._keys}/reader/"),
            ("/mosquitto/config/readers.acl", str(ROOT / "docker" / "readers.acl")),
        )

    def door(self, who):
        if who == "reader":
            return ["-p", str(self._ports["outer"])]
        own = self._keys / who
        files = ["--cafile", own / "ca.crt", "--cert", own / "own.crt", "--key", own / "own.key"]
        return ["-h", "127.0.0.1", "-p", str(self._ports["inner"]), *map(str, files)]

    async def put(self, *words):
        await self._services.put(*words)

    async def hear(self, *words, **more):
        return await self._services.hear(*words, **more)

    def stop(self):
        self._services.stop()
        self._readers.stop()


def changed(name, *changes):
    """A configuration of docker/ with its container's places changed to those of this test."""
    conf = (ROOT / "docker" / name).read_text()
    for before, after in changes:
        assert before in conf
        conf = conf.replace(before, after)
    return conf


def unused():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def composed(tmp_path, unused_port):
    broker = Composed(tmp_path, unused_port + 1, unused_port)
    yield broker
    broker.stop()


async def attempts(broker, who):
    """Everything that `who` can try to say, in every way: at once, kept, and as a last will."""
    wills = [
        await broker.hear(who, "nothing", will=("--will-topic", topic, "--will-payload", f"will of {who}"))
        for topic in (STAGE[3], TOLD[0], STATUS, CONTROL)
    ]
    await asyncio.gather(*(broker.put(who, topic, f"said by {who}") for topic in EVERYTHING))
    await asyncio.gather(*(broker.put(who, topic, f"kept by {who}", "-r") for topic in EVERYTHING))
    for listener in wills:
        await listener.ended()


@pytest.mark.parametrize("broker", ["lab", "composed"])
async def test_a_reader_says_nothing_in_any_way_and_hears_no_stage_topic_by_any_filter(broker, request):
    broker = request.getfixturevalue(broker)
    readers = [await broker.hear("reader", way) for way in WAYS_IN]
    insiders = [await broker.hear(who, "zhurong/stage/#") for who in ("ingest", "decode", "publish")]
    await attempts(broker, "reader")
    speakers = {"ingest": STAGE[:2], "decode": [STAGE[2], STAGE[3]], "publish": [STAGE[4], STATUS, *TOLD[:5]]}
    for who, spoken in speakers.items():
        await asyncio.gather(*(broker.put(who, topic, f"honest {topic}", "-r") for topic in spoken))
    late = await broker.hear("reader", "#")
    await insiders[2].hears(f"{STAGE[3]} honest")
    for reader in (*readers[:2], late):
        await reader.hears(*(f"{topic} honest" for topic in (*TOLD[:5], STATUS)))
    heard = [await one.ended() for one in (*readers, late)]
    inside = [await one.ended() for one in insiders]
    assert not [text for text in (*heard, *inside) if "by reader" in text or "of reader" in text]
    assert not [text for text in heard if "/stage/" in text]


async def test_an_operator_steers_replays_and_no_more_and_no_service_speaks_for_another(lab):
    ears = [await lab.hear(who, "zhurong/#") for who in ("reader", "ingest", "decode", "publish", "replay")]
    for who in ("operator", "station", "decode", "ingest"):
        await attempts(lab, who)
    await ears[0].hears(f"{STATUS} will of ingest")
    heard = {(line.split(" ")[0], line.split(" ")[-1]) for ear in ears for line in (await ear.ended()).splitlines()}
    assert {topic for topic, who in heard if who == "operator"} == {CONTROL}
    assert {topic for topic, who in heard if who == "station"} == set()
    assert {topic for topic, who in heard if who == "decode"} == {STATUS, *STAGE[2:4], STAGE[5]}
    assert {topic for topic, who in heard if who == "ingest"} == {STATUS, *STAGE[:2]}


@pytest.mark.parametrize("broker", ["lab", "composed"])
async def test_a_reader_who_takes_the_session_of_a_service_hears_nothing_of_it(broker, request):
    broker = request.getfixturevalue(broker)
    same = ("-i", "zhurong-publish-in", "-c", "-x", "600")
    service = await broker.hear("publish", STAGE[3], will=same)
    await broker.put("decode", STAGE[3], "heard")
    await service.hears("heard")
    await service.ended()
    await broker.put("decode", STAGE[3], "waits")
    thief = await broker.hear("reader", "zhurong/live/#", will=same)
    await broker.put("decode", STAGE[3], "comes")
    await broker.put("publish", TOLD[0], "read")
    await thief.hears("read")
    assert (await thief.ended()).split() == [TOLD[0], "read"]


async def test_a_service_at_the_readers_door_says_what_it_may_not_and_does_not_hammer(composed):
    port = int(composed.door("reader")[1])
    told = []
    forbidden = Message(STATUS, b"{}", retain=True)
    timing = Timing(pause_s=0.1)
    async with Publisher(BrokerAddress("127.0.0.1", port), birth=forbidden, on_trouble=told.append, timing=timing):
        await until(lambda: told)
        await asyncio.sleep(1.0)  # ten tries more: it is told once
    assert told.count(f"the broker refuses {STATUS}: not authorized") == 1
    assert len(told) < 12  # at 0.1 s, 0.2 s, 0.4 s and so on; and not twenty times
