"""The three services and a mosquitto as processes that can be killed, cut off and started again."""

import asyncio
import contextlib
import multiprocessing
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import msgpack
import numpy as np
import pytest
from downlink_pipeline.messages.topics import product_message, unpack_product
from downlink_pipeline.mission.loading import load_mission
from downlink_pipeline.mqtt.address import BrokerAddress
from downlink_pipeline.mqtt.publisher import subscribe
from downlink_pipeline.mqtt.reconnect import Timing
from downlink_pipeline.processing.chain import ProcessingChain
from downlink_pipeline.recordings.reader import read_pass
from history_products import put, recorder
from waiting import until

__all__ = ["put", "recorder"]
ROOT = Path(__file__).parents[2]
MOSQUITTO = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/sbin")
BROKER = """\
listener {port} 127.0.0.1
allow_anonymous true
persistence true
persistence_location {folder}/
autosave_interval 1
max_queued_messages 0
max_inflight_messages 1000
set_tcp_nodelay true
log_type error
"""


FORK = multiprocessing.get_context("forkserver")
FORK.set_forkserver_preload(
    ["downlink_pipeline.cli.services", "downlink_pipeline.services.run", "downlink_pipeline.stations.feed"]
)
RUN = """
import os, runpy, sys
log = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
os.dup2(log, 1), os.dup2(log, 2), os.close(log)
os.environ.clear(), os.environ.update(environment)
sys.argv = ["downlink", *arguments]
runpy.run_module("pipeline", run_name="__main__", alter_sys=True)
"""


class Forked:
    """`python -m pipeline ARGUMENTS` in a process forked from one that has its imports, a second of CPU each time.

    Has as much of subprocess.Popen as is used here.
    """

    def __init__(self, arguments, path, environment):
        variables = {"arguments": arguments, "path": str(path), "environment": dict(environment)}
        self._process = FORK.Process(target=exec, args=(RUN, variables), daemon=True)
        self._process.start()
        self.pid = self._process.pid

    def send_signal(self, sign):
        if self.poll() is None:
            os.kill(self.pid, sign)

    def terminate(self):
        self.send_signal(signal.SIGTERM)

    def poll(self):
        return self._process.exitcode

    def wait(self, timeout=None):
        self._process.join(timeout)
        if self.poll() is None:
            raise subprocess.TimeoutExpired("downlink", timeout)
        return self.poll()


def free_port():
    """One below those that the system gives to connections: nobody takes it before a service that starts slowly."""
    while True:
        with socket.socket() as probe, contextlib.suppress(OSError):
            port = random.SystemRandom().randrange(
                15_000, 32_000
            )  # not the seeded one: it gives all workers the same
            probe.bind(("127.0.0.1", port))
            return port


class Stack:
    """Processes by name, each with its command, its log and its port for /health."""

    def __init__(
        self,
        folder: Path,
        mission="zhurong",
        *,
        workers=("one",),
        stations=("test",),
        settings=(),
        tls=None,
        together=False,
        scheme="feed",
        schemes=None,
    ):
        self.folder = folder
        self.mission = mission
        self.together, self.scheme = together, scheme
        self.schemes = dict.fromkeys(stations, scheme) | (schemes or {})
        """How each station is heard; those beyond `stations` are there for others to speak to."""
        self.amqtt = False
        self.port = free_port()
        self.feed_ports = {station: free_port() for station in self.schemes}
        self.client_port = self.port
        """What the services connect to: a relay may stand before the broker."""
        self.workers = workers
        self.settings = dict(settings)
        self.tls = tls
        """A folder with certificates, where the broker wants them."""
        self.health_ports = {name: free_port() for name in self.services}
        self.processes = {}
        (folder / "broker").mkdir()
        root = "user root\n" if os.geteuid() == 0 else ""
        (folder / "broker.conf").write_text(
            BROKER.format(port=self.port, folder=folder / "broker") + root + self._guard()
        )

    def _guard(self):
        """The broker asks who it is, in the way of `downlink certs`."""
        if not self.tls:
            return ""
        lines = (self.tls / "mosquitto.conf").read_text().splitlines()
        wanted = ("cafile", "certfile", "keyfile", "require", "use_identity", "acl_file")
        return "".join(f"{line}\n" for line in lines if line.startswith(wanted))

    def environment(self, name):
        if not self.tls:
            return {**os.environ, **self.settings}
        who = name.partition("-")[0]
        files = {"DOWNLINK_TLS_CA": "ca.crt", "DOWNLINK_TLS_CERT": f"{who}.crt", "DOWNLINK_TLS_KEY": f"{who}.key"}
        return {**os.environ, **self.settings, **{key: str(self.tls / file) for key, file in files.items()}}

    @property
    def services(self):
        if self.together:
            return ["all"]
        history = ["history"] if "DOWNLINK_HISTORY" in self.settings else []
        return ["ingest", *(f"decode-{name}" for name in self.workers), "publish", *history]

    @property
    def address(self):
        files = [self.tls / f for f in ("ca.crt", "reader.crt", "reader.key")] if self.tls else [None] * 3
        ca, cert, key = files
        return BrokerAddress("127.0.0.1", self.port, tls=bool(self.tls), ca=ca, cert=cert, key=key)

    def command(self, name):
        if name == "broker" and self.amqtt:
            return [sys.executable, "-P", str(ROOT / "pipeline/mqtt/amqtt_child.py"), str(self.port)]
        if name == "broker":
            return [MOSQUITTO, "-c", str(self.folder / "broker.conf")]
        stage, _, worker = name.partition("-")
        base = ["stage", stage, "--mission", self.mission]
        base += [
            "--broker",
            f"mqtt{'s' if self.tls else ''}://127.0.0.1:{self.client_port}",
            "--state",
            str(self.folder / name),
        ]
        base += ["--health", f"127.0.0.1:{self.health_ports[name]}"]
        if stage in {"ingest", "all"}:
            for station, port in self.feed_ports.items():
                url = f"{self.schemes[station]}://127.0.0.1:{port}{self._shown('ingest')}"
                base += ["--source", f"{station}={url}"]
        return base + (["--name", worker] if worker else [])

    def start(self, *names):
        for name in names or ("broker", *self.services):
            command, path = self.command(name), self.folder / f"{name}.log"
            if name == "broker":
                with path.open("ab") as log:
                    self.processes[name] = subprocess.Popen(command, stdout=log, stderr=log)
            else:
                self.processes[name] = Forked(command, path, self.environment(name))

    def _shown(self, who):
        return f"?cert={self.tls}/{who}.crt&key={self.tls}/{who}.key&ca={self.tls}/ca.crt" if self.tls else ""

    def kill(self, name, sign=signal.SIGKILL):
        process = self.processes.pop(name)
        process.send_signal(sign)
        process.wait(10)

    def stop(self):
        for name in list(self.processes):
            with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
                self.kill(name)

    def log(self, name):
        path = self.folder / f"{name}.log"  # the service opens it itself
        return path.read_text() if path.exists() else ""

    def get(self, name, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.health_ports[name]}{path}", timeout=2) as answer:
            return answer.read().decode()

    async def ready(self, *names, within_s=60):
        end = time.monotonic() + within_s
        for name in names or self.services:
            while True:
                try:
                    await asyncio.to_thread(self.get, name, "/health")
                    break
                except OSError:
                    assert time.monotonic() < end, f"{name} is not ready: {self.log(name)[-2000:]}"
                    await asyncio.sleep(0.05)

    def feed(self, recording, lasting_s=None, name="pass", station="test"):
        """Send a recording in a process of its own, at a speed by which it lasts so long."""
        pace = ["--speed", "max"]
        if lasting_s and Path(f"{recording}.times").exists():
            times = np.fromfile(f"{recording}.times", "<i8")[1::2]
            pace = ["--speed", str((times[-1] - times[0]) / 1e9 / lasting_s)]
        elif lasting_s:
            pace = ["--speed", "1", "--rate", str(int(8 * recording.stat().st_size / lasting_s))]
        to = f"feed://127.0.0.1:{self.feed_ports[station]}{self._shown('station')}"
        command = ["feed", str(recording), "--name", name, *pace, "--to", to]
        self.processes[f"feed-{station}-{name}"] = Forked(command, self.folder / "feed.log", os.environ)


class Relay:
    """Stands before the broker and can cut every connection."""

    def __init__(self, port):
        self._to = port
        self._writers = set()
        self.is_cut = False

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_error):
        self._server.close()
        self.cut()
        await asyncio.sleep(0.1)

    def cut(self):
        self.is_cut = True
        for writer in self._writers:
            writer.transport.abort()

    def mend(self):
        self.is_cut = False

    async def _serve(self, reader, writer):
        self._writers.add(writer)
        try:
            if not self.is_cut:
                there, back = await asyncio.open_connection("127.0.0.1", self._to)
                self._writers.add(back)
                await asyncio.gather(self._pump(reader, back), self._pump(there, writer), return_exceptions=True)
                self._writers.discard(back)
        except OSError:
            pass
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    async def _pump(self, reader, writer):
        try:
            while octets := await reader.read(1 << 16):
                writer.write(octets)
                await writer.drain()
        finally:
            writer.transport.abort()


def without_receipt(payload):
    """A product without its Earth receive times, which are those of this run and not those of the recording."""
    told = msgpack.unpackb(payload)
    del told["lineage"]["received_ns"]
    return msgpack.packb(told)


class Subscriber:
    """Keeps its session: products by id, and what was wrong with duplicates."""

    def __init__(self, stack, stream="+"):
        self.products = {}
        self.n_messages = 0
        self.unequal = []
        self._listening = False
        self._stack = stack
        self._topic = f"{Path(stack.mission).name}/{stream}/product/#"

    async def __aenter__(self):
        self._task = asyncio.create_task(self._listen())
        await until(lambda: self._listening or self._task.done(), 60)
        return self

    async def __aexit__(self, *_error):
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _listen(self):
        stream = subscribe(
            self._stack.address,
            [self._topic],
            client_id="witness",
            session_s=3600,
            timing=Timing(first_s=60),
            on_listening=self._stands,
        )
        async for _, payload, _ in stream:
            product = unpack_product(payload)["id"]
            self.n_messages += 1
            if self.products.setdefault(product, payload) != payload:
                self.unequal.append(product)

    def _stands(self):
        self._listening = True

    @property
    def told(self):
        """The products without what differs from one receipt to the next."""
        return {key: without_receipt(payload) for key, payload in self.products.items()}

    async def until(self, ids, within_s):
        """Wait until all of `ids` are here."""
        end = time.monotonic() + within_s
        while not ids <= self.products.keys():
            assert not self._task.done(), self._task
            if time.monotonic() > end:
                missing = ids - self.products.keys()
                raise AssertionError(f"{len(missing)} of {len(ids)} products are missing: {sorted(missing)[:5]}")
            await asyncio.sleep(0.1)


@pytest.fixture(scope="module")
def make_stacks():
    """Make a Stack with these arguments; all its processes end with the module."""
    if not MOSQUITTO:
        pytest.skip("mosquitto is not installed")
    stacks = []

    def make(*arguments, **more):
        stacks.append(Stack(*arguments, **more))
        return stacks[-1]

    yield make
    for stack in stacks:
        stack.stop()


@pytest.fixture
def make_stack(tmp_path):
    """Make a Stack with these arguments; all its processes end with the test."""
    if not MOSQUITTO:
        pytest.skip("mosquitto is not installed")
    stacks = []

    def make(**arguments):
        stacks.append(Stack(tmp_path, **arguments))
        return stacks[-1]

    yield make
    for stack in stacks:
        stack.stop()


@pytest.fixture(name="without_receipt")
def _without_receipt():
    return without_receipt


@pytest.fixture
def subscriber():
    return Subscriber


@pytest.fixture(scope="session")
def relay():
    return Relay


@pytest.fixture(scope="session")
def undisturbed(bundled):
    """Payloads by id of a bundled pass decoded in one go, without receive times."""

    def payloads(name="damaged.cadu", stream="test"):
        line = ProcessingChain(load_mission("zhurong"), stream)
        products = [product for batch in read_pass(bundled / name) for product in line.process(batch).products]
        products += line.flush().products
        return {product.id: without_receipt(product_message(product).payload) for product in products}

    return payloads
