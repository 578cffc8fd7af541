"""Random and mutated bytes at every door, for as long as it is asked: clear refusals, no crash, bounded memory."""

import asyncio
import contextlib
import os
import random
import socket
import ssl
import time
from pathlib import Path

import aiomqtt
import psutil
import pytest
from downlink_pipeline.model.batches import ByteBatch, Message
from downlink_pipeline.mqtt.receive_limit import MAX_WAITING_BYTES
from downlink_pipeline.services.protocol import (
    Ack,
    Chunk,
    Claim,
    Nack,
    Offer,
    Outgoing,
    Output,
    Restarted,
    RunId,
    pack,
    stage_topic,
)
from downlink_pipeline.system.certs import make_certificates
from waiting import until

HOSTILE_S = float(os.environ.get("DOWNLINK_HOSTILE_S", "3"))
"""Five minutes in `make soak`."""
MAX_MEMORY_BYTES = 200 << 20
"""Once what waited is worked off; while it waits, MAX_WAITING_BYTES and a message in work come on top."""
MAX_PEAK_BYTES = MAX_MEMORY_BYTES + MAX_WAITING_BYTES + (64 << 20)
N_HALF_OPEN = 30
RUN = RunId("test", "pass", "forged")
PRODUCT = Message("zhurong/forged/product/a/b", b"x")
"""Where no access list keeps strangers from stage topics they publish what they like: not where it is looked at."""
FORGED = [
    Offer(RUN),
    Claim(RUN, "one"),
    Chunk(RUN, 0, ByteBatch.of(bytes(300), 7), ended=True),
    Output(RUN, 0, 9, False, 7, (Outgoing(PRODUCT, "key"),)),
    Ack(RUN, 5, ended=True),
    Nack(RUN, "why"),
    Restarted("publish"),
]
REQUESTS = [b"GET /health HTTP/1.1\r\n\r\n", b"downlink forged 1000\n" + bytes(100), bytes(1024)]


class Hostile:
    """Who does everything wrong, with a seed to do it again by."""

    def __init__(self, stack, seed):
        self.stack, self.chance = stack, random.Random(seed)
        self.tcp = [*stack.health_ports.values(), *(stack.feed_ports[name] for name in ("test", "raw"))]

    async def until(self, ended):
        """All of it, over and over."""
        while time.monotonic() < ended:
            await asyncio.to_thread(self.connections)
            await asyncio.to_thread(self.datagrams)
            await self.stage_messages()

    def connections(self):
        for port in self.tcp:
            for octets in (*map(self.mutated, REQUESTS), self.chance.randbytes(100_000), b"GET /" + b"x" * 9000):
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 2) as sock:
                    sock.sendall(octets[: self.chance.randint(1, len(octets))])

    def datagrams(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            for size in (0, 1, 1023, 1024, 1025, 60_000, *[1024] * 20):
                sock.sendto(self.chance.randbytes(size), ("127.0.0.1", self.stack.feed_ports["udp"]))

    async def stage_messages(self):
        """Garbage, and what the services say to each other with some bytes changed; larger than is allowed, too."""
        async with aiomqtt.Client("127.0.0.1", self.stack.port, protocol=aiomqtt.ProtocolVersion.V5) as client:
            for message in FORGED:
                topic = stage_topic("zhurong", message, "one" if isinstance(message, Chunk) else "")
                for payload in (self.mutated(pack(message)), self.chance.randbytes(60), b"", b"\xdf" + b"\xff" * 9):
                    await client.publish(topic, payload, qos=1)
            large = pack(Chunk(RUN, 0, ByteBatch.of(bytes((16 << 20) + 1))))
            await client.publish("zhurong/stage/raw/one", large, qos=1)

    def mutated(self, octets):
        changed = bytearray(octets)
        for _ in range(self.chance.randint(1, 4)):
            changed[self.chance.randrange(len(changed))] = self.chance.randrange(256)
        return bytes(changed)


def peak_bytes(pid):
    """The most memory that a process has had, where the system tells it."""
    status = Path(f"/proc/{pid}/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM:")), 0)


async def test_random_and_mutated_bytes_at_every_door_bring_nothing_down(
    make_stack, subscriber, undisturbed, bundled
):
    expected = undisturbed("clean.cadu")
    stack = make_stack(
        schemes={"raw": "tcp-listen", "udp": "udp"},
        settings={"DOWNLINK_SILENCE_S": "2", "DOWNLINK_PASS_GAP_S": "1", "DOWNLINK_KEEP_GB": "0.01"},
    )
    stack.start()
    async with subscriber(stack, stream="test") as witness:
        await stack.ready()
        hostile = Hostile(stack, 7)
        half_open = [
            socket.create_connection(("127.0.0.1", port)) for port in hostile.tcp for _ in range(N_HALF_OPEN)
        ]
        await hostile.until(time.monotonic() + HOSTILE_S)
        for sock in half_open:
            sock.close()
        peaks = {name: peak_bytes(stack.processes[name].pid) for name in stack.services}
        stack.feed(bundled / "clean.cadu", name="honest")
        await witness.until(expected.keys(), 60)
        sizes = {name: psutil.Process(stack.processes[name].pid).memory_info().rss for name in stack.services}
        told = witness.told
        assert {key: told[key] for key in expected} == expected
    for name in stack.services:
        assert stack.processes[name].poll() is None, name
        assert "Traceback" not in stack.log(name)
        assert sizes[name] < MAX_MEMORY_BYTES, (sizes, peaks)
        assert peaks[name] < MAX_PEAK_BYTES, (sizes, peaks)
        stage = name.partition("-")[0]
        assert f'downlink_malformed_messages_total{{stage="{stage}"}} 0.0' not in stack.get(name, "/metrics")
    assert "refused: no feed" in stack.log("ingest")


@pytest.fixture
def doors(make_stack, tmp_path):
    """A stack whose feed asks for certificates, and those of another authority."""
    make_certificates(tmp_path / "certs", ["127.0.0.1"], "zhurong", 1)
    make_certificates(tmp_path / "other", ["127.0.0.1"], "zhurong", 1)
    return make_stack(tls=tmp_path / "certs"), tmp_path / "other"


async def test_a_station_of_another_authority_or_without_a_certificate_is_not_heard(doors, subscriber, bundled):
    stack, other = doors
    stack.start()
    await stack.ready()
    port = stack.feed_ports["test"]
    strangers = [None, ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)]
    strangers[2].load_cert_chain(other / "station.crt", other / "station.key")
    for stranger in strangers[1:]:
        stranger.check_hostname, stranger.verify_mode = False, ssl.CERT_NONE
    half_open = socket.create_connection(("127.0.0.1", port))
    for stranger in strangers:
        assert await said(port, stranger, b"downlink forged 4\n1234") == b""
    half_open.close()
    assert not list((stack.folder / "ingest" / "test").iterdir())
    async with subscriber(stack) as witness:
        stack.feed(bundled / "clean.cadu")
        await until(lambda: witness.products, 60)


async def said(port, context, octets):
    """What a listener answers."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    except OSError:
        return b""
    try:
        writer.write(octets)
        async with asyncio.timeout(10):
            return await reader.read(100)
    except OSError:
        return b""
    finally:
        writer.transport.abort()
