"""The services over real sockets, beside Yamcs' figures: latency, throughput, start, memory, replay.

Packets of 189 B on average with 40 values each (12-bit fields, float32, 16-bit counts with a polynomial), like those
that Yamcs 5.12 was measured with on such a machine. Loopback, mosquitto without Nagle; the sender, the broker and a
Python subscriber that looks at every value share the two cores with what is measured.
"""

import asyncio
import contextlib
import os
import select
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import AsyncIterator
from functools import cache
from pathlib import Path
from typing import Any, Self

import numpy as np
import psutil
from downlink_pipeline.messages.topics import unpack_product
from downlink_pipeline.model.batches import Message
from downlink_pipeline.mqtt.address import BrokerAddress
from downlink_pipeline.mqtt.connection import MQTT_5, Connection
from downlink_pipeline.mqtt.publisher import subscribe
from downlink_pipeline.mqtt.reconnect import Timing
from downlink_pipeline.mqtt.session import SessionOptions
from downlink_pipeline.system.allocator import CHILD_SETTINGS

N_FIELDS = 40
APIDS = {"FIELDS": 100, "FLOATS": 101, "SCALED": 102}
LENGTHS = {"FIELDS": 66, "FLOATS": 166, "SCALED": 335}
N_PACKETS = int(os.environ.get("DOWNLINK_BENCH_PACKETS", "2000000"))
N_SHORT, N_LONG = 600_000, 3_000_000
LATENCY_S = float(os.environ.get("DOWNLINK_BENCH_LATENCY_S", "15"))
FRAME_BYTES = 1024
MOSQUITTO = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/sbin")
BROKER = """\
listener {port} 127.0.0.1
allow_anonymous true
max_queued_messages 0
set_tcp_nodelay true
max_inflight_messages 1000
{user}
"""


def xtce() -> str:
    def integer(name: str, bits: int, inside: str = "", kind: str = "Integer") -> str:
        signed = ' signed="false"' if kind == "Integer" else ""
        size = bits if kind == "Integer" else 64
        return (
            f'<{kind}ParameterType name="{name}"{signed} sizeInBits="{size}"><UnitSet/>'
            f'<IntegerDataEncoding sizeInBits="{bits}" encoding="unsigned">{inside}</IntegerDataEncoding>'
            f"</{kind}ParameterType>"
        )

    polynomial = "".join(f'<Term coefficient="{c}" exponent="{i}"/>' for i, c in enumerate((-5, 0.25, 1e-5)))
    scaled = f"<DefaultCalibrator><PolynomialCalibrator>{polynomial}</PolynomialCalibrator></DefaultCalibrator>"
    header = {"VERSION": 3, "TYPE": 1, "FLAG": 1, "APID": 11, "SEGMENT": 2, "COUNT": 14, "LENGTH": 16}
    types = "".join(integer(f"U{bits}", bits) for bits in sorted({*header.values(), 12}))
    types += integer("SCALED_TYPE", 16, scaled, "Float")
    types += (
        '<FloatParameterType name="F32" sizeInBits="32"><UnitSet/>'
        '<FloatDataEncoding sizeInBits="32" encoding="IEEE754_1985"/></FloatParameterType>'
        '<BinaryParameterType name="BLOB"><UnitSet/><BinaryDataEncoding><SizeInBits><FixedValue>1992</FixedValue>'
        "</SizeInBits></BinaryDataEncoding></BinaryParameterType>"
    )
    parameters = {name: f"U{bits}" for name, bits in header.items()}
    fields = {"FIELDS": "U12", "FLOATS": "F32", "SCALED": "SCALED_TYPE"}
    for container, kind in fields.items():
        parameters |= {f"{container}_{i}": kind for i in range(N_FIELDS)}
    parameters["DATA"] = "BLOB"
    declared = "".join(f'<Parameter name="{name}" parameterTypeRef="{kind}"/>' for name, kind in parameters.items())

    def entries(names: list[str]) -> str:
        return "<EntryList>" + "".join(f'<ParameterRefEntry parameterRef="{n}"/>' for n in names) + "</EntryList>"

    containers = (
        f'<SequenceContainer name="CCSDSPacket" abstract="true">{entries(list(header))}</SequenceContainer>'
    )
    for container, apid in APIDS.items():
        names = [f"{container}_{i}" for i in range(N_FIELDS)] + (["DATA"] if container == "SCALED" else [])
        containers += (
            f'<SequenceContainer name="{container}">{entries(names)}<BaseContainer containerRef="CCSDSPacket">'
            f'<RestrictionCriteria><Comparison parameterRef="APID" value="{apid}"/></RestrictionCriteria>'
            "</BaseContainer></SequenceContainer>"
        )
    return (
        '<?xml version="1.0"?><SpaceSystem name="Bench" xmlns="http://www.omg.org/spec/XTCE/20180204">'
        f"<TelemetryMetaData><ParameterTypeSet>{types}</ParameterTypeSet><ParameterSet>{declared}</ParameterSet>"
        f"<ContainerSet>{containers}</ContainerSet></TelemetryMetaData></SpaceSystem>"
    )


def missions(folder: Path) -> None:
    """`packets` for TCP, `frames` for UDP."""
    links = {
        "packets": '[link]\nframing = "packets"\n',
        "frames": f'[link]\nframing = "frames"\nframe_type = "aos"\nframe_length_bytes = {FRAME_BYTES}\nfecf = false\n'
        '[[channel]]\nspacecraft_id = 7\nvirtual_channel = 1\nname = "bench"\nservice = "packets"\n',
    }
    for name, link in links.items():
        (folder / name).mkdir()
        (folder / name / "telemetry.xml").write_text(xtce())
        (folder / name / "mission.toml").write_text(
            f'name = "bench-{name}"\n{link}[dictionary]\nxtce = "telemetry.xml"\n[products]\nwindow_s = 0\n'
        )


def packet(container: str, count: int, chance: np.random.Generator) -> bytes:
    length = LENGTHS[container]
    header = struct.pack(">HHH", 0x0000 | APIDS[container], 0xC000 | count & 0x3FFF, length - 7)
    body = chance.random(N_FIELDS, np.float32).astype(">f4").tobytes() if container == "FLOATS" else b""
    return header + (body or chance.bytes(length - 6))


@cache
def packets(n: int) -> bytes:
    """The three kinds in turn; a thousand of each are made and repeated with their counts set."""
    chance = np.random.default_rng(1)
    kinds = list(LENGTHS)
    rows = np.frombuffer(b"".join(packet(kind, 0, chance) for _ in range(1000) for kind in kinds), np.uint8)
    rows = np.tile(rows.reshape(1000, -1), (-(-n // 3000), 1))[: -(-n // 3)]
    count = 0xC000 | np.arange(len(rows)) & 0x3FFF
    for start in np.cumsum([0, *LENGTHS.values()])[:-1]:
        rows[:, start + 2], rows[:, start + 3] = count >> 8, count & 0xFF
    return rows.tobytes()


def frame(count: int, one: bytes) -> bytes:
    """An AOS frame with one packet, and an idle packet behind it."""
    header = struct.pack(">HI", 0x4000 | 7 << 6 | 1, (count & 0xFFFFFF) << 8)
    n_idle = FRAME_BYTES - 8 - len(one)
    idle = struct.pack(">HHH", 0x07FF, 0xC000, n_idle - 7) + bytes(n_idle - 6)
    return header + struct.pack(">H", 0) + one + idle


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Services:
    """The broker and the stages as processes: `("all",)` or `("ingest", "decode", "publish")`."""

    def __init__(self, folder: Path, mission: str, source: str, stages: tuple[str, ...]) -> None:
        self.folder = Path(tempfile.mkdtemp(dir=folder))
        self.mission, self.source, self.stages = folder / mission, source, stages
        self.port, self.station_port = free_port(), free_port()
        self.health = {stage: free_port() for stage in stages}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.ready_s: dict[str, float] = {}
        self.product = b""
        """One that a subscriber got."""

    def __enter__(self) -> Self:
        user = "user root" if os.geteuid() == 0 else ""
        (self.folder / "broker.conf").write_text(BROKER.format(port=self.port, user=user))
        self._start("broker", [str(MOSQUITTO), "-c", str(self.folder / "broker.conf")])
        time.sleep(0.3)
        for stage in self.stages:
            began = time.perf_counter()
            command = [sys.executable, "-m", "downlink_pipeline", "stage", stage, "-m", str(self.mission)]
            command += ["--broker", f"mqtt://127.0.0.1:{self.port}", "--state", str(self.folder / stage)]
            command += ["--health", f"127.0.0.1:{self.health[stage]}"]
            if stage in {"all", "ingest"}:
                command += ["--source", f"live={self.source}://127.0.0.1:{self.station_port}"]
            self._start(stage, command)
            self._wait(stage)
            self.ready_s[stage] = time.perf_counter() - began
        return self

    def __exit__(self, *_error: object) -> None:
        for process in reversed(self.processes.values()):
            process.kill()
            process.wait()
        shutil.rmtree(self.folder)

    def memory_mb(self) -> dict[str, float]:
        return {s: psutil.Process(self.processes[s].pid).memory_info().rss / 1e6 for s in self.stages}

    def cpu_s(self) -> dict[str, float]:
        return {s: sum(psutil.Process(p.pid).cpu_times()[:2]) for s, p in self.processes.items()}

    def _start(self, name: str, command: list[str]) -> None:
        with (self.folder / f"{name}.log").open("wb") as log:
            env = {**os.environ, **(CHILD_SETTINGS if name == "broker" else {})}  # as docs/operations.md advises
            self.processes[name] = subprocess.Popen(command, stdout=log, stderr=log, env=env)

    def _wait(self, stage: str) -> None:
        for _ in range(1000):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{self.health[stage]}/health", timeout=1).close()
                return
            time.sleep(0.005)
        raise SystemExit((self.folder / f"{stage}.log").read_text())


class Relay(Services):
    """What the same way costs without any work: datagrams in, for each a product that is ready, with its count."""

    def __enter__(self) -> Self:
        super().__enter__()
        (self.folder / "product").write_bytes(self.product)
        arguments = [str(self.port), str(self.station_port), str(self.folder / "product")]
        self._start("relay", [sys.executable, "-m", "benchmarks.services", "relay", *arguments])
        time.sleep(1.5)
        return self

    def __init__(self, folder: Path, product: bytes) -> None:
        super().__init__(folder, "frames", "udp", ())
        self.product = product


async def relay(port: int, station_port: int, product: bytes) -> None:
    """A process that does what `stage all` has to do of system calls on the network, and nothing else."""
    connection = await Connection(BrokerAddress("127.0.0.1", port), SessionOptions("relay"), MQTT_5).open()

    class Datagrams(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, _addr: Any) -> None:
            connection.send(Message("bench-frames/live/product/x", data[2:5] + product))
            connection.write_now()

    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(Datagrams, local_addr=("127.0.0.1", station_port))
    await asyncio.Event().wait()


async def products(services: Services) -> AsyncIterator[tuple[range, bytes]]:
    """The sequence counts that each product holds, when it is unpacked."""
    address = BrokerAddress("127.0.0.1", services.port)
    topic = f"bench-{services.mission.name}/live/product/#"
    async for _, payload, _ in subscribe(address, [topic], timing=Timing(first_s=10)):
        if isinstance(services, Relay):
            unpack_product(payload[3:])
            count = int.from_bytes(payload[:3], "big")
            yield range(count, count + 1), payload
        else:
            first, last = unpack_product(payload)["lineage"]["seq_count"]
            yield range(first, last + 1), payload


async def latency(services: Services) -> list[float]:
    """Milliseconds from sendto to the product in the subscriber's hands, a packet each 10 ms; sorted."""
    chance = np.random.default_rng(2)
    sent_at: dict[int, float] = {}
    found: list[float] = []

    async def send() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            await asyncio.sleep(0.5)
            began = time.perf_counter()
            for i in range(int(100 * LATENCY_S)):
                await asyncio.sleep(max(began + 0.01 * i - time.perf_counter(), 0))
                octets = frame(i, packet("FLOATS", i, chance))
                sent_at[i] = time.perf_counter()
                sock.sendto(octets, ("127.0.0.1", services.station_port))

    sending = asyncio.create_task(send())
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LATENCY_S + 5):
            async for counts, payload in products(services):
                now = time.perf_counter()
                found += [1000 * (now - sent_at[i]) for i in counts]
                services.product = payload
                if len(found) == int(100 * LATENCY_S):
                    break
    await sending
    return sorted(found[100:])


def summary(found: list[float]) -> str:
    p99 = found[int(0.99 * len(found))]
    return f"{statistics.median(found):5.2f} p50, {p99:.2f} p99, {found[-1]:.1f} max ({len(found)} packets)"


def throughput(services: Services) -> tuple[float, dict[str, float]]:
    """Packets a second until the subscriber has the last value; CPU seconds of each process for a million packets."""
    octets = packets(N_PACKETS)
    n_packets = len(octets) // sum(LENGTHS.values()) * 3
    counter = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.services", "count", str(services.port), str(n_packets)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert counter.stdout is not None
    counter.stdout.readline()
    before = services.cpu_s()
    began = time.time()
    with socket.create_connection(("127.0.0.1", services.station_port)) as sock:
        sock.sendall(octets)
        while not select.select([counter.stdout], [], [], 0.02)[0]:
            sock.sendall(packets(3))  # what comes next closes the group of what came last
        ended = float(counter.stdout.readline())
    after = services.cpu_s()
    counter.wait()
    cpu = {name: (after[name] - before[name]) / n_packets * 1e6 for name in after}
    return n_packets / (ended - began), cpu


async def count(port: int, n_packets: int) -> None:
    """A subscriber of its own: looks at every value, says when it had the last packet."""
    n_seen, n_values = 0, 0
    print("listening", flush=True)
    address = BrokerAddress("127.0.0.1", port)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(180):
            async for _, payload, _ in subscribe(address, ["bench-packets/live/product/#"]):
                product = unpack_product(payload)
                n_seen += len(product["quality"])
                n_values += sum(entry["values"].size for entry in product["arrays"].values())
                if n_seen >= n_packets:
                    break
    print(time.time() if n_seen >= n_packets else float("inf"), flush=True)


def replay(folder: Path) -> tuple[float, float]:
    """`downlink replay --speed max` of the same packets, thousand a second: the whole command, and without its start.

    The second is of what N_LONG packets take longer than N_SHORT.
    """
    path = folder / "pass.packets"
    command = [sys.executable, "-m", "downlink_pipeline", "replay", str(path), "-m", str(folder / "packets")]
    took = {}
    for n in (N_SHORT, N_LONG):
        path.write_bytes(packets(n))
        began = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        took[n] = time.perf_counter() - began
    return N_LONG / took[N_LONG] / 1e3, (N_LONG - N_SHORT) / (took[N_LONG] - took[N_SHORT]) / 1e3


def main() -> None:
    if not MOSQUITTO:
        print("mosquitto is not installed: nothing is measured")
        return
    three = ("ingest", "decode", "publish")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        missions(folder)
        print("latency at 100 packets/s, frame in by UDP to product at a subscriber, ms")
        print("  Yamcs, to its WebSocket subscriber: nothing stored 0.97 p50, 2.64 p99; archives 1.21, 3.66")
        for stages in (("all",), three):
            with Services(folder, "frames", "udp", stages) as services:
                idle = services.memory_mb()
                ready = ", ".join(f"{stage} {s:.2f}" for stage, s in services.ready_s.items())
                print(f"  {'+'.join(stages):24} {summary(asyncio.run(latency(services)))}")
                product = services.product
                mb = ", ".join(f"{stage} {value:.0f}" for stage, value in idle.items())
                print(f"  {'':24} ready after s: {ready} (Yamcs 2.0); idle MB: {mb} (Yamcs 207)")
        with Relay(folder, product) as bare:
            print(f"  {'a bare relay, no work':24} {summary(asyncio.run(latency(bare)))}")
        print("throughput over TCP, every value looked at by a Python subscriber, thousand packets/s")
        print("  Yamcs: 86 nothing stored, 19 with archives; 0.45 to its Python client")
        for stages in (("all",), three):
            with Services(folder, "packets", "tcp-listen", stages) as services:
                rate, cpu = throughput(services)
                spent = ", ".join(f"{name} {value:.2f}" for name, value in cpu.items())
                mb = ", ".join(f"{stage} {value:.0f}" for stage, value in services.memory_mb().items())
                print(f"  {'+'.join(stages):24} {rate / 1e3:6.0f}   CPU us a packet: {spent}; MB: {mb}")
        whole, on = replay(folder)
        print("replay --speed max, thousand packets/s (Yamcs 115-125)")
        print(f"  a pass of {N_LONG / 1e6:g} million  {whole:6.0f}   without the start of the command: {on:.0f}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["count"]:
        asyncio.run(count(int(sys.argv[2]), int(sys.argv[3])))
    elif sys.argv[1:2] == ["relay"]:
        asyncio.run(relay(int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]).read_bytes()))
    else:
        main()
