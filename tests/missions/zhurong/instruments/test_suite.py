from itertools import pairwise

import numpy as np
import pytest
from downlink_pipeline.model.batches import NO_TIME, Quality, Ragged
from downlink_pipeline.products.rows import take
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


def told(products):
    return {
        p.id: (p.instrument, p.product, p.quality.tolist(), {k: q.values.tobytes() for k, q in p.arrays.items()})
        for p in products
    }


@pytest.fixture
def pass_of_rows(rows, level):
    """40 s of a drive: navigation most seconds, the others now and then, and a clock that goes back at 33 s."""
    rng = np.random.default_rng(20)
    batches = []
    for second in range(40):
        t = second if second < 33 else second - 20
        # what ends at t arrives after the navigation row of t
        yaw = np.deg2rad(3 * t) / 2
        if second not in (7, 8, 15) and not 20 <= second < 24:
            turned = {"Q_SCALAR": np.cos(yaw), "Q_Z": np.sin(yaw), "MAST_YAW": t % 9, "POSITION_NORTH": t * 0.05}
            batches.append(level(t, n=1, **turned))
            batches[-1].seq_count[:] = second
        field = rng.integers(-40000, 40000, (32, 3))
        columns = {"SAMPLE_RATE": 32, "FIELD_A": field, "FIELD_B": field}
        batches.append(rows("MAGNETOMETER", [t - 1], columns=columns, seq_count=[second]))
        gpr = {
            "FRAME_COUNT": (1 + 4 * second) % 256,
            "EFFECTIVE_LENGTH_BYTES": 4096,
            "SAMPLES": rng.normal(size=4096),
        }
        batches.append(rows("GPR_HF", [t - 0.5], columns=gpr, seq_count=[second]))
        swir = {
            "POINT_ID": second // 7,
            "KIND": ["DARK", "PANEL", "TARGET"][second % 7 % 3],
            "GAIN": 1,
            "EXPOSURE": 10,
        }
        swir |= {"RF_START": 100000, "SPECTRUM": rng.integers(100, 9000, 321)}
        batches.append(rows("SWIR", [t], columns=swir, seq_count=[second]))
        if second % 10 == 9:
            weather = {"AIR_PRT": 30000, "PRESSURE_VOLTAGE": 39000, "PRESSURE_SENSOR_THERMISTOR": 1000}
            batches.append(rows("WEATHER", [t - 9], columns={**weather, "WIND_POWER": 9000}, seq_count=[second]))
        batches.append(rows("MYSTERY", [t], columns={"VALUE": np.array([t * 1.5])}, seq_count=[second]))
    for order, batch in enumerate(batches):
        batch.order[:] = order
    return batches


def by_container(batches):
    """As a decoder hands them over: one batch for each container."""
    names = dict.fromkeys(batch.container for batch in batches)
    together = []
    for name in names:
        mine = [batch for batch in batches if batch.container == name]
        together.append(_join(mine))
    return together


def _join(batches):
    first = batches[0]
    columns = {name: np.concatenate([b.columns[name] for b in batches]) for name in first.columns}
    parts = ("time_ns", "apid", "seq_count", "received_ns", "order", "quality")
    arrays = {part: np.concatenate([getattr(b, part) for b in batches]) for part in parts}
    return type(first)(container=first.container, columns=columns, raw={}, units={}, **arrays)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(1, 200), max_size=12))
def test_any_split_into_batches_gives_the_same_products(suite, pass_of_rows, cuts):
    whole = suite()
    expected = told([*whole.make_products(by_container(pass_of_rows)), *whole.flush()])
    split = suite()
    edges = sorted({0, *cuts, len(pass_of_rows)})
    made = []
    for start, stop in pairwise(edges):
        if pass_of_rows[start:stop]:
            made += split.make_products(by_container(pass_of_rows[start:stop]))
    assert told([*made, *split.flush()]) == expected


def test_rows_of_one_window_become_one_product(suite, rows):
    one = suite()
    made = [*one.make_products([rows("MYSTERY", np.arange(25.0))]), *one.flush()]
    assert [len(p.quality) for p in made] == [10, 10, 5]


def test_a_group_is_held_until_a_row_of_the_next_comes(suite, rows):
    one = suite()
    assert one.make_products([rows("MYSTERY", [1.0, 2.0])]) == []
    assert len(one.make_products([rows("MYSTERY", [12.0])])) == 1


def test_without_a_window_what_was_received_at_one_time_is_a_product(suite, rows):
    batch = rows("MYSTERY", [1.0, 1.0, 2.0, 3.0])
    batch.received_ns[:] = [50, 50, 60, 60]
    one = suite(window_s=0)
    assert [len(p.quality) for p in one.make_products([batch])] == [2]
    assert [len(p.quality) for p in one.flush()] == [2]


def test_on_a_live_link_what_was_received_is_told_at_once(suite, rows):
    first, second = rows("MYSTERY", [1.0, 1.0]), rows("MYSTERY", [2.0], order=[2], seq_count=[2])
    first.received_ns[:], second.received_ns[:] = 50, 60
    live, later = suite(window_s=0), suite(window_s=0)
    told = []
    for batch in (first, second):
        told += [*live.make_products([batch]), *live.make_products([], complete=True)]
    replayed = [*later.make_products([first]), *later.make_products([second]), *later.flush()]
    assert [p.id for p in told] == [p.id for p in replayed]
    assert len(told) == 2


def test_what_waits_for_a_window_is_not_told_before_its_end(suite, rows):
    batch = rows("MYSTERY", [1.0, 1.0])
    batch.received_ns[:] = 50
    one = suite(window_s=10)
    one.make_products([batch])
    assert one.make_products([], complete=True) == []


def test_rows_without_any_time_are_grouped_by_4096_sequence_counts(suite, rows):
    batch = rows("MYSTERY", np.zeros(9000), seq_count=np.arange(100, 9100))
    batch.time_ns[:] = NO_TIME
    one = suite()
    assert [len(p.quality) for p in [*one.make_products([batch]), *one.flush()]] == [3996, 4096, 908]


def test_apids_of_one_container_are_products_of_their_own(suite, rows):
    batch = rows("MYSTERY", np.arange(4.0))
    batch.apid[:] = [7, 8, 7, 8]
    one = suite()
    assert [p.lineage["apid"] for p in [*one.make_products([batch]), *one.flush()]] == [[7], [8]]


def whole(one, batch):
    return [*one.make_products([batch]), *one.flush()]


def test_the_same_packets_have_the_same_id_and_other_packets_another(suite, rows):
    ids = [
        whole(suite(window_s=0), rows("MYSTERY", [time], seq_count=[count]))[0].id
        for time, count in [(1, 5), (1, 5), (1, 6), (2, 5)]
    ]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3


def test_a_clock_that_goes_back_is_flagged_where_it_did(suite, rows):
    product = suite(window_s=1000).flush
    one = suite(window_s=1000)
    one.make_products([rows("MYSTERY", [5.0, 6.0])])
    one.make_products([rows("MYSTERY", [2.0, 3.0])])
    product = one.flush()[0]
    assert product.quality.tolist() == [0, 0, Quality.CLOCK_JUMP, 0]


def test_after_a_clock_jump_the_attitude_from_before_is_forgotten(suite, rows, level):
    """Navigation at 100 s, then a packet of 101 s, then one of 50 s: the last has no attitude."""
    packets = rows("MAGNETOMETER", [101, 50], order=[5, 6], columns={"SAMPLE_RATE": 32})
    one = suite("magnetometer")
    made = [*one.make_products([level(99, n=3), packets]), *one.flush()]
    field = [p for p in made if p.product == "field"]
    assert [bool((p.quality & Quality.NO_ATTITUDE).any()) for p in field] == [False, True]


def mast_yaw(suite, navigation, packets):
    one = suite("magnetometer", window_s=1000)
    made = [*one.make_products([*navigation, packets]), *one.flush()]
    return next(p for p in made if p.product == "field")


def test_a_packet_waits_for_the_first_navigation_row_after_it(suite, rows, level):
    """Yaw 0 at 100 s, 64 deg at 102 s, which arrives after the packet of 100 s: 2 deg a sample."""
    navigation = level(100, n=1), level(102, n=1, order=6, MAST_YAW=64.0)
    field = mast_yaw(suite, navigation, rows("MAGNETOMETER", [100], order=[5], columns={"SAMPLE_RATE": 32}))
    assert np.allclose(field.arrays["mast_yaw_deg"].values, np.arange(32))


def test_the_second_navigation_row_after_a_packet_does_not_serve_it(suite, rows, level):
    """Yaw 0 at 99 s before the packet and at 99.5 s after it; the row of 102 s is too late."""
    navigation = level(99, n=1), level(99.5, n=1, order=6), level(102, n=1, order=7, MAST_YAW=64.0)
    field = mast_yaw(suite, navigation, rows("MAGNETOMETER", [100], order=[5], columns={"SAMPLE_RATE": 32}))
    assert not field.arrays["mast_yaw_deg"].values.any()


def test_a_packet_waits_for_sixteen_of_its_own_and_no_longer(suite, rows, level):
    """17 packets, then navigation: the first one went without it, the second did not."""
    packets = rows("MAGNETOMETER", np.arange(17.0), columns={"SAMPLE_RATE": 32})
    field = mast_yaw(suite, [level(16, n=1, order=50)], packets)
    none = (field.quality & Quality.NO_ATTITUDE).reshape(17, 32).any(axis=1)
    assert none[:2].tolist() == [True, False]


@pytest.mark.parametrize(("yaw_deg", "doubtful"), [(64.0, True), (0.0, False)], ids=["turning", "at rest"])
def test_attitude_over_missing_navigation_is_flagged_while_something_moves(suite, rows, level, yaw_deg, doubtful):
    """Sequence counts 0 and 2: one navigation packet is missing between."""
    after = level(102, n=1, order=6, MAST_YAW=yaw_deg)
    after.seq_count[:] = 2
    packet = rows("MAGNETOMETER", [100], order=[5], columns={"SAMPLE_RATE": 32})
    field = mast_yaw(suite, [level(100, n=1), after], packet)
    assert (field.quality & Quality.NO_ATTITUDE).any() == doubtful


def test_navigation_after_a_clock_jump_does_not_serve_a_packet_before_it(suite, rows, level):
    """The only navigation row comes after the clock of another container went back."""
    packet = rows("MAGNETOMETER", [100], order=[5], columns={"SAMPLE_RATE": 32})
    jump = rows("MYSTERY", [100.0, 50.0], order=[4, 6])
    field = mast_yaw(suite, [jump, level(100, n=1, order=7)], packet)
    assert (field.quality & Quality.NO_ATTITUDE).all()


def test_a_container_without_an_instrument_publishes_every_value(products, rows):
    batch = rows(
        "JPSS_ATT_EPHEM", [1.0, 2.0], columns={"ADGPSPOSX": np.array([1.5, 2.5]), "LABEL": np.array(["a", "b"])}
    )
    product = products(batch)["telemetry/JPSS_ATT_EPHEM"]
    assert product.arrays["ADGPSPOSX"].values.tolist() == [1.5, 2.5]
    assert product.arrays["LABEL"].values.tolist() == ["a", "b"]


def test_a_ragged_column_becomes_values_starts_and_lengths(products, rows):
    column = Ragged(np.arange(10, dtype=np.uint8), np.array([6, 0]), np.array([2, 3]))
    arrays = products(rows("MYSTERY", [1.0, 2.0], columns={"BLOB": column}))["telemetry/MYSTERY"].arrays
    assert arrays["BLOB"].values.tolist() == [6, 7, 0, 1, 2]
    assert arrays["BLOB.start"].values.tolist() == [0, 2]
    assert arrays["BLOB.length"].values.tolist() == [2, 3]


def test_a_known_container_with_other_columns_is_published_as_it_is(products, rows):
    batch = take(rows("WEATHER", [1.0]), slice(0, 1))
    del batch.columns["AIR_PRT"]
    assert list(products(batch)) == ["telemetry/WEATHER"]


def test_an_instrument_that_is_not_wanted_leaves_its_container_as_it_is(products, rows):
    assert list(products(rows("WEATHER", [1.0]), names=("gpr",))) == ["telemetry/WEATHER"]


def test_without_a_site_there_are_no_mars_times(products, rows):
    assert products(rows("MYSTERY", [1.0]), site=None)["telemetry/MYSTERY"].time.sol is None


def test_a_product_says_its_times_on_every_clock(products, rows):
    """170338801.081 s is 2021-05-25T04:20:01.081Z, sol 11, LMST 12:27:02.5 in the label."""
    time = products(rows("MYSTERY", [170338801.081]))["telemetry/MYSTERY"].time
    assert time.utc_ns[0] == int(np.datetime64("2021-05-25T04:20:01.081", "ns").astype(np.int64))
    assert time.sol == (11, 11)
    assert abs(time.lmst_h[0] * 3600 - (12 * 3600 + 27 * 60 + 2.532)) < 3


def test_lineage_names_calibration_packets_frame_and_what_the_context_says(products, rows):
    lineage = products(rows("WEATHER", [1.0], seq_count=[9]))["weather/meteorology"].lineage
    assert lineage["dictionary"] == "abc"
    assert lineage["seq_count"] == [9, 9]
    assert lineage["site_frame"] == "MARS_COORDINATE_SYSTEM"
    assert lineage["calibration"]["sources"]["wind"].startswith("assumed")


def test_every_array_with_rows_has_as_many_as_the_product(pass_of_rows, suite):
    one = suite()
    made = [*one.make_products(by_container(pass_of_rows)), *one.flush()]
    lengths = {
        len(q.values) == len(p.quality) for p in made for q in p.arrays.values() if q.dims and q.dims[0] == "row"
    }
    assert lengths == {True}


def test_every_axis_of_every_array_has_a_name(pass_of_rows, suite):
    one = suite()
    made = [*one.make_products(by_container(pass_of_rows)), *one.flush()]
    assert all(len(q.dims) == q.values.ndim for p in made for q in p.arrays.values())


def test_what_goes_to_the_retained_topics_is_there_with_few_values_a_row(pass_of_rows, suite):
    one = suite()
    made = [*one.make_products(by_container(pass_of_rows)), *one.flush()]
    assert all(p.arrays[name].values.ndim <= 2 for p in made for name in p.latest)


def garbage(rng, container, layout, n):
    """Any bits at all in every column."""
    columns = {}
    for name, spec in layout[container][1].items():
        if spec is None:
            continue
        dtype, shape = np.dtype(spec[0]), spec[1]
        if dtype.kind == "U":
            columns[name] = rng.choice(["", "DARK", "LASER", "PANEL", "TARGET", "SELF_TEST", "?"], n)
        elif dtype.kind == "b":
            columns[name] = rng.integers(0, 2, (n, *shape)).astype(bool)
        else:
            octets = rng.integers(0, 256, (n, *shape, dtype.itemsize), dtype=np.uint8)
            columns[name] = octets.view(dtype)[..., 0]
            if dtype.kind == "f":
                largest = np.finfo(dtype).max
                odd = rng.choice(np.array([0, -1, np.nan, np.inf, largest, -largest], dtype), columns[name].shape)
                columns[name] = np.where(rng.random(columns[name].shape) < 0.5, odd, columns[name])
    return columns


@pytest.mark.parametrize(
    "container",
    [
        "NAVIGATION",
        "ENGINEERING",
        "EVENT",
        "TIME_CORRELATION",
        "GPR_HF",
        "GPR_LF",
        "MAGNETOMETER",
        "WEATHER",
        "SOUND",
        "LIBS",
        "SWIR",
    ],
)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32 - 1))
def test_any_values_give_products_without_a_warning_or_an_exception(suite, rows, layout, container, seed):
    rng = np.random.default_rng(seed)
    n = 6
    odd = np.array([NO_TIME, 0, -1, 2**62, int(4.29e18), -(2**62)])
    one = suite()
    for name in ("NAVIGATION", container):
        batch = rows(name, np.zeros(n), columns=garbage(rng, name, layout, n), order=np.arange(n))
        batch.time_ns[:] = np.where(rng.random(n) < 0.3, rng.choice(odd, n), np.arange(n) * 1_000_000_000)
        one.make_products([batch])
    assert isinstance(one.flush(), list)


TRACE = {"EFFECTIVE_LENGTH_BYTES": 4096, "WORK_MODE": "SCIENCE"}


@pytest.mark.parametrize(
    ("container", "columns"),
    [
        ("NAVIGATION", {}),
        ("ENGINEERING", {}),
        ("MAGNETOMETER", {}),
        ("WEATHER", {}),
        ("GPR_HF", TRACE),
        ("GPR_HF", {**TRACE, "WORK_MODE": ["SCIENCE"] * 20 + ["SELF_TEST"] * 10}),
        ("GPR_LF", TRACE),
    ],
)
def test_windows_that_close_together_give_what_each_gives_alone(suite, rows, layout, container, columns):
    """Drafts of several windows are computed at once, and their times: no window may see another's rows."""
    values = {**garbage(np.random.default_rng(8), container, layout, 30), **columns}
    batch = rows(container, 7.0 * np.arange(30), columns=values)
    whole, single = suite(), suite()
    together = [*whole.make_products([batch]), *whole.flush()]
    alone = [p for i in range(30) for p in single.make_products([take(batch, slice(i, i + 1))])] + single.flush()
    assert len(together) >= 15
    assert told(together) == told(alone)
    assert {p.id: (p.time, p.lineage) for p in together} == {p.id: (p.time, p.lineage) for p in alone}


def test_blocks_without_any_time_keep_apart_when_counts_wrap(suite, rows):
    first = rows("MYSTERY", np.zeros(10), seq_count=np.arange(10))
    again = rows("MYSTERY", np.zeros(10), seq_count=np.arange(10), order=np.arange(16384, 16394))
    between = rows("MYSTERY", np.zeros(10), seq_count=np.arange(5000, 5010), order=np.arange(5000, 5010))
    for batch in (first, between, again):
        batch.time_ns[:] = NO_TIME
    one = suite()
    ids = [
        p.id
        for p in [
            *one.make_products([first]),
            *one.make_products([between]),
            *one.make_products([again]),
            *one.flush(),
        ]
    ]
    assert len(set(ids)) == 3
