"""A feed sends every byte of a recording once: passes are known by their content, and what cannot work ends at once."""

import asyncio
import bz2
import gzip
import socket
import time
from contextlib import aclosing, asynccontextmanager, suppress

import pytest
import zstandard
from downlink_pipeline.model.errors import ConfigError, RunError
from downlink_pipeline.recordings.log import Committed, Policy, Recorder
from downlink_pipeline.recordings.reader import read_pass
from downlink_pipeline.services.dispatch import Pace
from downlink_pipeline.services.station_recorder import StationRecorder
from downlink_pipeline.stations import feed as feed_module
from downlink_pipeline.stations.address import Station
from downlink_pipeline.stations.feed import FeedResult, feed
from downlink_pipeline.stations.feed_listener import FeedListener
from downlink_pipeline.stations.feed_messages import Hello, read_hello
from structlog.testing import capture_logs

POLICY = Policy(file_bytes=300_000, fsync_s=None)


class Ingest:
    """A feed source that records as ingest does; `stop_at`: bytes in all after which it is gone."""

    def __init__(self, folder, port=0, stop_at=None):
        self.desk = StationRecorder("s", Recorder(folder, POLICY), POLICY, Pace())
        self.source = FeedListener(Station("s", "feed", "127.0.0.1", port), self.desk)
        self.stop_at = stop_at
        self.n_received = 0

    async def run(self):
        async with aclosing(self.source.arrivals()) as arrivals:
            async for arrival in arrivals:
                assert self.desk.record(arrival) is None
                self.source.recorded(self.desk.n_recorded(arrival))
                self.n_received += sum(map(len, arrival.pieces))
                if self.stop_at and self.n_received >= self.stop_at:
                    return

    @property
    def station(self):
        return Station("s", "feed", "127.0.0.1", self.source.port)

    def passes(self):
        """The bytes of each recorded pass by its name."""
        return {
            one.name: b"".join(batch.data.tobytes() for batch in read_pass(one.path)) if one.n_bytes() else b""
            for one in self.desk.recorder.passes()
        }


@asynccontextmanager
async def running(folder, **options):
    ingest = Ingest(folder, **options)
    task = asyncio.create_task(ingest.run())
    async with asyncio.timeout(5):
        while not ingest.source.port:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    await asyncio.sleep(0.01)  # its task has begun to wait
    try:
        yield ingest
    finally:
        task.cancel()
        await asyncio.wait([task])
        ingest.desk.recorder.close()


@pytest.fixture
def make(tmp_path):
    def write(name, content):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        return path

    return write


def content(seed, n_bytes=1_200_000):
    """Bytes that differ from those of every other seed, and not only in front."""
    return bytes((seed * 31 + i * 7 + (i >> 8)) & 255 for i in range(256)) * (n_bytes // 256)


async def test_four_files_of_one_name_are_four_passes(tmp_path, make):
    files = [make(f"{i}.raw", content(i)) for i in range(4)]
    async with running(tmp_path / "s") as ingest:
        told = [await feed(ingest.station, file, "replay", None) for file in files]
    assert sorted(ingest.passes().values()) == sorted(content(i) for i in range(4))
    assert len({fed.pass_name for fed in told}) == 4
    assert not any(fed.known for fed in told)


@pytest.mark.parametrize("name", ["replay", "another"])
async def test_the_same_bytes_are_recorded_once_whatever_their_name(tmp_path, make, name):
    first, copy = make("a.raw", content(1)), make("b.raw", content(1))
    async with running(tmp_path / "s") as ingest:
        await feed(ingest.station, first, "replay", None)
        assert await feed(ingest.station, copy, name, None) == FeedResult(
            "replay", 1_200_000 // 256 * 256, known=True
        )
    assert list(ingest.passes()) == ["replay"]


async def test_a_copy_that_differs_in_one_byte_in_the_middle_is_another_pass(tmp_path, make):
    changed = bytearray(content(1))
    changed[len(changed) // 2] ^= 1
    async with running(tmp_path / "s") as ingest:
        await feed(ingest.station, make("a.raw", content(1)), "p", None)
        assert not (await feed(ingest.station, make("a.raw", bytes(changed)), "p", None)).known
    assert sorted(ingest.passes().values()) == sorted([content(1), bytes(changed)])


async def test_again_sends_the_same_bytes_as_a_new_pass(tmp_path, make):
    file = make("a.raw", content(1))
    async with running(tmp_path / "s") as ingest:
        await feed(ingest.station, file, "p", None)
        assert not (await feed(ingest.station, file, "p", None, again=True)).known
    assert list(ingest.passes().values()) == [content(1), content(1)]


async def test_again_goes_on_in_its_own_pass_after_the_connection_broke(tmp_path, make):
    file = make("a.raw", content(1))
    async with running(tmp_path / "s") as ingest:
        await feed(ingest.station, file, "p", None)
    port = ingest.source.port
    async with running(tmp_path / "s", port=port, stop_at=1) as ingest:
        sending = asyncio.create_task(feed(ingest.station, file, "p", None, again=True))
        async with asyncio.timeout(5):
            while not ingest.n_received:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
    async with running(tmp_path / "s", port=port) as ingest:
        await asyncio.wait_for(sending, 10)
    assert list(ingest.passes().values()) == [content(1), content(1)]


@pytest.mark.parametrize("ended", [False, True], ids=["open", "ended by silence and settled"])
async def test_a_feed_that_was_cut_resumes_where_its_recording_stops(tmp_path, make, ended):
    whole = content(1, 3_000_000)
    async with running(tmp_path / "s") as ingest:
        sent = await feed(ingest.station, make("part.raw", whole[:1_000_001]), "p", None)
    desk = ingest.desk
    if not ended:
        (desk.recorder.passes()[0].path / "ended").unlink()
    else:
        desk.recorder.passes()[0].commit(Committed(1_000_001, closed=True))
    async with running(tmp_path / "s") as ingest:
        again = await feed(ingest.station, make("p.raw", whole), "p", None)
        assert ingest.n_received == len(whole) - 1_000_001
        assert not ingest.desk.recorder.passes()[0].committed.closed  # all of it is decoded once more
    assert (sent.pass_name, again.pass_name, again.known) == ("p", "p", False)
    assert ingest.passes() == {"p": whole}


async def test_a_file_that_grew_is_fed_to_its_end_and_is_known_then(tmp_path, make):
    async with running(tmp_path / "s") as ingest:
        for n_bytes in (10, 5000, 700_000):
            fed = await feed(ingest.station, make("g.raw", content(2)[:n_bytes]), "g", None)
            assert not fed.known
            assert ingest.passes() == {"g": content(2)[:n_bytes]}
        assert (await feed(ingest.station, make("g.raw", content(2)[:5000]), "g", None)).known
    assert ingest.passes() == {"g": content(2)[:700_000]}


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, zstandard.ZstdCompressor().compress])
async def test_a_packed_recording_is_fed_as_the_bytes_it_unpacks_to(tmp_path, make, pack):
    plain = content(3, 2_600_000)
    async with running(tmp_path / "s") as ingest:
        fed = await feed(ingest.station, make("p.raw.x", pack(plain)), "p", None)
        assert (fed.n_bytes, fed.known) == (len(plain), False)
        assert (await feed(ingest.station, make("p.raw", plain), "p", None)).known
    assert ingest.passes() == {"p": plain}


async def test_a_second_sender_waits_until_the_first_has_ended(tmp_path, make):
    """Each would take the other's connection for a newer one, and both passes would be recorded in shreds."""
    first, second = content(1, 600_000), content(2, 600_000)
    one, two = make("1.raw", first), make("2.raw", second)
    times = b"".join(
        i.to_bytes(8, "little") + (10**18 + i * 1000).to_bytes(8, "little") for i in range(0, 600_000, 60_000)
    )
    make("1.raw.times", times)  # it lasts 0.54 s
    async with running(tmp_path / "s") as ingest, asyncio.timeout(20):
        feeds = [asyncio.create_task(feed(ingest.station, one, "one", 1.0))]
        while not ingest.n_received:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        await feed(ingest.station, two, "two", None)
        await feeds[0]
    assert ingest.passes() == {"one": first, "two": second}


async def test_a_connection_that_says_nothing_interrupts_no_sender(tmp_path, make):
    file = make("1.raw", content(1))
    async with running(tmp_path / "s") as ingest, asyncio.timeout(20):
        sending = asyncio.create_task(feed(ingest.station, file, "one", None))
        strangers = [await asyncio.open_connection("127.0.0.1", ingest.source.port) for _ in range(40)]
        assert await sending == FeedResult("one", len(content(1)), known=False)
        for _, writer in strangers:
            writer.transport.abort()
    assert ingest.passes() == {"one": content(1)}


@pytest.mark.parametrize(
    "garbage", [b"GET / HTTP/1.1\r\n\r\n", b"\0" * 100_000, b"downlink/2 0f ../../x 5 " + b"a" * 64 + b" auto\n"]
)
async def test_what_is_no_feed_is_refused(tmp_path, garbage):
    async with running(tmp_path / "s") as ingest:
        reader, writer = await asyncio.open_connection("127.0.0.1", ingest.source.port)
        writer.write(garbage + b"\n")
        with suppress(ConnectionError):
            await asyncio.wait_for(reader.read(), 5)
        assert ingest.passes() == {}
        writer.transport.abort()


async def test_a_feed_of_an_older_release_is_refused_in_words(tmp_path):
    with capture_logs() as logs:
        async with running(tmp_path / "s") as ingest:
            reader, writer = await asyncio.open_connection("127.0.0.1", ingest.source.port)
            writer.write(b"downlink replay 5\n")
            assert b"another release" in await asyncio.wait_for(reader.read(), 5)
            writer.transport.abort()
    assert any("another release" in one["event"] for one in logs)


async def test_a_feed_to_an_older_ingest_ends_in_one_line(make):
    async def close(_reader, writer):
        writer.close()

    server = await asyncio.start_server(close, "127.0.0.1", 0)
    station = Station("s", "feed", "127.0.0.1", server.sockets[0].getsockname()[1])
    with pytest.raises(RunError, match="without an answer; is it a feed source of this release"):
        await asyncio.wait_for(feed(station, make("p", b"x"), "p", None), 5)
    server.close()


async def test_an_ingest_that_has_answered_is_waited_for_without_end(tmp_path, make):
    """Also where a proxy takes its connections meanwhile and closes them without a word, as Docker's does."""
    n_closed = 0

    async def close(_reader, writer):
        nonlocal n_closed
        n_closed += 1
        writer.close()

    async with running(tmp_path / "s", stop_at=300_000) as ingest:
        port = ingest.source.port
        slowly = feed(ingest.station, make("p", content(1)), "p", 1.0, rate_bits_per_s=2e7, patience_s=0.1)
        sending = asyncio.create_task(slowly)
        async with asyncio.timeout(10):
            while ingest.n_received < ingest.stop_at:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
    server = await asyncio.start_server(close, "127.0.0.1", port)
    async with asyncio.timeout(20):
        while n_closed < feed_module.MAX_SILENT:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        server.close()
        await server.wait_closed()
        async with running(tmp_path / "s", port=port) as ingest:
            assert await sending == FeedResult("p", len(content(1)), known=False)
            assert ingest.passes() == {"p": content(1)}


async def test_a_refused_connection_is_retried_ever_more_rarely_and_logged_once(make, monkeypatch):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    pauses, now = [], [0.0]

    async def sleep(seconds):
        pauses.append(seconds)
        now[0] += seconds

    monkeypatch.setattr(feed_module.asyncio, "sleep", sleep)
    monkeypatch.setattr(feed_module.time, "monotonic", lambda: now[0])
    with capture_logs() as logs, pytest.raises(RunError, match=f"cannot feed 127.0.0.1:{port}: "):
        await feed(Station("s", "feed", "127.0.0.1", port), make("p", b"x"), "p", None, patience_s=1320.0)
    assert pauses[:8] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0]
    assert set(pauses[8:]) == {10.0}
    assert len(logs) <= 1320 / 60 + 1  # 22 minutes


async def test_a_host_that_nobody_knows_ends_at_once(make, monkeypatch):
    async def unknown(*_args, **_kwargs):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(feed_module.asyncio, "open_connection", unknown)
    began = time.monotonic()
    with pytest.raises(RunError, match="the host's name is not known"):
        await feed(Station("s", "feed", "no.such.host", 5000), make("p", b"x"), "p", None)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("station", [Station("s", "tcp", "127.0.0.1", 5000), Station("s", "feed", "127.0.0.1", 0)])
async def test_what_is_no_feed_source_is_a_mistake_of_configuration(make, station):
    with pytest.raises(ConfigError, match="feed://HOST:PORT"):
        await feed(station, make("p", b"x"), "p", None)


async def test_an_empty_recording_is_an_error(make):
    with pytest.raises(RunError, match="is empty"):
        await feed(Station("s", "feed", "127.0.0.1", 5000), make("p", b""), "p", None)


@pytest.mark.parametrize("mode", ["auto", "again", "pass=p~2"])
def test_the_first_line_of_a_sender_is_read_as_it_was_written(mode):
    hello = Hello("0f" * 8, "p.cadu", 123, "ab" * 32, mode)
    assert read_hello(hello.line()) == hello


@pytest.mark.parametrize("line", [b"", b"downlink p 5\n", b"\0" * 90])
def test_anything_else_is_no_first_line(line):
    assert read_hello(line) is None
