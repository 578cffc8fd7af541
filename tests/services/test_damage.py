"""Disks that fail, fill up or rot: ingest tells, and takes nothing for settled that is not."""

import asyncio
import json
import os
import random
import signal

import pytest
from downlink_pipeline.mission.loading import load_mission
from downlink_pipeline.model.batches import ByteBatch
from downlink_pipeline.processing.chain import ProcessingChain
from downlink_pipeline.recordings.disk_share import DiskShare
from downlink_pipeline.recordings.log import Policy, Recorder
from downlink_pipeline.recordings.pass_folder import PassFolder
from downlink_pipeline.recordings.reader import read_pass
from downlink_pipeline.services.dispatch import Pace
from downlink_pipeline.services.ingest import Ingest
from downlink_pipeline.services.metrics import IngestMeters
from downlink_pipeline.services.protocol import Ack, Chunk, Claim, Offer, pack, unpack
from downlink_pipeline.services.station_recorder import StationRecorder
from downlink_pipeline.stations.tcp import Arrival
from structlog.testing import capture_logs

SMALL = Policy(file_bytes=3000, fsync_s=None)
TRUTH = random.Random(5).randbytes(20_000)


class Silent:
    n_lost = 0


def health(desk):
    return Ingest({"s": (desk, Silent())}, None, IngestMeters(), gap_s=10.0, fsync_s=None).health()


@pytest.fixture
def recorded(tmp_path):
    """A pass of several files, as ingest left it."""
    recorder = Recorder(tmp_path / "s", SMALL)
    one = recorder.begin(1, "pass")
    recorder.append([TRUTH[at : at + 1000] for at in range(0, 20_000, 1000)], range(1, 21))
    recorder.end()
    return one


def decoded(desk):
    """What goes to decode of the one pass, to its end, which is then confirmed."""
    [one] = desk.passes
    [offer] = one.dispatch.send(0.0, ended=True)
    assert isinstance(offer, Offer)
    one.dispatch.take(Claim(offer.id, "worker"), 0.0)
    batches = []
    while not batches or not batches[-1].ended:
        found = one.dispatch.send(0.0, ended=True)
        batches += [unpack(pack(message)) for message in found if isinstance(message, Chunk)]
        n_bytes = sum(len(message.batch.data) for message in batches)
        one.dispatch.take(Ack(offer.id, n_bytes, ended=batches[-1].ended), 0.0)
    return [message.batch for message in batches]


async def settled(folder):
    desk = StationRecorder("s", Recorder(folder, SMALL), SMALL, Pace(close_after_s=0.0))
    batches = decoded(desk)
    with capture_logs() as logs:
        await desk.commit(1.0)
    return batches, logs, desk


async def test_a_whole_recording_is_settled(recorded):
    batches, logs, desk = await settled(recorded.path.parent)
    assert b"".join(batch.data.tobytes() for batch in batches) == TRUTH
    assert recorded.committed.closed
    assert logs == []
    assert health(desk)[0]


@pytest.mark.parametrize("damage", ["missing", "short", "flipped", "no last file", "no end"])
async def test_a_damaged_recording_is_sent_as_far_as_it_goes_and_told_and_never_settled(recorded, damage):
    files = [file for _, file in recorded.files()]
    if damage == "missing":
        files[2].unlink()
    elif damage == "short":
        os.truncate(files[2], 1500)
    elif damage == "flipped":
        octets = bytearray(files[2].read_bytes())
        octets[2000] ^= 1
        files[2].write_bytes(octets)
    elif damage == "no last file":
        files[-1].unlink()
    else:
        os.truncate(files[-1], files[-1].stat().st_size - 1100)
    batches, logs, desk = await settled(recorded.path.parent)
    place = 0
    for batch in batches:
        assert batch.missing >= 0
        place += batch.missing
        octets = batch.data.tobytes()
        assert octets == TRUTH[place : place + len(octets)]
        place += len(octets)
    assert place == len(TRUTH)
    assert any(batch.damage for batch in batches)
    assert not recorded.committed.closed
    assert [line["event"] for line in logs] == ["the recording is damaged"]
    well, told = health(desk)
    assert not well
    assert told["stations"]["s"]["damaged"] == ["pass"]


def fail(*_):
    raise OSError(5, "Input/output error")


@pytest.mark.parametrize("fsync_s", [0.0, 1.0])
def test_an_error_of_fsync_stops_the_recording_and_health_says_why(tmp_path, monkeypatch, fsync_s):
    policy = Policy(fsync_s=fsync_s)
    desk = StationRecorder("s", Recorder(tmp_path / "s", policy), policy, Pace())
    assert desk.record(Arrival([b"good"], [1], "pass")) is None
    desk.recorder.sync()
    n_durable = desk.recorder.n_durable
    with capture_logs() as logs:
        monkeypatch.setattr(os, "fsync", fail)
        left = desk.record(Arrival([b"lost"], [2], "pass"))
        if fsync_s:
            with pytest.raises(OSError, match="Input/output error"):
                desk.recorder.sync_copy()()
            left = desk.record(Arrival([b"later"], [3], "pass"))
        monkeypatch.undo()  # the next fsync succeeds, though the bytes are gone: it is not believed
        again = desk.record(left)
    assert (left, again) == (left, left)
    assert left is not None
    assert desk.recorder.n_durable == n_durable == 4
    well, told = health(desk)
    assert not well
    assert "Input/output error" in told["stations"]["s"]["reason"]
    assert logs[0]["log_level"] == "error"


def test_a_station_stops_at_its_share_and_the_others_go_on(tmp_path):
    used = {"all": 0}
    share = DiskShare(
        tmp_path, ["junk", "good"], reserve_bytes=1 << 20, disk=lambda _: ((21 << 20) - used["all"], 21 << 20)
    )
    desks = {
        name: StationRecorder(name, Recorder(tmp_path / name, SMALL, share=share), SMALL, Pace())
        for name in ("junk", "good")
    }
    piece = bytes(1 << 18)
    with capture_logs() as logs:
        for i in range(100):
            left = desks["junk"].record(Arrival([piece], [i + 1]))
            used["all"] += 0 if left else len(piece)
            if i % 10 == 0:
                assert desks["good"].record(Arrival([b"a frame"], [i + 1])) is None
    n_junk = desks["junk"].recorder.n_bytes
    assert 9 << 20 < n_junk <= 10 << 20
    assert desks["junk"].disk_full
    assert not desks["good"].disk_full
    assert sum("share" in str(line.get("reason")) for line in logs) == 2


def test_the_reserve_of_the_disk_stays_free(tmp_path):
    free = {"bytes": 10 << 20}
    share = DiskShare(tmp_path, ["s"], reserve_bytes=4 << 20, disk=lambda _: (free["bytes"], 100 << 20))
    recorder = Recorder(tmp_path / "s", SMALL, share=share)
    recorder.begin(1)
    with capture_logs():
        while recorder.append([bytes(1 << 18)], [1]):
            free["bytes"] -= 1 << 18
    assert free["bytes"] == 4 << 20


async def test_a_recording_that_lost_a_file_is_told_by_every_way_and_gives_no_product_that_it_did_not_give(
    make_stack, subscriber, undisturbed, bundled
):
    expected = undisturbed("clean.cadu")
    stack = make_stack(together=True, settings={"DOWNLINK_FILE_MB": "1", "DOWNLINK_PASS_GAP_S": "5"})
    stack.start()
    async with subscriber(stack) as witness:
        await stack.ready()
        stack.feed(bundled / "clean.cadu")
        await witness.until(expected.keys(), 60)
    stack.kill("all", signal.SIGTERM)
    state = stack.folder / "all" / "test" / "pass"
    files = PassFolder(state).files()
    assert len(files) > 2
    files[1][1].unlink()
    stack.start("all")
    async with subscriber(stack) as witness:
        for _ in range(200):
            try:
                stack.get("all", "/health")
            except OSError as error:
                if getattr(error, "code", 0) == 503 and "damaged" in stack.log("all"):
                    break
            await asyncio.sleep(0.1)
        else:
            raise AssertionError(stack.log("all")[-1000:])
        async with asyncio.timeout(20):
            while 'downlink_damaged_passes{station="test"} 1.0' not in stack.get("all", "/metrics"):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
    committed = state / "committed"  # not there where nothing was confirmed before the end
    assert not committed.exists() or not json.loads(committed.read_text())["settled"]
    line = ProcessingChain(load_mission("zhurong"), "test")
    for batch in read_pass(state):
        line.process(batch)
    line.flush()
    assert len(line.report()["damaged"]) == 1
    assert isinstance(next(iter(read_pass(state))), ByteBatch)


async def test_services_whose_log_cannot_be_written_go_on(make_stack, subscriber, undisturbed, bundled):
    """A full disk may hold the log, too: ENOSPC at each line."""
    expected = undisturbed("clean.cadu")
    stack = make_stack()
    for name in stack.services:
        (stack.folder / f"{name}.log").symlink_to("/dev/full")
    stack.start()
    async with subscriber(stack) as witness:
        await stack.ready()
        stack.feed(bundled / "clean.cadu")
        await witness.until(expected.keys(), 60)
        assert witness.told == expected
        assert all(json.loads(stack.get(name, "/health"))["ok"] for name in stack.services)
