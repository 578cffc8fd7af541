"""What a datagram costs from its recording to the broker: its product goes out at once, and in few calls."""

import asyncio
import gc
import struct
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import downlink_pipeline
import pytest
from downlink_pipeline.messages.topics import unpack_product
from downlink_pipeline.mission.loading import load_mission
from downlink_pipeline.processing.chain import ProcessingChain
from downlink_pipeline.recordings.log import Policy, Recorder
from downlink_pipeline.services import supervision
from downlink_pipeline.services.bus import LocalBus
from downlink_pipeline.services.decode import Decode
from downlink_pipeline.services.decoder_runs import Worker
from downlink_pipeline.services.dispatch import Pace
from downlink_pipeline.services.ingest import Ingest
from downlink_pipeline.services.metrics import DecodeMeters, IngestMeters, Meters, PublishMeters
from downlink_pipeline.services.publish import Publish
from downlink_pipeline.services.published_keys import PublishedKeys
from downlink_pipeline.services.station_recorder import StationRecorder
from downlink_pipeline.stations.address import Station
from downlink_pipeline.stations.tcp import Arrival
from downlink_pipeline.stations.udp import UdpListener

N_VALUES, FRAME_BYTES, APID = 40, 256, 101
MOST_CALLS = 118
"""Of functions of these rooms for a datagram with one packet of 40 values: 113 now, 170 before this was a test."""
ROOMS = ("services", "products", "messages", "processing", "recordings", "stations")
PACKAGE = Path(downlink_pipeline.__path__[0])
XTCE = (
    '<?xml version="1.0"?><SpaceSystem name="S" xmlns="http://www.omg.org/spec/XTCE/20180204"><TelemetryMetaData>'
    "<ParameterTypeSet>"
    + "".join(
        f'<IntegerParameterType name="U{n}" signed="false" sizeInBits="{n}"><UnitSet/>'
        f'<IntegerDataEncoding sizeInBits="{n}" encoding="unsigned"/></IntegerParameterType>'
        for n in (16, 48)
    )
    + '</ParameterTypeSet><ParameterSet><Parameter name="HEADER" parameterTypeRef="U48"/>'
    + "".join(f'<Parameter name="V{i}" parameterTypeRef="U16"/>' for i in range(N_VALUES))
    + '</ParameterSet><ContainerSet><SequenceContainer name="Packet"><EntryList>'
    + '<ParameterRefEntry parameterRef="HEADER"/>'
    + "".join(f'<ParameterRefEntry parameterRef="V{i}"/>' for i in range(N_VALUES))
    + "</EntryList></SequenceContainer></ContainerSet></TelemetryMetaData></SpaceSystem>"
)
TOML = f"""
name = "sat"
[link]
framing = "frames"
frame_type = "aos"
frame_length_bytes = {FRAME_BYTES}
[[channel]]
spacecraft_id = 7
virtual_channel = 1
name = "x"
service = "packets"
[dictionary]
xtce = "telemetry.xml"
root = "Packet"
[products]
window_s = 0
"""


def frame(count):
    """An AOS frame (732.0-B) with a packet of 40 counts from `count` on, and an idle packet."""
    body = struct.pack(f">{N_VALUES}H", *range(count, count + N_VALUES))
    packet = struct.pack(">HHH", APID, 0xC000 | count, len(body) - 1) + body
    n_idle = FRAME_BYTES - 8 - len(packet)
    idle = struct.pack(">HHH", 0x07FF, 0xC000, n_idle - 7) + bytes(n_idle - 6)
    return struct.pack(">HI", 0x4000 | 7 << 6 | 1, count << 8) + bytes(2) + packet + idle


class Datagrams(UdpListener):
    """A source without a socket; `attended` is set once something takes what comes."""

    def __init__(self):
        super().__init__(Station("live", "udp", "127.0.0.1"), FRAME_BYTES)
        self.attended = asyncio.Event()

    def set_handler(self, take_now):
        self.take = take_now
        self.attended.set()

    async def arrivals(self):
        await asyncio.Event().wait()
        yield Arrival([], [])


class Broker:
    """Takes what it is given; acknowledges at once."""

    def __init__(self):
        self.taken = []

    def publish(self, messages):
        self.taken += messages
        done = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done


@pytest.fixture
async def services(tmp_path):
    """The three services of one process, their broker, and what `UdpListener` calls with a datagram."""
    (tmp_path / "sat").mkdir()
    (tmp_path / "sat" / "mission.toml").write_text(TOML)
    (tmp_path / "sat" / "telemetry.xml").write_text(XTCE)
    mission = load_mission(str(tmp_path / "sat"))
    buses, policy, broker = LocalBus.of("ingest", "decode", "publish"), Policy(), Broker()
    station = StationRecorder("live", Recorder(tmp_path / "live", policy), policy, Pace())
    source = Datagrams()
    ingest = Ingest({"live": (station, source)}, buses["ingest"], IngestMeters(), gap_s=60, fsync_s=None)
    worker = Worker(
        "sat", lambda stream: ProcessingChain(mission, stream), tmp_path / "quarantine", release_complete=True
    )
    with PublishedKeys(tmp_path / "keys", 0) as keys:
        publish = Publish(keys, broker.publish, buses["publish"], PublishMeters(), remember_s=0)
        parts = (ingest, Decode("one", worker, buses["decode"], DecodeMeters()), publish)
        tasks = [asyncio.create_task(one.run()) for one in parts]
        await source.attended.wait()
        yield SimpleNamespace(take=source.take, broker=broker, publish=publish, buses=buses)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


def datagram(count):
    return Arrival([frame(count)], [10**18 + count * 10**7], whole_frames=True)


async def send(services, count):
    """Hand a datagram over, and wait until all that follows from it is done."""
    services.take(datagram(count))
    async with asyncio.timeout(10):
        while len(products_of(services.broker)) <= count:  # noqa: ASYNC110 - what the services append to
            await asyncio.sleep(0)
    await published(services)


def products_of(broker):
    return [one for one in broker.taken if "/product/" in one.topic]


async def test_a_product_is_with_the_broker_when_the_datagram_is_taken(services):
    for count in range(5):
        await send(services, count)
    services.take(datagram(5))
    last = unpack_product(products_of(services.broker)[5].payload)
    assert [int(last["arrays"][f"V{i}"]["values"][0]) for i in range(N_VALUES)] == list(range(5, 5 + N_VALUES))


async def test_a_datagram_costs_few_calls(services):
    for count in range(10):
        await send(services, count)
    least = min([await calls_of(services, count) for count in range(10, 16)], key=Counter.total)
    assert least.total() <= MOST_CALLS, least


async def calls_of(services, count):
    """Calls of functions of each room that a datagram costs until its product is with the broker."""
    calls = Counter()

    def note(frame, event, _arg):
        path = Path(frame.f_code.co_filename)
        if event == "call" and path.is_relative_to(PACKAGE) and path.relative_to(PACKAGE).parts[0] in ROOMS:
            calls[path.relative_to(PACKAGE).parts[0]] += 1

    taken = len(products_of(services.broker))
    sys.setprofile(note)
    services.take(datagram(count))
    sys.setprofile(None)
    assert len(products_of(services.broker)) == taken + 1
    await published(services)
    return calls


async def published(services):
    """Wait until publish is at rest: what comes then is not kept waiting."""
    async with asyncio.timeout(10):
        while not services.publish._publishing.done():  # noqa: ASYNC110
            await asyncio.sleep(0)


async def test_what_a_service_loaded_is_left_alone_by_the_collector():
    """Else each full look of it, 0.1 s with an ordinary dictionary, stands in the way of some packets."""
    before = gc.get_freeze_count()
    loaded = [[number] for number in range(10_000)]
    frozen = []

    class Part:
        async def run(self):
            frozen.append(gc.get_freeze_count())

        def health(self):
            return True, {}

    address = SimpleNamespace(cert=None, ca=None)
    common = SimpleNamespace(address=address, health=None, mission=SimpleNamespace(name="sat"))
    try:
        await supervision.serve("x", common, Meters(), None, {}, {"part": Part()})
    finally:
        gc.unfreeze()
    assert frozen[0] - before >= len(loaded)
