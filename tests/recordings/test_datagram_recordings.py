"""A pass that came as datagrams says so in its recording, live and in a replay; others do not."""

from dataclasses import replace
from pathlib import Path

import pytest
from downlink_pipeline.model.batches import ByteBatch
from downlink_pipeline.recordings.log import Policy, Recorder
from downlink_pipeline.recordings.log_reader import PassReader
from downlink_pipeline.recordings.reader import read_pass
from downlink_pipeline.services.protocol import Chunk, RunId, pack, unpack


@pytest.mark.parametrize("datagrams", [False, True])
def test_the_recording_says_whether_its_frames_may_have_overtaken_each_other(
    tmp_path: Path, datagrams: bool
) -> None:
    recorder = Recorder(tmp_path, Policy(), datagrams=datagrams)
    folder = recorder.begin(1)
    recorder.append([b"one", b"two"], [1, 2])
    with PassReader(folder) as live:
        batch = live.read(100)
    recorder.end()
    recorder.close()
    assert batch is not None
    assert batch.unordered is datagrams
    assert [one.unordered for one in read_pass(folder.path)] == [datagrams]


@pytest.mark.parametrize("datagrams", [False, True])
def test_the_message_between_stages_says_it_too(datagrams: bool) -> None:
    sent = Chunk(RunId("s", "p", "r"), 0, replace(ByteBatch.of(b"one", 1), unordered=datagrams))
    received = unpack(pack(sent))
    assert isinstance(received, Chunk)
    assert received.batch.unordered is datagrams
