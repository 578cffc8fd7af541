"""Pictures of a mission known only by its dictionary: what varies is drawn, against a time that is known."""

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from downlink_pipeline.mission.loading import load_mission
from downlink_pipeline.model.batches import NO_TIME, Product, Quality, Quantity, TimeRange
from downlink_pipeline.pictures.generic import clock_note, varying
from downlink_pipeline.pictures.panels import panels_of
from downlink_pipeline.pictures.series import Gathering
from downlink_pipeline.pictures.summary import PassSummary
from downlink_pipeline.processing.chain import ProcessingChain
from downlink_pipeline.recordings.reader import read_pass
from matplotlib.figure import Figure

N = 20
SECOND_NS = 1_000_000_000
START_NS = 1_700_000_000 * SECOND_NS
COUNT = np.arange(100, 100 + N, dtype=np.uint16)
HEADER = {
    "VER": np.zeros(N, np.uint8),
    "TYP": np.zeros(N, np.uint8),
    "SHF": np.ones(N, np.uint8),
    "APID": np.full(N, 5, np.uint16),
    "SEQF": np.full(N, 3, np.uint8),
    "CNT": COUNT,
    "LEN": np.arange(N, dtype=np.uint16),
}


def product(columns, received=(0, 0), utc_ns=None, quality=None, start=0, name="HK"):
    """A product of generic telemetry: the header, then `columns`."""
    n = len(next(iter(columns.values())))
    header = {key: values[start : start + n] for key, values in HEADER.items()}
    times = np.full(n, NO_TIME, np.int64) if utc_ns is None else utc_ns
    arrays = {"time_onboard_ns": times, "time_utc_ns": times, **header, **columns}
    quantities = {
        key: Quantity(values, "V" if key.startswith("BUS") else "", "", ("row", *map(str, range(1, values.ndim))))
        for key, values in arrays.items()
    }
    quality = np.zeros(n, np.uint32) if quality is None else quality
    lineage = {"seq_count": [int(COUNT[start]), int(COUNT[start + n - 1])]}
    if received[0]:
        lineage["received_ns"] = list(received)
    span = int(times[0]), int(times[-1])
    return Product("id", "m", "s", "telemetry", name, "01", TimeRange(span, span), quantities, quality, lineage)


def series_of(*products):
    gathered = Gathering()
    gathered.add(products)
    (series,) = gathered.series()
    return series


def panels(series, n=30):
    return [panel for panel, _ in panels_of([series], n)]


def drawn(panel, series):
    axes = Figure().subplots()
    panel.draw(axes, series)
    return axes


RAMP = np.linspace(0, 1, N)


def test_what_varies_is_drawn_and_the_packet_header_is_not():
    series = series_of(product({"BUS": RAMP, "FIXED": np.ones(N), "NAN": np.full(N, np.nan)}))
    assert varying(series) == ["BUS"]
    assert [panel.title for panel in panels(series)] == ["HK: BUS"]


def test_a_column_that_does_not_count_packets_is_no_header():
    one = product({"BUS": RAMP})
    arrays = {name: quantity for name, quantity in one.arrays.items() if name != "CNT"}
    other = Product(**{name: getattr(one, name) for name in one.__slots__} | {"arrays": arrays})
    assert varying(series_of(other)) == ["LEN", "BUS"]


def test_components_of_one_vector_share_a_panel():
    series = series_of(product({"BUS_X": RAMP, "BUS_Y": 2 * RAMP, "BUS_Z": 3 * RAMP, "OTHER": RAMP}))
    first, second = panels(series)
    assert first.names == ("BUS_X", "BUS_Y", "BUS_Z")
    axes = drawn(first, series)
    assert [line.get_label() for line in axes.lines] == ["BUS_X", "BUS_Y", "BUS_Z"]
    assert axes.get_ylabel() == "BUS [V]"
    assert second.names == ("OTHER",)


def test_integers_have_ticks_at_whole_numbers_alone():
    modes = np.tile(np.array([3, 4], np.uint8), N // 2)
    series = series_of(product({"MODES_LEFT": modes, "TEMP": modes / 2}))
    ticks = {panel.title: drawn(panel, series).get_yticks() for panel in panels(series)}
    assert all(float(tick).is_integer() for tick in ticks["HK: MODES_LEFT"])
    assert not all(float(tick).is_integer() for tick in ticks["HK: TEMP"])


def test_without_a_clock_the_axis_is_the_time_of_reception():
    each = [product({"BUS": RAMP[i : i + 5]}, (START_NS + i * SECOND_NS,) * 2, start=i) for i in range(0, N, 5)]
    series = series_of(*each)
    axes = drawn(panels(series)[0], series)
    assert axes.get_xlabel() == "received, UTC"
    times_s = np.asarray(axes.lines[0].get_xdata()).astype("M8[s]").astype(int) - START_NS // SECOND_NS
    assert times_s.tolist() == [0] * 5 + [5] * 5 + [10] * 5 + [15] * 5


@pytest.mark.parametrize("received", [(0, 0), (START_NS, START_NS), (START_NS, START_NS + SECOND_NS)])
def test_without_times_of_rows_the_axis_is_the_packet_number(received):
    series = series_of(product({"BUS": RAMP}, received))
    axes = drawn(panels(series)[0], series)
    assert axes.get_xlabel() == "packet number (no onboard time)"
    assert np.asarray(axes.lines[0].get_xdata()).tolist() == list(range(N))


def test_without_a_clock_lines_break_where_packets_are_missing():
    quality = np.zeros(N, np.uint32)
    quality[[0, 8, 9]] = Quality.AFTER_GAP
    series = series_of(product({"BUS": RAMP}, quality=quality))
    line, points = drawn(panels(series)[0], series).lines
    assert np.flatnonzero(np.isnan(line.get_ydata())).tolist() == [8, 10]
    assert points.get_xdata().tolist() == [8]  # a packet between two gaps is seen as well


def test_an_enumeration_is_drawn_as_its_labels():
    series = series_of(product({"MODE": np.array(["SAFE"] * 12 + ["NOMINAL"] * 8)}))
    (panel,) = panels(series)
    axes = drawn(panel, series)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["NOMINAL", "SAFE"]
    assert axes.lines[0].get_ydata().tolist() == [1.0] * 12 + [0.0] * 8


def test_an_array_is_drawn_as_an_image():
    series = series_of(product({"SPECTRUM": np.arange(N * 16.0).reshape(N, 16)}))
    (panel,) = panels(series)
    (image,) = drawn(panel, series).images
    assert image.get_array().shape == (16, N)


def test_what_has_no_room_is_counted_in_words():
    columns = {f"P{letter}": RAMP for letter in "abcdefgh"}
    series = series_of(product(columns))
    report = {"frames": {"read": 0}, "channels": [], "packets": {"read": N, "by_apid": {"5": N}}}
    summary = PassSummary("m/s", "", report, (), (series,))
    assert summary.all_notes() == []
    many = series_of(product({f"Q{i}x{i % 7}y": RAMP for i in range(40)}))
    assert PassSummary("m/s", "", report, (), (many,)).all_notes() == [
        "HK: 28 of 40 parameters that vary are drawn"
    ]


def test_kinds_share_the_room_of_a_page():
    few, many = ({f"Q{i}y": RAMP for i in range(n)} for n in (2, 40))
    one = series_of(product(few))
    other = series_of(product(many, name="SCIENCE"))
    names = [series is one for _, series in panels_of([one, other], 10)]
    assert names == [True] * 2 + [False] * 8


def test_one_line_says_which_keys_of_clock_to_write():
    note = clock_note([series_of(product({"COARSE": np.arange(N), "BUS": RAMP}))])
    assert "\n" not in note
    assert "packet number" in note
    assert '[clock] epoch = "' in note
    assert "terms = [{ parameter = " in note
    assert "COARSE" in note
    assert "BUS" not in note


def test_jpss_1_draws_its_orbit_and_says_how_to_set_its_clock(real_data, tmp_path):
    source = real_data / "jpss-1"
    (tmp_path / "mission.toml").write_text(
        f'name = "jpss"\n[link]\nframing = "packets"\n[dictionary]\nxtce = "{source / "geolocation.xml"}"\n'
    )
    (tmp_path / "short.packets").write_bytes((source / "J01_G011_LZ_2021-04-09.packets").read_bytes()[: 71 * 400])
    line = ProcessingChain(load_mission(str(tmp_path)))
    gathered = Gathering()
    for batch in read_pass(tmp_path / "short.packets"):
        gathered.add(line.process(batch).products)
    gathered.add(line.flush().products)
    (series,) = gathered.series()
    titles = [panel.title for panel, _ in panels_of([series], 30)]
    assert "JPSS_ATT_EPHEM: ADGPSPOS (3)" in titles
    assert not {"VERSION", "TYPE", "SEC_HDR_FLAG", "SRC_SEQ_CTR", "PKT_LEN"} & {*varying(series)}
    assert clock_note([series]).startswith("no onboard clock is set")
