"""Nothing grows: passes at ten times the real rate, one after another; an hour of them in `make soak`.

DOWNLINK_SOAK_FIGURES names a file for what was measured after each pass.
"""

import asyncio
import json
import os
import statistics
import time
from pathlib import Path

import psutil
import pytest
from downlink_pipeline.missions.zhurong.simulator import Scenario, simulate
from downlink_pipeline.services.published_keys import MAX_KEYS

SOAK_S = float(os.environ.get("DOWNLINK_SOAK_S", "8"))
REAL_BYTES_PER_S = 256_000
GROWTH_BYTES = 24 << 20
"""Between the middle third and the last: allocators and tables of bounded size fill up."""
PASS_S = 1800.0 if SOAK_S > 60 else 600.0
MAX_BYTES = 256 << 20
MAX_DECODE_BYTES = 400 << 20
"""Decode holds images until their last stripe."""
MAX_PUBLISH_BYTES = 400 << 20
"""Publish keeps the last minute, at most 128 MiB of it."""
FIGURES = os.environ.get("DOWNLINK_SOAK_FIGURES")
REMEMBER_S = "60" if SOAK_S > 600 else "2"
MAX_UNSETTLED = 80 if SOAK_S > 600 else 3
"""Passes of some seconds each, settled as late as a broker may forget."""


@pytest.fixture
def next_pass(tmp_path):
    """Another sol each time, in place of the last but one: its path, and the seconds it lasts at ten times the rate."""

    def make(number):
        path = tmp_path / f"pass{number % 2}.cadu"
        simulate(path, Scenario(sol=11 + number, seed=number, duration_s=PASS_S))
        return path, path.stat().st_size / (10 * REAL_BYTES_PER_S)

    return make


def measured(stack):
    """Memory in bytes and open files of each process."""
    found = {}
    for name, process in stack.processes.items():
        told = psutil.Process(process.pid)
        found[name] = told.memory_info().rss, told.num_fds()
    return found


def remember_keys(path):
    """As many keys as publish keeps, which it would else have after an hour: of half an hour, the last an hour ago."""
    path.parent.mkdir()
    last_ms = time.time_ns() // 1_000_000 - 3_600_000
    times = range(last_ms - 1_800_000, last_ms, 1_800_000 // MAX_KEYS)
    path.write_bytes(b"".join(os.urandom(16) + when.to_bytes(8, "big") for when in times))


class Figures:
    """What was measured after each pass, as a table in a file where one is wanted."""

    def __init__(self):
        self.rows = []
        self._began = time.monotonic()

    def add(self, found, lag):
        self.rows.append(found)
        if not FIGURES:
            return
        told = {
            f"{name}_{what}": n
            for name, pair in found.items()
            for what, n in zip(("rss", "files"), pair, strict=True)
        }
        told = {"s": round(time.monotonic() - self._began), "lag_bytes": lag, **told}
        with Path(FIGURES).open("a" if len(self.rows) > 1 else "w") as file:
            if len(self.rows) == 1:
                print(*told, sep=",", file=file)
            print(*told.values(), sep=",", file=file)


async def test_memory_stays_flat_at_ten_times_the_real_rate(make_stack, subscriber, next_pass):
    stack = make_stack(settings={"DOWNLINK_REMEMBER_S": REMEMBER_S, "DOWNLINK_KEEP_GB": "0.1"})
    remember_keys(stack.folder / "publish" / "published.keys")
    stack.start()
    async with subscriber(stack) as witness:
        await stack.ready()
        began = time.monotonic()
        figures = Figures()
        following = asyncio.create_task(asyncio.to_thread(next_pass, 0))
        while not figures.rows or time.monotonic() - began < SOAK_S:
            number = len(figures.rows)
            path, lasting_s = await following
            following = asyncio.create_task(asyncio.to_thread(next_pass, number + 1))
            stack.feed(path, lasting_s=lasting_s, name=f"pass-{number}")
            feeding = stack.processes.pop(f"feed-test-pass-{number}")
            assert await asyncio.to_thread(feeding.wait, 10 * lasting_s + 30) == 0
            health = json.loads(stack.get("ingest", "/health"))["ingest"]["stations"]["test"]
            figures.add(measured(stack), health["lag_bytes"])
            assert witness.n_messages > 0
            witness.products.clear()
        await following
        assert health["unsettled"] <= MAX_UNSETTLED
        assert json.loads(stack.get("publish", "/health"))["publish"]["keys"] > 0.9 * MAX_KEYS
    thirds = [figures.rows[i * len(figures.rows) // 3 : (i + 1) * len(figures.rows) // 3] for i in (1, 2)]
    limits = {"publish": MAX_PUBLISH_BYTES, "decode-one": MAX_DECODE_BYTES}
    for name in figures.rows[-1]:
        middle, last = (statistics.median([row[name][0] for row in third or figures.rows]) for third in thirds)
        enough = len(figures.rows) >= 9  # before that tables are still filling
        assert not enough or last - middle < GROWTH_BYTES, (name, [row[name][0] >> 20 for row in figures.rows])
        assert max(row[name][0] for row in figures.rows) < limits.get(name, MAX_BYTES), name
        assert max(row[name][1] for row in figures.rows) < 60, name
    recorded = sum(file.stat().st_size for file in (stack.folder / "ingest").rglob("*.raw"))
    assert recorded < 200e6 + 75 * 10 * REAL_BYTES_PER_S * (SOAK_S > 600)
