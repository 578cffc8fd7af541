"""The whole way of 1 GB of CADUs, step by step: MB/s of coded bytes for each room and for all, and peak memory.

Steps take as many bytes at a time as `downlink replay`, with the allocator set as the command line sets it. The
recording is a simulated pass of Zhurong repeated; each repetition starts with a jump of the frame counter,
which costs a gap and nothing else. Then `downlink replay` runs the same file to a broker, as a process of its own.
"""

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from downlink_pipeline.dictionary.decoder import Decoder
from downlink_pipeline.dictionary.run.records import RecordJoiner
from downlink_pipeline.link.receiver import Receiver
from downlink_pipeline.messages import topics
from downlink_pipeline.mission.loading import Mission, load_mission
from downlink_pipeline.missions.zhurong.simulator import Scenario, simulate
from downlink_pipeline.model.batches import ByteBatch
from downlink_pipeline.processing.chain import product_context
from downlink_pipeline.products.suite import Suite
from downlink_pipeline.recordings.reader import read_pass
from downlink_pipeline.replay.player import PIECE_BYTES
from downlink_pipeline.system.allocator import keep_freed_memory

SIZE_BYTES = int(os.environ.get("DOWNLINK_BENCH_BYTES", "1_000_000_000"))
LIMIT_MB = 400
FRAME_BYTES = 1024


class Clock:
    """Adds up the time spent in each step."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}

    def __call__(self, step: str, work: Callable[..., Any], *arguments: Any) -> Any:
        start = time.perf_counter()
        done = work(*arguments)
        self.spent[step] = self.spent.get(step, 0.0) + time.perf_counter() - start
        return done


def recording(folder: Path) -> Path:
    """Make a pass of about SIZE_BYTES."""
    one = folder / "one.cadu"
    simulate(one, Scenario(duration_s=3600.0))
    block = one.read_bytes()
    path = folder / "pass.cadu"
    with path.open("wb") as file:
        for _ in range(max(1, SIZE_BYTES // len(block))):
            file.write(block)
    return path


def step_by_step(path: Path, mission: Mission) -> Clock:
    assert mission.plan is not None
    receiver, joiner = Receiver(mission.link, mission.channels), RecordJoiner()
    decoder = Decoder(mission.plan, mission.time_terms)
    suite = Suite(mission.instruments, mission.calibrations, product_context(mission, "bench"))
    clock = Clock()
    source: Iterator[ByteBatch] = iter(read_pass(path, PIECE_BYTES))
    while (batch := clock("read", next, source, None)) is not None:
        packets = clock("link: CADU to packets", receiver.receive, batch).packets
        records = clock("join segments", joiner.join, packets)
        columns = clock("dictionary: packets to columns", decoder.decode, records)
        products = clock("instruments: columns to products", suite.make_products, columns)
        for product in products:
            clock("topics: products to messages", topics.product_message, product)
    return clock


def copy_rate() -> float:
    """How fast this machine copies bytes, GB/s: the yardstick of the goals."""
    data = np.zeros(64 << 20, np.uint8)
    best = min(_timed(data.copy) for _ in range(5))
    return len(data) / best / 1e9


def _timed(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def replay(path: Path) -> tuple[float, float, float]:
    """Run the command line to an embedded broker.

    Seconds in all, seconds of a replay of one frame, which is the start and the end of the process, and peak memory in
    MB of the largest process. The first run compiles the modules, as an installation does, and does not count.
    """
    one = path.with_name("frame.cadu")
    with path.open("rb") as whole:  # no more: a child's peak begins with the memory that its parent has
        one.write_bytes(whole.read(FRAME_BYTES))
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    env["PYTHONPYCACHEPREFIX"] = str(path.parent / "bytecode")

    def run(what: Path) -> None:
        command = [sys.executable, "-m", "downlink_pipeline", "replay", str(what), "--mission", "zhurong"]
        subprocess.run(command, check=True, capture_output=True, env=env)

    run(one)
    start_s, seconds = _timed(lambda: run(one)), _timed(lambda: run(path))
    return seconds, start_s, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def main() -> None:
    keep_freed_memory()
    folder = Path(tempfile.mkdtemp(prefix="downlink-bench-"))
    try:
        path = recording(folder)
        megabytes = path.stat().st_size / 1e6
        print(f"{megabytes:.0f} MB of CADUs; this machine copies bytes at {copy_rate():.1f} GB/s")
        clock = step_by_step(path, load_mission("zhurong"))
        for step, seconds in clock.spent.items():
            goal = "   (goal 60)" if step.startswith("instruments") else ""
            print(f"{step:36} {megabytes / seconds:8.0f} MB/s{goal}")
        to_columns = sum(list(clock.spent.values())[:4])
        print(f"{'CADU to calibrated columns':36} {megabytes / to_columns:8.0f} MB/s   (goal 60)")
        print(f"{'all of it, one core':36} {megabytes / sum(clock.spent.values()):8.0f} MB/s")
        seconds, start_s, peak = replay(path)
        print(f"{'downlink replay to a broker':36} {megabytes / seconds:8.0f} MB/s   {seconds:.1f} s   (goal 40)")
        print(f"{'without start and end':36} {megabytes / (seconds - start_s):8.0f} MB/s   {start_s:.1f} s less")
        print(f"{'peak memory of the replay':36} {peak:8.0f} MB     (limit {LIMIT_MB})")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
