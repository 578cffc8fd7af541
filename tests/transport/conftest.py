"""Brokers to test against: real ones that can be killed, and a small one that misbehaves to order."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from downlink_pipeline.mqtt.address import BrokerAddress
from downlink_pipeline.mqtt.reconnect import Timing

MOSQUITTO = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/sbin")
CONNECT, PUBLISH, DISCONNECT = 0x10, 0x30, 0xE0


class Mosquitto:
    """A mosquitto that is killed and started again on one port."""

    def __init__(self, folder, *lines):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.process = None
        self.folder = folder
        (folder / "broker.conf").write_text(
            "\n".join(
                [
                    f"listener {self.port} 127.0.0.1",
                    "max_queued_messages 0",
                    f"persistence_location {folder}/",
                    "log_type error",
                    *(["user root"] if os.geteuid() == 0 else []),  # else it could not read what only root may
                    *lines,
                ]
            )
        )

    @property
    def address(self):
        return BrokerAddress("127.0.0.1", self.port)

    async def start(self):
        self._spawn()
        for _ in range(200):
            assert self.process.poll() is None, (self.folder / "broker.log").read_text()
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
            except OSError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                await writer.wait_closed()
                return

    def _spawn(self):
        with Path(self.folder / "broker.log").open("ab") as log:
            self.process = subprocess.Popen([MOSQUITTO, "-c", self.folder / "broker.conf"], stdout=log, stderr=log)

    def kill(self):
        self.signal(signal.SIGKILL)
        self.process.wait()
        self.process = None

    def signal(self, number):
        self.process.send_signal(number)


class FakeBroker:
    """As much of a broker as a publisher meets. It notes what it reads and does as it is told.

    `accepts`: protocol levels. `n_acknowledges`: for each connection in turn, how many messages it acknowledges
    before it closes without a word (None: all of them). `forbidden`: how topics begin for which it closes the
    connection; it answers only where the message is the last that it was sent, as a TCP reset loses the answer else.
    """

    def __init__(self, accepts=(4, 5), n_acknowledges=(), connack_properties=b"", delay_s=0.0, forbidden=None):
        self.forbidden = forbidden
        self.codes = {}
        """Reason codes for the messages on some topics, in place of 0."""
        self.accepts = accepts
        self.n_acknowledges = list(n_acknowledges)
        self.connack_properties = connack_properties
        self.delay_s = delay_s
        self.payloads = []
        self.levels = []
        self.n_in_flight = 0
        self.most_in_flight = 0
        self.address = None
        self._tasks = set()

    async def serve(self, reader, writer):
        _, connect = await self._packet(reader)
        self.levels.append(connect[6])
        if connect[6] not in self.accepts:
            writer.write(b"\x20\x02\x00\x01")
            return
        properties = bytes([len(self.connack_properties)]) + self.connack_properties if connect[6] == 5 else b""
        writer.write(bytes([0x20, 2 + len(properties), 0, 0]) + properties)
        n_left = self.n_acknowledges.pop(0) if self.n_acknowledges else None
        self.n_in_flight = 0
        while n_left is None or n_left > 0:
            kind, body = await self._packet(reader)
            if kind & 0xF0 == DISCONNECT:
                return
            if kind & 0xF0 == PUBLISH and self.forbidden and body[2:].startswith(self.forbidden):
                await self._hang_up(reader, writer, body)
                return
            if kind & 0xF0 == PUBLISH:
                n_left = None if n_left is None else n_left - 1
                self._read(body, connect[6])
                task = asyncio.ensure_future(self._acknowledge(writer, body))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        await asyncio.gather(*self._tasks)

    def _read(self, body, level):
        start = 4 + int.from_bytes(body[:2], "big")
        self.payloads.append(bytes(body[start + 1 + body[start] if level == 5 else start :]))
        self.n_in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.n_in_flight)

    async def _acknowledge(self, writer, body):
        await asyncio.sleep(self.delay_s)
        self.n_in_flight -= 1
        start = 2 + int.from_bytes(body[:2], "big")
        code = self.codes.get(bytes(body[2:start]).decode(), 0)
        more = bytes([code, 0]) if code else b""
        writer.write(bytes([0x40, 2 + len(more)]) + body[start : start + 2] + more)

    async def _hang_up(self, reader, writer, body):
        try:
            await asyncio.wait_for(reader.read(1), 0.02)
        except TimeoutError:
            start = 2 + int.from_bytes(body[:2], "big")
            writer.write(b"\x40\x04" + body[start : start + 2] + b"\x87\x00")

    async def _packet(self, reader):
        kind = (await reader.readexactly(1))[0]
        length = shift = 0
        while True:
            digit = (await reader.readexactly(1))[0]
            length |= (digit & 0x7F) << shift
            shift += 7
            if digit < 0x80:
                return kind, await reader.readexactly(length)


@asynccontextmanager
async def serving(handler):
    """The address of a TCP server whose connections `handler` serves."""
    tasks = set()

    async def handle(reader, writer):
        tasks.add(asyncio.current_task())
        try:
            await handler(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            await asyncio.wait([asyncio.ensure_future(writer.wait_closed())])

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield BrokerAddress("127.0.0.1", server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
async def mosquitto(tmp_path):
    """Start a mosquitto with these lines of configuration added; skips where it is not installed."""
    if not MOSQUITTO:
        pytest.skip("mosquitto is not installed")
    brokers = []

    async def start(*lines):
        broker = Mosquitto(tmp_path, *(lines or ("allow_anonymous true",)))
        brokers.append(broker)
        await broker.start()
        return broker

    yield start
    for broker in brokers:
        if broker.process:
            broker.kill()


@pytest.fixture
async def fake_broker():
    """Serve a FakeBroker made with these arguments."""
    served = []

    async def start(**behaviour):
        broker = FakeBroker(**behaviour)
        context = serving(broker.serve)
        broker.address = await context.__aenter__()
        served.append(context)
        return broker

    yield start
    for context in served:
        await context.__aexit__(None, None, None)


@pytest.fixture
async def tcp_server():
    """Serve connections by a function of (reader, writer)."""
    served = []

    async def start(handler):
        context = serving(handler)
        served.append(context)
        return await context.__aenter__()

    yield start
    for context in served:
        await context.__aexit__(None, None, None)


@pytest.fixture
def hasty():
    """Timing for tests: all the same steps, sooner."""
    return Timing(first_s=0.2, answer_s=0.5, acknowledge_s=0.3, pause_s=0.02, longest_pause_s=0.1)
