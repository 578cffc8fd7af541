"""Tabs that missions declare: drawn by the engine from the declaration, shown with the mission's stream."""

import numpy as np
import pytest
from bokeh.document import Document
from downlink_pipeline.dashboard.page import Page
from downlink_pipeline.dashboard.state import State
from downlink_pipeline.dashboard.tabs import Tab, makers, shown
from downlink_pipeline.model.errors import ConfigError
from downlink_pipeline.model.looks import Curves, Kept, Look

MAG = Look(
    "MAG",
    curves=(Curves("Field", "mag/field", ("field_nt", "size_nt"), unit="nT", labels=("x", "y", "z", "size")),),
)


def broken():
    raise ConfigError("package toy cannot be used: look:Gone")


TABS = (Tab(MAG, "imap"), Tab(Look("Other"), "other"), Tab(Look("Gone", "look:Gone"), "imap", broken))


def message(n):
    """A product of n rows, as it is unpacked."""
    field = np.arange(3.0 * n).reshape(n, 3)
    values = {"time_utc_ns": np.arange(n) * 10**9, "field_nt": field, "size_nt": np.linalg.norm(field, axis=1)}
    arrays = {name: {"values": one, "unit": "nT"} for name, one in values.items()}
    return {"id": f"mag-{n}", "time": {}, "arrays": arrays, "quality": np.zeros(n, np.uint32)}


@pytest.fixture
def page():
    state = State(lambda _: message(4), shown(TABS))
    return state, Page(Document(), state, None, looks=tuple(makers(TABS)))


def titles(page):
    """Of the tabs that missions bring."""
    return [tab.title for tab in page.looks.root.tabs if tab.title in {"MAG", "Other", "Gone"}]


def test_a_look_whose_class_cannot_be_imported_is_left_out(page):
    assert titles(page[1]) == ["MAG", "Other"]


def test_the_tabs_of_the_mission_in_sight_are_shown(page):
    state, one = page
    state.receive("imap/live/product/mag/field", b"", 1.0)
    one.tick()
    assert titles(one) == ["MAG"]
    state.receive("unknown/live/product/mag/field", b"", 100.0)
    one.tick()
    assert titles(one) == ["MAG", "Other"]


def test_curves_are_drawn_from_their_declaration(page):
    state, one = page
    state.receive("imap/live/product/mag/field", b"", 1.0)
    one.looks.root.active = [tab.title for tab in one.looks.root.tabs].index("MAG")
    one.tick()
    [drawn] = [look for look in one.looks.made.values() if getattr(look, "title", "") == "MAG"]
    data = drawn._plots[0].tail.source.data
    assert [list(data[f"curve_{k}"]) for k in range(3)] == [[0, 3, 6, 9], [1, 4, 7, 10], [2, 5, 8, 11]]
    assert list(data["curve_3"]) == pytest.approx([5**0.5, 50**0.5, 149**0.5, 302**0.5])


def test_what_two_tabs_need_of_one_kind_is_kept_once():
    tabs = [Tab(Look("a", rows={"x/y": Kept(10, ("p",))})), Tab(Look("b", rows={"x/y": Kept(20, ("q", "p"))}))]
    kept = shown(tabs).rows["x/y"]
    assert (kept.capacity, kept.columns) == (20, ("p", "q"))
