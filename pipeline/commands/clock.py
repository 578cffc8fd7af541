"""`downlink clock`: fit a clock correlation to the correlation packets of passes; write a file and a SPICE kernel.

recordings -> processing chain (link, dictionary) -> pairs -> fit -> the file that a mission names in
`[clock] correlation`
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..clock.correlation import Correlation, Pairs, correlate
from ..clock.correlation_file import text_of
from ..clock.sclk_kernel import kernel_text
from ..mission.loading import Mission
from ..model.errors import ConfigError, RunError
from ..processing.chain import ProcessingChain, product_context
from ..processing.passes import outcomes
from ..products.clock_source import ClockSource
from ..products.instrument import family
from ..system.files import whole_file
from ..system.outputs import begins_with, check_file

_is_correlation = begins_with(b"# Clock correlation of ")
_is_kernel = begins_with(b"KPL/SCLK")


def write_correlation(
    passes: Sequence[Path],
    mission: Mission,
    out: Path,
    progress: Callable[[int], None],
    kernel: tuple[Path, int] | None = None,
    *,
    on_report: Callable[[Path, Mapping[str, Any]], None] = lambda *_: None,
    overwrite: bool = False,
) -> Correlation:
    """Fit a correlation to the pairs of all passes and write it. `kernel`: also a file for SPICE, and its clock's id.
    `on_report` is called with each pass and its report. Passes may be of different days. Raises RunError where they
    have no pairs that give a correlation.
    """
    source = _source(mission)
    inputs = [*passes, *(path for path in mission.files if not _is_correlation(path))]  # which may be replaced
    check_file(out, inputs, overwrite=overwrite, is_own=_is_correlation)
    if kernel is not None:
        check_file(kernel[0], [*inputs, out], overwrite=overwrite, is_own=_is_kernel)
    found: list[Pairs] = []
    for path in passes:
        chain = ProcessingChain(mission, until="columns")
        found += _pairs(chain, path, source, progress)
        on_report(path, chain.report())
    made = correlate(_joined(found), source.fit_settings())
    if not made.segments:
        raise RunError(f"{sum(map(len, found))} correlation pairs in {len(passes)} passes: no clock correlation")
    clock = made.clock(mission.clock.epoch_utc_ns)
    texts = {out: text_of(clock, made, mission.name)}
    if kernel is not None:
        path, spacecraft = kernel
        try:
            texts[path] = kernel_text(clock, mission.name, spacecraft)
        except ValueError as error:
            raise ConfigError(f"{path}: {error}") from error
    for path, text in texts.items():
        with whole_file(path) as file:
            file.write(text.encode())
    return made


def _source(mission: Mission) -> ClockSource:
    """The instrument of the mission that reads correlation packets. ConfigError if there is none."""
    for name, kind in mission.instruments.items():
        if issubclass(kind, ClockSource):
            return kind(mission.calibrations[family(name, kind)], product_context(mission, "clock"))
    raise ConfigError(f"mission {mission.name} has no instrument 'clock' that reads correlation packets")


def _pairs(chain: ProcessingChain, path: Path, source: ClockSource, progress: Callable[[int], None]) -> list[Pairs]:
    """The pairs of one pass."""
    return [
        source.correlation_pairs(rows)
        for outcome in outcomes(chain, [path], progress)
        for rows in outcome.columns
        if rows.container == source.pair_container
    ]


def _joined(found: Sequence[Pairs]) -> Pairs:
    nothing = np.empty(0, np.int64)
    columns = zip(*((one.onboard_ns, one.utc_ns, one.resets) for one in found), strict=True)
    return Pairs(*(np.concatenate(column) for column in columns)) if found else Pairs(nothing, nothing, nothing)
