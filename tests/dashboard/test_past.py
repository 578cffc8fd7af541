"""Back in time: a range of a history is drawn as what comes is, keeps its extremes, and goes on into what comes."""

import asyncio
import json
import re

import numpy as np
import pytest
from downlink_pipeline.commands import live_page as app
from downlink_pipeline.commands.history import import_passes
from downlink_pipeline.commands.tabs import package_tabs
from downlink_pipeline.messages import topics
from downlink_pipeline.messages.topics import unpack_product
from downlink_pipeline.mission.loading import load_mission
from downlink_pipeline.model.batches import NO_TIME
from downlink_pipeline.mqtt.broker import broker as broker_at
from history_products import DAY, product, put  # noqa: F401 - a fixture
from tornado.httpclient import AsyncHTTPClient

pytest.importorskip("bokeh", reason="bokeh is not installed")
pytest.importorskip("pyarrow", reason="the history needs Arrow")
from downlink_pipeline.commands.dashboard_history import DashboardHistory
from downlink_pipeline.commands.history_kind import extremes
from downlink_pipeline.dashboard import past as ranges
from downlink_pipeline.dashboard.past import Past, append_live, enclosing
from downlink_pipeline.dashboard.state import State
from downlink_pipeline.dashboard.statistics_table import statistics_table
from downlink_pipeline.dashboard.tabs import shown
from downlink_pipeline.dashboard.time_bar import words_of
from driving import look, model, publish
from test_packet_bytes import ROW
from test_reach import key

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of Bokeh and Tornado, not of ours
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
SECOND = 10**9


def seconds(first, last, step=1):
    return DAY + np.arange(first, last, step, dtype=np.int64) * SECOND


async def loaded(folder, wanted, stream=None, name="sat/north"):
    found = Past(DashboardHistory(str(folder)))
    await found.find_streams()
    part = found.range_of(stream, name, wanted)
    async with asyncio.timeout(20):
        while not part.is_complete:  # noqa: ASYNC110 - told by nobody
            await asyncio.sleep(0.01)
    return found, part


def drawn(part, key):
    return part.stream.parameters.rows_of(part.stream.parameters.known[key])


async def test_few_rows_are_all_drawn_with_unit_quality_and_time(put):  # noqa: F811
    times = seconds(0, 100)
    folder = put(
        product(times, V=np.arange(100.0), MODE=np.where(np.arange(100) < 40, "SAFE", "ON"), units={"V": "V"})
    )
    _, part = await loaded(folder, (DAY, DAY + 100 * SECOND))
    time_ns, values, _, axis = drawn(part, "HK/V")
    assert (time_ns.tolist(), values.tolist(), axis) == (times.tolist(), np.arange(100.0).tolist(), "onboard")
    mode = part.stream.parameters.known["HK/MODE"]
    assert [mode.labels[int(code)] for code in drawn(part, "HK/MODE")[1][[39, 40]]] == ["SAFE", "ON"]
    assert part.stream.parameters.known["HK/V"].unit == "V"
    assert "100 rows, all drawn" in "".join(words_of(part))


async def test_thinning_keeps_the_extremes_and_says_how_many_rows_it_drew(put):  # noqa: F811
    n = 50_000
    values = np.sin(np.arange(n) / 500)
    values[[12_345, 33_333]] = 99.0, -99.0  # one sample each
    folder = put(product(seconds(0, n), V=values))
    _, part = await loaded(folder, (DAY, DAY + n * SECOND))
    time_ns, found, _, _ = drawn(part, "HK/V")
    assert len(found) <= ranges.MAX_ROWS
    assert (found.max(), found.min()) == (99.0, -99.0)
    width = part.loaded["telemetry/HK"].bin_ns
    assert abs(time_ns[np.argmax(found)] - (DAY + 12_345 * SECOND)) <= width
    assert f"{len(found):,} of 50,000 rows drawn" in "".join(words_of(part))


async def test_statistics_of_thinned_rows_are_those_of_all_rows(put):  # noqa: F811
    values = np.arange(40_000.0) ** 2
    _, part = await loaded(put(product(seconds(0, 40_000), V=values)), (DAY, DAY + 40_000 * SECOND))
    low, high = (DAY - 100 * SECOND) / 1e6, (DAY + 40_100 * SECOND) / 1e6
    drawn_table = statistics_table(part.stream.parameters, ["HK/V"], (low, high), removable=False)
    cells = re.findall(r"<td class=number>(.*?)</td>", drawn_table)
    assert cells == ["", "40,000", "0", f"{values.max():.6g}", f"{values.mean():.6g}", "", f"{values[-1]:.6g}"]


async def test_the_past_goes_on_into_what_comes_without_a_seam(put):  # noqa: F811
    folder = put(product(seconds(0, 100), V=np.arange(100.0)))
    state = State(unpack_product)
    for first in (50, 100, 120):  # the first overlaps what is stored
        made = product(seconds(first, first + 20), seq=first, V=np.arange(first, first + 20.0))
        message = topics.product_message(made)
        state.receive(message.topic, message.payload, 1.0)
    live = state.streams["sat/north"]
    _, part = await loaded(folder, (DAY, DAY + 200 * SECOND), live)
    append_live(part, live)
    later = topics.product_message(product(seconds(140, 150), seq=140, V=np.arange(140, 150.0)))
    state.receive(later.topic, later.payload, 2.0)
    append_live(part, live)
    append_live(part, live)  # nothing new
    time_ns, values, _, _ = drawn(part, "HK/V")
    assert time_ns.tolist() == seconds(0, 150).tolist()
    assert values.tolist() == np.arange(150.0).tolist()


async def test_rows_without_onboard_time_are_drawn_at_their_reception(put):  # noqa: F811
    made = [
        product(np.full(2, NO_TIME), received=int(DAY + k * SECOND), seq=2 * k, V=np.array([k, k + 0.5]))
        for k in range(5)
    ]
    _, part = await loaded(put(*made), (DAY, DAY + 10 * SECOND))
    time_ns, values, _, axis = drawn(part, "HK/V")
    assert axis == "received"
    assert time_ns.tolist() == np.repeat(seconds(0, 5), 2).tolist()
    assert sorted(values.tolist()) == [0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5]


def test_rows_that_are_drawn_of_many_have_the_extremes_of_numbers_and_vectors():
    field = np.zeros((100_000, 3))
    field[[7, 55_555], [0, 2]] = 9.0, -9.0
    scalar = np.full(100_000, np.nan)
    scalar[99_999] = 1.0
    chosen = extremes([scalar, field, np.array(["x"] * 100_000)], 2000)
    assert {7, 55_555, 99_999} <= set(chosen.tolist())
    assert len(chosen) <= 2000
    assert extremes([np.zeros((100, 50))], 10).tolist() == list(range(0, 100, 10))


async def test_arrays_of_the_past_are_rows_of_a_spectrogram(put):  # noqa: F811
    spectra = np.arange(60.0).reshape(20, 3)
    _, part = await loaded(put(product(seconds(0, 20), S=spectra, V=np.arange(20.0))), (DAY, DAY + 20 * SECOND))
    assert part.stream.parameters.known["HK/S"].array.tolist() == [57.0, 58.0, 59.0]


async def test_looks_of_a_mission_draw_their_rows_of_the_past(bundled, tmp_path):
    import_passes(
        [bundled / "clean.cadu"], load_mission("zhurong"), str(tmp_path / "h"), lambda _: None, stream="north"
    )
    source = DashboardHistory(str(tmp_path / "h"), [load_mission("zhurong")])
    found = Past(source, shown(package_tabs()))
    await found.find_streams()
    stored = found.streams["zhurong/north"]
    part = found.range_of(None, "zhurong/north", (stored.first_ns, stored.last_ns + 1), frozenset({"mscam/image"}))
    async with asyncio.timeout(60):
        while not part.is_complete:  # noqa: ASYNC110 - told by nobody
            await asyncio.sleep(0.02)
    assert next(iter(part.loaded)) == "mscam/image"  # what is in sight comes first
    assert {
        "magnetometer/field",
        "weather/meteorology",
        "rover/navigation",
        "gpr/high_frequency",
    } <= part.stream.products.keys()
    assert len({one.kind for one in part.stream.images.pictures}) >= 2
    assert not any(one.note for one in part.loaded.values())
    assert part.stream.onboard["sol"] == "11"
    drawn_rows = part.stream.products["weather/meteorology"].rows()
    assert np.isfinite(drawn_rows["solar_ms"]).all()


async def test_a_range_without_rows_and_a_stream_that_is_not_stored_are_said(put):  # noqa: F811
    folder = put(product(seconds(0, 10), V=np.arange(10.0)))
    found, part = await loaded(folder, (DAY - 1000 * SECOND, DAY - 900 * SECOND))
    assert "no rows in this range" in "".join(words_of(part))
    assert found.range_of(None, "sat/other", (DAY, DAY + SECOND)) is None


async def test_neighbouring_ranges_share_what_is_loaded_and_few_are_held(put):  # noqa: F811
    clock = [0.0]
    found = Past(DashboardHistory(str(put(product(seconds(0, 10), V=np.arange(10.0))))), clock=lambda: clock[0])
    await found.find_streams()
    first = found.range_of(None, "sat/north", (DAY, DAY + 100 * SECOND))
    assert found.range_of(None, "sat/north", (DAY + SECOND, DAY + 101 * SECOND)) is first
    for k in range(1, ranges.MAX_RANGES):
        assert found.range_of(None, "sat/north", (DAY, DAY + 100**k * SECOND // 10)) is not None
    many = (DAY, DAY + 7 * 10**6 * SECOND)
    assert found.n_ranges == ranges.MAX_RANGES
    assert found.range_of(None, "sat/north", many) is None  # all are in use
    clock[0] = ranges.UNUSED_S + 1
    assert found.range_of(None, "sat/north", many) is not None
    assert found.n_ranges == ranges.MAX_RANGES
    await found.close()


@pytest.mark.parametrize("wanted", [(0, 1), (DAY, DAY + 7), (DAY - 5, DAY + 10**15), (-(10**18), 10**18)])
def test_an_enclosing_range_holds_what_is_wanted_and_at_most_four_times_as_much(wanted):
    start, end = enclosing(wanted)
    assert start <= wanted[0]
    assert end >= wanted[1]
    assert end - start <= max(4 * (wanted[1] - wanted[0]), 4)


async def test_events_of_passes_in_the_range_are_listed(put):  # noqa: F811
    folder = put(product(seconds(0, 10), V=np.arange(10.0)))
    (path,) = (folder / "passes").rglob("*.json")
    record = json.loads(path.read_text())
    record["events"] = [
        {"time": f"2025-11-30T0{hour}:00:00.000Z", "severity": "warning", "kind": "gap", "text": f"at {hour}"}
        for hour in (0, 5)
    ]
    path.write_text(json.dumps(record))
    _, part = await loaded(folder, (DAY, DAY + 3600 * SECOND))
    assert [event["text"] for event in part.stream.events] == ["at 0"]


def with_a_hole():
    hk = product(np.concatenate([seconds(0, 100), seconds(1000, 1100)]), V=np.arange(200.0))
    return hk, product(
        seconds(500, 600), container="SCI", seq=500, S=np.arange(300.0).reshape(100, 3), W=np.arange(100.0)
    )


def test_coverage_is_when_there_are_rows_to_the_width_of_a_bin(put):  # noqa: F811
    folder = put(*with_a_hole())
    source = DashboardHistory(str(folder))
    (stored,) = source.streams()
    assert (stored.key, stored.kinds) == ("sat/north", ("telemetry/HK", "telemetry/SCI"))
    width = 11 * SECOND
    bands = source.coverage(stored, "telemetry/HK", DAY, DAY + 1100 * SECOND, 100)
    assert len(bands) == 2
    for (first, stop), (wanted, until) in zip(bands, ((0, 100), (1000, 1100)), strict=True):
        assert abs(first - (DAY + wanted * SECOND)) <= width
        assert abs(stop - (DAY + until * SECOND)) <= width


async def test_what_is_stored_when_is_drawn_by_kind_and_chosen_by_key(put, chromium):  # noqa: F811
    folder = put(*with_a_hole())
    async with broker_at(None) as address, app.dashboard(address, port=0, history=str(folder)) as served:
        tab = await chromium.open(f"{served.url}?stream=sat/north")
        await tab.until(f"{model('history_words')}.tags[0].includes('history from')")
        await look(tab, "history")
        await tab.until(f"{model('coverage')}?.data.kind.length == 3")
        assert await tab.run(f"Array.from({model('coverage')}.data.kind)") == ["HK", "HK", "SCI"]
        row = ROW.replace("picked_apid", "picked_kind").replace('=== "259"', '=== "SCI"')
        await tab.until(f"{row} != null")
        await tab.run(f"{row}.focus()")
        await key(tab, "Enter", 13)
        chosen = f"{model('chosen_range')}"
        await tab.until(f"{chosen}.visible && Math.abs({chosen}.left - {(DAY // 10**6) + 500_000}) < 5000")
        await tab.until("location.search.includes('from=2025-11-30T00%3A08')")
        assert await tab.run("errors") == []


async def test_the_history_is_asked_over_http_below_the_page(put):  # noqa: F811
    folder = put(product(seconds(0, 10), V=np.arange(10.0)))
    async with broker_at(None) as address, app.dashboard(address, port=0, history=str(folder)) as served:

        async def get(path, **how):
            return await AsyncHTTPClient().fetch(f"{served.url}history{path}", raise_error=False, **how)

        asked = await get("/api/values?name=HK.V")
        assert [row["HK.V"] for row in json.loads(asked.body)["rows"]] == list(range(10))
        assert asked.headers["Content-Type"] == "application/json"
        assert (await get("/api/values?name=HK.NONE")).code == 400
        assert (await get("")).code == 200
        assert (await get("/api/parameters", headers={"Host": "evil.example"})).code == 403
        assert (await get("/grafana/query", method="POST", body="{}")).code == 405


def last(name):
    """The model of that name that was made last: an earlier one may not be let go yet."""
    return f"[...Bokeh.documents[0]._all_models.values()].findLast((one) => one.name === '{name}')"


async def test_a_page_looks_back_and_goes_on_and_its_link_opens_the_same(put, chromium):  # noqa: F811
    folder = put(product(seconds(0, 5000), V=np.arange(5000.0)))
    async with broker_at(None) as address, app.dashboard(address, port=0, history=str(folder)) as served:
        tab = await chromium.open(f"{served.url}?look=Parameters&p=HK/V")
        await tab.until(f"{model('history_words')}.tags[0].includes('history from 2025-11-30 00:00:00')")
        await tab.run(f"{model('stream')}.value = 'sat/north'")
        press = "Bokeh.index.find_one({}).button_el.click()"
        await tab.run(press.format(model("span all")))
        line = f"Array.from({last('parameter_line')}?.data['value'] ?? [])"
        await tab.until(f"Math.max(...{line}) == 4999 && Math.min(...{line}) == 0")
        await tab.until(f"{model('history_words')}.tags[0].includes('of 5,000 rows drawn')")
        await publish(address, [product(seconds(5000, 5020), seq=5000, V=np.arange(5000, 5020.0))])
        await tab.until(f"Math.max(...{line}) == 5019")  # no button was pressed
        begins = "Bokeh.documents[0].get_model_by_name('range from').value"
        await tab.run(f"{model('range from')}.value = '2025-11-30 00:10:00'")
        await tab.run(f"{model('range to')}.value = '2025-11-30 00:20:00'")
        await tab.until("location.search.includes('from=2025-11-30T00%3A10%3A00.000Z')")
        await tab.until(f"{model('history_words')}.tags[0].includes('all drawn')")
        other = await chromium.open(await tab.run("location.href"))
        await other.until(f"{line}.includes(900)")
        assert await other.run(begins) == "2025-11-30 00:10:00"
        shown = last("parameter_range")
        assert await other.run(f"[{shown}.start, {shown}.end]") == [
            (DAY // 10**6) + 600_000,
            (DAY // 10**6) + 1_200_000,
        ]
        await look(other, "events")
        assert await other.run("errors") == []
        assert await tab.run("errors") == []
