"""The newest values, at a rate that people and dashboards can follow."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pipeline.batches import Product, Quantity, TimeRange
from pipeline.stages.latest import Latest

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
        latest=("pressure_pa",),
    )

    def make(value: float, name: str = "meteorology") -> Product:
        arrays = {"pressure_pa": Quantity(np.array([value]), "Pa"), "time_utc_ns": Quantity(np.array([0]), "ns")}
        return replace(plain, product=name, arrays=arrays)

    return make


def values(messages: Any) -> list[float]:
    return [json.loads(message.payload)["value"] for message in messages]


def test_the_first_value_goes_at_once(product: Any) -> None:
    assert values(Latest().offer([product(1.0)], 0)) == [1.0]


def test_only_the_newest_of_a_burst_is_told(product: Any) -> None:
    assert values(Latest().offer([product(1.0), product(2.0)], 0)) == [2.0]


def test_at_most_five_a_second_are_told(product: Any) -> None:
    latest = Latest()
    told = [values(latest.offer([product(i / 10)], i * SECOND // 10)) for i in range(11)]
    assert sum(map(len, told)) == 6


def test_many_topics_are_told_less_often_each(product: Any) -> None:
    latest = Latest()
    many = [product(1.0, f"p{i}") for i in range(250)]
    told = [len(latest.offer(many, i * SECOND // 10)) for i in range(31)]
    assert sum(told) == 4 * 250


def test_the_last_value_is_always_told(product: Any) -> None:
    latest = Latest()
    latest.offer([product(1.0)], 0)
    latest.offer([product(2.0)], 1)
    assert values(latest.flush()) == [2.0]
    assert latest.flush() == []


def test_products_do_not_take_turns_from_each_other(product: Any) -> None:
    assert values(Latest().offer([product(1.0), product(2.0, "other")], 0)) == [1.0, 2.0]
