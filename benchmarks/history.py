"""A day of one packet at 10 Hz in the history: import, size on disk, queries; DuckDB beside; a month and a year.

`python -m benchmarks.history [--packets N] [--month]`. Packets have a time in milliseconds and 64 values: 40 of 16 bits
with a linear calibration (slow sines, a quarter of them with one count of noise), 16 floats (constant for a minute), 8
counters. Clock: wall time of whole calls, the best of five, the file in the system's cache; of the import CPU time.
The year is 365 days of summaries, those of the day moved; the month is 30 days of real rows, and beside it DuckDB on
plain Parquet of the same values, a file for each day. Where DOWNLINK_YAMCS names a Python that has Yamcs
(`benchmarks/peers/yamcs_day.py`), it answers for the same day of packets beside, in some ten minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from downlink_pipeline.api import open_history
from downlink_pipeline.commands.history import import_passes
from downlink_pipeline.history.flight import FlightServer
from downlink_pipeline.history.names import DAY_NS
from downlink_pipeline.history.summary_files import read_summary
from downlink_pipeline.mission.loading import load_mission
from pyarrow import parquet

DAY = int(np.datetime64("2026-11-24", "ns").astype(np.int64))
N_DAY, HZ, N_DAYS = 864_000, 10, 30
MISSION = """name = "bench"
[link]
framing = "packets"
[dictionary]
xtce = "bench.xml"
[clock]
epoch = "2026-01-01T00:00:00Z"
terms = [{ parameter = "SECONDS", unit_ns = 1_000_000_000 }, { parameter = "MILLIS", unit_ns = 1_000_000 }]
"""
DOCUMENT = """<SpaceSystem name="B" xmlns="http://www.omg.org/spec/XTCE/20180204"><TelemetryMetaData><ParameterTypeSet>
{numbers}<FloatParameterType name="V" sizeInBits="64"><UnitSet><Unit>V</Unit></UnitSet>
<IntegerDataEncoding sizeInBits="16" encoding="twosComplement"><DefaultCalibrator><PolynomialCalibrator>
<Term coefficient="0" exponent="0"/><Term coefficient="0.01" exponent="1"/></PolynomialCalibrator></DefaultCalibrator>
</IntegerDataEncoding></FloatParameterType>
<FloatParameterType name="F"><FloatDataEncoding sizeInBits="32"/></FloatParameterType>
</ParameterTypeSet><ParameterSet>{parameters}</ParameterSet><ContainerSet>
<SequenceContainer name="HK"><EntryList>{entries}</EntryList></SequenceContainer>
</ContainerSet></TelemetryMetaData></SpaceSystem>"""
YAMCS = {
    "hour": "an hour of 10 parameters, its Python client",
    "hour_csv": "an hour of 10 parameters, CSV (lines)",
    "samples": "500 samples of the day: min, max, mean",
    "one": "a day of one parameter, its Python client",
}
HEAD = (("VERSION", 3), ("TYPE", 1), ("SHF", 1), ("APID", 11), ("FLAGS", 2), ("COUNT", 14), ("LENGTH", 16))
FIELDS = np.dtype(
    [("head", ">u2", 3), ("s", ">u4"), ("ms", ">u2"), ("v", ">i2", 40), ("f", ">f4", 16), ("c", "u1", 8)]
)


def document() -> str:
    """The dictionary of the packet."""
    numbers = "".join(
        f'<IntegerParameterType name="U{n}" signed="false"><IntegerDataEncoding sizeInBits="{n}"/>'
        "</IntegerParameterType>"
        for n in sorted({bits for _, bits in HEAD} | {8, 16, 32})
    )
    names = [(name, f"U{bits}") for name, bits in HEAD] + [("SECONDS", "U32"), ("MILLIS", "U16")]
    names += [(f"V{i}", "V") for i in range(40)] + [(f"F{i}", "F") for i in range(16)]
    names += [(f"C{i}", "U8") for i in range(8)]
    parameters = "".join(f'<Parameter name="{name}" parameterTypeRef="{kind}"/>' for name, kind in names)
    entries = "".join(f'<ParameterRefEntry parameterRef="{name}"/>' for name, _ in names)
    return DOCUMENT.format(numbers=numbers, parameters=parameters, entries=entries)


def packets(n: int, day: int = 0) -> bytes:
    """A day's packets, or its first `n`."""
    random = np.random.default_rng(day)
    rows = np.zeros(n, FIELDS)
    k = np.arange(n)
    rows["head"][:, 0] = 0x0800 | 10
    rows["head"][:, 1] = 0xC000 | (k % 16384)
    rows["head"][:, 2] = FIELDS.itemsize - 7
    milliseconds = (DAY - np.datetime64("2026-01-01", "ns").astype(np.int64)) // 10**6 + day * 86_400_000 + k * 100
    rows["s"], rows["ms"] = milliseconds // 1000, milliseconds % 1000
    for i in range(40):
        wave = 3000 + 40 * i + 800 * np.sin(2 * np.pi * k / (54_000 + 500 * i))
        rows["v"][:, i] = wave + (random.integers(0, 2, n) if i % 4 == 0 else 0)
    for i in range(16):
        rows["f"][:, i] = random.normal(20, 2, n // 600 + 1).astype(np.float32)[k // 600]
    for i in range(8):
        rows["c"][:, i] = (k >> (i + 2)) & 0xFF
    return rows.tobytes()


def best(call: Callable[[], Any], times: int = 5) -> float:
    """Seconds of the fastest of several calls."""
    found = []
    for _ in range(times):
        began = time.perf_counter()
        call()
        found.append(time.perf_counter() - began)
    return min(found)


def size_of(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def line(what: str, ours: float, peer: float | None, goal: str) -> None:
    print(f"{what:48}{ours:10.3f}{'-' if peer is None else f'{peer:.3f}':>12}{goal:>12}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--packets", type=int, default=N_DAY)
    parser.add_argument("--month", action="store_true", help="30 days of real rows too")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        day(Path(name), asked.packets)
        yamcs(Path(name) / "yamcs", asked.packets)
        year(Path(name))
        if asked.month:
            month(Path(name), asked.packets)


def day(folder: Path, n: int) -> None:
    (folder / "mission.toml").write_text(MISSION)
    (folder / "bench.xml").write_text(document())
    recording = folder / "day.packets"
    recording.write_bytes(packets(n))
    mission = load_mission(str(folder))
    began = time.process_time()
    import_passes([recording], mission, str(folder / "history"), lambda _: None)
    took = time.process_time() - began
    print(f"import: {n / took:,.0f} packets/s of CPU (goal 300,000); {took:.1f} s")
    summaries = sum(size_of(folder / "history" / one) for one in ("minutes", "hours", "days"))
    print(f"on disk: rows {size_of(folder / 'history/rows'):.1f} MB, summaries {summaries:.1f} MB (goal 25)")
    ask(folder / "history", n)


def ask(where: Path, n: int) -> None:
    history, lake = open_history(where), duckdb.connect()
    files = f"'{where}/rows/kind=HK/**/*.parquet'"
    names = [f"V{i}" for i in range(10)]
    first = int(DAY + (n // HZ // 3) * 10**9)
    hour = {"start": first, "end": first + 3600 * 10**9}
    low, high = (f"'{np.datetime64(one, 'ns')}Z'::timestamptz" for one in hour.values())
    queries = {
        "hour": f"select time, {', '.join(names)} from {files} where time >= {low} and time < {high}",  # noqa: S608
        "samples": f"select epoch_ns(time) // 180000000000 b, min(V0), max(V0), avg(V0) from {files} group by b",  # noqa: S608
        "one": f"select time, V0 from {files} order by time",  # noqa: S608
    }
    theirs = {name: best(lambda text=text: lake.sql(text).fetchall()) if name == "samples" else
              best(lambda text=text: lake.sql(text).fetchnumpy()) for name, text in queries.items()}  # fmt: skip
    print(f"{'seconds':48}{'ours':>10}{'DuckDB':>12}{'goal':>12}")
    ten = [f"HK.{name}" for name in names]
    line("an hour of 10 parameters, Dataset", best(lambda: history.get(*ten, **hour)), theirs["hour"], "0.1")
    samples = best(lambda: history.get("HK.V0", points=500))
    line("500 samples of the day: min, max, mean", samples, theirs["samples"], "0.05")
    line("a day of one parameter, Dataset", best(lambda: history.get("HK.V0")), theirs["one"], "0.1")


def yamcs(folder: Path, n: int) -> None:
    """The same questions to a Yamcs of the same packets, if one is installed."""
    python = os.environ.get("DOWNLINK_YAMCS", "")
    if not (python and shutil.which(python) and shutil.which("java")):
        why = (
            "java is not there" if python and shutil.which(python) else "DOWNLINK_YAMCS names no Python that has it"
        )
        print(f"Yamcs: left out: {why}")
        return
    folder.mkdir()
    rows = np.frombuffer(packets(n), FIELDS).copy()
    rows["ms"] = -(
        -rows["ms"].astype(np.uint32) * 65536 // 1000
    )  # parts of a second, which Yamcs reads as milliseconds
    (folder / "day.packets").write_bytes(rows.tobytes())
    (folder / "bench.xml").write_text(document())
    spans = {"day": (0, n // HZ), "hour": (n // HZ // 3, n // HZ // 3 + 3600)}
    words = {
        name: [f"{np.datetime64(DAY // 10**9 + one, 's')}+00:00" for one in span] for name, span in spans.items()
    }
    (folder / "asked.json").write_text(json.dumps({**words, "names": [f"V{i}" for i in range(10)]}))
    peer = Path(__file__).parent / "peers" / "yamcs_day.py"
    done = subprocess.run([python, str(peer), str(folder)], capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"Yamcs: left out: {(done.stderr.splitlines() or ['it failed'])[-1]}")
        return
    found = json.loads(done.stdout)
    print(f"{'Yamcs on the same packets':48}{'seconds':>10}{'values':>12}")
    for name, what in YAMCS.items():
        print(f"{what:48}{found[f'{name}_s']:10.2f}{found[f'{name}_n']:12,}")
    print(
        f"on disk {found['bytes'] / 1e6:,.0f} MB; read in {found['ingest_s']:.0f} s, filled in {found['fill_s']:.0f} s"
    )


def year(folder: Path) -> None:
    """365 days of summaries: the day's, moved."""
    where = folder / "year"
    shutil.copytree(folder / "history", where)
    storage = open_history(where).storage
    for level, cut in (("minutes", 10), ("hours", 7), ("days", 4)):
        [path] = (where / level / "kind=HK").rglob("summary.parquet")
        table, _ = read_summary(storage, str(path.relative_to(where)))
        shutil.rmtree(where / level)
        by_file: dict[str, list[tuple[str, pa.Table]]] = {}
        for back in range(365):
            moved = pc.subtract(table["time"], pa.scalar(back * DAY_NS, pa.duration("ns")))
            date = str(np.datetime64(int(DAY // DAY_NS) - back, "D"))
            by_file.setdefault(date[:cut], []).append((date, table.set_column(0, "time", moved)))
        for key, found in by_file.items():
            part = (
                where
                / level
                / "kind=HK"
                / f"{ {10: 'date', 7: 'month', 4: 'year'}[cut] }={key}"
                / "summary.parquet"
            )
            part.parent.mkdir(parents=True)
            covers = str({date: "pruned" for date, _ in found}).replace("'", '"')
            whole = (
                pa.concat_tables([one for _, one in found])
                .sort_by("time")
                .replace_schema_metadata({"covers": covers})
            )
            parquet.write_table(whole, part, compression="zstd")
    shutil.rmtree(where / "rows")
    history = open_history(where)
    span = {"start": DAY - 364 * DAY_NS, "end": DAY + DAY_NS}
    line(
        "500 samples of a year (20 billion values)",
        best(lambda: history.get("HK.V0", points=500, **span)),
        None,
        "0.2",
    )


def plain_table(octets: bytes) -> pa.Table:
    """The values of packets as a table that knows nothing of histories: what any script would write."""
    rows = np.frombuffer(octets, FIELDS)
    since = rows["s"].astype(np.int64) * 10**9 + rows["ms"].astype(np.int64) * 10**6
    columns: dict[str, Any] = {"time": (np.datetime64("2026-01-01", "ns") + since.astype("timedelta64[ns]"))}
    for name, field in (("V", "v"), ("F", "f"), ("C", "c")):
        for i in range(rows[field].shape[1]):
            values = rows[field][:, i]
            columns[f"{name}{i}"] = values * 0.01 if name == "V" else values.astype(values.dtype.newbyteorder("="))
    return pa.table(columns)


def month(folder: Path, n: int) -> None:
    """30 days of real rows, in a history and as one plain file for each day that DuckDB reads."""
    mission, where, plain = load_mission(str(folder)), folder / "month", folder / "plain"
    plain.mkdir()
    for number in range(N_DAYS):
        recording = folder / f"day-{number}.packets"
        recording.write_bytes(packets(n, number))
        import_passes([recording], mission, str(where), lambda _: None, stream="month")
        parquet.write_table(
            plain_table(recording.read_bytes()), plain / f"day-{number:02}.parquet", compression="zstd"
        )
        recording.unlink()
    history, lake = open_history(where), duckdb.connect()
    files, names = f"'{plain}/*.parquet'", [f"V{i}" for i in range(10)]
    start = DAY + 10 * DAY_NS + (n // HZ // 3) * 10**9
    hour = {"start": start, "end": start + 3600 * 10**9}
    low, high = (f"'{np.datetime64(one, 'ns')}'::timestamp" for one in hour.values())
    width = -(-N_DAYS * DAY_NS // 500)
    in_bins = f"select epoch_ns(time) // {width} b, min(V0), max(V0), avg(V0) from {files} group by b"  # noqa: S608
    in_hour = f"select time, {', '.join(names)} from {files} where time >= {low} and time < {high}"  # noqa: S608
    print(f"{f'{N_DAYS} days of real rows':48}{'ours':>10}{'DuckDB':>12}{'goal':>12}")
    line(
        "500 samples of V0: min, max, mean",
        best(lambda: history.get("HK.V0", points=500)),
        best(lambda: lake.sql(in_bins).fetchall()),
        "0.2",
    )
    line(
        "an hour of 10 parameters, Dataset",
        best(lambda: history.get(*[f"HK.{name}" for name in names], **hour)),
        best(lambda: lake.sql(in_hour).fetchnumpy()),
        "0.1",
    )
    in_bulk(where, n)
    print(f"on disk: history {size_of(where):.0f} MB, plain files without quality {size_of(plain):.0f} MB")


def in_bulk(where: Path, n: int) -> None:
    """A day of 40 parameters over Arrow Flight, on this machine."""
    server = FlightServer(open_history(where), "127.0.0.1", 0)
    far = open_history(f"grpc://127.0.0.1:{server.port}")
    names = [f"HK.V{i}" for i in range(40)]
    day = {"start": DAY, "end": DAY + DAY_NS, "max_values": 10**9}
    took = best(lambda: far.table(*names, **day), 3)
    print(f"a day of 40 parameters over Flight: {took:.2f} s, {40 * n / took / 1e6:.0f} million values/s")
    server.shutdown()


if __name__ == "__main__":
    main()
