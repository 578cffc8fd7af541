"""Open MCT shows what the history keeps and what comes since, as it was sent, with the limits of the dictionary.

Values and times are read from the bytes of the packets: APID 10 has its seconds since 2020 at byte 6, and hundredths of
a degree at byte 10; limits are those of the XTCE file.
"""

import asyncio
import subprocess
import sys
from itertools import count

import numpy as np
import pytest
from downlink_pipeline.commands.history import import_passes
from downlink_pipeline.commands.parameter_limits import parameter_limits
from downlink_pipeline.mission.loading import load_mission
from pages import NODE, REPOSITORY, free_port, served_page

SAT = REPOSITORY / "tests" / "messages" / "sat"
EPOCH_MS = int(np.datetime64("2020-01-01", "ms").astype(np.int64))
N_STORED = 400
TEMPERATURE = "#/browse/downlink:root/downlink:k.EPS~2EHK/downlink:p.EPS~2EHK~2ETEMPERATURE"


def packets() -> list[bytes]:
    data, at, found = SAT.with_suffix(".packets").read_bytes(), 0, []
    while at < len(data):
        end = at + 7 + int.from_bytes(data[at + 4 : at + 6], "big")
        found.append(data[at:end])
        at = end
    return found


def battery(some: list[bytes]) -> list[tuple[int, float]]:
    """Time in ms since 1970, and temperature in degrees."""
    own = [one for one in some if int.from_bytes(one[:2], "big") & 0x7FF == 10]
    return [
        (EPOCH_MS + 1000 * int.from_bytes(one[6:10], "big"), int.from_bytes(one[10:12], "big", signed=True) / 100)
        for one in own
    ]


@pytest.fixture
def page(tmp_path):
    """Where the example is served from, its packages beside it."""
    if not (NODE / "openmct").is_dir():
        pytest.skip("no openmct from npm: make test installs it where it can")
    with served_page("openmct", tmp_path) as address:
        yield address


@pytest.fixture
def served(tmp_path, page):
    """The address of a history of the first packets, which the page may read."""
    (tmp_path / "stored.packets").write_bytes(b"".join(packets()[:N_STORED]))
    folder = tmp_path / "history"
    import_passes([tmp_path / "stored.packets"], load_mission(str(SAT)), str(folder), lambda _: None)
    command = [sys.executable, "-m", "downlink_pipeline", "history", "serve", "--history", folder]
    words = ["--listen", "127.0.0.1:0", "--origin", page, "--mission", SAT]
    with subprocess.Popen([*command, *words], stderr=subprocess.PIPE, text=True) as process:
        yield process.stderr.readline().split(" on ")[1].strip()
        process.terminate()


class Plot:
    """The plot of the battery's temperature, 40 s wide, so that each second is some pixels of its own."""

    area = "document.querySelector('.gl-plot-display-area')"
    legend = "document.querySelector('.plot-series-value')"

    def __init__(self, tab):
        self.tab = tab
        self.start = 0

    async def show(self, around_ms: int) -> None:
        self.start = around_ms - 20_000
        await self.tab.run(f"openmct.time.setBounds({{start: {self.start}, end: {self.start + 40_000}}})")

    async def shows_at(self, time_ms: int, value: float) -> str:
        """Point at a time until the legend shows a value; gives how that is marked."""
        async with asyncio.timeout(120):
            aside = 0
            for tries in count(1):  # the area moves until the widths of its axes are known
                if tries % 60 == 0:  # Open MCT may leave a range empty that is chosen while it loads the one before
                    await self.show(time_ms + tries)
                left, top, width, height = await self.tab.run(
                    f"(({{x, y, width, height}}) => [x, y, width, height])({self.area}.getBoundingClientRect())"
                )
                aside = 1 - aside  # a pointer that does not move tells the page nothing
                x = left + width * (time_ms - self.start) / 40_000 + aside
                await self.tab.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=top + height / 2)
                text, marks = await self.tab.run(f"[{self.legend}?.textContent.trim(), {self.legend}?.className]")
                if text and abs(float(text) - value) < 1e-9:
                    return str(marks)
                await asyncio.sleep(0.1)
        raise AssertionError("never reached")


async def test_open_mct_plots_the_values_that_were_sent_before_and_since(
    tmp_path, page, served, mosquitto, chromium
):
    web = free_port()
    broker = await mosquitto("allow_anonymous true", f"listener {web} 127.0.0.1", "protocol websockets")
    stored, new = packets()[:N_STORED], packets()[N_STORED:]
    address = f"{page}/?history={served}&broker=ws://127.0.0.1:{web}{TEMPERATURE}"
    plot = Plot(await chromium.open(address, ready=f"{Plot.area} !== null"))

    hot = max(battery(stored), key=lambda one: one[1])
    await plot.show(hot[0])
    assert "is-limit--upr is-limit--red" in await plot.shows_at(*hot)  # above 60 is critical
    mild = next(one for one in battery(stored)[20:] if one[1] < 39)
    await plot.show(mild[0])
    assert "is-limit" not in await plot.shows_at(*mild)

    await plot.tab.until("document.body.textContent.includes('Live: connected')")
    cold = min(battery(new), key=lambda one: one[1])
    await plot.show(cold[0])
    (tmp_path / "new.packets").write_bytes(b"".join(new))
    command = [sys.executable, "-m", "downlink_pipeline", "replay", tmp_path / "new.packets", "-m", SAT]
    replaying = [*command, "--broker", f"mqtt://127.0.0.1:{broker.port}"]
    await asyncio.to_thread(subprocess.run, replaying, check=True, capture_output=True)
    assert "is-limit--lwr is-limit--yellow" in await plot.shows_at(*cold)  # below -10 is a warning
    assert await plot.tab.run("errors") == []


def test_limits_are_those_of_the_dictionary():
    outside = {"inside": False}
    assert parameter_limits(load_mission(str(SAT))) == {
        "EPS.HK.TEMPERATURE": [
            {"level": "warning", "low": -10.0, "high": 40.0, **outside},
            {"level": "critical", "low": -20.0, "high": 60.0, **outside},
        ],
        "EPS.HK.MODE": [{"level": "critical", "label": "FAULT"}],
    }
