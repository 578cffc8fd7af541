"""Radar products as the archive has them: a table of records, and a PDS4 label beside it.

In: the collections of one channel, science and self-test. Out: for each data node and polarisation a `.2B` and a
`.2BL`, records in the order of their onboard times. Self-test records stand among the others, as in archived files.
A table with a record that this layout cannot represent is not written; the others are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....archive.collection import Collection, Origin
from ....archive.jobs import Job
from ....archive.product_names import table_stem
from ....model.errors import RunError
from ....system.files import whole_path
from .archive_label import TableFacts, label
from .archive_record import LAYOUTS, LEVEL, Layout, records

_MARS = ("sol", "lmst", "ltst")
_ENTRY = np.dtype([("offset", "i8"), ("utc_ns", "i8"), ("sol", "i4"), ("lmst", "f8"), ("ltst", "f8")])
Key = tuple[int, str]
"""Data node and polarisation, which is empty for the low frequency."""


@dataclass(frozen=True, slots=True)
class RadarTable:
    """One table before it is written: where its records lie, and its name. `problem`: why it cannot be written."""

    layout: Layout
    word: str
    entries: NDArray[Any]
    sources: tuple[Collection, ...]
    problem: str = ""


def plan_radar(collections: Sequence[Collection], origin: Origin) -> Iterator[Job]:
    """A table and its label for each channel and data node of the collections' radar products."""
    for table in _tables(collections, origin):
        utc_ns, sol = table.entries["utc_ns"], int(table.entries["sol"][0])
        ends = int(utc_ns[0]), int(utc_ns[-1])
        yield Job(
            table_stem(table.sources[0], origin, table.word, LEVEL, (*ends, sol)),
            (("pds4-table", ""), ("pds4-label", "L")),
            partial(_write_radar, table, origin),
            table.sources,
            ends,
            len(utc_ns),
            tuple(one for source in table.sources for one in source.ids),
        )


def _tables(collections: Sequence[Collection], origin: Origin) -> Iterator[RadarTable]:
    for container, layout in LAYOUTS.items():
        # not radargrams, which are of the same packets
        traces = [one for one in collections if "real" in one.columns]
        sources = tuple(one for one in traces if one.common.get("container") == container)
        found: dict[Key, list[NDArray[Any]]] = {}
        problems: dict[Key, str] = {}
        for source in sources:
            _file_records(source, layout, origin, found, problems)
        for key, parts in sorted(found.items()):
            entries = np.concatenate(parts)
            ordered = entries[np.argsort(entries["utc_ns"], kind="stable")]
            yield RadarTable(layout, _word(layout, key), ordered, sources, problems.get(key, ""))


def _write_radar(table: RadarTable, origin: Origin, paths: Sequence[Path]) -> None:
    """Write table and label, whole or not at all. Raises RunError where they cannot be written."""
    path, label_path = paths
    if table.problem:
        raise RunError(f"cannot write {path}: {table.problem}")
    entries, layout = table.entries, table.layout
    ends = int(entries["utc_ns"][0]), int(entries["utc_ns"][-1])
    spill, size = table.sources[0].spill, layout.record.itemsize
    with whole_path(label_path) as label_part, whole_path(path) as part:
        digest = hashlib.md5(usedforsecurity=False)
        with part.open("wb") as file:
            for offset in entries["offset"].tolist():
                record = spill.read(offset, size)
                digest.update(record)
                file.write(record)
        mars = _mars(table, origin)
        facts = TableFacts(layout, path.name, table.word, len(entries), ends, mars, digest.hexdigest())
        label_part.write_bytes(label(facts, origin, table.sources))


def _file_records(
    collection: Collection,
    layout: Layout,
    origin: Origin,
    found: dict[Key, list[NDArray[Any]]],
    problems: dict[Key, str],
) -> None:
    """Make the records and put them on disk: entries of each table in `found`, in `problems` why one cannot be made."""
    by_row = {name: one.array for name, one in collection.columns.items() if one.dims[:1] == ("row",)}
    streams = {name: array.parts() for name, array in by_row.items()}
    mars = {name: collection.local_times[name].parts() for name in _MARS if name in collection.local_times}
    for quality in collection.quality.parts():
        arrays = {name: next(parts) for name, parts in streams.items()}
        entry = np.zeros(len(quality), _ENTRY)
        entry["utc_ns"] = arrays["time_utc_ns"]
        if origin.track is not None:
            arrays["frame_origin_m"] = origin.track.at(arrays["time_utc_ns"]).frame_origin_m
        for name, parts in mars.items():
            entry[name] = next(parts)
        for key, here in _keys(arrays).items():
            try:
                rows = records(layout, {name: array[here] for name, array in arrays.items()}, quality[here])
            except RunError as error:
                problems.setdefault(key, str(error))
            else:
                offset = collection.spill.append(rows)
                entry["offset"][here] = offset + np.arange(len(rows)) * layout.record.itemsize
            found.setdefault(key, []).append(entry[here])


def _keys(arrays: Mapping[str, NDArray[Any]]) -> dict[Key, NDArray[np.bool_]]:
    """Which rows are of each data node and polarisation."""
    nodes = arrays["data_node"]
    polarization = arrays.get("polarization", np.full(len(nodes), ""))
    pairs = sorted(set(zip(nodes.tolist(), polarization.tolist(), strict=True)))
    return {(int(node), str(name)): (nodes == node) & (polarization == name) for node, name in pairs}


def _word(layout: Layout, key: Key) -> str:
    name = key[1].replace("_", "")
    return f"{layout.word}-{name}" if name else layout.word


def _mars(table: RadarTable, origin: Origin) -> tuple[tuple[int, float, float], ...]:
    """Sol, mean and true solar time of the first and the last record; none without a site."""
    if origin.site is None:
        return ()
    ends = (table.entries[0], table.entries[-1])
    return tuple((int(end["sol"]), float(end["lmst"]), float(end["ltst"])) for end in ends)
