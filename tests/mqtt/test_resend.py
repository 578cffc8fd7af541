from downlink_pipeline.model.batches import Message
from downlink_pipeline.mqtt.resend import ResendBuffer


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def kept(memory):
    return [message.payload for message in memory.messages()]


def test_what_was_published_in_the_last_seconds_is_kept_in_order():
    clock = Clock()
    memory = ResendBuffer(10, 1000, clock)
    for second in range(20):
        clock.now = second
        memory.keep(Message("t", b"%d" % second))
    assert kept(memory) == [b"%d" % second for second in range(9, 20)]


def test_an_outage_however_long_makes_nothing_old():
    clock = Clock()
    memory = ResendBuffer(10, 1000, clock)
    memory.keep(Message("t", b"x"))
    clock.now = 9999.0
    assert kept(memory) == [b"x"]


def test_the_oldest_give_way_when_the_bytes_are_many():
    memory = ResendBuffer(10, 5, Clock())
    for payload in (b"aa", b"bb", b"cc"):
        memory.keep(Message("t", payload))
    assert kept(memory) == [b"bb", b"cc"]


def test_of_a_retained_topic_only_the_last_is_kept_for_as_long_as_it_takes():
    clock = Clock()
    memory = ResendBuffer(10, 1000, clock)
    memory.keep(Message("a", b"1", retain=True))
    memory.keep(Message("a", b"2", retain=True))
    clock.now = 9999.0
    memory.keep(Message("t", b"x"))
    assert kept(memory) == [b"x", b"2"]


def test_a_retained_topic_that_was_cleared_is_not_kept():
    memory = ResendBuffer(10, 1000, Clock())
    memory.keep(Message("a", b"1", retain=True))
    memory.keep(Message("a", b"", retain=True))
    assert kept(memory) == []


def test_with_no_seconds_nothing_is_kept():
    memory = ResendBuffer(0, 1000, Clock())
    memory.keep(Message("a", b"1", retain=True))
    assert kept(memory) == []


def test_what_the_bytes_did_not_allow_makes_it_incomplete_until_it_would_be_too_old_anyway():
    now = [0.0]
    memory = ResendBuffer(10.0, 100, lambda: now[0])
    assert memory.complete
    memory.keep(Message("a", bytes(60)))
    assert memory.complete
    now[0] = 1.0
    memory.keep(Message("a", bytes(60)))
    assert not memory.complete
    now[0] = 10.5
    memory.keep(Message("a", bytes(10)))
    assert memory.complete
