"""What a broker refuses is not settled, is told, and is tried again with backoff; recording waits for nobody."""

import asyncio
import json
import re
import socket

import numpy as np
from downlink_pipeline.model.batches import ByteBatch, Event, Message, PacketBatch
from downlink_pipeline.model.errors import RunError
from downlink_pipeline.mqtt.publisher import PublishRefusedError
from downlink_pipeline.processing.chain import Outcome
from downlink_pipeline.services.bus import MqttBus
from downlink_pipeline.services.decoder_runs import Worker
from downlink_pipeline.services.dispatch import Dispatch, Pace
from downlink_pipeline.services.metrics import PublishMeters
from downlink_pipeline.services.protocol import (
    Ack,
    Chunk,
    Claim,
    Nack,
    Offer,
    Outgoing,
    Output,
    Presence,
    Restarted,
    RunId,
)
from downlink_pipeline.services.publish import Publish
from downlink_pipeline.services.published_keys import Deduplicator, PublishedKeys

RUN = RunId("live", "pass", "abc")
PACE = Pace(chunk_bytes=4, window_bytes=100, n_at_once=4, offer_s=0.5, silence_s=5.0, close_after_s=10.0)


class Reader:
    """A pass of eight bytes."""

    def __init__(self):
        self.left = bytes(8)

    def read(self, n_bytes):
        piece, self.left = self.left[:n_bytes], self.left[n_bytes:]
        nothing = np.empty(0, np.int64)
        return ByteBatch(np.frombuffer(piece, np.uint8), nothing, nothing) if piece else None

    def close(self):
        pass


def offered(dispatch, now):
    return [one for one in dispatch.send(now, ended=True) if isinstance(one, Offer)]


def taken(dispatch, now):
    """Have the pass offered, claimed and sent to its end; gives the run."""
    (offer,) = offered(dispatch, now)
    dispatch.take(Claim(offer.id, "w"), now)
    dispatch.send(now, ended=True)
    return offer.id


def test_a_pass_of_which_something_was_refused_is_not_settled_and_is_sent_again():
    dispatch = Dispatch("live", "pass", Reader, PACE)
    run = taken(dispatch, 0.0)
    dispatch.take(Ack(run, 8, ended=True, refused="m/x: not authorized"), 1.0)
    assert not dispatch.finished
    assert dispatch.committed(1e6).n_bytes == 0
    assert offered(dispatch, 6.5)
    run = taken(dispatch, 20.0)
    dispatch.take(Ack(run, 8, ended=True), 21.0)
    assert dispatch.committed(31.1) == dispatch.committed(31.1).__class__(8, closed=True)


def test_runs_in_vain_are_begun_with_backoff():
    dispatch = Dispatch("live", "pass", Reader, PACE)
    starts, now = [], 0.0
    while len(starts) < 8:
        if found := offered(dispatch, now):
            starts.append(now)
            dispatch.take(Nack(found[0].id, "an output is missing"), now)
        now += 0.125
    assert np.diff(starts).tolist() == [0.125, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0]


def test_publish_may_begin_anew_often_and_delays_no_run_that_nobody_has_taken():
    """It says so again after each loss of its connection."""
    dispatch = Dispatch("live", "pass", Reader, PACE)
    taken(dispatch, 0.0)
    for _ in range(20):
        dispatch.take(Restarted("publish"), 1.0)
    assert dispatch.n_runs == 2
    assert offered(dispatch, 1.0)


def test_after_a_hundred_restarts_of_a_service_its_pass_is_sent_again_within_seconds():
    """A history that is killed each three seconds: none of the runs is confirmed further than the first one."""
    dispatch = Dispatch("live", "pass", Reader, PACE)
    for i in range(400):
        now = 0.75 * i
        if found := offered(dispatch, now):
            dispatch.take(Claim(found[0].id, "w"), now)
        if i % 4 == 3:
            dispatch.take(Restarted("history"), now)
    end = next(now / 8 for now in range(8 * 300, 8 * 600) if offered(dispatch, now / 8))
    assert end <= 0.75 * 399 + 5.5


def test_no_run_is_begun_while_publish_is_away():
    dispatch = Dispatch("live", "pass", Reader, PACE)
    taken(dispatch, 0.0)
    for now in range(2, 600):
        assert dispatch.send(float(now), ended=True, publish_away=True) == []
    assert dispatch.n_runs == 1
    assert dispatch.send(600.0, ended=True) == []
    assert offered(dispatch, 605.1)


def stalls(dispatch, until_s, step_s=0.25, **more):
    """Have a pass asked for; gives each time at which it is stalled, with the reason."""
    found = []
    for i in range(int(until_s / step_s)):
        dispatch.send(i * step_s, ended=True, **more)
        if why := dispatch.stalled(i * step_s):
            found.append((i * step_s, why))
    return found


def test_a_pass_that_no_worker_takes_is_stalled_within_half_a_minute():
    (at, why), *_ = stalls(Dispatch("live", "pass", Reader, PACE), 40.0)
    assert at < 30
    assert "no decode worker takes it" in why


def test_a_pass_whose_worker_hangs_is_stalled_and_goes_on_with_the_next_confirmation():
    dispatch = Dispatch("live", "pass", Reader, Pace(silence_s=1e9))
    run = taken(dispatch, 0.0)
    (at, why), *_ = stalls(dispatch, 40.0)
    assert at < 30
    assert "decode worker w" in why
    dispatch.take(Ack(run, 4, ended=False), 41.0)
    assert dispatch.stalled(41.0) == ""


def test_a_pass_that_is_refused_again_and_again_is_stalled_with_the_brokers_reason():
    dispatch, now, why = Dispatch("live", "pass", Reader, PACE), 0.0, ""
    while now < 30 and not why:
        if found := offered(dispatch, now):
            dispatch.take(Claim(found[0].id, "w"), now)
            dispatch.send(now, ended=True)
            dispatch.take(Ack(found[0].id, 8, ended=True, refused="m/x: not authorized"), now)
        why = dispatch.stalled(now)
        now += 0.25
    assert "m/x: not authorized" in why


def test_a_pass_with_nothing_left_to_confirm_is_not_stalled_nor_one_that_waits_for_publish():
    dispatch = Dispatch("live", "pass", Reader, PACE)
    run = taken(dispatch, 0.0)
    dispatch.take(Ack(run, 8, ended=True), 1.0)
    assert stalls(dispatch, 60.0) == []
    assert stalls(Dispatch("live", "pass", Reader, PACE), 60.0, publish_away=True) == []


def out(*topics, seq=0, ended=True):
    messages = tuple(Outgoing(Message(topic, b"x"), topic) for topic in topics)
    return Output(RUN, seq, 8, ended, 0, messages)


def test_what_was_taken_beside_a_refused_message_is_not_published_again(tmp_path):
    with PublishedKeys(tmp_path / "keys", 0) as keys:
        dedup, first = Deduplicator(keys), out("m/a", "m/b")
        messages = dedup.check(first)
        done = dedup.commit(first, messages[:1], 1, "m/b: not authorized")
        assert done.refused == "m/b: not authorized"
        again = dedup.check(Output(RunId("live", "pass", "later"), 0, 8, True, 0, first.messages))
        assert [message.topic for message in again] == ["m/b"]


def test_what_is_in_flight_is_not_sent_twice_and_what_of_it_is_refused_closes_no_pass(tmp_path):
    with PublishedKeys(tmp_path / "keys", 0) as keys:
        dedup, first = Deduplicator(keys), out("m/a", "m/b")
        again = Output(RunId("live", "pass", "later"), 0, 8, True, 0, first.messages)
        messages = dedup.check(first)
        assert dedup.check(again) == []
        dedup.commit(first, messages[:1], 1, "m/b: not authorized")
        assert "m/b" in dedup.commit(again, [], 2).refused


class Broker:
    """Takes all topics but those in `refused`."""

    def __init__(self):
        self.refused = {}
        self.taken = []

    async def publish(self, messages):
        refused = [(one, self.refused[one.topic]) for one in messages if one.topic in self.refused]
        self.taken += [one.topic for one in messages if one.topic not in self.refused]
        if refused:
            raise PublishRefusedError(refused)


class OneBus:
    """Gives outputs in turn, and keeps what is answered."""

    def __init__(self):
        self.queue, self.answers = asyncio.Queue(), []

    async def send(self, messages, worker=""):  # noqa: ARG002
        self.answers += messages

    async def serve(self, take):
        while True:
            if rest := take(await self.queue.get()):
                await rest

    async def done(self, run):
        async with asyncio.timeout(10):
            while not (found := [one for one in self.answers if _done(one, run)]):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        return found[-1]


async def test_publish_is_not_well_while_a_topic_is_refused_and_well_again_once_it_is_taken(tmp_path):
    broker, bus = Broker(), OneBus()
    broker.refused["m/live/product/libs/shot"] = "not authorized"
    with PublishedKeys(tmp_path / "keys", 0) as keys:
        stage = Publish(keys, broker.publish, bus, PublishMeters(), remember_s=0)
        task = asyncio.create_task(stage.run())
        first = out("m/live/product/libs/shot", "m/live/product/gpr/low")
        bus.queue.put_nowait(first)
        assert (await bus.done("abc")).refused == "m/live/product/libs/shot: not authorized"
        assert stage.health()[0] is False
        assert stage.health()[1]["refused"] == {"m/live/product/libs/shot": "not authorized"}
        broker.refused.clear()
        bus.queue.put_nowait(Output(RunId("live", "pass", "later"), 0, 8, True, 0, first.messages))
        assert (await bus.done("later")).refused == ""
        assert stage.health()[0] is True
        assert broker.taken == ["m/live/product/gpr/low", "m/live/product/libs/shot"]
        task.cancel()
        await asyncio.wait([task])


async def test_a_refused_subscription_is_asked_for_again_and_told_meanwhile():
    n_tries = 0

    async def listen(_note, listening):
        nonlocal n_tries
        n_tries += 1
        if n_tries == 1:
            raise RunError("cannot subscribe: the broker refuses m/stage/out: not authorized")
        listening()
        await asyncio.sleep(0.05)
        yield "m/status/publish", json.dumps({"service": "publish", "state": "offline"}).encode(), True

    bus = MqttBus("m", None, listen)
    heard = asyncio.get_running_loop().create_future()
    served = asyncio.ensure_future(bus.serve(heard.set_result))
    async with asyncio.timeout(10):
        while not bus.trouble:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert "m/stage/out: not authorized" in bus.trouble
        while bus.trouble:  # noqa: ASYNC110 - also while no message comes
            await asyncio.sleep(0.01)
        assert not heard.done()
        assert await heard == Presence(online=False)
        assert bus.trouble == ""
    served.cancel()
    await asyncio.wait([served])


class Events:
    """A processing chain whose batch becomes these events."""

    def __init__(self, *events):
        self.events = events

    def process(self, _batch, **_more):
        return Outcome(PacketBatch.empty(), events=self.events)

    def report(self):
        return {"frames": {}, "channels": [], "packets": {"read": 0}}


def test_an_output_that_the_broker_cannot_carry_is_left_out_and_named(tmp_path):
    events = [Event("info", "x", text) for text in ("small", "large" * 400, "small, too")]
    worker = Worker("m", lambda _stream: Events(*events), tmp_path)
    worker.largest_message_bytes = 1000
    first, *_ = worker.decode(Chunk(RUN, 0, ByteBatch.of(b"abc")))
    texts = [json.loads(one.message.payload)["text"] for one in first.messages]
    assert texts == ["small", "small, too"]
    assert re.match(r"m/live/event/info: 2\d\d\d bytes, and the broker takes 1000", first.refused)


async def test_datagrams_are_recorded_whatever_the_broker_answers(make_stack):
    """The broker wants a password that the service does not have."""
    stack = make_stack(schemes={"test": "udp"})
    conf = (stack.folder / "broker.conf").read_text().replace("allow_anonymous true", "allow_anonymous false")
    (stack.folder / "broker.conf").write_text(conf)
    stack.start("broker", "ingest")
    async with asyncio.timeout(30):
        while "listening" not in stack.log("ingest"):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            for _ in range(50):
                sock.sendto(bytes(1024), ("127.0.0.1", stack.feed_ports["test"]))
                await asyncio.sleep(0)
        counted = 'downlink_recorded_bytes_total{station="test"} 51200.0'
        while counted not in await asyncio.to_thread(stack.get, "ingest", "/metrics"):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        while "refuses" not in stack.log("ingest"):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert stack.processes["ingest"].poll() is None


def _done(message, run):
    return isinstance(message, Ack) and message.id.run == run
