"""The page by keys alone: what has the focus is seen, a table is one stop; figures fit."""

import pytest

pytest.importorskip("bokeh", reason="bokeh is not installed")
from driving import column
from test_reach import at_rest, key

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of Bokeh and Tornado, not of ours
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
FOCUSED = """(() => {
  let one = document.activeElement
  while (one?.shadowRoot?.activeElement) one = one.shadowRoot.activeElement
  return one
})()"""
SEEN = f"""(() => {{
  const one = {FOCUSED}, style = getComputedStyle(one)
  const wanted = getComputedStyle(document.documentElement).getPropertyValue("--dl-focus")
  const probe = document.createElement("i")
  probe.style.color = wanted
  document.body.append(probe)
  const colour = getComputedStyle(probe).color
  probe.remove()
  return [one.tagName, style.outlineStyle === "solid" && style.outlineWidth === "2px" && style.outlineColor === colour]
}})()"""
ROWS = """(() => {
  const found = []
  const walk = (node) => {
    for (const one of node.children ?? []) {
      if (one.matches("tr[data-act], tr[data-pick]") && one.getBoundingClientRect().width) found.push(one)
      if (one.shadowRoot) walk(one.shadowRoot)
      walk(one)
    }
  }
  walk(document.body)
  return found
})()"""
BEYOND = """[...Bokeh.documents[0]._all_models.values()].filter((one) => one.type === "Figure")
  .map((one) => Bokeh.index.find_one(one)).filter((one) => one?.el.offsetWidth)
  .map((one) => Math.max(...one.axis_views.map((axis) => axis.bbox.bottom)) + one.el.getBoundingClientRect().top
    - one.el.getRootNode().host.getBoundingClientRect().bottom)
  .filter((px) => px > 1)"""
"""By how many pixels axes are cut off at the foot of their panels."""
NAMED = f"""(() => {{
  const one = {FOCUSED}
  return one.ariaLabel || one.textContent.trim() || one.title
}})()"""
"""What a screen reader says of what has the focus."""
ROLES = {"SELECT", "BUTTON", "DIV", "TR", "INPUT"}


async def opened(shown, name, size=(1366, 650)):
    """The look of a pass that is over, in a page of its own, once it is drawn."""
    title = "Field+and+weather" if name == "field" else name.title()
    tab = await shown.browser.open(f"{shown.url}?stream=zhurong/clean&look={title}", size=size)
    if name in ("parameters", "events"):
        await tab.until(f"{ROWS}.length > 10")
        await at_rest(tab, f"{ROWS}.map((one) => one.getBoundingClientRect().y)")
    if name == "field":
        await tab.until(f"{column('field_a', 'z')}.length > 1000")
    return tab


@pytest.mark.parametrize("name", ["field", "parameters", "radar", "events"])
async def test_what_tab_reaches_is_outlined_and_tab_comes_round(shown, name):
    tab = await opened(shown, name)
    stops = []
    for _ in range(60):
        await key(tab, "Tab", 9)
        if await tab.run(f"{FOCUSED} === document.body"):
            break
        tag, is_seen = await tab.run(SEEN)
        assert is_seen, (tag, await tab.run(f"{FOCUSED}.outerHTML.slice(0, 200)"))
        if tag == "SELECT":
            await tab.until(f"{FOCUSED}.ariaLabel")  # its text is that of its options
        elif tag in {"INPUT", "BUTTON"}:
            await tab.until(NAMED)
        stops.append(tag)
    assert len(stops) < 60, "Tab does not come round"
    assert set(stops) <= ROLES
    assert stops.count("TR") == (1 if name in ("parameters", "events") else 0)


async def test_rows_of_a_table_are_reached_by_arrows_home_and_end(shown):
    tab = await opened(shown, "parameters")
    for _ in range(60):
        await key(tab, "Tab", 9)
        if await tab.run(f"{FOCUSED}.tagName === 'TR'"):
            break
    rows = f"[...{FOCUSED}.getRootNode().querySelectorAll('tr[data-act], tr[data-pick]')]"
    n = await tab.run(f"{rows}.length")
    for name, code, at in (("End", 35, n - 1), ("ArrowUp", 38, n - 2), ("Home", 36, 0), ("ArrowDown", 40, 1)):
        await key(tab, name, code)
        assert await tab.run(f"{rows}.indexOf({FOCUSED})") == at
    assert await tab.run(f"{rows}.filter((one) => one.tabIndex === 0).length") == 1


CAPTION = """[...Bokeh.documents[0]._all_models.values()]
  .find((one) => one.type === "Div" && String(one.tags[0]).includes("<b>Air temperature</b>"))"""


async def test_figures_fit_their_panels_when_a_caption_takes_another_line(shown):
    tab = await opened(shown, "field", (1264, 700))
    assert await tab.run(f"{CAPTION}.tags[1]")  # it lays the page out again
    line = "<div class='flag'>2 of 300 doubtful: no attitude</div>"
    write = f"(one => one.setv({{tags: [one.tags[0] + `{line}`, DOES]}}, {{sync: false}}))({CAPTION})"
    await tab.run(write.replace("DOES", "false"))
    await tab.until(f"{BEYOND}.length > 0")
    await tab.run(write.replace("DOES", "true"))
    await tab.until(f"{BEYOND}.length === 0")
