"""Words and layout of looks: plurals, lines that end between values, plots side by side, captions where nothing is."""

from types import SimpleNamespace

import pytest

pytest.importorskip("bokeh", reason="bokeh is not installed")
from bokeh.models import Column, NoOverlap, NumeralTickFormatter, Row
from downlink_pipeline.dashboard.curves_look import CurvesLook
from downlink_pipeline.dashboard.history_look import HistoryLook
from downlink_pipeline.dashboard.page_header import onboard_words
from downlink_pipeline.dashboard.panels import plot
from downlink_pipeline.dashboard.selection import Selection
from downlink_pipeline.dashboard.stream import Stream
from downlink_pipeline.dashboard.words import number_of
from downlink_pipeline.model.looks import Curves, Look


@pytest.mark.parametrize(
    ("n", "words"), [(0, "0 frames"), (1, "1 frame"), (2, "2 frames"), (20_000, "20,000 frames")]
)
def test_a_count_and_its_noun_agree(n, words):
    assert number_of(n, "frame") == words


def test_four_plots_of_curves_stand_in_two_columns_side_by_side():
    look = CurvesLook(Look("M", curves=tuple(Curves(f"P{k}", "a/b", (f"v{k}",)) for k in range(4))))
    (columns,) = look.root.children  # of which the tab, itself a column, takes what it holds
    assert isinstance(columns, Row)
    assert [type(one) for one in columns.children] == [Column, Column]
    assert [len(one.children) for one in columns.children] == [3, 1]


def test_all_panels_of_the_history_say_that_there_is_nothing_of_a_stream():
    past = SimpleNamespace(streams={}, covered=lambda _name, _kinds: None)
    look = HistoryLook(past, Selection(), lambda: None)
    look.refresh(Stream("sat/live"), 0.0)
    for panel in (look._panel, look._table.panel, look._passes.panel):
        assert f"<b>{panel.title}</b><span class='age'>nothing of this stream</span>" in panel._caption.root.tags[0]


def test_a_line_of_the_header_ends_between_values_and_not_inside_a_time():
    stream = SimpleNamespace(
        onboard={"utc": "2021-05-25T04:26:00Z", "sol": 11}, clocks=(), light_time_s=None, light_time_of=""
    )
    assert onboard_words(stream) == (
        "<span class='onboard'><span>onboard 2021-05-25 04:26:00 UTC</span> · <span>sol 11</span></span>"
    )


def test_labels_of_axes_do_not_touch_and_powers_of_ten_are_written_out():
    made = plot("Hz", "dB", x_axis_type="log")
    assert all(isinstance(one.major_label_policy, NoOverlap) for one in made.axis)
    assert isinstance(made.xaxis[0].formatter, NumeralTickFormatter)
