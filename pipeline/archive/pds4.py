"""Radar products as the archive has them: a table of records, and a PDS4 label beside it.

In: the collections of one channel, science and self-test. Out: for each data node (polarisation) a `.2B` and a
`.2BL`, records in the order of their onboard times. Self-test records stand among the others, as in archived files.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.archive.collection import Collection, Origin
from pipeline.archive.jobs import Job
from pipeline.archive.pds4_label import TableFacts, label
from pipeline.archive.product_names import radar_stem
from pipeline.archive.radar_layout import LAYOUTS, Layout, records
from pipeline.archive.whole import whole_path

_MARS = ("sol", "lmst", "ltst")
_ENTRY = np.dtype(
    [("offset", "i8"), ("utc_ns", "i8"), ("node", "u1"), ("sol", "i4"), ("lmst", "f8"), ("ltst", "f8")]
)


@dataclass(frozen=True, slots=True)
class RadarTable:
    """One table before it is written: where its records lie, and its name."""

    layout: Layout
    word: str
    entries: NDArray[Any]
    sources: tuple[Collection, ...]


def plan_radar(collections: Sequence[Collection], origin: Origin) -> Iterator[Job]:
    """A table and its label for each channel and data node of the collections' radar products."""
    for table in _tables(collections):
        utc_ns, sol = table.entries["utc_ns"], int(table.entries["sol"][0])
        ends = int(utc_ns[0]), int(utc_ns[-1])
        yield Job(
            radar_stem(table.word, *ends, sol, origin),
            (("pds4-table", ""), ("pds4-label", "L")),
            partial(_write_radar, table, origin),
            table.sources,
            ends,
            len(utc_ns),
            tuple(one for source in table.sources for one in source.ids),
        )


def _tables(collections: Sequence[Collection]) -> Iterator[RadarTable]:
    for container, layout in LAYOUTS.items():
        traces = [
            one for one in collections if "real" in one.columns
        ]  # not radargrams, which are of the same packets
        sources = tuple(one for one in traces if one.common.get("container") == container)
        if not sources:
            continue
        found = [_entries(one, layout) for one in sources]
        entries = np.concatenate([rows for rows, _ in found])
        words = {node: word for _, of_nodes in found for node, word in of_nodes.items()}
        for node, word in sorted(words.items()):
            here = entries[entries["node"] == node]
            yield RadarTable(layout, word, here[np.argsort(here["utc_ns"], kind="stable")], sources)


def _write_radar(table: RadarTable, origin: Origin, paths: Sequence[Path]) -> None:
    """Write table and label, whole or not at all. Raises RunError where they cannot be written."""
    path, label_path = paths
    entries, layout = table.entries, table.layout
    ends = int(entries["utc_ns"][0]), int(entries["utc_ns"][-1])
    spill, size = table.sources[0].spill, layout.record.itemsize
    facts = TableFacts(layout, path.name, table.word, len(entries), ends, _mars(table, origin))
    with whole_path(label_path) as label_part, whole_path(path) as part:
        label_part.write_bytes(label(facts, origin, table.sources))
        with part.open("wb") as file:
            for offset in entries["offset"].tolist():
                file.write(spill.read(offset, size))


def _entries(collection: Collection, layout: Layout) -> tuple[NDArray[Any], dict[int, str]]:
    """Make the records and put them on disk: an entry for each, and the words of the data nodes."""
    by_row = {name: one.array for name, one in collection.columns.items() if one.dims[:1] == ("row",)}
    entries: list[NDArray[Any]] = []
    words: dict[int, str] = {}
    streams = {name: array.parts() for name, array in by_row.items()}
    mars = {name: collection.mars[name].parts() for name in _MARS if name in collection.mars}
    for quality in collection.quality.parts():
        arrays = {name: next(parts) for name, parts in streams.items()}
        rows = records(layout, arrays, quality)
        entry = np.zeros(len(rows), _ENTRY)
        entry["offset"] = collection.spill.append(rows) + np.arange(len(rows)) * layout.record.itemsize
        entry["utc_ns"], entry["node"] = arrays["time_utc_ns"], rows["data_node"]
        for name, parts in mars.items():
            entry[name] = next(parts)
        entries.append(entry)
        words |= _words(layout, rows["data_node"], arrays.get("polarization"))
    return np.concatenate(entries), words


def _words(layout: Layout, nodes: NDArray[Any], polarization: NDArray[Any] | None) -> dict[int, str]:
    if polarization is None:
        return dict.fromkeys(np.unique(nodes).tolist(), layout.word)
    first = {int(node): str(name) for node, name in zip(nodes[::-1], polarization[::-1], strict=True)}
    return {node: f"{layout.word}-{name.replace('_', '')}" for node, name in first.items()}


def _mars(table: RadarTable, origin: Origin) -> tuple[tuple[int, float, float], ...]:
    """Sol, mean and true solar time of the first and the last record; none without a site."""
    if origin.site is None:
        return ()
    ends = (table.entries[0], table.entries[-1])
    return tuple((int(end["sol"]), float(end["lmst"]), float(end["ltst"])) for end in ends)
