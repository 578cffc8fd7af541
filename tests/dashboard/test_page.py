"""The page and what is around it: a replay that it steers, a broker that is lost, ports, signals, many tabs."""

import asyncio
import os
import signal
import socket
from contextlib import asynccontextmanager
from urllib.request import urlopen

import numpy as np
import pytest
from downlink_pipeline.commands import live as app
from downlink_pipeline.commands import live_page
from downlink_pipeline.mission.loading import load_mission
from downlink_pipeline.model.errors import RunError
from downlink_pipeline.mqtt.broker import BrokerAddress
from downlink_pipeline.mqtt.broker import broker as broker_at

pytest.importorskip("bokeh", reason="bokeh is not installed")
from driving import column, joined, look, model, page, press, received, replay
from relay import Relay

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of Bokeh and Tornado, not of ours
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@asynccontextmanager
async def replaying(address, recording, speed):
    mission = load_mission("zhurong")
    run = asyncio.create_task(
        app.replay([recording], mission, address, lambda *_: None, stream="clean", speed=speed, hold=True)
    )
    try:
        yield
    finally:
        run.cancel()
        await asyncio.wait((run,))


async def test_a_replay_is_paused_wound_and_sped_from_the_page(chromium, bundled, products):
    up = joined(products, "magnetometer/field", "field_a_enu_nt")[:, 2]
    told, drawn = f"{model('replay')}.tags[0]", column("field_a", "z")
    async with page() as (address, served), replaying(address, bundled / "clean.cadu", 0.2):
        tab = await chromium.open(served.url)
        await look(tab, "field")
        await press(tab, "pause")
        await tab.until(f"{told}.includes('<b>paused')")
        await asyncio.sleep(0.6)  # what was under way comes
        n_paused = await tab.run(f"{drawn}.length")
        await asyncio.sleep(1.0)  # nothing more comes
        assert await tab.run(f"{drawn}.length") == n_paused < len(up) / 2

        await tab.run(f"{model('place')}.value_throttled = 60")
        await tab.until(f"{told}.includes('<b>paused</b> 60 %') && {drawn}.length > {n_paused}")
        await asyncio.sleep(0.6)  # nothing more comes
        forward = await tab.run(drawn)
        np.testing.assert_array_equal(forward, up[: len(forward)])
        assert n_paused < len(forward) < len(up)

        await tab.run(f"{model('place')}.value_throttled = 30")
        await tab.until(
            f"{told}.includes('<b>paused</b> 30 %') && {drawn}.length < {len(forward)} && {drawn}.length > 0"
        )
        await asyncio.sleep(0.6)  # nothing more comes
        back = await tab.run(drawn)
        np.testing.assert_array_equal(back, up[: len(back)])

        await tab.run(f"{model('speed')}.value = 'max'")
        await tab.until(f"{model('speed')}.value == 'max'")
        await press(tab, "resume")
        await tab.until(f"{drawn}.length == {len(up)} && {told}.includes('<b>ended')")
        assert (await tab.run("errors")) == []


async def test_a_lost_broker_is_shown_and_heals(chromium, bundled):
    async with broker_at(None) as real:
        relay = Relay(real.host, real.port)
        await relay.open()
        try:
            async with live_page.dashboard(BrokerAddress("127.0.0.1", relay.port), port=0) as served:
                await until(lambda: served.state.connected)
                await replay(real, bundled)
                tab = await chromium.open(served.url)
                header = "Bokeh.documents[0].get_model_by_name('header').tags[0]"
                await tab.until(f"{header}.includes('broker connected')")
                await relay.close()
                await tab.until(f"{header}.includes('broker lost')")
                await relay.open()
                await tab.until(f"{header}.includes('broker connected')")
                await asyncio.sleep(0.3)  # connected is told before it has subscribed anew
                await replay(real, bundled, "damaged")
                await tab.until(f"{column('channels', 'frames')}[0] == {received(bundled, 'damaged')['relay']}")
        finally:
            await relay.close()


async def test_however_many_tabs_are_open_the_broker_has_one_subscriber(bundled):
    async with broker_at(None) as real:
        relay = Relay(real.host, real.port)
        await relay.open()
        try:
            async with live_page.dashboard(BrokerAddress("127.0.0.1", relay.port), port=0) as served:
                await until(lambda: served.state.connected)
                for _ in range(3):
                    await asyncio.to_thread(fetch, served.url)
                await replay(real, bundled)
                assert "zhurong/clean" in served.state.streams
                assert relay.n_connections == 1
        finally:
            await relay.close()


async def test_a_taken_port_is_one_clear_line_or_another_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with broker_at(None) as address:
            with pytest.raises(RunError, match=f"cannot serve the dashboard on 127.0.0.1:{port}"):
                async with live_page.dashboard(address, port=port):
                    pass
            async with live_page.dashboard(address, port=port, or_any_port=True) as served:
                assert f":{port}/" not in served.url


async def test_a_broker_that_comes_later_is_waited_for_and_the_person_told():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    told, urls = [], []
    address = BrokerAddress("127.0.0.1", port)
    serving = asyncio.create_task(live_page.serve_dashboard(address, "127.0.0.1", 0, urls.append, told.append))
    try:
        await until(lambda: urls and told)
        assert told[0].startswith(f"waiting for mqtt://127.0.0.1:{port}")
        assert not serving.done()
        async with broker_at(None) as real:
            relay = Relay(real.host, real.port)
            relay.port = port
            await relay.open()
            try:
                await until(lambda: relay.n_connections)
            finally:
                await relay.close()
    finally:
        serving.cancel()
        await asyncio.wait((serving,))


async def test_a_page_says_that_the_broker_is_connected_before_any_message_comes():
    async with page() as (_, served):
        await until(lambda: served.state.connected)
        assert served.state.streams == {}


async def until(met, timeout_s=30.0):
    async with asyncio.timeout(timeout_s):
        while not met():  # noqa: ASYNC110 - told by callbacks
            await asyncio.sleep(0.02)


async def test_the_command_ends_by_a_signal():
    async with broker_at(None) as address:
        urls, before = [], signal.getsignal(signal.SIGTERM)
        serving = asyncio.create_task(live_page.serve_dashboard(address, "127.0.0.1", 0, urls.append))
        await until(lambda: urls and signal.getsignal(signal.SIGTERM) is not before)
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(serving, 10)


def fetch(url):
    """Make the server prepare a page, as a tab that opens does."""
    with urlopen(url, timeout=20) as answer:
        return answer.read()
