"""What kind of class the things are that travel from room to room."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def carrier(cls: type[T]) -> type[T]:
    """Class decorator: a slotted dataclass whose fields are not set again. The type checker enforces that.

    A dataclass with `frozen=True` enforces it at run time, too, for 0.3 us a field of each object: a twentieth of what
    a packet costs from its datagram to its product. Equality and hash are those of a frozen one.
    """
    return dataclass(slots=True, unsafe_hash=True)(cls)
