"""What a viewer can reach: every tab by click and by key at every size, while a replay's bar stands beside them."""

import asyncio
from itertools import pairwise

import pytest
from downlink_pipeline.commands import live as app
from downlink_pipeline.mission.loading import load_mission

pytest.importorskip("bokeh", reason="bokeh is not installed")
from driving import LOOKS, model, page

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of Bokeh and Tornado, not of ours
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
LAST = len(LOOKS) - 1
TABS = "Bokeh.index.find_one(Bokeh.documents[0].get_model_by_name('looks')).header_els"
PLACES = f"""{TABS}.map((tab) => tab.getBoundingClientRect())
  .map((box) => [box.x + box.width / 2, box.y + box.height / 2])"""
ACTIVE = f"{model('looks')}.active"
FOCUSED = """(() => {
  let one = document.activeElement
  while (one?.shadowRoot?.activeElement) one = one.shadowRoot.activeElement
  return one?.role === "tab" ? one.textContent : ""
})()"""
BESIDE = """(() => {
  const found = []
  const walk = (node) => {
    for (const one of node.children ?? []) {
      const box = one.getBoundingClientRect()
      if (box.width && (box.right > innerWidth + 1 || box.left < -1) && one.matches(
        "button, select, input, .bk-Select, .bk-Slider, .bk-Checkbox, .bk-RadioButtonGroup, .bk-Figure"))
        found.push(`${one.className} ends at ${box.right}`)
      if (one.shadowRoot) walk(one.shadowRoot)
      walk(one)
    }
  }
  walk(document.body)
  return found
})()"""

BAR = f"""(() => {{
  const view = Bokeh.index.find_one({model("replay_bar")})
  const text = document.createRange()
  text.selectNodeContents(view.child_views[0].markup_el)
  return [text, ...view.child_views.slice(1).map((one) => one.el)].map((one) => one.getBoundingClientRect())
    .map((box) => [box.left, box.right, box.top, box.bottom])
}})()"""
"""Left, right, top and bottom of what the bar of a replay says, its button, its slider and its speed."""


async def key(tab, name, code):
    for kind in ("rawKeyDown", "keyUp"):
        await tab.call("Input.dispatchKeyEvent", type=kind, key=name, code=name, windowsVirtualKeyCode=code)


SIZES = [(1366, 650), (1000, 700), (390, 844)]


async def test_every_tab_is_reached_at_every_size_while_a_replay_is_on(chromium, bundled):
    async with page() as (address, served):
        run = asyncio.create_task(
            app.replay(
                [bundled / "clean.cadu"], load_mission("zhurong"), address, lambda *_: None,
                stream="clean", speed=8, hold=True,
            )
        )  # fmt: skip
        try:
            for size in SIZES:
                tab = await chromium.open(served.url, size=size)
                await tab.until(f"{model('replay_bar')}.visible")
                await tab.until(
                    f"{model('looks')}.tags[0]?.length == 0 && {TABS}.every((one) => one.offsetWidth && one.role)",
                    timeout_s=60,
                )
                stands_together(await at_rest(tab, BAR))
                await by_keys(tab)
                await by_clicks(tab)
                assert await tab.run("errors") == []
        finally:
            run.cancel()
            await asyncio.wait((run,))


def stands_together(boxes):
    """The bar begins at the left edge, and nothing in a line of it is further from its neighbour than 30 px."""
    text, button, *_ = boxes
    assert button[0] < 20
    if text[3] > button[2] and text[2] < button[3]:  # in one line
        boxes = sorted(boxes)
        assert max(after[0] - before[1] for before, after in pairwise(boxes)) < 30
    else:
        assert text[0] < 20


async def by_keys(tab):
    for _ in range(40):
        await key(tab, "Tab", 9)
        if await tab.run(FOCUSED):
            break
    assert await tab.run(FOCUSED) == "Pass"
    await key(tab, "Tab", 9)
    assert await tab.run(FOCUSED) == "Radar"
    await key(tab, "Enter", 13)
    await tab.until(f"{ACTIVE} == 1")
    for name, code, at in (
        ("ArrowRight", 39, 2),
        ("End", 35, LAST),
        ("ArrowRight", 39, 0),
        ("ArrowLeft", 37, LAST),
    ):
        await key(tab, name, code)
        await tab.until(f"{ACTIVE} == {at} && {FOCUSED} == {TABS}[{at}].textContent")
    await tab.until(f"{TABS}[{LAST}].ariaSelected == 'true'")


async def by_clicks(tab):
    for i in range(len(LOOKS)):
        await tab.click(*await at_rest(tab, f"{PLACES}[{i}]"))
        await tab.until(f"{ACTIVE} == {i}")
        await tab.until(f"{BESIDE}.length == 0")


async def at_rest(tab, place):
    """Where something is, once the page is laid out: it is there at two looks in a row."""
    async with asyncio.timeout(20):
        before, found = None, await tab.run(place)
        while found != before:
            await asyncio.sleep(0.1)
            before, found = found, await tab.run(place)
    return found
