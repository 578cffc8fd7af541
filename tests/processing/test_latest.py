"""The newest values, at a rate that people, dashboards and brokers can follow."""

import json
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from downlink_pipeline.model.batches import Message, Product, Quantity, TimeRange
from downlink_pipeline.processing.latest import Latest

SECOND = 1_000_000_000


@pytest.fixture
def product() -> Any:
    plain = Product(
        id="a",
        mission="m",
        stream="s",
        instrument="weather",
        product="meteorology",
        level="2B",
        time=TimeRange((0, 0), (0, 0)),
        arrays={},
        quality=np.zeros(1, np.uint32),
        lineage={},
        latest=(),
    )

    def make(value: float, name: str = "meteorology", quantities: tuple[str, ...] = ("pressure_pa",)) -> Product:
        arrays = {quantity: Quantity(np.array([value]), "Pa") for quantity in quantities}
        return replace(plain, product=name, arrays=arrays, latest=quantities)

    return make


def offer(latest: Latest, products: list[Product], now_ns: int) -> list[Message]:
    """The messages that are due once these products came, as `StreamRun` asks for them."""
    latest.add(products)
    return latest.due_messages(now_ns) if latest.is_due(now_ns) else []


def values(messages: Any) -> list[float]:
    return [json.loads(message.payload)["value"] for message in messages]


def test_the_first_value_goes_at_once(product: Any) -> None:
    assert values(offer(Latest(), [product(1.0)], 0)) == [1.0]


def test_only_the_newest_of_a_burst_is_sent(product: Any) -> None:
    assert values(offer(Latest(), [product(1.0), product(2.0)], 0)) == [2.0]


def test_at_most_five_a_second_are_sent(product: Any) -> None:
    latest = Latest()
    reported = [values(offer(latest, [product(i / 10)], i * SECOND // 10)) for i in range(11)]
    assert sum(map(len, reported)) == 6


def test_each_of_3500_parameters_that_come_once_a_second_is_sent_each_second(product: Any) -> None:
    """As many as a mission has that sends nine packets a second, each of hundreds of parameters."""
    latest = Latest()
    names = tuple(f"q{i}" for i in range(389))
    seconds: Counter[str] = Counter()
    for i in range(9 * 20):
        messages = offer(latest, [product(float(i), f"p{i % 9}", names)], i * SECOND // 9)
        seconds.update(f"{message.about}/{message.topic}" for message in messages)
    assert len(seconds) == 9 * 389
    assert set(seconds.values()) == {20}
    assert latest.n_thinned == 0


def test_topics_that_are_too_many_take_turns(product: Any) -> None:
    latest = Latest(messages_per_second=100)
    sizes = {"large": 600, "small": 10, "medium": 90}
    reported: Counter[str] = Counter()
    n_seconds = 70
    for i in range(n_seconds):
        kinds = [product(float(i), kind, tuple(f"{kind}_{k}" for k in range(size))) for kind, size in sizes.items()]
        reported.update(message.topic.rsplit("/", 1)[1] for message in offer(latest, kinds, i * SECOND))
    assert len(reported) == 700
    assert sum(reported.values()) == 100 * n_seconds
    assert set(reported.values()) == {10}  # every seventh second, whichever product it is of


def test_what_newer_values_replace_is_counted(product: Any) -> None:
    latest = Latest(messages_per_second=2)
    for i in range(3):
        offer(latest, [product(float(i), "p", ("a", "b", "c"))], i * SECOND)
    assert latest.n_thinned == 2  # one of three in each of the first two seconds


def test_values_that_wait_are_sent_when_there_is_room(product: Any) -> None:
    latest = Latest(messages_per_second=2)
    assert len(offer(latest, [product(1.0, "p", ("a", "b", "c"))], 0)) == 2
    assert not latest.is_due(SECOND // 10)
    assert latest.is_due(SECOND)
    assert [message.topic.rsplit("/", 1)[1] for message in latest.due_messages(SECOND)] == ["c"]


def test_the_last_value_is_always_sent(product: Any) -> None:
    latest = Latest(messages_per_second=1)
    offer(latest, [product(1.0)], 0)
    offer(latest, [product(2.0), product(3.0, "other")], 1)
    assert values(latest.flush()) == [2.0, 3.0]
    assert latest.flush() == []


def test_products_do_not_take_turns_from_each_other(product: Any) -> None:
    assert values(offer(Latest(), [product(1.0), product(2.0, "other")], 0)) == [1.0, 2.0]
