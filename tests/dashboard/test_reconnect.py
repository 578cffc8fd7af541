"""A page whose connection is cut, or whose server is started again, says so and then works as before."""

from urllib.parse import urlsplit

import pytest
from downlink_pipeline.commands import live_page as app
from downlink_pipeline.dashboard import server
from downlink_pipeline.dashboard.admission import Admission
from downlink_pipeline.mqtt.broker import broker as broker_at

pytest.importorskip("bokeh", reason="bokeh is not installed")
from browser import MODELS
from driving import LOOKS, choose, column, look, model, page, received, replay
from relay import Relay
from waiting import until

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of Bokeh and Tornado, not of ours
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
BANNER = "document.getElementById('connection')?.textContent"
WORDS = """(() => {
  const found = []
  const walk = (node) => { for (const one of node.children ?? []) {
    if (one.getBoundingClientRect().width && one.matches("div > b, td")) found.push(one.textContent)
    if (one.shadowRoot) walk(one.shadowRoot)
    walk(one) } }
  walk(document.body)
  return found
})()"""
"""Titles and cells that are in sight."""


async def shows(tab, stream, bundled):
    """Wait for the Pass look of a stream with its words, in a page without a banner."""
    await tab.until(f"{BANNER} == null && {MODELS}", timeout_s=60)
    assert await tab.run(f"{model('looks')}.active") == LOOKS.index("pass")
    assert await tab.run(f"{model('stream')}.value") == stream
    frames = f"{received(bundled, stream.split('/')[1])['relay']:,}"
    await tab.until(f"{WORDS}.includes('Link') && {WORDS}.includes('{frames}')")


@pytest.mark.parametrize("discarded", [False, True])
async def test_a_page_works_again_after_its_network_was_cut(chromium, bundled, discarded, monkeypatch):
    """Whether the server still has the session of the page, or discarded it meanwhile."""
    if discarded:
        monkeypatch.setattr(server, "UNUSED_MS", 500)
    admissions = []
    monkeypatch.setattr(server, "Admission", lambda: admissions.append(Admission()) or admissions[-1])
    async with page() as (address, served):
        await replay(address, bundled)
        relay = Relay("127.0.0.1", urlsplit(served.url).port)
        await relay.open()
        try:
            tab = await chromium.open(f"http://127.0.0.1:{relay.port}/")
            await choose(tab, "zhurong/clean")
            await look(tab, "pass")
            await shows(tab, "zhurong/clean", bundled)
            await relay.close()
            assert "No connection to the dashboard" in await tab.until(BANNER)
            if discarded:
                await until(lambda: not admissions[0].n_pages, 60)
            else:
                assert admissions[0].n_pages == 1
            await relay.open()
            await shows(tab, "zhurong/clean", bundled)
            await look(tab, "traverse")
            await tab.until(f"{column('path', 'east')}.length > 0 && {WORDS}.includes('Path')")
        finally:
            await relay.close()


async def test_a_page_works_again_after_its_server_was_started_anew(chromium, bundled):
    async with broker_at(None) as address:
        async with app.dashboard(address, port=0) as served:
            await until(lambda: served.state.connected)  # it has subscribed: products are not retained
            port = urlsplit(served.url).port
            await replay(address, bundled)
            tab = await chromium.open(f"{served.url}?theme=light")
            await choose(tab, "zhurong/clean")
            await shows(tab, "zhurong/clean", bundled)
            await tab.until("location.search.includes('stream=zhurong%2Fclean')")
        await tab.until(BANNER)
        async with app.dashboard(address, port=port) as served:
            await tab.until(f"{BANNER} == null && {MODELS}", timeout_s=60)
            assert await tab.run(f"{model('stream')}.value") == "zhurong/clean"
            assert await tab.run("document.documentElement.classList.contains('light')")
            header = f"{model('header')}.tags[0]"
            assert "retained by the broker" in await tab.until(f"{WORDS}.includes('Link') && {header}")
            await replay(address, bundled)
            await shows(tab, "zhurong/clean", bundled)
            await tab.until(f"{header}.includes('last heard')")
