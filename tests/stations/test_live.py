"""Stations over TCP, UDP, a feed and a growing file: what is sent comes in, and who may not send is refused."""

import asyncio
import socket
import struct
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path

import pytest
from downlink_pipeline.model.errors import ConfigError, RunError
from downlink_pipeline.stations.address import Station, check_listener, read_station
from downlink_pipeline.stations.file import GrowingFile
from downlink_pipeline.stations.tcp import TcpClient, TcpListener
from downlink_pipeline.stations.tcp_protocol import READ_BYTES
from downlink_pipeline.stations.udp import UdpListener
from waiting import until


class Taken:
    """All that a source gave."""

    def __init__(self):
        self.data = b""
        self.arrivals = []

    async def take(self, source):
        async with aclosing(source.arrivals()) as arrivals:
            async for arrival in arrivals:
                self.arrivals.append(arrival)
                self.data += b"".join(arrival.pieces)
                source.recorded(len(self.data))

    async def until(self, n_bytes):
        async with asyncio.timeout(5):
            while len(self.data) < n_bytes:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        return self.data


@asynccontextmanager
async def taking(source, taken=None):
    taken = taken or Taken()
    task = asyncio.create_task(taken.take(source))
    async with asyncio.timeout(5):
        while not getattr(source, "port", 1):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.02)  # the task that takes has begun to wait
    yield taken
    task.cancel()
    await asyncio.wait([task])


async def test_a_listener_takes_one_connection_after_the_other():
    source = TcpListener(Station("s", "tcp-listen", "127.0.0.1"))
    async with taking(source) as taken:
        for piece in (b"first", b"second"):
            _, writer = await asyncio.open_connection("127.0.0.1", source.port)
            writer.write(piece)
            await writer.drain()
            writer.close()
            await writer.wait_closed()
            await asyncio.sleep(0.05)  # the next one comes when the station knows that this one went
        assert await taken.until(11) == b"firstsecond"


async def test_the_newest_connection_replaces_one_that_may_be_dead():
    source = TcpListener(Station("s", "tcp-listen", "127.0.0.1"))
    async with taking(source) as taken:
        reader, dead = await asyncio.open_connection("127.0.0.1", source.port)
        dead.write(b"a")
        await taken.until(1)
        _, writer = await asyncio.open_connection("127.0.0.1", source.port)
        writer.write(b"b")
        assert await taken.until(2) == b"ab"
        with suppress(ConnectionError):
            assert await reader.read() == b""
        dead.transport.abort()
        writer.transport.abort()


async def test_what_came_over_a_connection_that_is_replaced_or_reset_is_taken_first():
    source = TcpListener(Station("s", "tcp-listen", "127.0.0.1"))
    sent = [bytes([i]) * 300_000 for i in range(1, 6)]
    writers = []
    async with taking(source) as taken:
        for piece in sent:
            _, writer = await asyncio.open_connection("127.0.0.1", source.port)
            writers.append(writer)
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.004)  # within the time for which more of it is waited for
            if piece[0] % 2:
                writer.transport.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                )
                await asyncio.sleep(0.1)  # what it sent was read before the reset
                writer.transport.abort()
        data = await taken.until(sum(map(len, sent)))
    for writer in writers:
        writer.transport.abort()
    assert data == b"".join(sent)


async def test_a_busy_link_is_read_in_large_pieces_and_a_quiet_one_at_once():
    source = TcpListener(Station("s", "tcp-listen", "127.0.0.1"))
    async with taking(source) as taken:
        _, writer = await asyncio.open_connection("127.0.0.1", source.port)
        writer.write(b"quiet")
        began = asyncio.get_running_loop().time()
        await taken.until(5)
        assert asyncio.get_running_loop().time() - began < 1
        writer.write(bytes(8 << 20))
        await taken.until(5 + (8 << 20))
        sizes = [len(piece) for arrival in taken.arrivals for piece in arrival.pieces]
        assert sizes[0] == 5
        assert max(sizes) <= READ_BYTES
        assert len(sizes) < 40  # recv gives some 64 KiB at a time: 128 pieces
        writer.transport.abort()


async def test_who_is_not_read_is_not_taken_from():
    source = TcpListener(Station("s", "tcp-listen", "127.0.0.1"))
    arrivals = source.arrivals()
    first = asyncio.ensure_future(anext(arrivals))
    await until(lambda: source.port)
    _, writer = await asyncio.open_connection("127.0.0.1", source.port)
    writer.write(bytes(64 << 20))
    await first
    await asyncio.sleep(0.2)  # nothing more is taken
    assert writer.transport.get_write_buffer_size() > 32 << 20
    writer.transport.abort()
    await arrivals.aclose()


async def test_a_client_connects_again_when_the_station_comes_back():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    async def serve(_reader, writer):
        writer.write(b"abc")
        await writer.drain()
        writer.close()

    async with taking(TcpClient(Station("s", "tcp", "127.0.0.1", port))) as taken:
        await asyncio.sleep(0.1)  # some tries in vain
        server = await asyncio.start_server(serve, "127.0.0.1", port)
        assert (await taken.until(6))[:6] == b"abcabc"
        server.close()


async def test_datagrams_come_in_whole_and_odd_ones_are_counted():
    source = UdpListener(Station("s", "udp", "127.0.0.1"), block_bytes=4, strict=True)
    async with taking(source) as taken:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            for piece in (b"aaaa", b"odd", b"", b"bbbbcccc"):
                sock.sendto(piece, ("127.0.0.1", source.port))
        assert await taken.until(12) == b"aaaabbbbcccc"
        assert source.n_odd == 2
        assert not all(arrival.whole_frames for arrival in taken.arrivals)
        assert source.n_lost == 0


async def test_datagrams_beyond_the_socket_buffer_are_counted_as_lost():
    source = UdpListener(Station("s", "udp", "127.0.0.1"))
    arrivals = source.arrivals()
    first = asyncio.ensure_future(anext(arrivals))
    await until(lambda: source.port)
    n_sent = 3000
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for _ in range(n_sent):
            sock.sendto(bytes(60_000), ("127.0.0.1", source.port))
        n_received = len((await first).pieces)
        assert source.n_lost > 0  # known at once, not with the next datagram
        async with asyncio.timeout(10):
            while n_received + source.n_lost < n_sent:
                n_received += len((await anext(arrivals)).pieces)
    n_lost = source.n_lost
    assert n_received + n_lost == n_sent
    await arrivals.aclose()
    assert source.n_lost == n_lost


async def test_a_growing_file_is_followed_and_so_is_its_successor(tmp_path: Path):
    path = tmp_path / "f"
    path.write_bytes(b"skipped-abc")
    positions = {f"f.{path.stat().st_ino}": 8}
    source = GrowingFile(Station("s", "file", path=path), lambda name: positions.get(name, 0), tmp_path / "memory")
    async with taking(source) as taken:
        assert await taken.until(3) == b"abc"
        with path.open("ab") as file:
            file.write(b"def")
        assert await taken.until(6) == b"abcdef"
        path.rename(tmp_path / "old")
        path.write_bytes(b"new")
        assert await taken.until(9) == b"abcdefnew"


@pytest.mark.parametrize(
    ("text", "station"),
    [
        ("udp://127.0.0.1:5000", Station("live", "udp", "127.0.0.1", 5000)),
        ("north=tcp://a:1", Station("north", "tcp", "a", 1)),
        ("stdin:", Station("live", "stdin")),
        ("f=file:///a%20b", Station("f", "file", path=Path("/a b"))),
        ("x=feed://h:1?cert=c&key=k", Station("x", "feed", "h", 1, cert=Path("c"), key=Path("k"))),
    ],
)
def test_a_station_is_read_from_its_url(text, station):
    assert read_station(text) == station


@pytest.mark.parametrize(
    "text",
    [
        "",
        "http://a:1",
        "A B=udp://h:1",
        "tcp://h",
        "tcp://h:99999",
        "udp://:1",
        "x=feed://h:1?user=a",
        "../x=stdin:",
    ],
)
def test_what_is_no_station_is_told_in_one_line(text):
    with pytest.raises(ConfigError) as told:
        read_station(text)
    assert "\n" not in str(told.value)


def test_a_listener_for_anyone_is_refused_unless_it_is_named():
    check_listener("s", "127.0.0.1", authenticates=False, open_to_all=())
    check_listener("s", "0.0.0.0", authenticates=True, open_to_all=())
    check_listener("s", "0.0.0.0", authenticates=False, open_to_all=("s",))
    for host in ("0.0.0.0", "::", "10.0.0.1", "example.org"):
        with pytest.raises(ConfigError, match="to anyone"):
            check_listener("s", host, authenticates=False, open_to_all=("t",))


def sending(source, *datagrams):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for one in datagrams:
            sock.sendto(one, ("127.0.0.1", source.port))


async def test_a_datagram_that_is_taken_as_it_comes_waits_for_nobody():
    source = UdpListener(Station("s", "udp", "127.0.0.1"))
    pieces = []
    source.set_handler(lambda arrival: pieces.extend(arrival.pieces))
    async with taking(source) as taken:
        sending(source, b"one", b"two")
        await until(lambda: len(pieces) == 2)
    assert (pieces, taken.data) == ([b"one", b"two"], b"")


async def test_while_something_is_left_no_more_is_read():
    source = UdpListener(Station("s", "udp", "127.0.0.1"))
    asked = []
    source.set_handler(lambda arrival: asked.append(arrival) or arrival)
    async with aclosing(source.arrivals()) as arrivals:
        first = asyncio.ensure_future(anext(arrivals))
        await until(lambda: source.port)
        sending(source, b"one")
        assert (await first).pieces == [b"one"]
        sending(source, b"two", b"three")
        await asyncio.sleep(0.05)  # nobody is asked while these wait
        assert len(asked) == 1
        rest = [await anext(arrivals), await anext(arrivals)]
        assert [arrival.pieces for arrival in rest] == [[b"two"], [b"three"]]


async def test_datagrams_that_come_fast_are_taken_together():
    source = UdpListener(Station("s", "udp", "127.0.0.1"))
    n_together = []
    source.set_handler(lambda arrival: n_together.append(len(arrival.pieces)))
    async with taking(source):
        sending(source, *[b"x"] * 100)
        await until(lambda: sum(n_together) == 100)
    assert n_together == [1, 99]


async def test_an_error_of_who_takes_a_datagram_ends_the_arrivals():
    source = UdpListener(Station("s", "udp", "127.0.0.1"))

    def fail(_):
        raise RunError("no")

    source.set_handler(fail)
    async with aclosing(source.arrivals()) as arrivals:
        first = asyncio.ensure_future(anext(arrivals))
        await until(lambda: source.port)
        sending(source, b"one")
        with pytest.raises(RunError, match="no"):
            await first
