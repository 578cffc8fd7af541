from pipeline.batches import Message
from pipeline.transport.conflation import Conflator

MS = 1_000_000


def said(messages):
    return [(message.topic, message.payload) for message in messages]


def test_the_first_message_of_a_topic_goes_at_once():
    assert said(Conflator(5).offer([Message("a", b"1"), Message("b", b"2")], 0)) == [("a", b"1"), ("b", b"2")]


def test_of_many_in_one_offer_only_the_newest_goes():
    assert said(Conflator(5).offer([Message("a", b"1"), Message("a", b"2")], 0)) == [("a", b"2")]


def test_a_message_before_its_turn_is_held_and_gives_way_to_the_next():
    conflator = Conflator(5)
    conflator.offer([Message("a", b"1")], 0)
    assert conflator.offer([Message("a", b"2")], 100 * MS) == []
    assert conflator.offer([Message("a", b"3")], 199 * MS) == []
    assert said(conflator.offer([], 200 * MS)) == [("a", b"3")]


def test_topics_have_turns_of_their_own():
    conflator = Conflator(5)
    conflator.offer([Message("a", b"1")], 0)
    assert said(conflator.offer([Message("a", b"2"), Message("b", b"3")], 50 * MS)) == [("b", b"3")]


def test_a_thousand_messages_in_a_second_become_five_and_the_last():
    conflator = Conflator(5)
    sent = [m for ms in range(1000) for m in conflator.offer([Message("a", b"%d" % ms)], ms * MS)]
    assert [m.payload for m in sent] == [b"0", b"200", b"400", b"600", b"800"]
    assert said(conflator.flush()) == [("a", b"999")]


def test_flush_gives_nothing_twice():
    conflator = Conflator(5)
    conflator.offer([Message("a", b"1")], 0)
    conflator.offer([Message("a", b"2")], 1)
    assert len(conflator.flush()) == 1
    assert conflator.flush() == []
