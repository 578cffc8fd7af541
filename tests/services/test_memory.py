"""Nothing grows: passes at ten times the real rate, one after another; an hour of them in `make soak`."""

import asyncio
import json
import os
import time

import psutil
import pytest

from pipeline.simulate import Scenario, simulate

SOAK_S = float(os.environ.get("DOWNLINK_SOAK_S", "8"))
REAL_BYTES_PER_S = 256_000
GROWTH_BYTES = 24 << 20
"""Between the middle and the end: allocators and tables of bounded size fill up."""


@pytest.fixture
def next_pass(tmp_path):
    """Another sol each time, in place of the one before: its path, and the seconds it lasts at ten times the rate."""

    def make(number):
        path = tmp_path / "pass.cadu"
        simulate(path, Scenario(sol=11 + number, seed=number, duration_s=1800.0))
        return path, path.stat().st_size / (10 * REAL_BYTES_PER_S)

    return make


async def test_memory_stays_flat_at_ten_times_the_real_rate(make_stack, subscriber, next_pass):
    stack = make_stack(settings={"DOWNLINK_REMEMBER_S": "2", "DOWNLINK_KEEP_GB": "0.1"})
    stack.start()
    async with subscriber(stack) as witness:
        await stack.ready()
        began = time.monotonic()
        sizes = []
        while not sizes or time.monotonic() - began < SOAK_S:
            path, lasting_s = await asyncio.to_thread(next_pass, len(sizes))
            stack.feed(path, lasting_s=lasting_s, name=f"pass-{len(sizes)}")
            feeding = stack.processes.pop(f"feed-test-pass-{len(sizes)}")
            assert await asyncio.to_thread(feeding.wait, 10 * lasting_s + 30) == 0
            sizes.append({n: psutil.Process(p.pid).memory_info().rss for n, p in stack.processes.items()})
            assert witness.n_messages > 0
            witness.products.clear()
        health = json.loads(stack.get("ingest", "/health"))["ingest"]["stations"]["test"]
        assert health["unsettled"] <= 3
    middle = sizes[len(sizes) // 2]
    for name, size in sizes[-1].items():
        assert size - middle[name] < GROWTH_BYTES, (name, [one[name] >> 20 for one in sizes])
        assert size < 256 << 20, name
    recorded = sum(file.stat().st_size for file in (stack.folder / "ingest").rglob("*.raw"))
    assert recorded < 200e6
