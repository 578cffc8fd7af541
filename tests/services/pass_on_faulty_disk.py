"""Takes passes through ingest, decode and publish in one process, again and again, while one call to the disk fails.

Run with `faults.so` preloaded: `python pass_on_faulty_disk.py faults.so FOLDER once:ERRNO lasting:ERRNO,ERRNO`. Time is
a number that goes on when nothing is left to do. Each case is a line of JSON: what failed, what was wrong then.
"""

import asyncio
import contextlib
import ctypes
import json
import re
import shutil
import sys
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import structlog
from downlink_pipeline.messages.topics import unpack_product
from downlink_pipeline.model.batches import NO_TIME, PacketBatch, Product, TimeRange
from downlink_pipeline.model.errors import DownlinkError
from downlink_pipeline.mqtt.client_ids import ClientIds
from downlink_pipeline.processing.chain import Outcome
from downlink_pipeline.recordings.log import Policy, Recorder
from downlink_pipeline.services.bus import LocalBus
from downlink_pipeline.services.decode import Decode
from downlink_pipeline.services.decoder_runs import Worker
from downlink_pipeline.services.dispatch import Pace
from downlink_pipeline.services.ingest import Ingest
from downlink_pipeline.services.metrics import DecodeMeters, IngestMeters, PublishMeters
from downlink_pipeline.services.publish import Publish
from downlink_pipeline.services.published_keys import PublishedKeys
from downlink_pipeline.services.station_recorder import StationRecorder
from downlink_pipeline.stations.tcp import Arrival
from downlink_pipeline.system.files import own_folder

CONTENT = {"one": bytes(range(96)), "two": bytes(range(128, 200))}
POISON = CONTENT["two"][24:32]
"""A block that breaks the line, and is set aside."""
PIECE, BLOCK = 24, 8
FEW = 1
LASTS_S = 40.0
"""A fault that lasts, lasts so long."""
LONGEST_S = 3000.0


class Loop(asyncio.SelectorEventLoop):
    """Its time goes on by itself where nothing is left to do; threads' work is done at once."""

    def __init__(self, clock):
        super().__init__()
        self.clock = clock
        select = self._selector.select

        def leap(timeout):
            events = select(0)
            if not events and timeout:
                clock.now += timeout
            return events

        self._selector.select = leap

    def time(self):
        return self.clock.now

    def run_in_executor(self, _executor, work, *arguments):
        future = self.create_future()
        try:
            future.set_result(work(*arguments))
        except Exception as error:  # noqa: BLE001 - as an executor does
            future.set_exception(error)
        return future


class Blocks:
    """Stands for the line: each block of 8 bytes is a product."""

    def __init__(self):
        self.rest = b""

    def process(self, batch, *, complete=False):  # noqa: ARG002
        octets = self.rest + bytes(batch.data)
        if POISON in octets:
            self.rest = b""
            raise ValueError("broken")
        n_whole = len(octets) // BLOCK * BLOCK
        self.rest = octets[n_whole:]
        return Outcome(
            PacketBatch.empty(),
            products=tuple(_product(octets[at : at + BLOCK]) for at in range(0, n_whole, BLOCK)),
        )

    def flush(self):
        return Outcome(PacketBatch.empty())

    def report(self):
        return {"frames": {}, "channels": [], "packets": {"read": 0}}


def _product(block):
    time_range = TimeRange((block[0] + 1, block[0] + 1), (NO_TIME, NO_TIME))
    return Product(block.hex(), "m", "s", "telemetry", "x", "01", time_range, {}, np.zeros(0, np.uint32), {})


class Sender:
    """Sends both passes; the first is ended half way and resumed. After a restart it sends what is not recorded."""

    n_lost = 0

    def __init__(self, desk):
        self.desk = desk
        self.done = False

    def recorded(self, n_bytes):
        pass

    async def arrivals(self):
        half = CONTENT["one"][:48]
        for name, content, resumes in (
            ("one", half, False),
            ("one", CONTENT["one"], True),
            ("two", CONTENT["two"], False),
        ):
            place = await self._position_of(name)
            for arrival in self._pieces(name, content, place, resumes=resumes):
                yield arrival
                await asyncio.sleep(0.1)
        self.done = True
        await asyncio.Event().wait()

    def _pieces(self, name, content, place, *, resumes):
        if place >= len(content) and self._is_over(name):
            return
        for at in range(place, len(content), PIECE):
            piece = content[at : min(at + PIECE, len(content))]
            yield Arrival([piece], [10**18 + at], name, resumes=resumes)
        yield Arrival([], [], name, ended=True, resumes=resumes)

    async def _position_of(self, name):
        """A sender that hears nothing comes again."""
        while True:
            try:
                return self.desk.position_of(name)
            except OSError:
                await asyncio.sleep(1.0)

    def _is_over(self, name):
        return self.desk.open_name != name


class Trial:
    """One folder, and what was published from it."""

    def __init__(self, faults, folder, number, lasting):
        self.faults, self.folder, self.number, self.lasting = faults, folder, number, lasting
        self.clock = SimpleNamespace(now=1000.0)
        self.wrong, self.published, self.logs = [], [], []
        self.stops = []
        self.n_starts = 0
        self.calls = []
        self.failed = ""
        self.failed_at = None

    def run(self, nth):
        """Passes from the first byte until they are settled, however often the services are begun anew."""
        time.monotonic = lambda: self.clock.now
        time.monotonic_ns = lambda: int(1e9 * self.clock.now)
        time.time = lambda: 1.8e9 + self.clock.now
        time.time_ns = lambda: int(1e9 * (1.8e9 + self.clock.now))
        structlog.configure(processors=[self._log], cache_logger_on_first_use=False)
        last = 1 << 30 if self.lasting and nth else nth
        self.faults.faults_arm(f"{self.folder}/".encode(), nth or 1, last, self.number)
        try:
            for self.n_starts in range(1, 20):
                loop = Loop(self.clock)
                try:
                    if loop.run_until_complete(self._serve()):
                        break
                finally:
                    loop.close()
                self._lift()
            else:
                self.wrong.append("never settled")
            self._lift()
        finally:
            self.faults.faults_arm(b"", 0, -1, 0)
        self._check()

    def _lift(self):
        self.calls = self.calls or self.faults.faults_calls().decode().splitlines()
        self.failed = self.failed or self.faults.faults_last().decode()
        self.faults.faults_arm(b"", 0, -1, 0)

    async def _serve(self):
        """Whether all is settled; else the services have stopped."""
        try:
            with own_folder(self.folder), PublishedKeys(self.folder / "published.keys", 0) as keys:
                ClientIds(self.folder)
                return await self._run(keys)
        except Exception as error:  # noqa: BLE001
            self._note_stop(error)
            return False

    async def _run(self, keys):
        buses = LocalBus.of("ingest", "decode", "publish")
        fsync_s = 1.0 if self.lasting else 0.0
        policy = Policy(file_bytes=60, fsync_s=fsync_s, keep_bytes=100)
        desk = StationRecorder(
            "s", Recorder(self.folder / "s", policy), policy, Pace(chunk_bytes=24, close_after_s=3)
        )
        sender = Sender(desk)
        first = Ingest({"s": (desk, sender)}, buses["ingest"], IngestMeters(), gap_s=1e9, fsync_s=fsync_s)
        worker = Worker("m", lambda _stream: Blocks(), self.folder / "quarantine", lambda: self.clock.now)
        second = Decode("one", worker, buses["decode"], DecodeMeters())
        third = Publish(keys, self._publish, buses["publish"], PublishMeters(), remember_s=0)
        tasks = [asyncio.ensure_future(part.run()) for part in (first, second, third)]
        watch = asyncio.ensure_future(self._watch(sender, desk, first, third))
        try:
            await asyncio.wait([*tasks, watch], return_when=asyncio.FIRST_COMPLETED)
        finally:
            settled = watch.done() and not watch.cancelled() and watch.result()
            for task in (*tasks, watch):
                task.cancel()
            ended = await asyncio.gather(*tasks, watch, return_exceptions=True)
        for error in ended:
            if isinstance(error, Exception):
                self.wrong.append("a running service stopped")
                raise _first(error)
        return settled

    async def _watch(self, sender, desk, ingest, publish):
        """True when all is settled; False when the disk failed so that a person has to begin the service anew."""
        began = self.clock.now
        while self.clock.now - began < LONGEST_S:
            await asyncio.sleep(0.5)
            self._check_settled()
            if self.faults.faults_last() and self.failed_at is None:
                self.failed_at = self.clock.now
            if self.lasting and self.failed_at is not None and self.clock.now - self.failed_at > LASTS_S:
                self._look_at_health(ingest, publish)
                self._lift()
                self.failed_at = float("inf")
            if desk.recorder.broken or desk.n_damaged:
                if ingest.health()[0]:
                    self.wrong.append("the disk is broken and health is well")
                return False
            if sender.done and not desk.passes:
                return True
        self.wrong.append(f"not settled: {[one.folder.name for one in desk.passes]} {ingest.health()}")
        return True

    def _look_at_health(self, ingest, publish):
        if ingest.health()[0] and publish.health()[0]:
            self.wrong.append("a disk that has failed for 40 s is not told by health")

    def _check_settled(self):
        here = {key for key, _ in self.published}
        for name, content in CONTENT.items():
            with contextlib.suppress(OSError, ValueError):
                committed = json.loads((self.folder / "s" / name / "committed").read_bytes())
                if committed["settled"] and not blocks(content) <= here:
                    self.wrong.append(f"{name} is settled and not published")

    async def _publish(self, messages):
        self.published += [
            (unpack_product(one.payload)["id"], one.payload) for one in messages if "/product/" in one.topic
        ]

    def _note_stop(self, error):
        told = error if isinstance(error, DownlinkError) else f"{type(error).__name__}: {error}"
        self.stops.append(str(told))
        is_clear = isinstance(error, DownlinkError) or (
            isinstance(error, OSError) and error.filename and error.strerror
        )
        if not is_clear or "\n" in str(error):
            self.wrong.append(f"no clear line: {type(error).__name__}: {error}")

    def _log(self, _logger, _name, event):
        self.logs.append({key: str(value) for key, value in event.items()})
        raise structlog.DropEvent

    def _check(self):
        wanted = blocks(CONTENT["one"]) | blocks(CONTENT["two"])
        here = [key for key, _ in self.published]
        if missing := wanted - set(here):
            self.wrong.append(f"{len(missing)} products are missing")
        if extra := set(here) - wanted:
            self.wrong.append(f"{len(extra)} products that are none")
        if len(here) > len(set(here)) and not (self.lasting and self.n_starts > 1):
            self.wrong.append(f"{len(here) - len(set(here))} come twice")
        if len(set(self.published)) != len(set(here)):
            self.wrong.append("two products of one id differ")
        n = len(self.logs)
        if n > 400:
            self.wrong.append(f"{n} lines of log")


def blocks(content):
    """Ids of the products of a content. The batch with the poison gives none, and what follows it begins anew."""
    found = {content[at : at + BLOCK].hex() for at in range(0, len(content), BLOCK)}
    at = content.find(POISON)
    if at >= 0:
        begin = at // PIECE * PIECE
        found -= {content[i : i + BLOCK].hex() for i in range(begin, begin + PIECE, BLOCK)}
    return found


def _first(error):
    if not isinstance(error, ExceptionGroup):
        return error
    inner = [_first(one) for one in error.exceptions]
    return next((one for one in inner if isinstance(one, DownlinkError)), inner[0])


def chosen(calls):
    """Numbers of the calls that are made to fail: of those alike, the first FEW."""
    seen = Counter()
    for nth, call in enumerate(calls, 1):
        alike = re.sub(r"[0-9a-f]{8}\.part", "part", call)
        seen[alike] += 1
        if seen[alike] <= FEW:
            yield nth


def main():
    """A clean run finds the calls of each kind of fault; then each is made to fail, in a folder of its own."""
    faults = ctypes.CDLL(sys.argv[1])
    faults.faults_last.restype = faults.faults_calls.restype = ctypes.c_char_p
    for kind in sys.argv[3:]:
        how, _, numbers = kind.partition(":")
        wanted = [int(number) for number in numbers.split(",")]
        folder = Path(sys.argv[2]) / kind.replace(":", "-")
        clean = Trial(faults, folder / "clean", 0, lasting=how == "lasting")
        clean.run(0)
        told(kind, clean)
        for nth in chosen(clean.calls):
            trial = Trial(faults, folder / str(nth), wanted[nth % len(wanted)], lasting=how == "lasting")
            trial.run(nth)
            told(kind, trial)
            shutil.rmtree(trial.folder, ignore_errors=True)


def told(kind, trial):
    about = {"kind": kind, "failed": trial.failed, "wrong": trial.wrong, "stops": trial.stops}
    sys.stdout.write(f"{json.dumps(about)}\n")


if __name__ == "__main__":  # pytest imports it, too: it looks for doctests in every module
    main()
