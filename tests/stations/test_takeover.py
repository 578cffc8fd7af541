"""Who is heard where several connect to one station: a sender, never a connection that only disturbs."""

import asyncio
import ssl
from contextlib import aclosing, asynccontextmanager, suppress

import pytest
from downlink_pipeline.stations import tcp as live
from downlink_pipeline.stations.address import Station, read_station
from downlink_pipeline.stations.tcp import MAX_CANDIDATES, TcpListener
from downlink_pipeline.stations.tcp_protocol import MAX_HANDSHAKES
from downlink_pipeline.system.certs import make_certificates

MARKER = bytes.fromhex("1ACFFC1D")


class Taken:
    def __init__(self, listener):
        self.listener, self.data = listener, b""

    async def run(self):
        async with aclosing(self.listener.arrivals()) as arrivals:
            async for arrival in arrivals:
                self.data += b"".join(map(bytes, arrival.pieces))

    async def until(self, data):
        async with asyncio.timeout(20):
            while self.data != data:  # noqa: ASYNC110 - what is recorded can only be asked
                await asyncio.sleep(0.01)


@asynccontextmanager
async def listening(listener=None):
    listener = listener or TcpListener(Station("s", "tcp-listen", "127.0.0.1"), lambda octets: MARKER in octets)
    taken = Taken(listener)
    task = asyncio.create_task(taken.run())
    async with asyncio.timeout(10):
        while not listener.port:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    try:
        yield listener.port, taken
    finally:
        task.cancel()
        await asyncio.wait([task])


@pytest.fixture
async def connected():
    """Connect to a port; every connection is closed after the test."""
    writers = []

    async def connect(port, **options):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, **options)
        writers.append(writer)
        writer.reader = reader
        return writer

    yield connect
    for writer in writers:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def test_connections_that_send_nothing_cost_a_station_no_byte(connected):
    async with listening() as (port, taken):
        station = await connected(port)
        sent = b""
        for i in range(50):
            await connected(port)
            piece = i.to_bytes(2, "big") * 500
            station.write(piece)
            sent += piece
        await taken.until(sent)


async def test_a_connection_that_sends_nonsense_waits_while_the_station_sends(connected):
    async with listening() as (port, taken):
        station = await connected(port)
        station.write(b"station ")
        await taken.until(b"station ")
        stranger = await connected(port)
        stranger.write(b"GET / HTTP/1.1\r\n\r\n")
        for n_sent in range(1, 20):
            station.write(b"x")
            await taken.until(b"station " + b"x" * n_sent)


async def test_a_station_that_has_sent_nothing_yet_is_not_put_out_by_nonsense(connected):
    looked_at = []
    listener = TcpListener(Station("s", "tcp-listen", "127.0.0.1"), looked_at.append)
    async with listening(listener) as (port, taken):
        station = await connected(port)
        (await connected(port)).write(b"nonsense")
        async with asyncio.timeout(live.TAKEOVER_S / 2):
            while not looked_at:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        station.write(b"first")
        await taken.until(b"first")


async def test_the_newest_connection_that_sends_frames_is_heard(connected):
    async with listening() as (port, taken):
        (await connected(port)).write(b"before ")
        await taken.until(b"before ")
        newer = await connected(port)
        newer.write(MARKER)
        await taken.until(b"before " + MARKER)


async def test_a_silent_connection_gives_way_to_one_that_sends_anything(connected, monkeypatch):
    monkeypatch.setattr(live, "TAKEOVER_S", 0.5)
    async with listening() as (port, taken):
        dead = await connected(port)
        dead.write(b"dead ")
        await taken.until(b"dead ")
        newer = await connected(port)
        newer.write(b"alive")
        await taken.until(b"dead alive")


async def test_what_a_waiting_connection_sent_before_it_closed_is_recorded_in_its_turn(connected):
    async with listening() as (port, taken):
        first = await connected(port)
        first.write(b"first ")
        await taken.until(b"first ")
        second = await connected(port)
        second.write(b"second")
        await second.drain()
        second.close()
        await second.wait_closed()
        first.close()
        await taken.until(b"first second")


async def test_waiting_connections_are_bounded(connected):
    async with listening() as (port, taken):
        station = await connected(port)
        station.write(b"a")
        await taken.until(b"a")
        oldest = await connected(port)
        for _ in range(MAX_CANDIDATES):
            await connected(port)
        with suppress(ConnectionError):
            assert await asyncio.wait_for(oldest.reader.read(), 10) == b""


@pytest.fixture(scope="module")
def certs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certs")
    make_certificates(folder, ["127.0.0.1"], "zhurong", 1)
    return folder


async def test_handshakes_that_never_end_do_not_keep_a_station_out(connected, certs):
    url = f"tcp-listen://127.0.0.1:0?cert={certs}/ingest.crt&key={certs}/ingest.key&ca={certs}/ca.crt"
    async with listening(TcpListener(read_station(url))) as (port, taken):
        for _ in range(3 * MAX_HANDSHAKES):
            await connected(port)
        context = ssl.create_default_context(cafile=str(certs / "ca.crt"))
        context.load_cert_chain(certs / "station.crt", certs / "station.key")
        (await connected(port, ssl=context)).write(b"through")
        await taken.until(b"through")
