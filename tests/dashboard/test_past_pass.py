"""The books of a pass of a history: the report that it closed with, its events, and how many rows it has."""

import numpy as np
import pytest
from downlink_pipeline.history.passes import read_pass, write_pass
from downlink_pipeline.history.storage import Storage

pytest.importorskip("bokeh", reason="bokeh is not installed")
from downlink_pipeline.commands.dashboard_history import DashboardHistory
from downlink_pipeline.dashboard.pass_look import PassLook
from downlink_pipeline.dashboard.selection import Asked, Selection, read_address
from history_products import DAY, product, put  # noqa: F401 - a fixture
from test_parameters import REPORT
from test_past import loaded, seconds

DAY_NS = 86_400 * 10**9
CHANNEL = {"scid": 245, "vcid": 5, "name": "relay", "frames": 6, "lost_frames": 2, "gaps": 1, "packets": 30}
GAP = {"time": "2025-11-30T09:00:05Z", "severity": "warning", "kind": "gap", "text": "relay: 2 frames lost"}


@pytest.fixture
def folder(put):  # noqa: F811
    """Two passes, the first of 2025-11-30, the second of the next day, each with a report of its own."""
    found = put(product(seconds(0, 100), V=np.zeros(100)), name="morning")
    put(product(seconds(86_400, 86_450), V=np.zeros(50), seq=1), name="evening", folder=found)
    storage = Storage(found)
    for name, n_read, received in (("morning", 9, "2025-11-30T09:00:00Z"), ("evening", 77, "2025-12-01T20:00:00Z")):
        record = read_pass(storage, "north", name)
        record.report = REPORT | {"frames": REPORT["frames"] | {"read": n_read}, "channels": [CHANNEL]}
        record.received, record.events = [received, received], [GAP]
        write_pass(storage, record)
    return found


def shown(look):
    return dict(zip(look.books.data["what"], look.books.data["count"], strict=True))


async def test_a_pass_of_the_range_has_its_report_channels_events_and_rows(folder):
    _, part = await loaded(folder, (DAY, DAY + 200 * 10**9))
    look = PassLook()
    look.refresh(part.stream, 1.0)
    assert shown(look)["frames: read"] == 9
    assert shown(look)["other channel 1/7: frames"] == 2
    assert look.channels.data["channel"] == ["245/5 relay"]
    assert look.channels.data["lost_frames"] == [2]
    assert look.events.data["text"] == ["relay: 2 frames lost"]
    assert list(zip(look.products.data["product"], look.products.data["messages"], strict=True)) == [
        ("telemetry/HK", 100)
    ]
    caption = look._books.panel._caption.root.tags[0]
    assert "morning · received" in caption
    assert "09:00:00 UTC" in caption
    assert "retained by the broker" not in caption
    assert not look._passes.root.visible


async def test_of_several_passes_the_one_that_is_chosen_has_its_books(folder):
    _, part = await loaded(folder, (DAY, DAY + 2 * DAY_NS))
    selection = Selection()
    look = PassLook(None, selection)
    look.refresh(part.stream, 1.0)
    assert look._passes.root.visible
    assert look.passes.data["pass"] == ["evening", "morning"]
    assert shown(look)["frames: read"] == 77
    look.picked_pass.value = "morning"
    look.refresh(part.stream, 1.0)
    assert shown(look)["frames: read"] == 9
    query = Asked(selection=selection).query()
    assert query == "pass=morning"
    assert read_address({"pass": ["morning"]}).selection.pass_name == "morning"


async def test_a_pass_without_a_report_says_so(put):  # noqa: F811
    _, part = await loaded(put(product(seconds(0, 100), V=np.zeros(100))), (DAY, DAY + 200 * 10**9))
    look = PassLook()
    look.refresh(part.stream, 1.0)
    assert "the history has no report of this pass" in look._books.panel._caption.root.tags[0]


def test_the_history_lists_its_passes_with_the_days_of_their_rows(folder):
    source = DashboardHistory(str(folder))
    (stored,) = source.streams()
    assert [(one.name, one.first_ns, one.end_ns) for one in source.passes(stored)] == [
        ("morning", DAY, DAY + DAY_NS),
        ("evening", DAY + DAY_NS, DAY + 2 * DAY_NS),
    ]
