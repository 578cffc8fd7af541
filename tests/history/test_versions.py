"""A parameter that changes its unit or type, odd names and times: no value is mixed with another kind, none lost."""

from itertools import product as product_of

import numpy as np
import pyarrow as pa
import pytest
from downlink_pipeline.api import open_history
from downlink_pipeline.history.forms import common_type
from downlink_pipeline.history.samples import bins_of
from downlink_pipeline.history.times import to_ns
from downlink_pipeline.history.web_answers import iso
from downlink_pipeline.model.batches import NO_TIME
from downlink_pipeline.model.errors import ConfigError
from history_products import DAY, product

S = 10**9
NEXT = DAY + 86_400 * S


@pytest.fixture
def changed(put):
    """A history of two passes a day apart, between which parameter X changed."""

    def run(old, new, units=("", "")):
        folder = put(product([DAY], X=old, units={"X": units[0]}))
        return open_history(put(product([NEXT], X=new, units={"X": units[1]}, seq=1), name="two", folder=folder))

    return run


def test_volts_are_never_called_millivolts_whatever_range_and_resolution(changed):
    """12 V on one day, 11,900 mV on the next: each range has each under its own name and unit."""
    history = changed([12.0], [11_900.0], ("V", "mV"))
    for span, points in product_of([{}, {"end": NEXT}, {"start": NEXT}], [None, 1, 2]):
        found = history.get("HK.X", "HK.X [V]", **span, points=points)
        assert (found["HK.X"].attrs["units"], found["HK.X [V]"].attrs["units"]) == ("mV", "V")
        new, old = [] if span == {"end": NEXT} else [11_900.0], [] if "start" in span else [12.0]
        for name, values in {"HK.X": new, "HK.X [V]": old}.items():
            assert [one for one in found[name].values if not np.isnan(one)] == values
    rows = history.sql('select max(X.max) as mv, max("X [V]".max) as v from days."HK"').to_pylist()
    assert rows == [{"mv": 11_900.0, "v": 12.0}]


def test_a_unit_that_comes_back_has_its_name_again_in_all_summaries(put, changed):
    history = changed([12.0], [11_900.0], ("V", "mV"))
    put(product([NEXT + 86_400 * S], X=[11.0], units={"X": "V"}, seq=2), name="three", folder=history.url)
    found = history.table("HK.X", "HK.X [mV]", points=3)
    assert found["HK.X"].to_pylist() == [12.0, None, 11.0]
    assert found["HK.X [mV]"].to_pylist() == [None, 11_900.0, None]
    assert {one.name: one.unit for one in history.find("X*")} == {"HK.X": "V", "HK.X [mV]": "mV"}


LARGE = 2**60 + 1


@pytest.mark.parametrize(
    ("old", "new", "name"),
    [
        (np.array([1.5], np.float32), np.array([LARGE]), "HK.X [number]"),
        (np.array([-1]), np.array([2**63 + 5], np.uint64), "HK.X [number]"),
        (np.array([7]), np.array(["safe"]), "HK.X [number]"),
        (np.array(["safe"]), np.array([7]), "HK.X [text]"),
        (np.array([True]), np.array([3]), "HK.X [boolean]"),
        (np.array([1.0]), np.array([[1.0, 2.0]]), "HK.X [number]"),
        (np.array([[1, 2]]), np.array([["a", "b"]]), "HK.X [list of number]"),
    ],
)
def test_values_that_no_type_holds_without_loss_stand_in_two_columns(changed, old, new, name):
    history = changed(old, new)
    assert history.table("HK.X", start=NEXT)["HK.X"].to_pylist() == new.tolist()
    assert history.table(name, end=NEXT)[name].to_pylist() == old.tolist()
    assert len(history.table("HK.X", name, points=2)) == 2
    assert len(history.sql("select * from HK")) == 2
    assert [row["value"] for row in history.newest("HK.X", name)] == [*new.tolist(), *old.tolist()]


def test_a_wider_type_takes_the_older_values_in(changed):
    history = changed(np.array([2**24 + 1], np.int32), np.array([2.5], np.float32))
    assert history.get("HK.X")["HK.X"].values.tolist() == [2**24 + 1, 2.5]
    assert history.scan("HK").to_table()["X"].to_pylist() == [2**24 + 1, 2.5]
    assert history.batches("HK").read_all()["X"].type == pa.float64()


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        (pa.int8(), pa.uint8(), pa.int16()),
        (pa.uint32(), pa.int32(), pa.int64()),
        (pa.uint16(), pa.int64(), pa.int64()),
        (pa.uint64(), pa.int64(), None),
        (pa.int16(), pa.float32(), pa.float32()),
        (pa.uint32(), pa.float32(), pa.float64()),
        (pa.int64(), pa.float64(), None),
        (pa.string(), pa.dictionary(pa.int32(), pa.string()), pa.string()),
        (pa.bool_(), pa.int8(), None),
        (pa.list_(pa.int16()), pa.list_(pa.float64()), pa.list_(pa.float64())),
    ],
)
def test_a_common_type_holds_every_value_of_both(one, other, both):
    """A double has a significand of 53 bits, a single of 24, a half of 11 (IEEE 754)."""
    assert common_type(one, other) == common_type(other, one) == both


def test_names_that_differ_in_case_alone_are_two_columns_in_sql(put):
    history = open_history(put(product([DAY], TEMP=[1], Temp=[2], temp=[3])))
    assert history.sql('select TEMP, "Temp_1", "temp_2" from HK').to_pylist() == [
        {"TEMP": 1, "Temp_1": 2, "temp_2": 3}
    ]
    assert history.sql("select TEMP.max a, Temp_1.max b from days.HK").to_pylist() == [{"a": 1, "b": 2}]


def test_names_of_the_history_s_own_columns_and_odd_ones_are_parameters_too(put):
    names = ["n_rows", "n_doubtful", "TIME", "kind", "A.min", "A", "a\nb", 'x"y', "*", "select", "%41"]
    history = open_history(put(product([DAY], **{name: [i] for i, name in enumerate(names)})))
    for i, name in enumerate(names):
        assert history.get(f"HK.{name}")[f"HK.{name}"].values.tolist() == [i]
        assert history.get(f"HK.{name}", points=2)[f"HK.{name}"].values.tolist() == [i]
    assert len(history.sql("select * from HK")) == 1


def test_a_name_with_dots_in_kind_and_parameter_is_told_apart_by_quotes(put):
    history = open_history(
        put(product([DAY], container="A", **{"B.C": [1]}), product([DAY], container="A.B", C=[2]))
    )
    with pytest.raises(ConfigError, match=r'name "A"\.B\.C, "A\.B"\.C'):
        history.get("A.B.C")
    found = history.table('"A".B.C', '"A.B".C')
    assert (found['"A".B.C'].to_pylist(), found['"A.B".C'].to_pylist()) == ([1, None], [None, 2])


def test_half_precision_floats_are_read_by_every_engine(put):
    history = open_history(put(product([DAY], X=np.array([1.5], np.float16))))
    assert history.sql("select X from HK").to_pylist() == [{"X": 1.5}]


def test_what_a_value_was_at_a_time_is_asked_by_an_end(put):
    """A clock that jumped to 2096 does not hide what came since."""
    future = 4_000_000_000 * S
    history = open_history(put(product([DAY, future, DAY + 9 * S], X=[1, 99, 2])))
    assert [row["value"] for row in history.newest("HK.X")] == [99]
    assert [row["value"] for row in history.newest("HK.X", end=DAY + 3600 * S)] == [2]
    assert [row["value"] for row in history.newest("HK.X", end=DAY + 9 * S)] == [1]


def test_rows_without_any_time_do_not_date_a_parameter(put):
    folder = put(product([NO_TIME], X=[1], received=0), product([DAY], X=[2], seq=1))
    [one] = open_history(folder).find("X")
    assert (one.first, one.last) == (DAY, DAY)
    assert iso(NO_TIME) is None


@pytest.mark.parametrize(("text", "ns"), [("0001-01-01", -(2**63) + 1), ("9999-12-31", 2**63 - 1)])
def test_times_beyond_64_bits_are_the_first_and_the_last(text, ns):
    assert to_ns(text) == ns


def test_one_bin_holds_a_range_across_1970_and_bins_of_all_times_end():
    bins = bins_of(-3_600 * S, 3_600 * S, 1)
    assert (bins.origin_ns, bins.width_ns) == (-3_600 * S, 7_200 * S)
    assert bins_of(-(2**63) + 1, 2**63 - 1, 1).width_ns <= 2**62


def test_samples_of_a_range_across_1970_are_one_where_one_is_asked(put):
    history = open_history(put(product([-5 * S, 5 * S], X=[1, 3])))
    found = history.get("HK.X", start="1969-12-31T23:00:00Z", end="1970-01-01T01:00:00Z", points=1)
    assert found["HK.X"].values.tolist() == [2.0]
    assert history.get("HK.X", start="0001-01-01", end="9999-12-31", points=4)["HK.X.n"].values.sum() == 2
