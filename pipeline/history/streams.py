"""Stream the rows of a kind as Arrow batches, with one batch in memory at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.dataset as ds

from ..model.errors import ConfigError, RunError
from .forms import common_schema, fitted_column
from .rows import Group, RowReader, Span, row_condition


def stream_rows(
    reader: RowReader, groups: Sequence[Group], columns: Sequence[str] | None, span: Span
) -> pa.RecordBatchReader:
    """Rows of files that are in a span; missing columns are null. ConfigError for a column that no file has."""
    known = {out for group in groups for out in group.names.values()}
    unknown = sorted({*(columns or ())} - known)
    if unknown:
        raise ConfigError(f"there is no column {', '.join(unknown)}")
    chosen = [_chosen(group, columns) for group in groups]
    schemas = [
        pa.schema([group.schema.field(name).with_name(out) for out, name in some.items()], group.schema.metadata)
        for group, some in zip(groups, chosen, strict=True)
    ]
    schema = common_schema(schemas)
    order = [one for one in columns or schema.names if one in schema.names]
    schema = pa.schema([schema.field(one) for one in order], schemas[-1].metadata)
    return pa.RecordBatchReader.from_batches(schema, _batches(reader, groups, chosen, schema, span))


def _chosen(group: Group, columns: Sequence[str] | None) -> dict[str, str]:
    """Columns of the files, by their names in the stream."""
    return {out: name for name, out in group.names.items() if columns is None or out in columns}


def _batches(
    reader: RowReader, groups: Sequence[Group], chosen: Sequence[dict[str, str]], schema: pa.Schema, span: Span
) -> Iterator[pa.RecordBatch]:
    for group, some in zip(groups, chosen, strict=True):
        projected = {out: ds.field(name) for out, name in some.items()}
        condition = row_condition(span, {part.times for part in group.parts})
        try:
            for batch in reader.dataset_of(group).to_batches(columns=projected, filter=condition):
                if batch.num_rows:
                    yield _fitted(batch, schema)
        except FileNotFoundError:
            raise RunError("files of the history were merged while they were read: ask again") from None


def _fitted(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([fitted_column(batch, field) for field in schema], schema=schema)
