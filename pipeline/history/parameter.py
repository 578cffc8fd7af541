"""Parameters of a history: name, kind, unit, description and type, and the times of the rows of their kind."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from .forms import stored_column, type_word
from .summaries import value_type


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a kind; `name`: as `get` takes it. `first`, `last`: time of rows of its kind, ns, or NO_TIME."""

    name: str
    kind: str
    parameter: str
    column: str
    unit: str
    description: str
    type: str
    first: int
    last: int


def parameter_of(kind: str, column: str, field: pa.Field, first: int, last: int) -> Parameter:
    """The parameter of a column of rows, or of summaries. `column`: its name in queries."""
    metadata = {key.decode(): text.decode() for key, text in (field.metadata or {}).items()}
    parameter = metadata.get("parameter", column)
    suffix = column.removeprefix(stored_column(field))
    return Parameter(
        f"{kind}.{parameter}{suffix}",
        kind,
        f"{parameter}{suffix}",
        column,
        metadata.get("unit", ""),
        metadata.get("description", ""),
        type_word(value_type(field)),
        first,
        last,
    )
