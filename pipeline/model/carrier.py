"""The class decorator of data types that rooms exchange."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def carrier(cls: type[T]) -> type[T]:
    """Class decorator: a slotted dataclass that only the type checker treats as frozen (decision 0033).

    `frozen=True` would cost 0.3 us for each field of each object. Equality and hash are those of a frozen dataclass.
    """
    return dataclass(slots=True, unsafe_hash=True)(cls)
