"""A zoom or pan of any plot against onboard time chooses the range of all, and what is missing of it is loaded."""

import pytest

pytest.importorskip("bokeh", reason="bokeh is not installed")
from bokeh.document import Document
from bokeh.events import RangesUpdate, Reset
from bokeh.models import Range1d
from downlink_pipeline.dashboard.panels import ONBOARD, RECEIVED, below, plot
from downlink_pipeline.dashboard.parameter_plot import ParameterPlot
from downlink_pipeline.dashboard.selection import Selection
from downlink_pipeline.dashboard.state import State
from downlink_pipeline.dashboard.time_axis import TimeAxis
from downlink_pipeline.dashboard.time_bar import kept_words
from downlink_pipeline.messages import topics
from history_products import DAY, product
from test_past import loaded, put, seconds  # noqa: F401 - a fixture

MS = DAY // 10**6
RANGE = (MS - 60_000.0, MS + 60_000.0)


@pytest.fixture
def followed():
    """Figures that follow what comes, below one root, and what their axis tells."""
    found = {"zoomed": [], "n_resets": 0}

    def reset():
        found["n_resets"] += 1

    figures = [plot(label, "V", is_time=True) for label in (ONBOARD, RECEIVED)]
    root = below(*figures)
    document = Document()
    document.add_root(root)
    axis = TimeAxis(found["zoomed"].append, reset)
    axis.show(root, None)
    return axis, root, figures, document, found


def happen(document, event):
    document.callbacks.trigger_event(event)


def test_a_pan_of_a_plot_that_follows_chooses_the_range(followed):
    _, _, (onboard, received), document, found = followed
    happen(document, RangesUpdate(onboard, x0=RANGE[0], x1=RANGE[1], y0=0.0, y1=1.0))
    happen(document, RangesUpdate(received, x0=0.0, x1=1.0, y0=0.0, y1=1.0))  # of another clock
    assert found["zoomed"] == [RANGE]


def test_reset_and_live_make_a_plot_follow_again(followed):
    axis, root, (onboard, _), document, found = followed
    own = onboard.x_range
    axis.show(root, RANGE)
    assert isinstance(onboard.x_range, Range1d)
    before = own.follow_interval
    happen(document, Reset(onboard))
    assert found["n_resets"] == 1
    axis.show(root, None)
    assert onboard.x_range is own
    assert own.follow_interval != before  # which BokehJS takes as: follow the data anew


def test_a_page_without_a_history_says_what_it_holds_where_the_range_goes_beyond():
    state = State(topics.unpack_product)
    message = topics.product_message(product(seconds(0, 100), V=[1.0] * 100))
    state.receive(message.topic, message.payload, 1.0)
    (stream,) = state.streams.values()
    words = kept_words(stream, RANGE)
    assert "rows from 2025-11-30 00:00:00 to 2025-11-30 00:01:39" in words
    assert "--history" in words
    assert "class=bad" in words
    assert "class=bad" not in kept_words(stream, (MS + 1_000.0, MS + 2_000.0))


async def test_a_plot_says_that_rows_are_loaded_and_where_there_are_none(put):  # noqa: F811
    folder = put(product(seconds(0, 100), V=[1.0] * 100))
    _, part = await loaded(folder, (DAY - 10**12, DAY + 10**12))
    selection = Selection(chosen=["HK/V"], range_ms=(MS + 500_000.0, MS + 600_000.0))
    drawn = ParameterPlot(selection)
    caption = drawn.root.children[0].children[0]
    part.stream.parameters.is_loading = True
    drawn.show(part.stream.parameters, selection.chosen, 1.0)
    assert "being loaded from the history" in caption.tags[0]
    part.stream.parameters.is_loading = False
    part.stream.parameters.n_changes += 1
    drawn.show(part.stream.parameters, selection.chosen, 1.0)
    assert "no row in this range: V" in caption.tags[0]
