"""The three services' cores without a broker: whatever is lost, doubled or forgotten, all is published.

`World` carries their messages and may drop, double or forget; time is a number.
"""

import random
from pathlib import Path

import numpy as np
import pytest
from downlink_pipeline.model.batches import ByteBatch, Message
from downlink_pipeline.services.dispatch import Dispatch, Pace
from downlink_pipeline.services.protocol import (
    Ack,
    Chunk,
    Claim,
    Nack,
    Offer,
    Outgoing,
    Output,
    Restarted,
    RunId,
    pack,
    stage_topic,
    unpack,
)
from downlink_pipeline.services.published_keys import Deduplicator, PublishedKeys

RUN = RunId("live", "pass", "abc")
PACE = Pace(chunk_bytes=3, window_bytes=12, n_at_once=3, offer_s=1, silence_s=5, close_after_s=60)
CONTENT = bytes(range(100))


class Reader:
    """A pass in memory."""

    def __init__(self):
        self.position = 0

    def read(self, n_bytes):
        piece = CONTENT[self.position : self.position + n_bytes]
        self.position += len(piece)
        return ByteBatch.of(piece, 1) if piece else None

    def close(self):
        pass


class Decoder:
    """Stands for the decode stage: each byte is a product, held back for two batches, as open windows are."""

    def __init__(self):
        self.runs = {}

    def take(self, raw):
        run = self.runs.setdefault(raw.id, [0, 0, []]) if raw.seq == 0 else self.runs.get(raw.id)
        if run is None or raw.seq > run[0]:
            return [Nack(raw.id, "?")]
        if raw.seq < run[0]:
            return []
        run[0] += 1
        run[1] += len(raw.batch.data)
        run[2].append(raw.batch.data.tolist())
        ripe = run[2] if raw.ended else run[2][:-2]
        run[2] = run[2][len(ripe) :]
        messages = tuple(Outgoing(Message(f"p/{n}", bytes([n])), str(n)) for some in ripe for n in some)
        return [Output(raw.id, raw.seq, run[1], raw.ended, 0, messages)]


class World:
    """All services, and what the subscriber has."""

    def __init__(self, folder: Path, seed: int = 0, loss: float = 0.0):
        self.random = random.Random(seed)
        self.loss = loss
        self.folder = folder
        self.now = 0.0
        self.seen = []
        self.dispatch = Dispatch("live", "pass", Reader, PACE)
        self.decoders = {"a": Decoder(), "b": Decoder()}
        self.wire = []
        self.start_publish()

    def start_publish(self):
        self.keys = PublishedKeys(self.folder / "keys", 10).__enter__()
        self.dedup = Deduplicator(self.keys)
        self.wire.append(Restarted("publish"))

    def restart(self, which):
        if which == "ingest":
            self.dispatch = Dispatch("live", "pass", Reader, PACE)
        elif which == "publish":
            self.keys.__exit__()
            self.start_publish()
        elif which == "broker":
            self.wire.clear()
        else:
            self.decoders[which] = Decoder()

    def step(self):
        self.now += 0.1
        self.wire += self.dispatch.send(self.now, ended=True)
        sent, self.wire = self.wire, []
        for message in sent:
            if self.random.random() >= self.loss:
                self.wire += self.deliver(unpack(pack(message)))
                if self.random.random() < self.loss:
                    self.wire += self.deliver(unpack(pack(message)))

    def deliver(self, message):
        if isinstance(message, Offer):
            return [Claim(message.id, self.random.choice(sorted(self.decoders)))]
        if isinstance(message, Chunk):
            return self.decoders[self.dispatch.worker or "a"].take(message)
        if isinstance(message, Output):
            judged = self.dedup.check(message)
            if not isinstance(judged, list):
                return [judged]
            self.seen += [one.payload[0] for one in judged]
            return [self.dedup.commit(message, judged, int(self.now * 1000))]
        self.dispatch.take(message, self.now)
        return []

    def run(self, n_steps=20_000):
        for _ in range(n_steps):
            self.step()
            if self.dispatch.is_closed(self.now):
                return
        raise AssertionError("the pass never settles")


def test_an_undisturbed_pass_is_published_once_and_in_order(tmp_path):
    world = World(tmp_path)
    world.run()
    assert world.seen == list(CONTENT)
    assert world.dispatch.committed(world.now).n_bytes == len(CONTENT)


@pytest.mark.parametrize("seed", range(20))
def test_messages_that_are_lost_or_doubled_cost_nothing(tmp_path, seed):
    world = World(tmp_path, seed, loss=0.02)
    world.run()
    assert sorted(world.seen) == list(CONTENT)


@pytest.mark.parametrize("seed", range(20))
def test_restarts_at_any_moment_cost_nothing_but_duplicates(tmp_path, seed):
    world = World(tmp_path, seed)
    for _ in range(30):
        for _ in range(world.random.randrange(12)):
            world.step()
        world.restart(world.random.choice(["ingest", "publish", "broker", "a", "b"]))
    world.run()
    assert set(world.seen) == set(CONTENT)


def test_what_was_published_just_before_publish_died_is_published_again(tmp_path):
    world = World(tmp_path)
    while not world.dispatch.finished:
        world.step()
    world.seen.clear()  # the broker forgot all of it
    world.restart("publish")
    world.run()
    assert set(world.seen) == set(CONTENT)


def test_what_was_published_long_before_is_not_published_again(tmp_path):
    with PublishedKeys(tmp_path / "keys", 10) as keys:
        keys.add(["old"], 1_000)
        keys.add(["young"], 12_000)
    with PublishedKeys(tmp_path / "keys", 10) as keys:
        assert "old" in keys
        assert "young" not in keys


def test_a_settled_pass_is_not_asked_for_again(tmp_path):
    world = World(tmp_path)
    world.run()
    assert world.dispatch.committed(world.now).closed
    assert world.dispatch.send(world.now, ended=True) == []


def test_no_more_than_the_window_is_out():
    dispatch = Dispatch("live", "pass", Reader, PACE)
    (offer,) = dispatch.send(0, ended=True)
    dispatch.take(Claim(offer.id, "w"), 0)
    sent = dispatch.send(0, ended=True) + dispatch.send(0, ended=True) + dispatch.send(0, ended=True)
    assert sum(len(raw.batch.data) for raw in sent) == 12
    dispatch.take(Ack(offer.id, 6, ended=False), 1)
    assert sum(len(raw.batch.data) for raw in dispatch.send(1, ended=True)) == 6


def test_the_first_worker_to_claim_a_run_has_it():
    dispatch = Dispatch("live", "pass", Reader, PACE)
    (offer,) = dispatch.send(0, ended=True)
    dispatch.take(Claim(offer.id, "first"), 0)
    dispatch.take(Claim(offer.id, "second"), 0)
    assert dispatch.worker == "first"


def test_a_worker_that_falls_silent_loses_the_run_to_another():
    dispatch = Dispatch("live", "pass", Reader, PACE)
    (offer,) = dispatch.send(0, ended=True)
    dispatch.take(Claim(offer.id, "dead"), 0)
    dispatch.send(0, ended=True)
    assert dispatch.send(4, ended=True) == [] or dispatch.worker == "dead"
    (again,) = dispatch.send(5.1, ended=True)
    assert isinstance(again, Offer)
    assert again.id != offer.id


def test_confirmations_of_an_earlier_run_count_for_nothing():
    dispatch = Dispatch("live", "pass", Reader, PACE)
    (first,) = dispatch.send(0, ended=True)
    dispatch.take(Claim(first.id, "w"), 0)
    dispatch.send(0, ended=True)
    dispatch.take(Nack(first.id, "?"), 1)
    dispatch.take(Ack(first.id, 9, ended=False), 1)
    assert dispatch.n_confirmed == 0


MESSAGES = [
    Offer(RUN),
    Claim(RUN, "w-1"),
    Ack(RUN, 5, ended=True),
    Nack(RUN, "why"),
    Restarted("publish"),
    Output(RUN, 3, 9, False, 7, (Outgoing(Message("m/live/product/a/b", b"x"), "id"),)),
]


@pytest.mark.parametrize("message", MESSAGES)
def test_a_message_is_the_same_after_the_way(message):
    assert unpack(pack(message)) == message


def test_bytes_and_their_times_are_the_same_after_the_way():
    batch = ByteBatch(np.arange(9, dtype=np.uint8), np.array([0, 4]), np.array([5, 6]))
    back = unpack(pack(Chunk(RUN, 2, batch, ended=True)))
    assert (back.id, back.seq, back.ended) == (RUN, 2, True)
    for name in ("data", "mark_start", "mark_ns"):
        np.testing.assert_array_equal(getattr(back.batch, name), getattr(batch, name))


@pytest.mark.parametrize("seed", range(8))
def test_garbage_and_mutated_messages_are_value_errors_or_messages(seed):
    chance = np.random.default_rng(seed)
    raw = pack(Chunk(RUN, 2, ByteBatch.of(b"abc", 5)))
    for payload in [*map(pack, MESSAGES), raw]:
        for _ in range(300):
            octets = bytearray(payload)
            for _ in range(chance.integers(1, 4)):
                octets[chance.integers(len(octets))] = chance.integers(256)
            for broken in (bytes(octets), chance.bytes(40), payload[: chance.integers(len(payload))]):
                assert "\n" not in refusal(broken)


def refusal(payload):
    try:
        unpack(payload)
    except ValueError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("topic", ["m/stage/done", "a/#", "", "x" * 2000])
def test_an_output_cannot_be_smuggled_to_a_topic_of_the_services(topic):
    with pytest.raises(ValueError, match="not a stage message"):
        unpack(pack(Output(RUN, 0, 0, False, 0, (Outgoing(Message(topic, b"")),))))


def test_each_kind_has_its_topic():
    assert stage_topic("m", Offer(RUN)) == "m/stage/offer"
    assert stage_topic("m", Chunk(RUN, 0, ByteBatch.of(b"")), "w") == "m/stage/raw/w"
