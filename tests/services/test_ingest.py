"""What ingest sends, it sends in order, be it at once or later."""

import asyncio
import random

import pytest
from downlink_pipeline.recordings.log import Policy, Recorder
from downlink_pipeline.services.bus import LocalBus
from downlink_pipeline.services.dispatch import Pace
from downlink_pipeline.services.ingest import Ingest
from downlink_pipeline.services.metrics import IngestMeters
from downlink_pipeline.services.protocol import Ack, Claim, Offer
from downlink_pipeline.services.station_recorder import StationRecorder
from downlink_pipeline.stations.address import Station
from downlink_pipeline.stations.tcp import Arrival
from downlink_pipeline.stations.udp import UdpListener

N_PIECES = 300


class Bursts(UdpListener):
    """Datagrams without a socket, as many as may be before the loop turns."""

    def __init__(self, chance):
        super().__init__(Station("s", "udp", "127.0.0.1"))
        self.chance = chance

    async def arrivals(self):
        for i in range(N_PIECES):
            assert self._handle(Arrival([i.to_bytes(2, "big")], [i + 1], whole_frames=True)) is None
            if self.chance.random() < 0.5:
                await asyncio.sleep(0)
        while True:
            await asyncio.sleep(60)
            yield Arrival([], [])


class Decoder:
    """Is done with a message at once, or only some turns of the loop later."""

    def __init__(self, bus, chance):
        self.bus, self.chance, self.data, self.seqs = bus, chance, b"", []
        self.n_later = self.n_at_once = 0
        self.done = asyncio.Event()

    def take(self, message):
        if isinstance(message, Offer):
            return self.bus.send([Claim(message.id, "one")])
        self.seqs.append(message.seq)
        self.data += message.batch.data.tobytes()
        if len(self.data) == 2 * N_PIECES:
            self.done.set()
        if self.chance.random() < 0.3:
            self.n_later += 1
            return self.rest(message)
        self.n_at_once += 1
        return None

    async def rest(self, message):
        for _ in range(self.chance.randrange(4)):
            await asyncio.sleep(0)
        await self.bus.send([Ack(message.id, len(self.data), ended=False)])


@pytest.mark.parametrize("seed", range(5))
async def test_pieces_that_are_sent_at_once_and_later_ones_stay_in_order(tmp_path, seed):
    chance = random.Random(seed)
    buses = LocalBus.of("ingest", "decode", "publish")
    policy = Policy(file_bytes=100, fsync_s=None)
    desk = StationRecorder("s", Recorder(tmp_path / "s", policy), policy, Pace(silence_s=1e9))
    ingest = Ingest({"s": (desk, Bursts(chance))}, buses["ingest"], IngestMeters(), gap_s=60, fsync_s=None)
    decoder = Decoder(buses["decode"], chance)
    tasks = [asyncio.ensure_future(one) for one in (buses["decode"].serve(decoder.take), ingest.run())]
    async with asyncio.timeout(20):
        await decoder.done.wait()
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    assert decoder.seqs == list(range(len(decoder.seqs)))
    assert decoder.data == b"".join(i.to_bytes(2, "big") for i in range(N_PIECES))
    assert decoder.n_at_once > 0
    assert decoder.n_later > 0


class SecondOfItsName:
    """A sender whose pass has the name of an earlier, longer one; notes what it is told to be recorded."""

    n_lost = 0

    def __init__(self, desk):
        self.desk, self.told = desk, []

    async def arrivals(self):
        name = self.desk.begin("one").name
        yield Arrival([bytes(1000)], [1], name, resumes=True)
        await asyncio.Event().wait()

    def recorded(self, n_bytes):
        self.told.append(n_bytes)


async def test_a_sender_is_told_of_the_bytes_of_its_own_pass_alone(tmp_path):
    """It ends once all its bytes are recorded, so an earlier pass of the same name must not count."""
    policy = Policy(fsync_s=0.02)
    desk = StationRecorder("s", Recorder(tmp_path / "s", policy), policy, Pace(silence_s=1e9))
    desk.begin("one")
    desk.record(Arrival([bytes(5000)], [1], "one", resumes=True))
    source = SecondOfItsName(desk)
    ingest = Ingest(
        {"s": (desk, source)},
        LocalBus.of("ingest", "decode", "publish")["ingest"],
        IngestMeters(),
        gap_s=60,
        fsync_s=0.02,
    )
    task = asyncio.ensure_future(ingest.run())
    async with asyncio.timeout(20):
        while source.told.count(1000) < 4 and max(source.told, default=0) <= 1000:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait([task])
    assert max(source.told) == 1000
