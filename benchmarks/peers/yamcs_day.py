"""A Yamcs on this machine with a day of packets in its archive: how long its answers take. Run by `benchmarks.history`.

`PYTHON benchmarks/peers/yamcs_day.py FOLDER`, with a Python that has the packages `fprime-yamcs-bundle` (5.12.8) and
`yamcs-client`, in a virtual environment of its own, and `java`, 17 or newer, on the path. In FOLDER: `day.packets`,
behind the header of each packet its CUC time (4 octets of seconds since 2026, 2 of a second's parts), `bench.xml`, and
`asked.json`: day and hour to ask for, names of parameters. Out: a line of JSON with seconds, bytes and counts.
The server listens on 127.0.0.1 alone, and ends with this program.
"""

import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from fprime_yamcs_bundle import LIB_DIR
from yamcs.client import YamcsClient

SERVER = """services:
  - class: org.yamcs.http.HttpServer
    args: {{ address: 127.0.0.1, port: {port} }}
instances: [bench]
dataDir: {folder}/data
incomingDir: {folder}/incoming
secretKey: bench
"""
INSTANCE = """services:
  - class: org.yamcs.archive.XtceTmRecorder
  - class: org.yamcs.archive.ReplayServer
  - class: org.yamcs.parameterarchive.ParameterArchive
    args: { realtimeFiller: { enabled: false }, backFiller: { warmupTime: 0, automaticBackfilling: true } }
  - { class: org.yamcs.parameter.ParameterRetrievalService, args: { parameterCache: { enabled: false } } }
  - { class: org.yamcs.ProcessorCreatorService, args: { name: realtime, type: realtime } }
dataLinks:
  - name: files
    class: org.yamcs.tctm.FilePollingTmDataLink
    stream: tm_dump
    packetPreprocessorClassName: org.yamcs.tctm.GenericPacketPreprocessor
    packetPreprocessorArgs:
      timestampOffset: 6
      seqCountOffset: 0
      timeEncoding:
        type: CUC
        implicitPField: 46
        epoch: CUSTOM
        epochUTC: "2026-01-01T00:00:00Z"
        timeIncludesLeapSeconds: false
mdb:
  - { type: xtce, args: { file: FOLDER/bench.xml } }
streamConfig:
  tm:
    - { name: tm_realtime, processor: realtime }
    - { name: tm_dump, rootContainer: /B/HK }
  event: [events_realtime, events_dump]
  param: [pp_realtime, sys_param]
"""
PROCESSORS = """realtime:
  services: [{ class: org.yamcs.StreamTmPacketProvider }]
  config: { parameterCache: { enabled: false } }
ParameterArchive: { services: [{ class: org.yamcs.tctm.ReplayService }] }
ArchiveRetrieval: { services: [{ class: org.yamcs.tctm.ReplayService }] }
"""
START_S, INGEST_S, FILL_S, POLL_S = 60.0, 1200.0, 1200.0, 1.0
"""How long it may take to start, to read the packets, and to make parameters of them."""
MARGIN = timedelta(seconds=10)
"""Not asked for at the day's end: beyond the last value that is filled in, Yamcs replays packets for each page."""


def main() -> None:
    folder = Path(sys.argv[1]).absolute()
    asked = json.loads((folder / "asked.json").read_text())
    day, hour = (tuple(map(datetime.fromisoformat, asked[name])) for name in ("day", "hour"))
    configure(folder)
    with served(folder) as url:
        figures = filled(folder, url, day)
    with served(
        folder
    ) as url:  # when it starts it finds what the parameter archive has, and replays no packets for that
        figures |= measured(url, day, hour, [f"/B/{name}" for name in asked["names"]])
    figures["bytes"] = sum(path.stat().st_size for path in (folder / "data").rglob("*") if path.is_file())
    print(json.dumps(figures))


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Run the server; gives its HOST:PORT once it answers."""
    port = free_port()
    (folder / "etc" / "yamcs.yaml").write_text(SERVER.format(port=port, folder=folder))
    command = ["java", "-Xmx3g", "-cp", f"{LIB_DIR}/*", "org.yamcs.YamcsServer", "--etc-dir", str(folder / "etc")]
    with (folder / "yamcs.log").open("ab") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
        try:
            wait_for(lambda: answers(f"127.0.0.1:{port}"), START_S, "Yamcs does not start")
            yield f"127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(60)


def configure(folder: Path) -> None:
    """Write the configuration, and put the packets where the server takes them from."""
    (folder / "etc").mkdir()
    (folder / "etc" / "yamcs.bench.yaml").write_text(INSTANCE.replace("FOLDER", str(folder)))
    (folder / "etc" / "processor.yaml").write_text(PROCESSORS)
    incoming = folder / "incoming" / "bench" / "tm"
    incoming.mkdir(parents=True)
    shutil.move(folder / "day.packets", incoming / "day.packets")


def filled(folder: Path, url: str, day: Sequence[datetime]) -> dict[str, float]:
    """Have the packets read and the parameter archive made of them; how long each took."""
    began = time.monotonic()
    incoming = folder / "incoming" / "bench" / "tm"
    wait_for(lambda: not any(incoming.iterdir()), INGEST_S, "the packets are not read")
    figures = {"ingest_s": time.monotonic() - began}
    began = time.monotonic()
    YamcsClient(url).get_archive("bench").rebuild_parameter_archive(*day)
    end = "ParameterArchive-backfilling_1 is out of business"
    wait_for(lambda: end in (folder / "yamcs.log").read_text(errors="replace"), FILL_S, "no parameters are made")
    return figures | {"fill_s": time.monotonic() - began}


def measured(url: str, day: Sequence[datetime], hour: Sequence[datetime], names: Sequence[str]) -> dict[str, float]:
    """Seconds of each answer, and how many values it had."""
    archive = YamcsClient(url).get_archive("bench")
    day = day[0], day[1] - MARGIN
    calls = {
        "samples": lambda: len(archive.downsample_mean(names[0], *day, sample_count=500)),
        "hour_csv": lambda: n_lines(archive.export_parameter_values(names, start=hour[0], stop=hour[1])),
        "hour": lambda: sum(n_values(archive.list_parameter_values(name, *hour, page_size=1000)) for name in names),
        "one": lambda: n_values(archive.list_parameter_values(names[0], *day, page_size=1000)),
    }
    figures = {}
    for name, call in calls.items():
        figures[f"{name}_s"], figures[f"{name}_n"] = timed(call)
    return figures


def timed(call: Callable[[], int]) -> tuple[float, int]:
    """Seconds of the faster of two calls, and what it gave."""
    found = []
    for _ in range(2):
        began = time.perf_counter()
        n = call()
        found.append((time.perf_counter() - began, n))
    return min(found)


def n_values(values: Iterable[Any]) -> int:
    return len([one.eng_value for one in values])


def n_lines(chunks: Iterable[bytes]) -> int:
    return b"".join(chunks).count(b"\n") - 1


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{url}/api/instances/bench", timeout=2) as answer:
            state = json.load(answer)["state"]
    except OSError:
        return False
    if state == "FAILED":
        sys.exit("Yamcs does not take its configuration: yamcs.log says why")
    return bool(state == "RUNNING")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(is_true: Callable[[], bool], within_s: float, why_not: str) -> None:
    end = time.monotonic() + within_s
    while not is_true():
        if time.monotonic() > end:
            sys.exit(f"{why_not} within {within_s:.0f} s: yamcs.log says why")
        time.sleep(POLL_S)


if __name__ == "__main__":
    main()
