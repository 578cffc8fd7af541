"""Whole calls beside whole calls: `python -m benchmarks.calls [--megabytes N]`. Clock: wall time of the call.

Each call begins with the path of a file of packets and ends with arrays in memory: one for each parameter (columns), or
an xarray Dataset. Reading the file is part of it; importing the library is not. Peers get the same file, or its
beginning where they would take minutes; a rate is of the bytes that were read. The best of several runs counts, so that
the file is in the system's cache for everyone, and the dictionary was compiled by the run before, as ccsdspy's
description is made before its first; space_packet_parser reads it each time. "first" is our first call, which
compiles it, and whose memory the system hands out for the first time.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from downlink_pipeline import open_pass

from benchmarks.dictionary import (
    MB,
    Field,
    ccsdspy_reader,
    fixed_packets,
    jpss_fields,
    packed_fields,
    variable_fields,
    variable_packets,
    wide_fields,
    xtce_of,
)

FULL_BYTES = 64_000_000
SLOW_PEER_BYTES = 1_000_000
FILES = itertools.count()
MISSION = 'name = "bench"\n[link]\nframing = "packets"\n[dictionary]\nxtce = "fields.xml"\n'
CONTAINER = "PACKET"
STREAM_BOUND_BYTES, STREAM_GOAL = 32 << 20, 500
"""Columns in memory where they go to a file as they are decoded, and MB/s that are wanted then."""


def witness_reader(document: Path) -> Callable[[Path], Any] | None:
    """The Dataset of a file by space_packet_parser; None where it is not installed."""
    try:
        from space_packet_parser.xarr import create_dataset  # noqa: PLC0415 - a peer that need not be there
    except ImportError:
        return None
    return lambda path: create_dataset([path], document)


def seconds(call: Callable[[], Any], times: int) -> float:
    """Wall time of the fastest of several calls."""
    found = []
    for _ in range(times):
        began = time.perf_counter()
        call()
        found.append(time.perf_counter() - began)
    return min(found)


def rate(call: Callable[[Path], Any], path: Path, times: int = 3) -> float:
    """MB/s of a call that reads a file."""
    return path.stat().st_size / seconds(lambda: call(path), times) / MB


def stream(path: Path, mission: str) -> None:
    """Decode to a new Parquet file, as columns beyond the bound of memory are; the Dataset reads from it."""
    file = path.with_suffix(f".{next(FILES)}.parquet")
    open_pass(path, mission=mission).to_xarray(CONTAINER, memory_bytes=STREAM_BOUND_BYTES, store=file)


def to_zarr(path: Path, mission: str) -> None:
    """Decode, and write the Dataset to a new Zarr store as xarray does."""
    store = path.with_suffix(f".{next(FILES)}.zarr")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # text has no specification in Zarr 3 yet
        open_pass(path, mission=mission).to_xarray(CONTAINER).to_zarr(store, zarr_format=3, consolidated=False)


def compare(title: str, fields: Sequence[Field], n_bytes: int, goals: Mapping[str, float]) -> None:
    """Our two calls on packets of these fields, and how many times the rates of the peers they reach."""
    sized = any(field.kind in "bas" for field in fields)
    data, length = variable_packets(n_bytes) if sized else fixed_packets(fields, n_bytes)
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        whole, beginning, document = here / "all.packets", here / "few.packets", here / "fields.xml"
        whole.write_bytes(data.tobytes())
        n_few = int(np.searchsorted(np.cumsum(length), SLOW_PEER_BYTES, side="right"))
        beginning.write_bytes(data[: int(length[:n_few].sum())].tobytes())
        document.write_bytes(xtce_of(fields))
        (here / "mission.toml").write_text(MISSION)
        first = rate(lambda path: open_pass(path, mission=folder).to_columns(CONTAINER), whole, 1)
        ours = {
            "to columns": rate(lambda path: open_pass(path, mission=folder).to_columns(CONTAINER), whole),
            "to a Dataset": rate(lambda path: open_pass(path, mission=folder).to_xarray(CONTAINER), whole),
        }
        opened = rate(lambda path: open_pass(path, mission=folder).open_xarray(CONTAINER), whole)
        streamed = rate(lambda path: stream(path, folder), whole)
        in_zarr = rate(lambda path: to_zarr(path, folder), whole, 1) if find_spec("zarr") else 0.0
        flat, witness = ccsdspy_reader(fields), witness_reader(document)
        peers = {
            "ccsdspy": rate(flat, beginning if sized else whole, 2) if flat else 0.0,
            "space_packet_parser": rate(witness, beginning, 1) if witness else 0.0,
        }
    print(f"{title + ', to columns, first':42} {first:8.0f} MB/s", flush=True)
    print(f"{title + ', opened, not decoded':42} {opened:8.0f} MB/s", flush=True)
    print(f"{title + ', to Parquet':42} {streamed:8.0f} MB/s (goal {STREAM_GOAL})", flush=True)
    if in_zarr:
        print(f"{title + ', to Zarr, by xarray':42} {in_zarr:8.0f} MB/s", flush=True)
    for what, speed in ours.items():
        beside = (
            f"{name} {theirs:.1f} MB/s: {speed / theirs:.1f} times (goal {goals[name]:g})"
            for name, theirs in peers.items()
            if theirs
        )
        print(" | ".join((f"{title + ', ' + what:42} {speed:8.0f} MB/s", *beside)), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=float, default=FULL_BYTES / MB, help="of a file")
    n_bytes = int(parser.parse_args().megabytes * MB)
    print(f"files of {n_bytes / MB:g} MB; wall time of whole calls, from a file on disk to arrays in memory")
    goals = {"ccsdspy": 4.0, "space_packet_parser": 500.0}
    compare("71 B flat", jpss_fields(), n_bytes, goals)
    compare("bit fields, polynomials, labels", packed_fields(), n_bytes, goals)
    compare("1,003 fields", wide_fields(), n_bytes, goals | {"ccsdspy": 2.0})
    compare("variable length, blobs", variable_fields(), n_bytes, goals | {"ccsdspy": 500.0})


if __name__ == "__main__":
    main()
