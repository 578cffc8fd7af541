"""Each look in a headless browser: the numbers that are drawn are those of the products. One page serves all tests."""

import asyncio
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("bokeh", reason="bokeh is not installed")
import synthetic
from driving import LOOKS, choose, column, joined, look, model, pixels, publish, received

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of Bokeh and Tornado, not of ours
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
ALL_IN_SIGHT = """(() => {
  const found = []
  const walk = (node) => {
    for (const child of node.children ?? []) {
      if (child.classList?.contains("bk-Figure")) found.push(child.getBoundingClientRect())
      if (child.shadowRoot) walk(child.shadowRoot)
      walk(child)
    }
  }
  walk(document.body)
  const seen = found.filter((box) => box.width > 0)
  return seen.length > 0 && document.documentElement.scrollHeight <= innerHeight
    && seen.every((box) => box.width > 70 && box.height > 70 && box.right <= innerWidth && box.bottom <= innerHeight)
})()"""


async def test_every_look_draws_what_was_published(shown, bundled, products):
    tab = shown.tab
    await choose(tab, "zhurong/clean")

    await look(tab, "field")
    field = joined(products, "magnetometer/field", "field_a_enu_nt")
    await tab.until(f"{column('field_a', 'z')}.length == {len(field)}")
    await tab.until(f"Math.abs({column('field_a', 'z')}[0] - {field[0, 2]}) < 1e-9")
    np.testing.assert_array_equal(await tab.run(column("field_a", "z")), field[:, 2])
    temperature = joined(products, "weather/meteorology", "air_temperature_k")
    await tab.until(f"{column('weather', 'air_temperature_k')}.length == {len(temperature)}")
    np.testing.assert_array_equal(await tab.run(column("weather", "air_temperature_k")), temperature)

    await look(tab, "radar")
    await tab.run(f"{model('made')}.value = 'as received'")
    traces = joined(products, "gpr/high_frequency", "real")
    image = "Bokeh.documents[0].get_model_by_name('gpr/high_frequency').data.image[0]"
    await tab.until(f"{image}?.shape[0] == {2048 // 3}")
    n_bins, n_columns = await tab.run(f"{image}.shape")
    assert abs(n_columns - len(traces)) <= 2
    assert n_bins == 2048 // 3  # three bins are a pixel

    await look(tab, "spectra")
    await tab.run(f"{model('point')}.value = 'latest point'")
    mean = (
        [p for p in products if p.instrument == "libs" and p.product == "mean"][-1].arrays["net_counts"].values[-1]
    )
    await tab.until(f"{column('libs_mean', 'mean')}.length >= {len(mean)}")
    await tab.until(f"Math.abs({column('libs_mean', 'mean')}[0] - {mean[0]}) < 1e-6")
    drawn = np.array(await tab.run(column("libs_mean", "mean")), float)
    np.testing.assert_array_equal(drawn[np.isfinite(drawn)], mean)

    await look(tab, "traverse")
    position = joined(products, "rover/navigation", "position_enu_m")
    await tab.until(f"{column('path', 'north')}.length == {len(position)}")
    np.testing.assert_allclose(await tab.run(column("path", "north")), position[:, 1], atol=1e-9)

    await look(tab, "pass")
    await tab.until(f"{column('symbols', 'codewords')}[0] == {4 * received(bundled)['read']}")
    assert await tab.run(column("channels", "frames")) == [
        received(bundled)["relay"],
        received(bundled)["orbiter"],
    ]
    assert await tab.run("errors") == []


async def test_no_look_scrolls_on_a_laptop_and_nothing_outside_is_asked_for(shown):
    tab = shown.tab
    await choose(tab, "zhurong/clean")
    for name in LOOKS:
        await look(tab, name)
        await tab.until(ALL_IN_SIGHT)
    asked = await tab.run("performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert all(url.startswith((shown.url, "data:", "blob:")) for url in asked)
    assert await tab.run("errors") == []


async def test_csv_has_a_line_for_each_row(shown, products):
    tab = shown.tab
    await choose(tab, "zhurong/clean")
    await look(tab, "radar")
    await tab.run(f"{model('made')}.value = 'as received'")
    await tab.until(f"{model('gpr/high_frequency')}.data.twt[0]?.length == {2048 // 3}")
    await look(tab, "traverse")
    n_rows = len(joined(products, "rover/navigation", "heading_deg"))
    await tab.until(f"{column('path', 'east')}.length == {n_rows}")
    clicked = """(async () => {
      const found = []
      for (const button of Bokeh.documents[0]._all_models.values()) {
        if (button.label !== "CSV") continue
        const [save] = button.js_event_callbacks.button_click
        await save.execute(button)
        found.push([save.args.file, downlink_csv])
      }
      return found
    })()"""
    found = await tab.run(clicked)
    assert ["path.csv", n_rows + 1] in found
    assert ["gpr_high_frequency.csv", 2048 // 3 + 1] in found


async def test_a_click_makes_the_figures_light(shown):
    tab = shown.tab
    await choose(tab, "zhurong/clean")
    await look(tab, "traverse")
    traverse = f"{model('looks')}.tabs.find((one) => one.title === 'Traverse').child"
    colour = f"{traverse}.children[0]?.children[1]?.background_fill_color"
    assert await tab.until(colour) == "#1b2027"
    await asyncio.sleep(0.5)
    await tab.click(1314, 20)
    await tab.until(f"{colour} == '#ffffff'")
    assert await tab.run("document.documentElement.classList.contains('light')")
    await tab.click(1314, 20)
    await tab.until(f"{colour} == '#1b2027'")


async def test_another_stream_is_chosen(shown, bundled):
    tab = shown.tab
    await choose(tab, "zhurong/damaged")
    await look(tab, "pass")
    await tab.until(f"{column('channels', 'frames')}[0] == {received(bundled, 'damaged')['relay']}")
    await tab.run("Bokeh.documents[0].get_model_by_name('stream').value = 'zhurong/clean'")
    await tab.until(f"{column('channels', 'frames')}[0] == {received(bundled)['relay']}")
    assert await tab.run(f"{column('events', 'text')}.length") == 3  # two dust devils and the clock


async def test_a_plot_that_is_zoomed_stays_zoomed_while_data_come(shown, products):
    tab = shown.tab
    weather = [
        replace(p, stream="zoomed") for p in products if (p.instrument, p.product) == ("weather", "meteorology")
    ]
    half = weather[: len(weather) // 2]
    await publish(shown.address, half)
    await choose(tab, "zhurong/zoomed")
    await look(tab, "field")
    await tab.until(f"{column('weather', 'time')}.length == {sum(len(p.quality) for p in half)}")
    figure = f"{model('looks')}.tabs[2].child.children[1].children[1].children[1].children[1]"
    seen = f"[{figure}.x_range.start, {figure}.x_range.end]"
    await asyncio.sleep(1)
    before = await tab.run(seen)
    await tab.wheel(520, 520, -240)
    await tab.until(f"{figure}.x_range.end - {figure}.x_range.start < {0.9 * (before[1] - before[0])}")
    await asyncio.sleep(0.5)
    zoomed = await tab.run(seen)
    await publish(shown.address, weather[len(half) :])
    await tab.until(f"{column('weather', 'time')}.length == {sum(len(p.quality) for p in weather)}")
    await asyncio.sleep(0.5)
    assert await tab.run(seen) == zoomed


async def test_who_comes_late_sees_the_latest_state_at_once(shown, products):
    tab = await shown.browser.open(f"{shown.url}?theme=light")
    await choose(tab, "zhurong/clean")
    await look(tab, "traverse")
    n_rows = len(joined(products, "rover/navigation", "heading_deg"))
    await tab.until(f"{column('path', 'east')}.length == {n_rows}", timeout_s=5)
    assert await tab.run("document.documentElement.classList.contains('light')")


async def test_the_wind_the_sound_the_frame_and_the_clock_are_those_of_the_products(shown, products):
    tab = shown.tab
    await choose(tab, "zhurong/clean")
    await look(tab, "field")
    speed, direction = (
        joined(products, "weather/meteorology", f"wind_{n}") for n in ("speed_m_s", "from_direction_deg")
    )
    await tab.until(f"{column('weather', 'time')}.length == {len(speed)}")
    await asyncio.sleep(0.5)

    sector, named, share = [await tab.run(column("wind rose", name)) for name in ("sector", "speed", "share")]
    south = {name: one for where, name, one in zip(sector, named, share, strict=True) if where == "S"}
    in_south = np.abs(direction - 180) < 11.25
    expected = 100 * np.mean(in_south & (speed >= 4) & (speed < 7))
    assert south["4 to 7 m/s"] == pytest.approx(expected, abs=0.3)
    assert "N" not in sector

    sounds = [p for p in products if p.product == "sound"]
    level = max(sounds, key=lambda p: p.time.utc_ns).arrays["band_level_db"].values[-1]
    await tab.until(f"{column('sound', 'level')}.length == {len(level)}")
    np.testing.assert_allclose(await tab.run(column("sound", "level")), level)

    await tab.run(f"{model('frame')}.value = 'rover: X ahead, Y right, Z down'")
    rover = joined(products, "magnetometer/field", "field_b_rover_nt")
    await tab.until(f"Math.abs({column('field_b', 'y')}[0] - {rover[0, 1]}) < 1e-9")
    np.testing.assert_array_equal(await tab.run(column("field_b", "x")), rover[:, 0])

    first = next(p for p in products if p.product == "meteorology")
    solar_ms = (await tab.run(column("weather", "solar")))[0]
    assert solar_ms / 3.6e6 == pytest.approx(first.time.sol[0] * 24 + first.time.ltst_h[0], abs=1e-6)
    await tab.run(f"{model('clock')}.value = 'local true solar time'")
    figure = f"{model('looks')}.tabs[2].child.children[1].children[1].children[1].children[1]"
    await tab.until(f"{figure}.renderers[0].glyph.x.field == 'solar'")
    await tab.run(f"{model('clock')}.value = 'onboard time, UTC'")
    await tab.run(f"{model('frame')}.value = 'local: east, north, up'")
    assert await tab.run("errors") == []


async def test_pictures_of_each_camera_and_filter_are_shown_with_their_bad_lines(shown):
    tab = shown.tab
    await choose(tab, "zhurong/synthetic")
    pictures = synthetic.pictures()
    await look(tab, "cameras")
    await tab.run(f"{model('camera')}.value = 'latest'")
    await tab.until(f"{column('latest pictures cells', 'label')}.length == {len(pictures)}")
    labels = await tab.run(column("latest pictures cells", "label"))
    assert labels == [*(f"{nm} nm" for nm in synthetic.FILTERS_NM), "left", "right"]
    newest = pictures[-1].arrays["image"].values[0]
    np.testing.assert_array_equal(np.array(await tab.run(pixels("picture")), np.float32), newest.ravel())

    await tab.run(f"{model('camera')}.value = 'NaTeCam left'")
    await tab.until(f"{column('partner', 'image')}.length == 1")
    left, right = (p.arrays["image"].values[0].astype(np.uint32) for p in pictures[:2])
    for name, colour in (("picture", left), ("partner", right)):
        drawn = np.array(await tab.run(pixels(name)), np.uint32)
        np.testing.assert_array_equal(drawn & 255, colour[..., 0].ravel())
        np.testing.assert_array_equal(drawn >> 16 & 255, colour[..., 2].ravel())
    assert await tab.run(column("picture flags", "top")) == []
    assert await tab.run(column("partner flags", "top")) == [synthetic.BAD_LINES.start]
    assert await tab.run(column("partner flags", "bottom")) == [synthetic.BAD_LINES.stop]
    assert "12 of 96 lines are not good" in await tab.run(
        f"{model('looks')}.tabs[4].child.children[1].children[0].children[1].children[0].children[0].tags[0]"
    )

    await tab.run(f"{model('pictures of the sol cells')}.selected.indices = [4]")
    await tab.until(f"{column('partner', 'image')}.length == 0")
    await tab.until(f"{model('notes')}.tags[0].includes('<td>{synthetic.FILTERS_NM[2]} nm</td>')")
    assert await tab.run("errors") == []


async def test_a_click_on_what_was_taken_goes_there(shown, products):
    tab = shown.tab
    await choose(tab, "zhurong/clean")
    n_points = sum((p.instrument, p.product) == ("libs", "mean") for p in products)
    await look(tab, "traverse")
    await tab.until(f"{column('taken', 'what')}.includes('MSCam 650 nm')")
    await tab.until(f"{column('taken', 'what')}.filter((what) => what.startsWith('LIBS')).length == {n_points}")
    await tab.run(f"{model('taken')}.selected.indices = [{column('taken', 'what')}.indexOf('MSCam 650 nm')]")
    await tab.until(f"{model('looks')}.active == {LOOKS.index('cameras')}")
    await tab.until(f"{model('notes')}.tags[0].includes('650 nm')")

    await look(tab, "traverse")
    first = f"{column('taken', 'what')}.findIndex((what) => what.startsWith('LIBS'))"
    await tab.run(f"{model('taken')}.selected.indices = [{first}]")
    await tab.until(f"{model('looks')}.active == {LOOKS.index('spectra')}")
    await tab.until(f"{model('point')}.value != 'latest point'")
    assert await tab.run(f"{model('point')}.value == {model('point')}.options[1]")


async def test_a_processed_radargram_takes_the_place_of_its_traces(shown):
    tab = shown.tab
    await choose(tab, "zhurong/synthetic")
    made = synthetic.radargram(n_bins=600)
    await look(tab, "radar")
    await tab.run(f"{model('made')}.value = 'newest'")
    n_bins, n_traces = 600, 80
    shape = f"{model('gpr/high_frequency')}.data.image[0]?.shape"
    await tab.until(f"{shape}?.[0] == {n_bins} && {shape}?.[1] == {n_traces}")
    drawn = np.array(await tab.run(pixels("gpr/high_frequency")), float).reshape(n_bins, n_traces)
    expected = 20 * np.log10(made.arrays["envelope"].values.T) + np.linspace(0, 20, n_bins)[:, None]
    np.testing.assert_allclose(drawn, expected, atol=0.3)


OUT_OF_PLACE = """(() => {
  const found = []
  const walk = (node) => {
    for (const one of node.children ?? []) {
      const box = one.getBoundingClientRect()
      if (box.width && box.right > innerWidth + 1 && one.matches("button, figure, .bk-Figure, .bk-Column"))
        found.push(`${one.className} ends at ${box.right}`)
      if (one.matches("div > b")) {
        const line = one.parentElement.getBoundingClientRect()
        for (const word of one.parentElement.children) {
          const at = word.getBoundingClientRect()
          if (line.width && at.top < line.bottom - 2 && at.right > line.right + 1)
            found.push(`${word.textContent} is cut`)
        }
      }
      if (one.shadowRoot) walk(one.shadowRoot)
      walk(one)
    }
  }
  walk(document.body)
  return found
})()"""


@pytest.mark.parametrize("size", [(1400, 900), (1000, 700)])
@pytest.mark.parametrize("name", ["pass", "field"])
async def test_nothing_is_cut_or_beside_the_page(shown, size, name):
    await shown.tab.call("Page.bringToFront")
    await choose(shown.tab, "zhurong/damaged")
    await shown.tab.resize(size)
    await look(shown.tab, name)
    try:
        await shown.tab.until(f"innerWidth == {size[0]} && {OUT_OF_PLACE}.length == 0")
    finally:
        await shown.tab.resize()  # other tests click in the same tab


async def test_an_event_is_told_in_full(shown):
    await choose(shown.tab, "zhurong/damaged")
    await look(shown.tab, "pass")
    fits = """(() => {
      const cells = []
      const walk = (node) => { for (const one of node.children ?? []) {
        if (one.matches("td.text")) cells.push(one)
        if (one.shadowRoot) walk(one.shadowRoot)
        walk(one) } }
      walk(document.body)
      const seen = cells.filter((one) => one.getBoundingClientRect().width)
      return seen.length > 5 && seen.every((one) => one.getBoundingClientRect().right <= innerWidth)
    })()"""
    await shown.tab.until(fits)


async def test_why_rows_are_doubtful_is_read_in_full_and_corrected_ones_are_not_marked(shown):
    whole = """(() => {
      const flags = []
      const walk = (node, clips) => { for (const one of node.children ?? []) {
        const box = one.getBoundingClientRect()
        if (one.matches(".flag") && box.width)
          flags.push([one.textContent, clips.every((c) => c.bottom >= box.bottom - 1 && c.right >= box.right - 1)])
        const next = getComputedStyle(one).overflow === "hidden" || one.matches(".bk-Row") ? [...clips, box] : clips
        if (one.shadowRoot) walk(one.shadowRoot, next)
        walk(one, next) } }
      walk(document.body, [])
      return flags
    })()"""
    await shown.tab.call("Page.bringToFront")
    await choose(shown.tab, "zhurong/damaged")
    await look(shown.tab, "field")
    await shown.tab.until(f"{column('field_a', 'time')}.length > 9000")
    field = f"{whole}.filter(([text]) => text.includes('of 9,440 doubtful: no attitude'))"
    flags = await shown.tab.until(f"{field}.length == 2 && {whole}.every(([_, seen]) => seen) && {field}")
    marks = np.array(await shown.tab.run(column("field_a", "mark")), float)
    assert np.count_nonzero(np.isfinite(marks)) == int(flags[0][0].split()[1].replace(",", ""))
    assert await shown.tab.run("errors") == []
