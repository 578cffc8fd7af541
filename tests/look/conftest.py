"""A real replay's messages, and the JavaScript that some tests run."""

import asyncio
import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from downlink_pipeline.mission.loading import load_mission
from downlink_pipeline.processing.chain import Line
from downlink_pipeline.replay.player import Tape
from downlink_pipeline.replay.session import Replay

if importlib.util.find_spec("tornado"):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "dashboard"))
    import browser as _browser
else:
    _browser = None

REPOSITORY = Path(__file__).resolve().parents[2]
NODE = REPOSITORY / ".venv" / "node"


@pytest.fixture(scope="session")
def replayed(bundled):
    """Every message of a replay of the damaged pass, as a broker would get them."""
    found = []

    async def publish(messages):
        found.extend(messages)

    async def run():
        tape = Tape(lambda: Line(load_mission("zhurong"), "damaged"), [bundled / "damaged.cadu"], None)
        await Replay(tape, "zhurong", "damaged", publish).run(asyncio.Event(), lambda *_: None)

    asyncio.run(run())
    return found


@pytest.fixture(scope="session")
def node():
    """Run a script of tests/node with the packages of .venv/node; gives what it prints, read as JSON."""
    program = shutil.which("node")
    if program is None or not (NODE / "node_modules").is_dir():
        pytest.skip("no node or its packages: make test installs them where it can")

    def run(script, *arguments):
        place = NODE / script  # imports are looked up from where a script stands
        place.write_text((REPOSITORY / "tests" / "node" / script).read_text())
        told = subprocess.run([program, place, *arguments], capture_output=True, check=False, timeout=60, text=True)
        assert told.returncode == 0, told.stderr
        return json.loads(told.stdout)

    return run


@pytest.fixture
async def chromium(tmp_path):
    if _browser is None:
        pytest.skip("tornado, which comes with bokeh, is not installed")
    if _browser.CHROMIUM is None:
        pytest.skip("no chromium: apt-get install chromium")
    with _browser.chromium(tmp_path) as port:
        async with asyncio.timeout(120), _browser.Browser(port) as opened:
            yield opened
