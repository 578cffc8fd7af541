"""A datagram of another size is recorded, told of with both sizes, and gives the frame that its size explains."""

import asyncio
import socket
import struct

import pytest
from downlink_pipeline.messages.topics import event_message
from downlink_pipeline.model.batches import ByteBatch, Event, PacketBatch
from downlink_pipeline.processing.chain import Outcome
from downlink_pipeline.recordings.disk_share import DiskShare
from downlink_pipeline.recordings.log import Policy, Recorder
from downlink_pipeline.recordings.odd_datagrams import ODD_DATAGRAMS, frames_inside
from downlink_pipeline.recordings.reader import read_pass
from downlink_pipeline.services.bus import LocalBus
from downlink_pipeline.services.decoder_runs import Worker
from downlink_pipeline.services.dispatch import Pace
from downlink_pipeline.services.ingest import Ingest
from downlink_pipeline.services.metrics import IngestMeters
from downlink_pipeline.services.protocol import Chunk, RunId, pack, unpack
from downlink_pipeline.services.station_recorder import StationRecorder
from downlink_pipeline.stations.address import Station
from downlink_pipeline.stations.udp import UdpListener
from structlog.testing import capture_logs

MARKER = bytes.fromhex("1ACFFC1D")
FRAME = bytes(range(100)) * 11 + bytes(15)  # 1,115 bytes, as TM frames of a Reed-Solomon code of depth 5 have
PARITY = b"\xee" * 160  # 32 symbols of each of 5 codewords: 131.0-B, 4.3


def read_aside(folder):
    """What `odd.datagrams` of a pass folder has: u32 length, i64 receive time in ns, bytes; docs/operations.md."""
    octets, at = (folder / ODD_DATAGRAMS).read_bytes() if (folder / ODD_DATAGRAMS).exists() else b"", 0
    while at < len(octets):
        n_bytes, received_ns = struct.unpack_from("<Iq", octets, at)
        at += 12 + n_bytes
        yield octets[at - n_bytes : at], received_ns


@pytest.mark.parametrize(
    ("datagram", "frames"),
    [
        (MARKER + FRAME, [FRAME]),
        (FRAME + PARITY, [FRAME]),
        (MARKER + FRAME + PARITY, [FRAME]),
        ((MARKER + FRAME + PARITY) * 3, [FRAME] * 3),
        ((MARKER + FRAME) * 2, [FRAME] * 2),
        (FRAME[:-1], []),
        (FRAME + b"?", []),
        (MARKER + FRAME + b"?", []),
        (MARKER, []),
        (b"", []),
        (b"hello", []),
    ],
    ids=[
        "marker",
        "parity",
        "both",
        "three",
        "two",
        "cut",
        "more",
        "marker and more",
        "marker alone",
        "empty",
        "text",
    ],
)
def test_the_frames_are_where_marker_and_parity_leave_them(datagram, frames):
    assert frames_inside(datagram, len(FRAME), MARKER) == frames


class Stack:
    """An ingest with one UDP source, and what it tells."""

    def __init__(self, folder, **options):
        policy = Policy(fsync_s=None)
        self.desk = StationRecorder("s", Recorder(folder / "s", policy), policy, Pace(silence_s=1e9))
        self.source = UdpListener(Station("s", "udp", "127.0.0.1"), **options)
        self.meters = IngestMeters()
        buses = LocalBus.of("ingest", "decode", "publish")
        self.ingest = Ingest({"s": (self.desk, self.source)}, buses["ingest"], self.meters, gap_s=60, fsync_s=None)

    @property
    def events(self):
        """Those that wait for bytes to be sent with."""
        return self.desk.events

    async def take(self, *datagrams, until):
        """Send them, and run until the condition holds."""
        running = asyncio.create_task(self.ingest.run())
        async with asyncio.timeout(10):
            while not self.source.port:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                for one in datagrams:
                    sock.sendto(one, ("127.0.0.1", self.source.port))
            while not until():  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        health = self.ingest.health()
        running.cancel()
        await asyncio.wait([running])
        return health[1]["stations"]["s"]

    def recorded(self):
        (one,) = self.desk.recorder.passes()
        return b"".join(batch.data.tobytes() for batch in read_pass(one.path))

    def recorded_or_empty(self):
        return self.recorded() if self.desk.recorder.passes() else b""

    def aside(self):
        (one,) = self.desk.recorder.passes()
        return [datagram for datagram, _ in read_aside(one.path)]


async def test_of_bare_frames_every_byte_is_recorded_and_the_frames_stay_in_place(tmp_path):
    stack = Stack(tmp_path, block_bytes=len(FRAME), strict=True, marker=MARKER)
    odd = [MARKER + FRAME, FRAME + b"?", FRAME + PARITY]
    with capture_logs() as logs:
        health = await stack.take(
            FRAME, *odd, FRAME * 2, until=lambda: len(stack.events) and stack.source.n_odd == 3
        )
    assert stack.recorded() == FRAME * 5
    assert stack.aside() == odd
    assert health["odd_datagrams"] == {
        "n": 3,
        "expected_bytes": 1115,
        "by_size": {"1119": {"n": 1, "unused": 0}, "1116": {"n": 1, "unused": 1}, "1275": {"n": 1, "unused": 0}},
    }
    told = [one["event"] for one in logs if "datagrams of" in one["event"]]
    assert sorted(text[:47] for text in told) == [
        f"datagrams of {n} bytes come, 1115 are expected" for n in (1116, 1119, 1275)
    ]
    assert {one.details["size_bytes"] for one in stack.events} == {1116, 1119, 1275}
    (raw,) = stack.desk.with_events([Chunk(RunId("s", "p", "r"), 0, ByteBatch.of(b"x", 1))])
    assert unpack(pack(raw)).events == raw.events
    assert {(one.severity, one.kind, one.details["expected_bytes"]) for one in raw.events} == {
        ("warning", "datagram_size", 1115)
    }
    assert not stack.events
    assert b'downlink_odd_datagrams{station="s"} 3.0' in stack.meters.text()
    assert b'downlink_lost_datagrams{station="s"} 0.0' in stack.meters.text()


async def test_of_marked_blocks_all_bytes_go_to_the_synchronizer(tmp_path):
    stack = Stack(tmp_path, block_bytes=1279, marker=MARKER)
    datagrams = [MARKER + FRAME + PARITY, FRAME + PARITY, MARKER + FRAME + PARITY + b"tail"]
    await stack.take(
        *datagrams, until=lambda: len(stack.recorded_or_empty()) == 1279 + 1275 + 1283 and stack.events
    )
    assert stack.recorded() == b"".join(datagrams)
    assert stack.source.odd.keys() == {1275, 1283}


def test_what_ingest_tells_is_published_with_what_becomes_of_the_bytes(tmp_path):
    class Nothing:
        def process(self, _batch, **_options):
            return Outcome(PacketBatch.empty())

        def report(self):
            return {"frames": {}, "channels": [], "packets": {}}

    worker = Worker("m", lambda _: Nothing(), tmp_path)
    event = Event("warning", "datagram_size", "datagrams of 5 bytes come, 4 are expected", 1, {"size_bytes": 5})
    raw = Chunk(RunId("s", "p", "r"), 0, ByteBatch.of(b"x", 1), events=(event,))
    messages = [one.message for out in worker.decode(raw) for one in out.messages]
    assert [one.payload for one in messages if one.topic == "m/s/event/warning"] == [
        event_message("m", "s", event).payload
    ]


async def test_a_size_is_told_once_and_not_for_every_datagram(tmp_path):
    stack = Stack(tmp_path, block_bytes=4, strict=True, marker=MARKER)
    with capture_logs() as logs:
        await stack.take(*[b"12345"] * 50, until=lambda: stack.source.n_odd == 50 and stack.events)
    assert sum("datagrams of 5 bytes come, 4 are expected" in one["event"] for one in logs) == 1
    assert stack.aside() == [b"12345"] * 50


def test_what_is_recorded_beside_a_pass_counts_in_the_share_of_its_station(tmp_path):
    share = DiskShare(tmp_path, ["s"], share_bytes=1000)
    recorder = Recorder(tmp_path / "s", Policy(fsync_s=None), share=share)
    folder = recorder.begin(10**18)
    recorder.append_odd_datagrams([(b"x" * 600, 10**18)])
    with pytest.raises(OSError, match="share of the disk"):
        recorder.append_odd_datagrams([(b"y" * 600, 10**18)])
    assert [octets for octets, _ in read_aside(folder.path)] == [b"x" * 600]
    recorder.close()
