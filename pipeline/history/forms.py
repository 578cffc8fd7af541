"""Names of columns that have several units or types in the files, made with several versions of a dictionary.

Values of two units, or of types without a common lossless type, are never in one column: the newest form of a parameter
has its name, an older one `NAME [unit]`, or `NAME [type]` if the unit is the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import pyarrow as pa

from .names import FIXED, column_of

_MANTISSA = {16: 11, 32: 24, 64: 53}
_FLOATS = {16: pa.float16(), 32: pa.float32(), 64: pa.float64()}
_SIGNED = {8: pa.int8(), 16: pa.int16(), 32: pa.int32(), 64: pa.int64()}
_UNSIGNED = {8: pa.uint8(), 16: pa.uint16(), 32: pa.uint32(), 64: pa.uint64()}


def is_text(kind: pa.DataType) -> bool:
    """Whether a type is text, dictionary-encoded or not."""
    return bool(pa.types.is_dictionary(kind) or pa.types.is_string(kind))


def is_number(kind: pa.DataType) -> bool:
    """Whether a type is an integer or floating-point number."""
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def common_type(one: pa.DataType, other: pa.DataType, *, exact: bool = True) -> pa.DataType | None:
    """The type that holds all values of both types; None without one. `exact=False`: numbers may become doubles."""
    if one == other or pa.types.is_null(one) or pa.types.is_null(other):
        return other if pa.types.is_null(one) else one
    if is_text(one) and is_text(other):
        return pa.string()
    if is_number(one) and is_number(other):
        return _common_number(one, other) or (None if exact else pa.float64())
    if pa.types.is_list(one) and pa.types.is_list(other):
        inner = common_type(one.value_type, other.value_type, exact=exact)
        return None if inner is None else pa.list_(one.value_field.with_type(inner))
    both = pa.types.is_struct(one) and pa.types.is_struct(other)
    return _common_struct(one, other, exact=exact) if both else None


def _common_number(one: pa.DataType, other: pa.DataType) -> pa.DataType | None:
    bits = max(one.bit_width, other.bit_width)
    if pa.types.is_floating(one) and pa.types.is_floating(other):
        return _FLOATS[bits]
    if pa.types.is_floating(one) or pa.types.is_floating(other):
        whole, real = (one, other) if pa.types.is_integer(one) else (other, one)
        wide = [n for n, mantissa in _MANTISSA.items() if n >= real.bit_width and mantissa >= whole.bit_width]
        return _FLOATS[wide[0]] if wide else None
    if pa.types.is_signed_integer(one) == pa.types.is_signed_integer(other):
        return (_SIGNED if pa.types.is_signed_integer(one) else _UNSIGNED)[bits]
    signed, unsigned = (one, other) if pa.types.is_signed_integer(one) else (other, one)
    return _SIGNED.get(max(signed.bit_width, 2 * unsigned.bit_width))


def _common_struct(one: pa.DataType, other: pa.DataType, *, exact: bool) -> pa.DataType | None:
    names = {field.name for field in one}
    if names != {field.name for field in other}:
        return None
    fields = [(field.name, common_type(field.type, other.field(field.name).type, exact=exact)) for field in one]
    return None if any(kind is None for _, kind in fields) else pa.struct(fields)


def concat(tables: Sequence[pa.Table], *, exact: bool = True) -> pa.Table:
    """Concatenate tables; a missing column is null. Metadata: of the last. ArrowTypeError without a common type."""
    schema = common_schema([one.schema for one in tables], exact=exact)
    return pa.concat_tables([_fitted(one, schema, exact=exact) for one in tables])


def common_schema(schemas: Sequence[pa.Schema], *, exact: bool = True) -> pa.Schema:
    """The fields of all schemas in order of first appearance. ArrowTypeError if a field has no common type."""
    fields: dict[str, pa.Field] = {}
    for schema in schemas:
        for field in schema:
            before = fields.get(field.name, field)
            kind = common_type(before.type, field.type, exact=exact)
            if kind is None:
                raise pa.ArrowTypeError(f"{field.name}: {before.type} and {field.type} have no common type")
            fields[field.name] = field.with_type(kind)
    return pa.schema(list(fields.values()), schemas[-1].metadata)


def _fitted(table: pa.Table, schema: pa.Schema, *, exact: bool) -> pa.Table:
    return pa.table([fitted_column(table, field, safe=exact) for field in schema], schema=schema)


def fitted_column(rows: pa.Table | pa.RecordBatch, field: pa.Field, *, safe: bool = True) -> Any:
    """The column of a table or batch, cast to the type of a field; nulls if it is missing."""
    place = rows.schema.get_field_index(field.name)
    if place < 0:
        return pa.nulls(rows.num_rows, field.type)
    column = rows.column(place)
    return column if column.type == field.type else column.cast(field.type, safe=safe)


@dataclass(slots=True)
class _Slot:
    """Form of a name: the column in the files, its unit, and the common type of its values."""

    column: str
    unit: str
    type: pa.DataType


class Naming:
    """Column names of a kind over all versions. `schemas`: of its files, the newest first."""

    def __init__(self, schemas: Sequence[pa.Schema]) -> None:
        self._slots: dict[str, _Slot] = {}
        for schema in schemas:
            for field in schema:
                if field.name not in FIXED:
                    self._slots.setdefault(field.name, _Slot(field.name, unit_of(field), field.type))
        for schema in schemas:
            self.names(schema)

    def names(self, schema: pa.Schema) -> dict[str, str]:
        """The name in queries of each column of a file of rows."""
        return {
            one.name: one.name if one.name in FIXED else self.name(one.name, unit_of(one), one.type)
            for one in schema
        }

    def name(self, column: str, unit: str, kind: pa.DataType) -> str:
        """The name in queries of values of a column in a unit and type."""
        for name in _candidates(column, unit, kind):
            slot = self._slots.setdefault(name, _Slot(column, unit, kind))
            both = common_type(slot.type, kind)
            if (slot.column, slot.unit) == (column, unit) and both is not None:
                slot.type = both
                return name
        raise AssertionError


def _candidates(column: str, unit: str, kind: pa.DataType) -> Iterator[str]:
    yield column
    yield f"{column} [{unit or word_of(kind)}]"
    typed = f"{unit} {type_word(kind)}".strip()
    yield f"{column} [{typed}]"
    yield from (f"{column} [{typed} {n}]" for n in count(2))


def unit_of(field: pa.Field) -> str:
    """The unit in the metadata of a column."""
    return str((field.metadata or {}).get(b"unit", b"").decode())


def stored_column(field: pa.Field) -> str:
    """The column in files of rows that a column of summaries summarises."""
    parameter = (field.metadata or {}).get(b"parameter")
    return column_of(parameter.decode()) if parameter else str(field.name)


def word_of(kind: pa.DataType) -> str:
    """`number`, `text`, `boolean`, `list of ...`, else the name of the type."""
    if pa.types.is_list(kind):
        return f"list of {word_of(kind.value_type)}"
    if is_text(kind) or is_number(kind):
        return "text" if is_text(kind) else "number"
    return "boolean" if kind == pa.bool_() else str(kind)


def type_word(kind: pa.DataType) -> str:
    """The name of a type in metadata and lists: `text`, or as Arrow names it."""
    return "text" if is_text(kind) else str(kind)
