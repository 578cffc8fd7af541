"""Messages of a real replay, made once; and where a browser is wanted, one."""

import asyncio
import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from downlink_pipeline.messages import topics

sys.path.insert(0, str(Path(__file__).parent))
if importlib.util.find_spec("bokeh"):
    import browser as _browser
    import driving
    import synthetic
else:
    _browser = None


@pytest.fixture(scope="session")
def messages(products):
    return [topics.product_message(product) for product in products]


@pytest.fixture(scope="session")
def chromium_port(tmp_path_factory):
    if _browser is None:
        pytest.skip("bokeh is not installed")
    if _browser.CHROMIUM is None:
        pytest.skip("no chromium: apt-get install chromium")
    with _browser.chromium(tmp_path_factory.mktemp("chromium")) as port:
        yield port


@pytest.fixture
async def chromium(chromium_port):
    async with asyncio.timeout(120), _browser.Browser(chromium_port) as opened:
        yield opened


@dataclass
class Shown:
    """A page of two replays that are over, and of products that no pass has; one tab is open."""

    address: Any
    url: str
    browser: Any
    tab: Any


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shown(chromium_port, bundled):
    async with driving.page() as (address, served), _browser.Browser(chromium_port) as opened:
        await driving.replay(address, bundled)
        await driving.replay(address, bundled, "damaged")
        made = [
            *synthetic.pictures(),
            synthetic.sound(3),
            synthetic.sound(5, 26.0),
            synthetic.radargram(n_bins=600),
        ]
        await driving.publish(address, made)
        yield Shown(address, served.url, opened, await opened.open(served.url))
