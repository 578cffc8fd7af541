"""Several parameters in one plot, in a browser: how they are chosen, drawn, saved, and what the link says."""

import numpy as np
import pytest

pytest.importorskip("bokeh", reason="bokeh is not installed")
from driving import column, model, page, publish
from test_parameters import START_NS, UNITS, product
from test_reach import BESIDE, key

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of Bokeh and Tornado, not of ours
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
TABLE = f"Bokeh.index.find_one({model('parameters')}).markup_el"
STATISTICS = f"Bokeh.index.find_one({model('statistics')}).markup_el"
ROW = TABLE + ".querySelector('[data-pick=\"HK/{}\"]')"
MIDDLE = "((box) => [box.x + box.width / 2, box.y + box.height / 2])({}.getBoundingClientRect())"
FIGURES = f"{model('parameter_figures')}.children"
DRAG = f"""(() => {{
  const how = {{dataTransfer: new DataTransfer(), bubbles: true, composed: true, cancelable: true}}
  ROW.dispatchEvent(new DragEvent("dragstart", how))
  Bokeh.index.find_one({model("parameter_plot")}).el.dispatchEvent(new DragEvent("drop", how))
}})()"""
NOON_MS = START_NS // 10**6
SECONDS = np.arange(60)
BUS = 28 + SECONDS / 10
TEMP = SECONDS / 2.0


def rows():
    mode = np.where(SECONDS < 20, "SAFE", np.where(SECONDS < 40, "IDLE", "SCIENCE"))
    spectra = np.outer(SECONDS, np.ones(16)).astype(np.float32)
    return {"TEMP": TEMP, "PANEL": TEMP + 1, "BUS": BUS, "MODE": mode, "SPECTRUM": spectra}


def line(number=0):
    return f"parameter_line_{number}" if number else "parameter_line"


async def test_parameters_are_drawn_together_and_the_address_opens_the_same(chromium, monkeypatch):
    monkeypatch.setitem(UNITS, "PANEL", "degC")
    async with page() as (address, served):
        await publish(address, [product(0, rows())])
        tab = await chromium.open(f"{served.url}?look=Parameters")
        await tab.until(f"{ROW.format('TEMP')} != null")

        await by_boxes_and_keys(tab)
        await drawn_by_unit(tab)
        await statistics_of_what_is_in_sight(tab)
        await saved(tab)
        await shared(tab, chromium, served)
        await back(tab)
        assert await tab.run("errors") == []


async def click(tab, name):
    await tab.click(*await tab.run(MIDDLE.format(f"Bokeh.index.find_one({model(name)}).button_el")))


async def by_boxes_and_keys(tab):
    """A click on the box, a row dragged to the plot, Space on a row, and P to pin it."""
    await tab.click(*await tab.until(MIDDLE.format(ROW.format("TEMP") + ".querySelector('input')")))
    await tab.until(f"{model(line())} != null && {column(line(), 'value')}.length == 60")
    await tab.run(DRAG.replace("ROW", ROW.format("PANEL")))
    await tab.until(f"{model(line(1))} != null && {model(line(1))}.tags[0] == 'HK/PANEL'")
    await tab.run(f"{ROW.format('PANEL')}.focus()")
    await key(tab, "ArrowDown", 40)
    await key(tab, " ", 32)
    await tab.until(f"{model(line(2))} != null && {model(line(2))}.tags[0] == 'HK/BUS'")
    await key(tab, "p", 80)
    await tab.until("location.search.includes('pin=HK%2FBUS')")
    assert await tab.run(column(line(2), "value")) == pytest.approx(BUS.tolist())


async def drawn_by_unit(tab):
    """Two parameters of one unit share an axis, the third has its own; labels and arrays have figures of their own."""
    await tab.until(f"{FIGURES}.length == 1")
    axes = f"[...{FIGURES}[0].left, ...{FIGURES}[0].right].filter((one) => one.type === 'LinearAxis')"
    assert await tab.run(f"{axes}.map((one) => one.axis_label)") == ["[degC]", "BUS [V]"]
    colours = await tab.run(
        f"{FIGURES}[0].renderers.filter((one) => one.glyph.type === 'Line').map((one) => one.glyph.line_color.value)"
    )
    assert len(set(colours)) == 3
    legend = f"{FIGURES}[0].above.find((one) => one.type === 'Legend').items.map((one) => one.label.value)"
    assert await tab.run(legend) == ["TEMP [degC]", "PANEL [degC]", "BUS [V]"]
    for name in ("MODE", "SPECTRUM"):
        await tab.run(f"{ROW.format(name)}.focus()")
        await key(tab, " ", 32)
    await tab.until(f"{FIGURES}.length == 4")  # lines, labels, the newest row, rows against time
    assert await tab.run(column("parameter_bands", "label")) == ["SAFE", "IDLE", "SCIENCE"]
    assert await tab.run(column("parameter_bands", "left")) == [NOON_MS, NOON_MS + 20_000, NOON_MS + 40_000]
    assert await tab.run(column("parameter_array", "value")) == [59.0] * 16
    image = f"{model('parameter_spectrogram')}.data.image[0]"
    assert await tab.run(f"{image}.shape[0]") == 16
    values = await tab.run(f"Array.from({image}).slice(0, {image}.shape[1])")
    assert values[0] == 0
    assert values[-1] == 59
    assert values == sorted(values)


async def statistics_of_what_is_in_sight(tab):
    """Those of all rows at first; of the rows of 10 to 19 s once these are in sight."""
    cells = (
        f"[...{STATISTICS}.querySelectorAll('tbody tr')].map((row) => [...row.cells].map((one) => one.textContent))"
    )
    await tab.until(f"{cells}.length == 5")
    found = (await tab.run(cells))[2]
    assert found[1:4] == ["BUS", "V", "60"]
    assert [float(one) for one in found[4:]] == pytest.approx(
        [28.0, 33.9, BUS.mean(), BUS.std(ddof=1), 33.9], rel=1e-5
    )
    await tab.run(f"{FIGURES}[0].x_range.setv({{start: {NOON_MS + 9_500}, end: {NOON_MS + 19_500}}})")
    await tab.until(f"{cells}[2][3] == '10'")
    found = (await tab.run(cells))[2]
    assert [float(one) for one in found[4:]] == pytest.approx(
        [29.0, 29.9, BUS[10:20].mean(), BUS[10:20].std(ddof=1), 29.9], rel=1e-5
    )
    await tab.until("location.search.includes('from=2024-05-01T12%3A00%3A09.500Z')")


async def saved(tab):
    """The CSV file has the rows in sight of each parameter, the PNG the figures as they stand."""
    await click(tab, "plot_csv")
    lines = await tab.until("window.downlink_csv")
    assert lines[0] == "parameter,clock,time,until,element,value,unit,quality"
    buses = [one.split(",") for one in lines if one.startswith('"HK/BUS"')]
    assert len(buses) == 10
    assert buses[0][1:3] == ["onboard", "2024-05-01T12:00:10.000Z"]
    assert [float(one[5]) for one in buses] == pytest.approx(BUS[10:20].tolist())
    assert sum(one.startswith('"HK/SPECTRUM"') for one in lines) == 16
    assert [one.split(",")[5] for one in lines if one.startswith('"HK/MODE"')] == ['"SAFE"']
    await click(tab, "plot_png")
    n_bytes, width, height = await tab.until("window.downlink_png")
    element = f"Bokeh.index.find_one({model('parameter_figures')}).el"
    box = await tab.run(f"((el) => [el.clientWidth, el.clientHeight])({element})")
    assert n_bytes > 5000
    assert width >= box[0] - 2
    assert height >= min(box[1], 400) - 2


async def shared(tab, chromium, served):
    """The link opens the same in another tab."""
    query = await tab.run("location.search")
    other = await chromium.open(f"{served.url}{query}")
    await other.until(f"{FIGURES}?.length == 4 && {FIGURES}[0].x_range.start == {NOON_MS + 9_500}")
    assert await other.run("location.search") == query
    assert "★" in await other.run(ROW.format("BUS") + ".querySelector('button').textContent")
    await other.resize((390, 844))
    await other.until(f"{BESIDE}.length == 0")
    await tab.call("Page.bringToFront")


async def back(tab):
    """One is taken out; the back button brings it again; *live* shows all rows; a pin alone is listed."""
    await tab.click(*await tab.run(MIDDLE.format(f"{STATISTICS}.querySelector('[data-act=\"drop HK/MODE\"]')")))
    await tab.until(f"{FIGURES}.length == 3 && !location.search.includes('MODE')")
    await tab.run("history.back()")
    await tab.until(f"{FIGURES}.length == 4 && location.search.includes('MODE')")
    await click(tab, "live")
    await tab.until(f"{FIGURES}[0].x_range.end > {NOON_MS + 59_000} && !location.search.includes('from=')")
    await click(tab, "pinned")
    await tab.until(
        f"{TABLE}.querySelectorAll('[data-pick]').length == 1 && location.search.includes('list=pinned')"
    )
    await click(tab, "pinned")
    await tab.run(f"{TABLE}.querySelector('tr[data-act]').focus()")
    await key(tab, "Enter", 13)
    await tab.until(
        f"{TABLE}.querySelectorAll('[data-pick]').length == 0 && "
        f"{TABLE}.querySelector('tr[data-act]').ariaExpanded == 'false'"
    )
