"""The history as a service: rows within a second, positions that wait for it, kills and full disks lose nothing."""

import asyncio
import json
import os
import random
import time
from contextlib import suppress

import numpy as np
import pytest
import typer
from downlink_pipeline.api import open_history, open_pass
from downlink_pipeline.cli.main import cli
from downlink_pipeline.cli.services import keep_of
from downlink_pipeline.history import storage
from downlink_pipeline.history.messages import product_of
from downlink_pipeline.messages.topics import product_message, report_message
from downlink_pipeline.mission.loading import load_mission
from downlink_pipeline.model.batches import ByteBatch, Outgoing
from downlink_pipeline.model.errors import ConfigError, RunError
from downlink_pipeline.processing.chain import ProcessingChain
from downlink_pipeline.recordings.reader import read_pass
from downlink_pipeline.services.bus import LocalBus
from downlink_pipeline.services.dispatch import Dispatch, Pace
from downlink_pipeline.services.history import History, Keep
from downlink_pipeline.services.metrics import HistoryMeters
from downlink_pipeline.services.protocol import Ack, Claim, Nack, Output, Restarted, RunId, pack, unpack
from history_products import DAY, product

S = 10**9
RUN = RunId("north", "pass-1", "run")
N_KILLS = int(os.environ.get("DOWNLINK_KILLS", "5"))


class Recording:
    """A recording of 100 bytes."""

    def __init__(self):
        self.left = 100

    def read(self, n_bytes):
        taken, self.left = min(n_bytes, self.left), self.left - min(n_bytes, self.left)
        return ByteBatch.of(bytes(taken)) if taken else None

    def close(self):
        pass


def sent(*confirmed_by):
    """A pass all of which is sent and nothing confirmed, with its run."""
    dispatch = Dispatch("north", "pass-1", Recording, Pace(confirmed_by=confirmed_by))
    [offer] = dispatch.send(0.0, ended=True)
    dispatch.take(Claim(offer.id, "one"), 0.0)
    dispatch.send(0.0, ended=True)
    dispatch.send(0.0, ended=True)
    return dispatch, offer.id


def test_a_position_moves_only_when_the_history_has_it_too():
    dispatch, run = sent("publish", "history")
    dispatch.take(Ack(run, 60, ended=False), 0.0)
    assert dispatch.n_best == 0
    dispatch.take(Ack(run, 40, ended=False, by="history"), 0.0)
    assert dispatch.n_best == 40
    dispatch.take(Ack(run, 100, ended=True, by="history"), 0.0)
    assert (dispatch.n_best, dispatch.finished) == (60, False)
    dispatch.take(Ack(run, 100, ended=True), 0.0)
    assert (dispatch.n_best, dispatch.finished) == (100, True)


def test_a_pass_that_waits_for_the_history_alone_says_so():
    dispatch = Dispatch("north", "pass-1", Recording, Pace(confirmed_by=("publish", "history"), silence_s=60.0))
    [offer] = dispatch.send(0.0, ended=True)
    dispatch.take(Claim(offer.id, "one"), 0.0)
    dispatch.send(0.0, ended=True)
    dispatch.send(0.0, ended=True)
    dispatch.take(Ack(offer.id, 100, ended=True), 0.0)
    for second in range(1, 22):
        dispatch.send(float(second), ended=True)
    assert dispatch.stalled(21.0).startswith("decode worker one or history confirms nothing")


def test_without_a_history_publish_alone_confirms():
    dispatch, run = sent("publish")
    dispatch.take(Ack(run, 100, ended=True, by="history"), 0.0)
    assert dispatch.n_best == 0
    dispatch.take(Ack(run, 100, ended=True), 0.0)
    assert dispatch.finished


def test_what_the_broker_refused_is_not_confirmed_by_a_history_that_comes_later():
    dispatch, run = sent("publish", "history")
    dispatch.take(Ack(run, 100, ended=True, refused="sat/x: not authorized"), 0.0)
    dispatch.take(Ack(run, 100, ended=True, by="history"), 0.0)
    assert not dispatch.finished


def test_an_acknowledgement_says_whose_it_is():
    assert unpack(pack(Ack(RUN, 5, ended=False, by="history"))) == Ack(RUN, 5, ended=False, by="history")


def output(seq, *products, n_bytes=0, ended=False, more=()):
    messages = (*(Outgoing(product_message(one), one.id) for one in products), *(Outgoing(one) for one in more))
    return Output(RUN, seq, n_bytes, ended, 0, messages)


class Served:
    """A history on a local bus; `heard` is what ingest gets."""

    def __init__(self, folder, keep=Keep()):  # noqa: B008 - frozen
        buses = LocalBus.of("ingest", "decode", "publish", "history")
        self.bus = buses["decode"]
        self.history = History(str(folder), buses["history"], HistoryMeters(), keep)
        self.heard = []
        self._running = [
            self.history.run(),
            buses["ingest"].serve(self.heard.append),
            buses["publish"].serve(lambda _: None),
        ]

    async def __aenter__(self):
        self._tasks = [asyncio.create_task(one) for one in self._running]
        return self

    async def __aexit__(self, *_error):
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def until(self, wanted):
        async with asyncio.timeout(20):
            while not any(wanted(one) for one in self.heard):  # noqa: ASYNC110 - what others append to
                await asyncio.sleep(0.01)


async def test_rows_are_askable_within_a_second_and_confirmed_then(tmp_path):
    async with Served(tmp_path / "history") as served:
        one = product([DAY, DAY + S], TEMP=[1.5, 2.5], units={"TEMP": "degC"})
        began = time.monotonic()
        await served.bus.send([output(0, one, n_bytes=10)])
        await served.until(lambda heard: isinstance(heard, Ack))
        assert time.monotonic() - began < 1.0 or os.getloadavg()[0] > os.cpu_count()
        found = open_history(tmp_path / "history").get("HK.TEMP")
        assert found["HK.TEMP"].values.tolist() == [1.5, 2.5]
        assert found["HK.TEMP"].attrs["units"] == "degC"
        assert Restarted("history") in served.heard
        assert Ack(RUN, 10, ended=False, by="history") in served.heard


async def test_an_output_that_is_missing_has_the_run_begin_again_and_rows_stay_once(tmp_path):
    first, second = product([DAY], TEMP=[1]), product([DAY + S], TEMP=[2], seq=1)
    async with Served(tmp_path / "history") as served:
        await served.bus.send([output(0, first), output(2, second)])
        await served.until(lambda heard: isinstance(heard, Nack))
    async with Served(tmp_path / "history") as served:
        report = report_message("sat", "north", {"packets": {"read": 2, "by_apid": {"7": 2}}, "pass": "pass-1"})
        await served.bus.send([output(0, first), output(1, second, n_bytes=9, ended=True, more=[report])])
        await served.until(lambda heard: isinstance(heard, Ack) and heard.ended)
    history = open_history(tmp_path / "history")
    assert history.get("HK.TEMP")["HK.TEMP"].values.tolist() == [1, 2]
    [record] = history.passes()
    assert (record.name, record.state, record.report["packets"]["read"]) == ("pass-1", "complete", 2)
    assert record.rows == {"HK": {"2025-11-30": 2}}


async def test_a_full_disk_is_told_and_waited_for_and_leaves_nothing_behind(tmp_path, monkeypatch):
    full = True
    fill = storage._fill_local

    def filling(part, write):
        if full and part.name.startswith(".part-"):
            part.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(b"half")
            raise OSError(28, "No space left on device")
        fill(part, write)

    monkeypatch.setattr(storage, "_fill_local", filling)
    async with Served(tmp_path / "history") as served:
        await served.bus.send([output(0, product([DAY], TEMP=[1]), n_bytes=7)])
        async with asyncio.timeout(20):
            while served.history.health()[0]:  # noqa: ASYNC110 - as others ask it
                await asyncio.sleep(0.01)
        assert "No space left on device" in served.history.health()[1]["disk"]
        assert not any(isinstance(one, Ack) for one in served.heard)
        full = False
        await served.until(lambda heard: isinstance(heard, Ack))
        assert served.history.health()[0]
    assert open_history(tmp_path / "history").get("HK.TEMP")["HK.TEMP"].values.tolist() == [1]
    assert list((tmp_path / "history").rglob("*.part")) == []


def test_an_import_on_a_full_disk_fails_in_a_line_and_leaves_nothing(put, monkeypatch):
    def full(_part, _write):
        raise OSError(28, "No space left on device")

    folder = put(product([DAY], TEMP=[1]))
    monkeypatch.setattr(storage, "_fill_local", full)
    with pytest.raises(RunError, match="No space left on device"):
        put(product([DAY + S], TEMP=[2], seq=1), name="two", folder=folder)
    assert open_history(folder).get("HK.TEMP")["HK.TEMP"].values.tolist() == [1]
    assert list(folder.rglob("*.part")) == []


def rows_of(folder):
    """Product ids and rows of each, and the number of rows in all."""
    found = {}
    history = open_history(folder)
    for kind in history.kinds():
        try:
            table = history.scan(kind).to_table(columns=["product_id"])
        except (ConfigError, FileNotFoundError):  # its first rows, or a merge, are on their way
            continue
        for key in table["product_id"].to_pylist():
            found[key] = found.get(key, 0) + 1
    return found


@pytest.mark.parametrize("together", [True, False] if "DOWNLINK_KILLS" in os.environ else [False])
async def test_killing_it_at_any_moment_loses_no_row_and_doubles_none(
    make_stack, products_of, bundled, tmp_path, together
):
    """The pass goes on as long as there are kills; `make soak` has a hundred."""
    chance, folder = random.Random(3), tmp_path / "kept"
    settings = {"DOWNLINK_SILENCE_S": "2", "DOWNLINK_PASS_GAP_S": "30", "DOWNLINK_HISTORY": str(folder)}
    stack = make_stack(settings=settings, together=together)
    stack.start()
    await stack.ready()
    stack.feed(bundled / "night.cadu", lasting_s=(2.5 if "DOWNLINK_KILLS" in os.environ else 1.0) * N_KILLS)
    victim = "all" if together else "history"
    for _ in range(N_KILLS):
        await asyncio.sleep(chance.uniform(0.3, 1.2))
        stack.kill(victim)
        stack.start(victim)
        if "DOWNLINK_KILLS" in os.environ:  # each of them is to hit a service that works
            await stack.ready(victim)
    expected = products_of("night.cadu", "test")
    end, found = time.monotonic() + 60 + 3 * N_KILLS, {}
    while found != expected and time.monotonic() < end:
        await asyncio.sleep(0.3)
        found = rows_of(folder) if (folder / "history.json").exists() else {}
    assert found == expected
    committed = stack.folder / victim if together else stack.folder / "ingest"
    patience_s = 30 if N_KILLS < 20 else 300  # a run of which nothing is heard is given up after 2 min at most
    await asyncio.wait_for(_settled(committed, (bundled / "night.cadu").stat().st_size), patience_s)


async def _settled(folder, n_bytes):
    """Wait until the position is behind the last byte."""
    while True:
        for path in folder.rglob("committed"):
            if json.loads(path.read_text() or "{}").get("bytes") == n_bytes:
                return
        await asyncio.sleep(0.2)


@pytest.fixture
def products_of(bundled):
    """Rows by product id of a bundled pass decoded in one go."""

    def run(name, stream):
        chain = ProcessingChain(load_mission("zhurong"), stream)
        made = [one for batch in read_pass(bundled / name) for one in chain.process(batch).products]
        return {one.id: max(len(one.quality), 1) for one in [*made, *chain.flush().products]}

    return run


def test_rows_of_messages_equal_the_products(zhurong_products, recorder, tmp_path):
    for one in zhurong_products:
        back = product_of(product_message(one).payload)
        recorder.add(back, back.id, "p")
    recorder.flush()
    history = open_history(tmp_path / "history")
    for one in zhurong_products[:40]:
        kind = f"{one.instrument}/{one.product}"
        table = history.scan(kind).to_table()
        mine = np.array(table["product_id"].to_pylist()) == one.id
        assert mine.sum() == max(len(one.quality), 1)


@pytest.fixture(scope="module")
def zhurong_products(bundled):
    return list(open_pass(bundled / "night.cadu", mission="zhurong").products())


async def test_a_history_of_all_stages_in_one_keeps_rows_as_long_as_asked(tmp_path, monkeypatch):
    """Rows of ten days ago go, their summary of the day stays; those of today stay whatever the size."""
    monkeypatch.setattr("downlink_pipeline.services.history.MAINTAIN_S", 0.05)
    monkeypatch.setattr("downlink_pipeline.services.history.PRUNE_S", 0.0)
    now = time.time_ns() // (86_400 * S) * 86_400 * S
    old, new = product([now - 10 * 86_400 * S], TEMP=[1]), product([now], TEMP=[2], seq=1)
    async with Served(tmp_path / "history", Keep(days=5.0, n_bytes=1)) as served:
        await served.bus.send([output(0, old, new, n_bytes=10)])
        async with asyncio.timeout(20):
            found: list[int] = []
            while found != [2]:
                await asyncio.sleep(0.05)
                with suppress(ConfigError):  # its folder is there before its first file is
                    history = open_history(tmp_path / "history")
                    found = history.get("HK.TEMP")["HK.TEMP"].values.tolist()
    assert history.get("HK.TEMP", points=30)["HK.TEMP"].values.tolist() == [1, 2]


def test_summaries_are_kept_at_least_as_long_as_rows():
    assert keep_of(5, 2, 30) == (5, 2_000_000_000, 30)
    for days, summary_days in ((5, 4), (0, 4)):
        with pytest.raises(ConfigError, match="at least as long as rows"):
            keep_of(days, 0, summary_days)


def test_ingest_has_its_own_options_and_none_that_bound_a_history():
    stages = typer.main.get_command(cli).commands["stage"].commands
    options = {
        name: {word for one in stages[name].params for word in one.opts} for name in ("all", "ingest", "history")
    }
    bounds = {"--history-days", "--history-gb", "--history-summary-days"}
    assert {"--mission", "-m", "--source", "--history"} < options["ingest"] < options["all"]
    assert not options["ingest"] & bounds
    assert bounds < options["all"] & options["history"]
