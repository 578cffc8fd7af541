"""Recordings as one stream of batches: one, several of the same pass that are merged, or files of packets in a row."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from pipeline.batches import ByteBatch
from pipeline.errors import ConfigError
from pipeline.mission import Mission
from pipeline.stages.line import Line, Outcome
from pipeline.transport.source import read_pass

_NOTHING = np.empty(0, np.int64)


def station_names(mission: Mission, paths: Sequence[Path]) -> tuple[str, ...]:
    """Give a name for each recording that is to be merged; none where there is only one, or where none has frames."""
    if len(paths) < 2 or mission.link.framing == "packets":
        return ()
    if len({path.resolve() for path in paths}) < len(paths):
        raise ConfigError("a recording is named twice")
    names = tuple(path.name for path in paths)
    return names if len(set(names)) == len(names) else tuple(map(str, paths))


def read_in_turns(line: Line, paths: Sequence[Path]) -> Iterator[ByteBatch]:
    """Read recordings that are merged: of those not at their end, the one that is behind."""
    sources = dict(enumerate(map(read_pass, paths)))
    while sources:
        wanted = line.behind()  # may lag: what was read last need not have been fed yet
        station = wanted if wanted in sources else next(iter(sources))
        batch = next(sources[station], None)
        if batch is None:
            del sources[station]
            batch = ByteBatch(np.empty(0, np.uint8), _NOTHING, _NOTHING, ended=True)
        yield replace(batch, station=station)


def read_passes(line: Line, paths: Sequence[Path]) -> Iterator[ByteBatch]:
    """Read recordings for a line: in turns where it merges them, else one after another."""
    if line.n_stations > 1:
        yield from read_in_turns(line, paths)
        return
    for path in paths:
        yield from read_pass(path)


def outcomes(line: Line, paths: Sequence[Path], progress: Callable[[int], None]) -> Iterator[Outcome]:
    """Take recordings through a line to their end; `progress` is told the bytes of each batch when it is done with."""
    for batch in read_passes(line, paths):
        yield line.feed(batch)
        progress(len(batch.data))
    yield line.flush()
