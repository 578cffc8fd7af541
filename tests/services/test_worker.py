"""The decode stage by itself: what it makes of a run, in which order, and what it does with what breaks it."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest
import structlog
from downlink_pipeline.mission.loading import load_mission
from downlink_pipeline.model.batches import NO_TIME, ByteBatch, PacketBatch, Product, TimeRange
from downlink_pipeline.processing.chain import Outcome, ProcessingChain
from downlink_pipeline.services.decode import Decode
from downlink_pipeline.services.decoder_runs import OUT_BYTES, Worker
from downlink_pipeline.services.metrics import DecodeMeters
from downlink_pipeline.services.protocol import Chunk, Nack, Output, RunId

RUN = RunId("live", "pass", "abc")


class Scripted:
    """A line that gives what it was told, once for each batch; an exception is raised."""

    def __init__(self, *script):
        self.script = list(script)

    def process(self, _batch, *, complete=False):
        assert not complete
        product = self.script.pop(0)
        if isinstance(product, Exception):
            raise product
        return Outcome(PacketBatch.empty(), products=(product,))

    def flush(self):
        return Outcome(PacketBatch.empty())

    def report(self):
        return {"frames": {}, "channels": [], "packets": {"read": 0}}


def product(time_ns=NO_TIME, lineage=None):
    time = TimeRange((time_ns, time_ns), (time_ns, time_ns))
    quality = np.zeros(0, np.uint32)
    return Product("same-id", "m", "live", "telemetry", "x", "01", time, {}, quality, lineage or {})


def worker(tmp_path: Path, *script):
    return Worker("m", lambda _stream: Scripted(*script), tmp_path)


def keys(made, n):
    outs = [out for seq in range(n) for out in made.decode(Chunk(RUN, seq, ByteBatch.of(b"x")))]
    return [one.key for out in outs for one in out.messages if "/product/" in one.message.topic]


def test_a_product_with_onboard_time_is_known_by_its_id(tmp_path):
    assert keys(worker(tmp_path, product(5), product(5)), 2) == ["same-id", "same-id"]


def test_products_without_time_that_share_an_id_when_counts_wrap_are_told_apart(tmp_path):
    first = keys(worker(tmp_path, product(), product(), product(lineage={"a": 1})), 3)
    assert len(set(first)) == 3
    assert keys(worker(tmp_path, product(), product(), product(lineage={"a": 1})), 3) == first


def test_a_batch_that_breaks_the_line_is_set_aside_and_the_run_goes_on(tmp_path):
    made = worker(tmp_path, ValueError("broken"), product(5))
    outs = list(made.decode(Chunk(RUN, 0, ByteBatch.of(b"bad"))))
    events = [one.message for one in outs[0].messages]
    assert [message.topic for message in events] == ["m/live/event/error"]
    assert b"broken" in events[0].payload
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"bad"]
    assert made.n_quarantined == 1
    (out,) = made.decode(Chunk(RUN, 1, ByteBatch.of(b"good")))
    assert (out.seq, out.n_bytes) == (len(outs), 7)


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE])
def test_where_no_file_can_be_opened_the_run_is_lost_to_be_sent_again_and_nothing_is_set_aside(tmp_path, number):
    made = worker(tmp_path, product(1), OSError(number, os.strerror(number)))
    assert [type(one) for one in made.decode(Chunk(RUN, 0, ByteBatch.of(b"x")))] == [Output, Output]
    *_, last = made.decode(Chunk(RUN, 1, ByteBatch.of(b"y")))
    assert isinstance(last, Nack)
    assert os.strerror(number) in last.why
    assert (made.n_quarantined, made.n_runs) == (0, 0)
    again = RunId("live", "pass", "later")
    assert all(isinstance(one, Output) for one in made.decode(Chunk(again, 0, ByteBatch.of(b""))))


def test_a_batch_that_is_missing_loses_the_run_and_one_that_comes_twice_is_nothing(tmp_path):
    made = worker(tmp_path, product(5), product(6))
    kinds = [{type(one) for one in made.decode(Chunk(RUN, seq, ByteBatch.of(b"x")))} for seq in (1, 0, 0)]
    assert kinds == [{Nack}, {Output}, set()]


def test_a_new_run_of_a_pass_ends_the_one_before(tmp_path):
    made = worker(tmp_path, product(5))
    for run in (RUN, RunId("live", "pass", "later")):
        list(made.decode(Chunk(run, 0, ByteBatch.of(b"x"))))
    assert made.n_runs == 1


@pytest.mark.parametrize("chunk_bytes", [100_000, 1 << 20])
def test_outputs_are_bounded_and_only_the_last_of_a_batch_says_how_far_it_came(
    tmp_path, bundled, undisturbed, without_receipt, chunk_bytes
):
    data = np.fromfile(bundled / "damaged.cadu", np.uint8)
    made = Worker("zhurong", lambda stream: ProcessingChain(load_mission("zhurong"), stream), tmp_path)
    outs = []
    n_batches = -(-len(data) // chunk_bytes)
    run = RunId("test", "pass", "abc")
    for seq in range(n_batches):
        piece = data[seq * chunk_bytes : (seq + 1) * chunk_bytes]
        outs += made.decode(Chunk(run, seq, ByteBatch.of(piece, 5), ended=seq == n_batches - 1))
    assert [out.seq for out in outs] == list(range(len(outs)))
    assert outs[-1].ended
    assert outs[-1].n_bytes == len(data)
    assert [out.n_bytes for out in outs] == sorted(out.n_bytes for out in outs)
    for out in outs:
        sizes = [len(one.message.payload) for one in out.messages]
        assert sum(sizes) <= OUT_BYTES or len(sizes) == 1
    found = {
        one.key: without_receipt(one.message.payload)
        for out in outs
        for one in out.messages
        if "/product/" in one.message.topic
    }
    assert found == undisturbed("damaged.cadu")
    assert made.n_runs == 0


async def test_what_is_logged_of_a_batch_says_which_it_is(tmp_path):
    class OneBatch:
        n_malformed = 0
        largest_bytes = 1 << 20

        def send(self, messages):
            list(messages)

        async def serve(self, take):
            take(Chunk(RUN, 0, ByteBatch.of(b"bad")))

    with structlog.testing.capture_logs() as logs:
        await Decode("one", worker(tmp_path, ValueError("broken")), OneBatch(), DecodeMeters()).run()
    (log,) = logs
    assert {key: log[key] for key in ("station", "pass_", "run", "batch")} == {
        "station": "live",
        "pass_": "pass",
        "run": "abc",
        "batch": 0,
    }
