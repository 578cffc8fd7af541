"""A product's payload is put together from remembered pieces: it must be what msgpack makes of the whole map."""

import msgpack
import numpy as np
import pytest
from downlink_pipeline.messages import topics
from downlink_pipeline.messages.payloads import product_payload
from downlink_pipeline.model.batches import NO_TIME, QUALITY_MEANINGS, Product, Quality, Quantity, TimeRange
from hypothesis import given, settings
from hypothesis import strategies as st

UNTIMED = TimeRange((NO_TIME, NO_TIME), (NO_TIME, NO_TIME))
TIMES = {
    UNTIMED: {"onboard_ns": [NO_TIME] * 2, "utc": [None, None]},
    TimeRange((0, 5), (0, 1_000_000_005)): {
        "onboard_ns": [0, 5],
        "utc": ["1970-01-01T00:00:00.000000000Z", "1970-01-01T00:00:01.000000005Z"],
    },
    TimeRange((1, 2), (0, 0), (6, 7), (1.0, 2.5), (3.0, 4.0), (49.25, 50.0)): {
        "onboard_ns": [1, 2],
        "utc": ["1970-01-01T00:00:00.000000000Z"] * 2,
        "sol": [6, 7],
        "lmst": ["01:00:00.000", "02:30:00.000"],
        "ltst": ["03:00:00.000", "04:00:00.000"],
        "ltst_sol": [6, 7],
        "ls_deg": [49.25, 50.0],
    },
}
KINDS = ("u1", "<i2", ">i2", "<f4", ">f8", "<c16", "?", "<U3", ">U2", "S5", "<M8[ns]")


def product(arrays, n=2, time=UNTIMED, lineage=None):
    return Product(
        id=f"id-{n}",
        mission="m",
        stream="s",
        instrument="telemetry",
        product="p",
        level="01",
        time=time,
        arrays=arrays,
        quality=np.arange(n, dtype=np.uint32),
        lineage=lineage or {},
    )


def plain(one):
    """The payload as msgpack makes it in one go, of a map written out by hand."""
    little = {name: q.values.astype(q.values.dtype.newbyteorder("<")) for name, q in one.arrays.items()}
    told = {
        **{name: getattr(one, name) for name in ("id", "mission", "stream", "instrument", "product", "level")},
        "simulated": False,
        "time": TIMES[one.time],
        "arrays": {
            name: {
                "dtype": little[name].dtype.str,
                "shape": list(q.values.shape),
                "data": little[name].tobytes(),
                "unit": q.unit,
                "description": q.description,
                "dims": list(q.dims),
            }
            for name, q in one.arrays.items()
        },
        "quality": {"dtype": "<u4", "shape": [len(one.quality)], "data": one.quality.astype("<u4").tobytes()},
        "quality_bits": {str(bit.value): f"{bit.name}: {QUALITY_MEANINGS[bit.name]}" for bit in Quality},
        "doubtful_mask": sum(bit.value for bit in Quality if bit.name not in {"CORRECTED", "AFTER_GAP"}),
        "lineage": dict(one.lineage),
    }
    return msgpack.packb(told)


@st.composite
def quantities(draw):
    shape = tuple(draw(st.lists(st.sampled_from([0, 1, 2, 3, 40]), max_size=3)))
    count = int(np.prod(shape, dtype=np.int64))
    values = (np.arange(count) % 100).reshape(shape).astype(draw(st.sampled_from(KINDS)))
    if values.ndim and draw(st.booleans()):
        values = values[..., ::-1]
    text = st.sampled_from(["", "nT", "température", "x" * 40, "y" * 300])
    return Quantity(values, draw(text), draw(text), tuple(f"axis_{i}" for i in range(len(shape))))


@settings(max_examples=150, deadline=None)
@given(
    arrays=st.dictionaries(st.sampled_from(["a", "B.start", "long" * 20, "é", *map(str, range(14))]), quantities()),
    n=st.sampled_from([0, 1, 63, 64, 20_000]),
    time=st.sampled_from(list(TIMES)),
    lineage=st.dictionaries(
        st.sampled_from([str(i) for i in range(20)]), st.sampled_from([1, "x", [2.5], {"a": {}}])
    ),
)
def test_a_payload_is_what_msgpack_makes_of_the_map(arrays, n, time, lineage):
    one = product(arrays, n, time, lineage)
    assert topics.product_message(one).payload == plain(one)


@pytest.mark.parametrize("n_bytes", [0, 255, 256, 4096, 4097, 65535, 65536, 6 << 20])
def test_a_payload_is_right_at_each_size_of_an_array_that_is_told_otherwise(n_bytes):
    one = product({"a": Quantity(np.arange(n_bytes).astype(np.uint8), "1")})
    assert topics.product_message(one).payload == plain(one)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (Quantity(np.zeros(2, "<f4"), "V"), Quantity(np.ones(2, "<f4"), "A")),
        (Quantity(np.zeros(2, "<f4"), "V"), Quantity(np.zeros(2, "<i4"), "V")),
        (Quantity(np.zeros(2, "<f4"), "V"), Quantity(np.ones(2, ">f4"), "V")),
        (Quantity(np.zeros(2, "<f4"), "V"), Quantity(np.zeros((1, 2), "<f4"), "V")),
        (Quantity(np.zeros(2, "<f4"), "V", "of a"), Quantity(np.zeros(2, "<f4"), "V", "of b")),
        (Quantity(np.zeros(2, "<f4"), "V"), Quantity(np.zeros(2, "<f4"), "V", "", ("sample",))),
    ],
)
def test_what_is_remembered_of_one_product_is_not_told_of_another(first, second):
    for quantity in (first, second, first):
        one = product({"a": quantity})
        assert topics.product_message(one).payload == plain(one)


def test_what_changes_in_an_array_after_its_message_is_made_does_not_change_the_message():
    values = np.zeros(1 << 16)
    one = product({"a": Quantity(values, "V")})
    payload, expected = topics.product_message(one).payload, plain(one)
    values[:] = 1
    assert payload == expected


@pytest.mark.parametrize("n_keys", [10, 11, 15, 16, 40, 70_000])
def test_any_number_of_keys_may_stand_before_the_arrays(n_keys):
    """The header of a msgpack map has 1, 3 or 5 bytes: up to 15 entries, 65,535, and beyond."""
    front = {f"key {i}": i for i in range(n_keys)}
    read = msgpack.unpackb(product_payload(front, product({})), strict_map_key=False)
    assert list(read.items())[:n_keys] == list(front.items())
    assert list(read)[n_keys:] == ["arrays", "quality", "quality_bits", "doubtful_mask", "lineage"]


def test_arrays_of_another_layout_than_those_of_the_message_before_are_packed_as_they_are():
    for values in (np.zeros(2), np.zeros(3), np.zeros(2, np.int16), np.zeros((2, 2)), np.zeros(2)):
        one = product({"a": Quantity(values, "V", "", ("row", "x")[: values.ndim])})
        entry = msgpack.unpackb(topics.product_message(one).payload)["arrays"]["a"]
        assert (entry["dtype"], entry["shape"], entry["data"]) == (
            values.dtype.str,
            list(values.shape),
            values.tobytes(),
        )
