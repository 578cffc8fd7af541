"""100 MB on their way while a service is away: the frames, who hears what becomes of them, and the outages.

An outage is waited for in a thread of its own, with services and a broker of its own.
"""

import asyncio
import hashlib
import json
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from urllib.error import HTTPError

import numpy as np
import psutil
import pytest
from downlink_pipeline.messages.topics import unpack_product
from downlink_pipeline.mqtt.publisher import subscribe
from downlink_pipeline.mqtt.reconnect import Timing
from downlink_pipeline.recordings.reader import read_pass

ROOT = Path(__file__).parents[3]
TOLD_S = 30
"""What /health may take to tell a standstill."""
BROKER_BYTES = 512 << 20
"""What docker-compose.yml gives the broker."""
FRAME_BYTES = 4096
DATA_BYTES = FRAME_BYTES - 6 - 2
PACKET_BYTES = 4 * DATA_BYTES
"""A packet is cut into four frames."""
N_VALUES = (PACKET_BYTES - 12) // 4
N_PACKETS = 100_000_000 // (4 * FRAME_BYTES)
STAGES = ("ingest", "decode-one", "publish")
TABLE = f"name,data_type,bit_length\nCOUNT,uint,32\nSPARE,uint,16\nBLOCK,uint({N_VALUES}),32\n"
MISSION = f"""\
name = "m"
[link]
framing = "frames"
frame_type = "aos"
frame_length_bytes = {FRAME_BYTES}
[[channel]]
spacecraft_id = 9
virtual_channel = 1
name = "bulk"
[dictionary]
csv = "packet.csv"
"""


def frames(first, n_packets):
    """AOS frames (732.0-B-4 4.1.2) with M_PDUs (4.1.4.2) of packets of APID 7 (133.0-B-2 4.1), from packet `first` on.

    In packet c COUNT is c, and BLOCK[i] is c XOR i.
    """
    counts = np.arange(first, first + n_packets)
    packets = np.zeros((n_packets, PACKET_BYTES), np.uint8)
    packets[:, 1] = 7
    packets[:, 2:4] = (0xC000 | counts & 0x3FFF).astype(">u2")[:, None].view(np.uint8)
    packets[:, 4:6] = np.frombuffer((PACKET_BYTES - 7).to_bytes(2, "big"), np.uint8)
    packets[:, 6:10] = counts.astype(">u4")[:, None].view(np.uint8)
    packets[:, 12:] = (counts[:, None] ^ np.arange(N_VALUES)).astype(">u4").view(np.uint8)
    found = np.zeros((4 * n_packets, FRAME_BYTES), np.uint8)
    found[:, :2] = np.frombuffer((1 << 14 | 9 << 6 | 1).to_bytes(2, "big"), np.uint8)
    found[:, 2:5] = np.arange(4 * first, 4 * (first + n_packets)).astype(">u4")[:, None].view(np.uint8)[:, 1:]
    found[:, 6:8] = (7, 255)  # no packet begins
    found[::4, 6:8] = 0
    found[:, 8:] = packets.reshape(-1, DATA_BYTES)
    return found.tobytes()


class Witness:
    """A subscriber that keeps its session: packets by product, what the services' status topics said, and when."""

    def __init__(self, address):
        self.counts = {}
        self.status = {}
        self._digests = {}
        self._address = address

    async def __aenter__(self):
        listening = asyncio.Event()
        self._task = asyncio.create_task(self._listen(listening.set))
        await asyncio.wait_for(listening.wait(), 30)
        return self

    async def __aexit__(self, *_error):
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _listen(self, on_listening):
        topics = ["m/+/product/#", "m/status/#"]
        timing = Timing(first_s=60)
        messages = subscribe(
            self._address,
            topics,
            client_id="witness",
            session_s=3600,
            timing=timing,
            on_listening=on_listening,
            on_trouble=lambda _: None,
        )
        async with aclosing(messages):
            async for topic, payload, _ in messages:
                if topic.startswith("m/status/"):
                    self.status[topic.rpartition("/")[2]] = json.loads(payload)["state"]
                else:
                    self._take(payload)

    def _take(self, payload):
        product = unpack_product(payload)
        digest = hashlib.blake2b(payload).digest()
        assert self._digests.setdefault(product["id"], digest) == digest
        if product["id"] not in self.counts:
            values = {name: array["values"] for name, array in product["arrays"].items()}
            assert (values["BLOCK"] == (values["COUNT"][:, None] ^ np.arange(N_VALUES))).all()
            self.counts[product["id"]] = values["COUNT"]

    @property
    def n_packets(self):
        return sum(map(len, self.counts.values()))

    async def until(self, n_packets, within_s):
        """Wait until all packets have come, each in one product alone."""
        end = time.monotonic() + within_s
        while self.n_packets < n_packets and time.monotonic() < end:
            assert not self._task.done(), self._task
            await asyncio.sleep(0.1)
        assert self.n_packets == n_packets
        assert (np.sort(np.concatenate(list(self.counts.values()))) == np.arange(n_packets)).all()


class Broker:
    """The most memory and disk that a broker has used, over its restarts."""

    def __init__(self, stack):
        self._stack = stack
        self.most_bytes = self.most_disk_bytes = 0

    async def watch(self):
        while True:
            self.look()
            await asyncio.sleep(0.25)

    def look(self):
        process = self._stack.processes.get("broker")
        if process and process.poll() is None:
            self.most_bytes = max(self.most_bytes, psutil.Process(process.pid).memory_info().rss)
        files = (self._stack.folder / "broker").glob("*")
        self.most_disk_bytes = max(self.most_disk_bytes, sum(file.stat().st_size for file in files))


def health(stack, name):
    """Whether a service is well, and what it says."""
    try:
        return True, json.loads(stack.get(name, "/health"))
    except HTTPError as error:
        return False, json.loads(error.read())


async def within(seconds, holds, what):
    """Wait until `holds()`, which may ask a service that answers late."""
    end = time.monotonic() + seconds
    while not await asyncio.to_thread(holds):
        assert time.monotonic() < end, what
        await asyncio.sleep(0.2)


def told(stack, witness, name):
    """A function that says whether the outage of a service is told: by the others, or by its last will."""

    def is_told():
        if name == "subscriber":
            return 'downlink_broker_clients{broker="services",state="disconnected"} 1' in stack.get(
                "publish", "/metrics"
            )
        if name == "ingest":
            return witness.status["ingest"] == "offline"
        if name == "broker":
            return all("broker" in health(stack, one)[1].get("trouble", {}) for one in STAGES)
        well, state = health(stack, "ingest")
        if name == "publish":
            return not well and state["ingest"]["publish"] is False
        stalled = state["ingest"]["stations"]["test"]["stalled"]
        counted = 'downlink_stalled_passes{station="test"} 1.0' in stack.get("ingest", "/metrics")
        return not well and counted and "decode worker" in "".join(stalled.values())

    return is_told


class Flow:
    """A stack and its subscriber, through which all N_PACKETS go in passes one after the other."""

    def __init__(self, stack, wire, witness):
        self.stack, self.wire, self.witness = stack, wire, witness
        self.paths = []
        self._n_sent = 0

    async def begin_pass(self, n_packets, lasting_s):
        """Start to feed the next packets, and wait until products of them come if they can."""
        path = self.stack.folder / f"pass{len(self.paths)}"
        await asyncio.to_thread(lambda: path.write_bytes(frames(self._n_sent, n_packets)))
        self._n_sent += n_packets
        self.paths.append(path)
        self.stack.feed(path, lasting_s=lasting_s, name=path.name)

    async def outage(self, name, away_s):
        """Kill a service, wait, and start it again; a long outage has to be told."""
        began = time.monotonic()
        if name == "subscriber":
            self.wire.cut()
        else:
            self.stack.kill(name)
        if away_s > TOLD_S:
            await within(TOLD_S, told(self.stack, self.witness, name), f"it is not told that {name} is away")
        waits = name == "publish" and self._n_sent < N_PACKETS
        n_runs = self.stack.log("decode-one").count("takes on")
        if waits:
            await self.begin_pass(N_PACKETS - self._n_sent, away_s / 2)
        await asyncio.sleep(began + away_s - time.monotonic())
        if waits:  # else the broker would have to keep what the run makes
            assert self.stack.log("decode-one").count("takes on") == n_runs
        if name == "subscriber":
            self.wire.mend()
        else:
            self.stack.start(name)

    async def end(self):
        """Wait until all is recorded and published, and nothing is in trouble."""
        for name in [name for name in self.stack.processes if name.startswith("feed-")]:
            assert await asyncio.to_thread(self.stack.processes.pop(name).wait, 180) == 0, self.stack.log("feed")
        await self.witness.until(self._n_sent, 180)
        for one in STAGES:
            await within(60, lambda one=one: health(self.stack, one)[0], f"{one} is not well again")
        assert 'downlink_stalled_passes{station="test"} 0.0' in self.stack.get("ingest", "/metrics")
        for path in self.paths:
            recorded = read_pass(self.stack.folder / "ingest" / "test" / path.name)
            assert b"".join(batch.data.tobytes() for batch in recorded) == path.read_bytes()


async def outages(stack, relay, names, away_s):
    """The outages of some services, one after the other, with 100 MB on their way."""
    stack.start()
    broker = Broker(stack)
    async with relay(stack.port) as wire, Witness(replace(stack.address, port=wire.port)) as witness:
        await stack.ready()
        watching = asyncio.create_task(broker.watch())
        flow = Flow(stack, wire, witness)
        # ingest takes nothing while it is away; a second pass comes while publish is
        lasting_s = 12.0 if names in (["ingest"], ["publish"]) else len(names) * (away_s + 2)
        await flow.begin_pass(N_PACKETS // 2 if names == ["publish"] else N_PACKETS, lasting_s)
        await within(60, lambda: witness.n_packets, "no product comes")
        for name in names:
            await flow.outage(name, away_s)
            await stack.ready()
        await flow.end()
        watching.cancel()
    assert broker.most_bytes < BROKER_BYTES
    assert broker.most_disk_bytes < BROKER_BYTES


N_FEW = 64


async def refusal(stack, denied, service, named):
    """A pass while an access list denies some topics; after it is mended every packet has to arrive."""
    acl = stack.folder / "acl"
    acl.write_text(
        f"topic readwrite m/#\ntopic read $SYS/#\n{''.join(f'topic deny {one}{chr(10)}' for one in denied)}"
    )
    conf = stack.folder / "broker.conf"
    conf.write_text(f"{conf.read_text()}acl_file {acl}\n")
    stack.start()
    async with Witness(stack.address) as witness:
        await stack.ready()
        flow = Flow(stack, None, witness)
        await flow.begin_pass(N_FEW, 1.0)

        def is_told():
            well, state = health(stack, service)
            return not well and all(topic in json.dumps(state) for topic in named)

        await within(TOLD_S, is_told, f"{service} does not tell that {named} are refused")
        assert await asyncio.to_thread(stack.processes["feed-test-pass0"].wait, 30) == 0
        assert health(stack, "ingest")[1]["ingest"]["stations"]["test"]["unsettled"] == 1
        acl.write_text("topic readwrite m/#\ntopic read $SYS/#\n")
        stack.processes["broker"].send_signal(signal.SIGHUP)
        await flow.end()


def ship_broker(stack):
    """Give the broker the limits of the one in docker-compose.yml."""
    conf = stack.folder / "broker.conf"
    shipped = (ROOT / "docker" / "mosquitto.conf").read_text().partition("\nlistener ")[0].splitlines()
    own = ("max_", "autosave_", "persistent_client_")
    limits = [line for line in shipped if line.startswith(own)]
    kept = [line for line in conf.read_text().splitlines() if not line.startswith(own)]
    conf.write_text("\n".join([*limits, *kept, "sys_interval 2", ""]))


@pytest.fixture(scope="module")
def begin(make_stacks, tmp_path_factory):
    """Begin `outages` or `refusal`, with a stack and these arguments, in a thread; gives a future of its end."""
    tmp_path_factory.getbasetemp()  # made by one thread: the first call of two threads at once fails in one

    def run(trial, arguments):
        folder = tmp_path_factory.mktemp("m")
        (folder / "m").mkdir()
        (folder / "m" / "mission.toml").write_text(MISSION)
        (folder / "m" / "packet.csv").write_text(TABLE)
        stack = make_stacks(folder, str(folder / "m"))
        ship_broker(stack)
        asyncio.run(trial(stack, *arguments))

    with ThreadPoolExecutor(32) as pool:
        yield lambda trial, *arguments: pool.submit(run, trial, arguments)


@pytest.fixture(scope="module")
def away(begin, relay):
    """Begin the outages of some services, one after the other, for so long each."""
    return lambda *names, away_s: begin(outages, relay, list(names), away_s)


@pytest.fixture(scope="module")
def refused(begin):
    """Begin a pass while an access list denies topics, which a service has to name."""
    return lambda denied, service, named: begin(refusal, denied, service, named)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """The ends of outages are waited for last: the other tests of the module run meanwhile."""
    places = [i for i, item in enumerate(items) if item.path.parent == Path(__file__).parent]
    own = sorted((items[i] for i in places), key=lambda item: "going" in item.fixturenames)
    for i, item in zip(places, own, strict=True):
        items[i] = item
