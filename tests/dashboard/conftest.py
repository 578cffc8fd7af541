"""Messages of a real replay, made once; and where a browser is wanted, one."""

import asyncio
import importlib.util
import sys
from pathlib import Path

import pytest

from pipeline import topics

if importlib.util.find_spec("bokeh"):
    sys.path.insert(0, str(Path(__file__).parent))
    import browser as _browser
else:
    _browser = None


@pytest.fixture(scope="session")
def messages(products):
    return [topics.product_message(product) for product in products]


@pytest.fixture
async def chromium(tmp_path):
    if _browser is None:
        pytest.skip("bokeh is not installed")
    if _browser.CHROMIUM is None:
        pytest.skip("no chromium: apt-get install chromium")
    async with asyncio.timeout(120), _browser.chromium(tmp_path) as opened:
        yield opened
