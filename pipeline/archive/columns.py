"""Decoded columns as files: one for each container, one array for each parameter, rows in packet order.

Batches are spilled to a temporary file and concatenated at the end. A ragged column becomes three arrays: NAME (flat),
NAME.start and NAME.length. `decode.json` has the pass and the contents of the files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from ..model.batches import ColumnBatch
from ..system.files import interrupted
from ..system.outputs import check_folder, check_replace, locked_folder
from .column_formats import writer
from .column_listing import NAME, Listing, Source, earlier_listing, write_listing
from .row_columns import ROW_FIELDS, LocalOf, Metadata, UtcOf
from .spill import Spill, SpilledTable

Describe = Callable[[str], Mapping[str, str]]
"""Returns descriptions of the parameters of a container, by name."""


@contextmanager
def column_files(
    folder: Path,
    file_format: str = "npz",
    *,
    source: Source | None = None,
    inputs: Sequence[Path] = (),
    utc_of: UtcOf | None = None,
    local_of: LocalOf | None = None,
    describe: Describe = lambda _: {},
    overwrite: bool = False,
) -> Iterator[ColumnFiles]:
    """Open a folder of column files; they are written at the end of the block, unless it raises.

    Raises ConfigError if the folder has the packets of another pass, or other files that would be replaced, unless
    `overwrite` is set; if another process writes to it; if a file would replace a recording or one of `inputs`.
    """
    ending, write = writer(file_format)
    source = source or Source()
    inputs = (*source.paths, *inputs)
    check_folder(folder, inputs)
    with locked_folder(folder), ExitStack() as stack:
        before = earlier_listing(folder, source, overwrite=overwrite)
        files = ColumnFiles(Spill(folder, stack), raw=source.raw)
        n_finished = 0
        try:
            yield files
            paths = {container: folder / f"{_file_word(container)}.{ending}" for container in files.tables}
            check_replace(
                [*paths.values(), folder / NAME],
                inputs,
                overwrite=overwrite,
                is_own=lambda path: path.name in {NAME, *before.files},
            )
            known = Metadata(origin=source.attributes(), utc_of=utc_of, local_of=local_of)
            for container, (table, rows, units) in files.tables.items():
                described = replace(
                    known, units=units, descriptions=describe(container), passes=files.passes[container]
                )
                write(paths[container], table, rows, container, described)
                n_finished += 1
            listing = Listing(files.about(describe), tuple(path.name for path in paths.values()))
            write_listing(folder, source, listing, before, ending)
        except KeyboardInterrupt:
            raise interrupted(n_finished, folder) from None


def _file_word(container: str) -> str:
    return container.strip("/").replace("/", ".")


class ColumnFiles:
    """Collects the columns of each container. `tables`: parameters, row fields and units, by container."""

    def __init__(self, spill: Spill, *, raw: bool) -> None:
        self._spill = spill
        self._raw = raw
        self.tables: dict[str, tuple[SpilledTable, SpilledTable, Mapping[str, str]]] = {}
        self.passes: dict[str, Counter[str]] = {}

    def add(self, batches: Sequence[ColumnBatch], pass_name: str = "") -> None:
        """Append batches of the pass with this name."""
        for batch in batches:
            self.passes.setdefault(batch.container, Counter())[pass_name] += len(batch)
            if batch.container not in self.tables:
                units = {} if self._raw else batch.units
                self.tables[batch.container] = SpilledTable(self._spill), SpilledTable(self._spill), units
            table, rows, _ = self.tables[batch.container]
            for name, column in (batch.raw if self._raw else batch.columns).items():
                table.append(name, column)
            for name in ROW_FIELDS:
                rows.append(name, getattr(batch, name))

    def about(self, describe: Describe) -> dict[str, dict[str, object]]:
        """Contents of each container for the listing: number of rows, units and descriptions."""
        return {
            container: {
                "rows": rows.arrays["order"].n_rows,
                "units": dict(units),
                "descriptions": {name: text for name, text in describe(container).items() if text},
            }
            for container, (_, rows, units) in self.tables.items()
        }
