"""What tests say to a page, and how they read what it draws."""

import json
from contextlib import asynccontextmanager

import numpy as np
from downlink_pipeline.commands import live as app
from downlink_pipeline.commands import live_page
from downlink_pipeline.messages import topics
from downlink_pipeline.mission.loading import load_mission
from downlink_pipeline.mqtt.broker import broker as broker_at
from downlink_pipeline.mqtt.publisher import Publisher
from waiting import until

LOOKS = ("pass", "radar", "field", "spectra", "cameras", "traverse", "parameters", "packets", "events")
WITH_TEXT = """(() => {
  const found = []
  const walk = (node) => {
    for (const child of node.children ?? []) {
      if (child.matches("button") && child.textContent.trim() === TEXT) found.push(child.getBoundingClientRect())
      if (child.shadowRoot) walk(child.shadowRoot)
      walk(child)
    }
  }
  walk(document.body)
  const box = found.find((one) => one.width > 0)
  return box ? [box.x + box.width / 2, box.y + box.height / 2] : null
})()"""


def model(name):
    return f"Bokeh.documents[0].get_model_by_name('{name}')"


def column(source, name):
    return f"Array.from({model(source)}.data['{name}'] ?? [])"


def pixels(source):
    return f"Array.from({model(source)}.data.image[0])"


async def look(tab, name):
    """Open the tab whose title begins with `name`; tabs of other packages may stand between."""
    begins = f"(one) => one.title.toLowerCase().startsWith('{name}')"
    place = await tab.run(f"{model('looks')}.tabs.findIndex({begins})")
    assert place >= 0, f"the page has no tab {name}"
    await tab.run(f"{model('looks')}.active = {place}")
    await tab.until(f"{model('looks')}.tabs[{place}].child.children.length > 0")  # it is made when first seen


async def choose(tab, stream):
    await tab.call("Page.bringToFront")  # another test may have opened one over it: a hidden page takes no clicks
    await tab.run(f"{model('stream')}.value = '{stream}'")
    await tab.until(f"{model('header')}.tags[0].includes('<span>{stream}</span>')")


async def press(tab, text):
    """Click on the button that reads so, as a person does."""
    await tab.click(*await tab.until(WITH_TEXT.replace("TEXT", f"'{text}'")))


@asynccontextmanager
async def page():
    async with broker_at(None) as address, live_page.dashboard(address, port=0) as served:
        await until(lambda: served.state.connected)  # it has subscribed: products are not retained
        yield address, served


async def replay(address, bundled, name="clean"):
    mission = load_mission("zhurong")
    await app.replay([bundled / f"{name}.cadu"], mission, address, lambda *_: None, stream=name, speed=None)


async def publish(address, made):
    async with Publisher(address) as publisher:
        await publisher.publish([topics.product_message(one) for one in made])


def joined(products, kind, array):
    return np.concatenate([p.arrays[array].values for p in products if f"{p.instrument}/{p.product}" == kind])


def received(bundled, name="clean"):
    """Frames that arrived, by the simulator's books."""
    return json.loads((bundled / f"{name}.cadu.truth.json").read_text())["frames_received"]
