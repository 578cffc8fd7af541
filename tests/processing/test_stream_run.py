"""Bytes of a run in, messages to publish out: the same for a replay and for the services."""

import asyncio
import errno
import os
from dataclasses import replace
from pathlib import Path

import pytest
from downlink_pipeline.mission.loading import load_mission
from downlink_pipeline.model.batches import ByteBatch, PacketBatch
from downlink_pipeline.model.errors import RunError
from downlink_pipeline.processing.chain import Outcome, ProcessingChain
from downlink_pipeline.processing.passes import recordings
from downlink_pipeline.processing.stream_run import StreamRun
from downlink_pipeline.recordings.reader import read_pass
from downlink_pipeline.replay.player import Player
from downlink_pipeline.replay.session import Replay
from downlink_pipeline.services.decoder_runs import Worker
from downlink_pipeline.services.protocol import Chunk, RunId


class Broken:
    """A chain that raises at every batch, and at the end."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def process(self, _batch, *, complete=False):
        assert not complete
        raise self.error

    def flush(self):
        raise self.error

    def report(self):
        return {}


@pytest.fixture(scope="module")
def mission():
    return load_mission("zhurong")


def published(messages):
    """What does not depend on time: products, events and the final counters of a run."""
    fixed = [m for m in messages if any(part in m.topic for part in ("/product/", "/event/"))]
    return sorted((m.topic, m.payload) for m in fixed), {
        m.topic: m.payload for m in messages if "/link/" in m.topic
    }


def test_a_replay_and_the_decode_service_publish_the_same(mission, bundled, tmp_path):
    replayed = []

    async def publish(messages):
        replayed.extend(messages)

    recording = bundled / "night.cadu"
    replay = Replay(Player(mission, [recording], None), mission, "night", publish)
    asyncio.run(replay.run(asyncio.Event(), lambda *_: None))
    worker = Worker("zhurong", lambda stream: ProcessingChain(mission, stream), tmp_path)
    batches = [*read_pass(recording, 300_000), ByteBatch.of(b"")]
    run = RunId("night", "pass", "abc")
    chunks = [Chunk(run, seq, batch, ended=seq == len(batches) - 1) for seq, batch in enumerate(batches)]
    served = [one.message for chunk in chunks for out in worker.decode(chunk) for one in out.messages]
    assert published(served) == published(replayed)
    assert len(published(served)[0]) > 100


def test_what_breaks_at_the_end_of_a_stream_is_an_event_without_a_file():
    def no_file(_number):
        raise AssertionError

    run = StreamRun(Broken(ValueError("broken")), "m", "live", no_file)
    messages = [one.message for found, _ in run.decode(ByteBatch.of(b""), ended=True) for one in found]
    assert [m.topic for m in messages if "/event/" in m.topic] == ["m/live/event/error"]
    assert b"the end of the stream could not be processed" in messages[0].payload
    assert run.n_quarantined == 1


async def test_a_replay_that_can_open_no_file_ends_with_an_error_and_leaves_no_batch_out(
    mission, bundled, monkeypatch
):
    broken = Broken(OSError(errno.EMFILE, os.strerror(errno.EMFILE)))
    monkeypatch.setattr("downlink_pipeline.replay.session.ProcessingChain", lambda *_, **__: broken)
    broken.next_station = lambda: 0

    async def publish(_messages):
        pass

    replay = Replay(Player(mission, [bundled / "night.cadu"], None), mission, "night", publish)
    with pytest.raises(RunError, match="the replay cannot continue: Too many open files"):
        await replay.run(asyncio.Event(), lambda *_: None)


async def test_a_merged_replay_reads_the_recording_that_the_merger_wants(mission, tmp_path: Path):
    """Not what lies ahead: the merger holds frames of one station until the other has them too."""
    for name in "ab":
        (tmp_path / name).write_bytes(name.encode() * (5 << 20))
    player = Player(mission, [tmp_path / "a", tmp_path / "b"], None, stations=("a", "b"))
    wanted, read = [1, 1, 0, 1, 0, 0], []
    items = player.play()
    await anext(items)
    for number in wanted:
        player.next_station = number
        read.append((await anext(items)).station)
    await items.aclose()
    assert read == wanted


def test_merged_recordings_are_read_to_their_ends_whatever_is_wanted(mission, tmp_path):
    for name in "ab":
        (tmp_path / name).write_bytes(b"x" * 2500)
    (merged,) = recordings(mission, [tmp_path / "a", tmp_path / "b"], merged=True)
    merged.next_station = 1
    batches = list(merged)
    assert [(b.station, len(b.data), b.ended) for b in batches] == [
        (1, 2500, False),
        (1, 0, True),
        (0, 2500, False),
        (0, 0, True),
    ]


def test_an_empty_batch_that_begins_another_pass_reaches_the_chain():
    class Counting(Broken):
        n = 0

        def process(self, _batch, *, complete=False):
            self.n += 1
            return Outcome(PacketBatch.empty(), products=() if not complete else None)

    chain = Counting(ValueError())
    run = StreamRun(chain, "m", "live", lambda _: Path())
    list(run.decode(ByteBatch.of(b""), events=()))
    assert chain.n == 0
    list(run.decode(replace(ByteBatch.of(b""), begins=True)))
    assert chain.n == 1
