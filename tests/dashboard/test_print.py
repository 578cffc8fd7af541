"""A look on A4: dark text on white of 7 pt or more, and nothing cut off, whatever theme and size the screen has."""

import base64
import re
import zlib

import pytest

pytest.importorskip("bokeh", reason="bokeh is not installed")
from driving import LOOKS, choose, look, model
from paper import HOOK, TEXTS

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of Bokeh and Tornado, not of ours
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
A4_PX = (794, 1123)
"""210 by 297 mm at 96 px to the inch (CSS Values 5.2)."""
PX_OF_7_PT = 7 * 96 / 72
FAULTS = f"{TEXTS}.filter((one) => one.px < {PX_OF_7_PT} || one.contrast < 4.5 || one.cut)"
WIDTH = "document.documentElement.scrollWidth"
SEEN = f"Bokeh.index.find_one({model('looks')}).header_els.find((one) => one.offsetWidth).innerText.toLowerCase()"
"""The only tab on paper."""
GOOD = f"""((texts) => texts.length > 20 && {WIDTH} <= {A4_PX[0]}
  && texts.every((one) => one.px >= {PX_OF_7_PT} && one.contrast >= 4.5 && !one.cut))({TEXTS})"""
DRAWN = """[...Bokeh.documents[0]._all_models.values()].filter((one) => one.type === "Figure")
  .map((one) => [one, Bokeh.index.find_one(one)?.el])
  .filter(([_, el]) => el?.checkVisibility({visibilityProperty: true}))
  .map(([one, el]) => [one.background_fill_color, el.offsetWidth, el.offsetHeight])"""
"""Size and background of each figure in sight."""
ZLIB = b"x\x9c"
SCALES = re.compile(rb"([\d.]+) 0 0 -[\d.]+ 0 [\d.]+ cm\nq\n([\d.]+) 0 0 ")
"""Of a page that Chromium prints: of its units to points, and of the pixels of the page to its units."""
PDF = {"paperWidth": 210 / 25.4, "paperHeight": 297 / 25.4, "preferCSSPageSize": True}


async def test_every_look_on_a4_has_dark_texts_of_7_pt_that_are_whole(shown):
    tab = shown.tab
    await tab.call("Page.bringToFront")
    await choose(tab, "zhurong/damaged")
    await tab.run(HOOK)
    await tab.resize(A4_PX)
    try:
        for name in LOOKS:  # each is made in the colours of the screen
            await look(tab, name)
        await tab.call("Emulation.setEmulatedMedia", media="print")
        for name in LOOKS:
            await look(tab, name)
            try:
                await tab.until(f"{GOOD} && {SEEN}.startsWith('{name}')")
            except AssertionError:
                pytest.fail(f"{name}: {await tab.run(FAULTS)}, as wide as {await tab.run(WIDTH)} px")
    finally:
        await tab.call("Emulation.setEmulatedMedia", media="")
        await tab.resize()
    assert await tab.run("errors") == []


async def test_a_wide_page_is_printed_at_its_size_and_is_as_before_on_the_screen(shown):
    tab = shown.tab
    await tab.call("Page.bringToFront")
    await choose(tab, "zhurong/damaged")
    await look(tab, "radar")
    await tab.until(f"{DRAWN}.length == 4")
    before = await tab.run(DRAWN)
    pdf = base64.b64decode((await tab.call("Page.printToPDF", **PDF))["data"])
    found = re.findall(rb"stream\r?\n(.*?)endstream", pdf, re.DOTALL)
    pages = [SCALES.match(zlib.decompress(one)) for one in found if one[:2] == ZLIB]
    scales = [float(page[1]) * float(page[2]) for page in pages if page]
    assert scales == pytest.approx([72 / 96], rel=0.01)  # pt of a px: the page was not made smaller to fit
    assert await tab.run(DRAWN) == before
    assert await tab.run("errors") == []
