"""What travels is not changed once it is made: enforced by the type checker, and free at run time."""

import pickle
from dataclasses import FrozenInstanceError, dataclass, fields, replace

import pytest
from downlink_pipeline.model.batches import Message
from downlink_pipeline.model.carrier import carrier


@dataclass(frozen=True, slots=True)
class Frozen:
    topic: str
    payload: bytes = b""


def test_the_type_checker_takes_it_for_frozen_and_the_object_does_not_pay_for_it():
    for_checkers = carrier.__dataclass_transform__
    assert {**for_checkers["kwargs"], **for_checkers}["frozen_default"]
    assert Message.__setattr__ is object.__setattr__
    assert Frozen.__setattr__ is not object.__setattr__
    with pytest.raises(FrozenInstanceError):
        Frozen("a").topic = "b"


def test_it_has_slots_equality_and_hash_of_a_frozen_dataclass():
    one, same, other = Message("a", b"x"), Message("a", b"x"), Message("b", b"x")
    assert one == same != other
    assert len({one, same, other}) == 2
    assert not hasattr(one, "__dict__")
    assert replace(one, topic="b") == other
    assert pickle.loads(pickle.dumps(one)) == one
    assert [field.name for field in fields(Message)][:2] == ["topic", "payload"]
