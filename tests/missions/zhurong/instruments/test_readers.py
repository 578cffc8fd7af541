"""Several instruments read one container, each with groups of its own."""

from itertools import pairwise
from typing import ClassVar

import numpy as np
import pytest
from downlink_pipeline.missions.zhurong.weather.weather import WeatherCalibration
from downlink_pipeline.products.draft import Draft
from downlink_pipeline.products.instrument import Instrument
from downlink_pipeline.products.kinds import ProductKind
from downlink_pipeline.products.rows import take

COUNT = ProductKind("weather", "climate", "2C", {"n": ("i8", "row", "1", "")})


class Climate(Instrument):
    """Counts the packets of a hundred seconds, in the name of the weather station."""

    containers: ClassVar = {"WEATHER": frozenset({"AIR_PRT"})}
    model = WeatherCalibration
    family = "weather"

    def keys(self, rows):
        return (rows.time_ns // 100_000_000_000)[:, None]

    def drafts(self, rows):
        first = rows.time_ns[:1]
        count = {"n": np.array([len(rows)])}
        yield Draft(COUNT, rows, first, count, np.zeros(1, np.uint32))


@pytest.fixture
def both(suite):
    return lambda **context: suite("weather", "climate", more={"climate": Climate}, **context)


@pytest.fixture
def packets(rows):
    """30 packets, one each 10 s: three hundred seconds."""
    return rows("WEATHER", np.arange(0.0, 300, 10), seq_count=np.arange(30))


def told(made):
    return [(p.instrument, p.product, p.id, len(p.quality)) for p in made]


def test_each_reader_of_a_container_groups_its_rows_by_itself(both, packets):
    one = both()
    made = [*one.make_products([packets]), *one.flush()]
    assert [p.product for p in made].count("meteorology") == 30
    assert [p.arrays["n"].values.tolist() for p in made if p.product == "climate"] == [[10], [10], [10]]


def test_products_of_another_reader_have_the_name_and_calibration_of_its_family(both, packets):
    one = both()
    made = {f"{p.instrument}/{p.product}": p for p in [*one.make_products([packets]), *one.flush()]}
    assert set(made) == {"weather/meteorology", "weather/climate"}
    calibrations = [p.lineage["calibration"] for p in made.values()]
    assert calibrations[0] == calibrations[1]


@pytest.mark.parametrize("edges", [(0, 30), (0, 1, 30), (0, 7, 8, 21, 30), tuple(range(31))], ids=str)
def test_any_split_gives_each_reader_the_same_products(both, packets, edges):
    whole, split = both(), both()
    expected = [*whole.make_products([packets]), *whole.flush()]
    made = [p for start, stop in pairwise(edges) for p in split.make_products([take(packets, slice(start, stop))])]
    assert sorted(told([*made, *split.flush()])) == sorted(told(expected))


def test_a_reader_that_is_not_wanted_makes_nothing(suite, packets):
    one = suite("weather", more={"climate": Climate})
    assert {p.product for p in [*one.make_products([packets]), *one.flush()]} == {"meteorology"}
