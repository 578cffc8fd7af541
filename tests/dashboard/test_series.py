"""What plots compute of rows: statistics, what is in sight, ranges of alarms, columns of a spectrogram."""

import math
import statistics as standard

import numpy as np
import pytest

pytest.importorskip("bokeh", reason="bokeh is not installed")
from downlink_pipeline.dashboard import parameters as parameters_module
from downlink_pipeline.dashboard.alarm_bands import Band, joined_bands
from downlink_pipeline.dashboard.arrays_plot import spectrogram
from downlink_pipeline.dashboard.line_styles import LineStyle
from downlink_pipeline.dashboard.parameter_plot import ParameterPlot
from downlink_pipeline.dashboard.selection import MAX_CHOSEN, Selection
from downlink_pipeline.dashboard.series import columns_in_time, in_sight, statistics
from downlink_pipeline.dashboard.state import State
from downlink_pipeline.messages.topics import unpack_product
from test_parameters import START_NS, UNITS, feed, product

NAMES = ("normal", "watch", "warning", "distress", "critical", "severe")


def test_statistics_are_those_of_the_finite_values_in_order():
    values = [3.0, 1.0, math.nan, 4.0, 1.0, math.inf, 5.0, 9.0]
    finite = [3.0, 1.0, 4.0, 1.0, 5.0, 9.0]
    found = statistics(np.array(values))
    assert (found.n, found.low, found.high, found.last) == (6, 1.0, 9.0, 9.0)
    assert found.mean == pytest.approx(standard.fmean(finite))
    assert found.sigma == pytest.approx(standard.stdev(finite))
    assert statistics(np.array([math.nan])) is None
    assert statistics(np.array([7.0])).sigma == 0.0


def test_in_sight_are_the_rows_within_the_range_its_ends_included():
    place = np.array([0.0, 1, 2, 3, 4])
    assert place[in_sight(place, (1.0, 3.0))].tolist() == [1, 2, 3]
    assert place[in_sight(place, (1.1, 1.9))].tolist() == []
    assert place[in_sight(place, None)].tolist() == [0, 1, 2, 3, 4]


def test_of_ranges_that_overlap_the_highest_level_holds():
    """Outside 10 to 50 a warning, outside 0 to 60 critical, as nested ranges of XTCE say."""
    inf = math.inf
    found = joined_bands([(2, -inf, 10.0), (2, 50.0, inf), (4, -inf, 0.0), (4, 60.0, inf)], NAMES, severe=3)
    assert found == (
        Band(-inf, 0.0, "critical", True), Band(0.0, 10.0, "warning"),
        Band(50.0, 60.0, "warning"), Band(60.0, inf, "critical", True),
    )  # fmt: skip
    assert joined_bands([], NAMES, severe=3) == ()


def test_a_column_of_a_spectrogram_is_the_nearest_row_and_none_in_a_gap():
    place = np.array([0.0, 1, 2, 3, 10, 11, 12])
    which, first, last = columns_in_time(place, 13)
    assert (first, last) == (-0.5, 12.5)
    assert which.tolist() == [0, 1, 2, 3, 3, -1, -1, -1, -1, 4, 4, 5, 6]


def test_lines_of_a_spectrogram_that_share_a_pixel_are_averaged():
    values = np.arange(2 * 512, dtype=np.float32).reshape(2, 512)
    made = spectrogram({"time_ns": np.array([0, 10**9]), "values": values}, 1)
    assert made["image"][0].shape[0] == 256
    assert made["image"][0][0, 0] == 0.5
    assert made["height"] == [512]


def test_rows_of_arrays_are_kept_within_their_share_of_memory(monkeypatch):
    monkeypatch.setattr(parameters_module, "MAX_BYTES", 1 << 20)
    monkeypatch.setattr(parameters_module, "MAX_ARRAY_BYTES", 1 << 19)
    state = State(unpack_product)
    for first in range(0, 4000, 100):
        wide = {f"S{i}": np.full((100, 256), first, np.float32) for i in range(8)}
        feed(state, product(first, wide, kind="any/spectrum"))
    held = state.streams["sat/live"].parameters
    assert held.n_bytes <= 1 << 20
    history = held.known["any/spectrum/S3"].history
    assert len(history.ring) > 1
    rows = history.ring.rows()
    assert rows["values"][-1, 0] == 3900
    assert rows["time_ns"][-1] == START_NS + 3999 * 10**9


def test_every_drawn_parameter_looks_unlike_the_others():
    styles = {LineStyle.of(i) for i in range(MAX_CHOSEN)}
    assert len(styles) == MAX_CHOSEN


def test_a_vector_is_a_line_for_each_component():
    field = np.arange(30.0).reshape(10, 3)
    stream = feed(State(unpack_product), product(0, {"FIELD": field}, kind="mag/field"))
    plot = ParameterPlot(Selection())
    plot.show(stream.parameters, ["mag/field/FIELD"], 101.0)
    [figure] = plot._drawn
    assert [source.tags[0] for source in figure.sources] == [f"mag/field/FIELD[{one}]" for one in "xyz"]
    for i, source in enumerate(figure.sources):
        assert source.data["value"].tolist() == field[:, i].tolist()
        assert source.data["time"][-1] == (START_NS + 9 * 10**9) / 1e6


def test_numbers_of_more_than_four_units_stand_in_two_figures(monkeypatch):
    for i in range(6):
        monkeypatch.setitem(UNITS, f"P{i}", f"unit{i}")
    stream = feed(State(unpack_product), product(0, {f"P{i}": np.arange(5.0) for i in range(6)}))
    plot = ParameterPlot(Selection())
    plot.show(stream.parameters, [f"HK/P{i}" for i in range(6)], 101.0)
    assert [one.units for one in plot._drawn] == [["unit0", "unit1", "unit2", "unit3"], ["unit4", "unit5"]]
