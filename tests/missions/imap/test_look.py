"""The tab of the live page that MAG brings, over products of real packets."""

import numpy as np
import pytest
from bokeh.document import Document
from downlink_pipeline.api import open_pass
from downlink_pipeline.commands.tabs import package_tabs
from downlink_pipeline.dashboard.page import Page
from downlink_pipeline.dashboard.state import State
from downlink_pipeline.dashboard.tabs import makers, shown


@pytest.fixture(scope="module")
def tabs():
    return [tab for tab in package_tabs() if tab.mission == "imap"]


def test_every_array_of_the_tabs_is_one_of_their_kinds(tabs):
    from downlink_pipeline.mission.packages import find_package  # noqa: PLC0415

    kinds = {kind.topic: kind for kind in find_package("imap").kinds}
    curves = [one for tab in tabs for one in tab.look.curves]
    assert {name for one in curves for name in one.arrays} <= {
        name for kind in kinds.values() for name in kind.arrays
    }
    assert [one.unit for one in curves] == [kinds[one.kind].arrays[one.arrays[0]][2] for one in curves]


def test_the_page_draws_the_vectors_of_both_sensors(imap_data, tabs):
    made = {}
    for one in open_pass(imap_data / "mag_l1.packets", mission="imap").products():
        arrays = {name: {"values": array.values, "unit": array.unit} for name, array in one.arrays.items()}
        made[one.id] = {"id": one.id, "time": {}, "arrays": arrays, "quality": one.quality}
    state = State(lambda payload: made[payload.decode()], shown(tabs))
    page = Page(Document(), state, None, looks=tuple(makers(tabs)))
    for number, (name, message) in enumerate(made.items()):
        topic = name.rsplit("-", 1)[0].replace("-", "/")
        state.receive(f"imap/live/product/{topic}", name.encode(), float(number))
        assert message["quality"].size
    page.looks.root.active = [tab.title for tab in page.looks.root.tabs].index("MAG")
    page.tick()
    [look] = [one for one in page.looks.made.values() if getattr(one, "title", "") == "MAG"]
    x = np.asarray(look._plots[0].tail.source.data["curve_0"], float)
    assert np.isfinite(x).sum() == 96
    assert np.nanmax(x) == 26933  # x_pri of the last row of mag_l1a.csv
