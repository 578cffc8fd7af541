"""Arrays that grow batch by batch in an unnamed temporary file, so that memory stays bounded; read back as one."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from ..dictionary.run.ragged import flat_starts, packed_values
from ..model.batches import Column, Ragged
from ..model.categorical import Categorical, concatenated
from ..model.errors import RunError
from ..system.files import scratch_file


class Spill:
    """The temporary file. It is created in `folder` with the first array, and deleted with `stack`."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self._file: IO[bytes] | None = None

    def append(self, array: NDArray[Any]) -> int:
        """Write an array; returns its position. Raises RunError if it cannot be written."""
        if self._file is None:
            self._file = self._stack.enter_context(scratch_file(self._folder))
        try:
            offset = self._file.seek(0, 2)
            self._file.write(octets(array))
        except OSError as error:
            raise RunError(f"cannot write in {self._folder}: {error.strerror or error}") from error
        return offset

    def read(self, offset: int, size: int) -> bytes:
        assert self._file is not None
        self._file.seek(offset)
        return self._file.read(size)


class MemorySpill(Spill):
    """As Spill, in memory."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def append(self, array: NDArray[Any]) -> int:
        self._pieces.append(bytes(octets(array)))
        return len(self._pieces) - 1

    def read(self, offset: int, size: int) -> bytes:
        return self._pieces[offset][:size]


def octets(array: NDArray[Any]) -> memoryview:
    """The bytes of an array of any type in C order."""
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


class SpilledArray:
    """One array in parts along rows. The types of parts may differ (lengths of texts); `dtype` is the common type."""

    def __init__(self, spill: Spill) -> None:
        self._spill = spill
        self._parts: list[tuple[int, np.dtype[Any], tuple[int, ...]]] = []
        self.n_rows = 0
        self.dtype: np.dtype[Any] = np.dtype(np.uint8)

    def append(self, array: NDArray[Any]) -> None:
        self._parts.append((self._spill.append(array), array.dtype, array.shape))
        self.n_rows += array.shape[0]
        if len(self._parts) == 1 or array.dtype != self.dtype:
            self.dtype = np.result_type(array.dtype, *([self.dtype] if len(self._parts) > 1 else []))

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.n_rows, *self._parts[0][2][1:])

    def parts(self) -> Iterator[NDArray[Any]]:
        """Yield the parts in order, each in the common type."""
        return (self.part(number) for number in range(len(self._parts)))

    def part(self, number: int) -> NDArray[Any]:
        """Read a part, in the common type."""
        offset, dtype, shape = self._parts[number]
        content = self._spill.read(offset, int(np.prod(shape)) * dtype.itemsize)
        return np.frombuffer(content, dtype).reshape(shape).astype(self.dtype, copy=False)

    def whole(self) -> NDArray[Any]:
        return self.some(0, len(self._parts))

    @property
    def part_bytes(self) -> list[int]:
        """Size of each part."""
        return [dtype.itemsize * math.prod(shape) for _, dtype, shape in self._parts]

    def some(self, first: int, last: int) -> NDArray[Any]:
        """Read parts `first` to `last` - 1 as one array."""
        return np.concatenate([self.part(number) for number in range(first, last)])


class SpilledTexts:
    """A categorical column in parts, which may have different tables. The codes are in the file."""

    def __init__(self, spill: Spill) -> None:
        self._codes = SpilledArray(spill)
        self._tables: list[NDArray[Any]] = []

    def append(self, column: Categorical) -> None:
        self._codes.append(column.codes)
        self._tables.append(column.categories)

    @property
    def n_rows(self) -> int:
        return self._codes.n_rows

    @property
    def dtype(self) -> np.dtype[Any]:
        """Common type of the texts."""
        return np.result_type(*{table.dtype for table in self._tables})

    @property
    def shape(self) -> tuple[int, ...]:
        return self._codes.shape

    def parts(self) -> Iterator[NDArray[Any]]:
        """Yield the parts as texts of the common type."""
        return (self._part(number).astype(self.dtype, copy=False) for number in range(len(self._tables)))

    def whole(self) -> Categorical:
        return self.some(0, len(self._tables))

    @property
    def part_bytes(self) -> list[int]:
        """Size of the codes of each part."""
        return self._codes.part_bytes

    def some(self, first: int, last: int) -> Categorical:
        """Read parts `first` to `last` - 1 as one column."""
        return cast("Categorical", concatenated([self._part(number) for number in range(first, last)]))

    def _part(self, number: int) -> Categorical:
        return Categorical(self._codes.part(number), self._tables[number])


class SpilledTable:
    """Columns of one container. A ragged column is stored as NAME (flat), NAME.start and NAME.length."""

    def __init__(self, spill: Spill) -> None:
        self._spill = spill
        self.arrays: dict[str, SpilledArray | SpilledTexts] = {}
        self.ragged: set[str] = set()

    def append(self, name: str, column: Column) -> None:
        if not isinstance(column, Ragged):
            self._append(name, column)
            return
        self.ragged.add(name)
        n_before = self.arrays[name].n_rows if name in self.arrays else 0
        self._append(f"{name}.start", flat_starts(column.length) + n_before)
        self._append(f"{name}.length", column.length)
        self._append(name, packed_values(column))

    def columns(self) -> dict[str, Column]:
        """Read all columns."""
        return self.some(0, self._n_parts)

    def blocks(self, max_bytes: int) -> list[tuple[int, int]]:
        """Ranges of parts (first, last + 1) that are blocks of about `max_bytes`."""
        sizes = np.sum([array.part_bytes for array in self.arrays.values()], axis=0)
        blocks, first, n_bytes = [], 0, 0
        for number, size in enumerate(sizes.tolist(), 1):
            n_bytes += size
            if n_bytes >= max_bytes or number == len(sizes):
                blocks.append((first, number))
                first, n_bytes = number, 0
        return blocks

    def some(self, first: int, last: int) -> dict[str, Column]:
        """Read the rows of parts `first` to `last` - 1."""
        beside = {f"{name}.{part}" for name in self.ragged for part in ("start", "length")}
        return {name: self._some(name, first, last) for name in self.arrays if name not in beside}

    @property
    def _n_parts(self) -> int:
        return len(next(iter(self.arrays.values())).part_bytes) if self.arrays else 0

    def _some(self, name: str, first: int, last: int) -> Column:
        values = self.arrays[name].some(first, last)
        if name not in self.ragged:
            return values
        length = np.asarray(self.arrays[f"{name}.length"].some(first, last))
        return Ragged(values, flat_starts(length), length)

    def _append(self, name: str, values: NDArray[Any] | Categorical) -> None:
        if name not in self.arrays:
            self.arrays[name] = (SpilledTexts if isinstance(values, Categorical) else SpilledArray)(self._spill)
        self.arrays[name].append(values)  # type: ignore[arg-type]  # a column keeps its kind
