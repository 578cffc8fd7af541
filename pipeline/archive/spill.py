"""Arrays that grow batch by batch and are read back as one: kept in a nameless file, so that memory stays flat."""

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
    """The file, made in `folder` when the first array comes, and gone with `stack`."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self._file: IO[bytes] | None = None

    def append(self, array: NDArray[Any]) -> int:
        """Where the array was put. Raises RunError where the disk is full."""
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
    """The same in memory, for products that become a Dataset."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def append(self, array: NDArray[Any]) -> int:
        """Where the array was put."""
        self._pieces.append(bytes(octets(array)))
        return len(self._pieces) - 1

    def read(self, offset: int, size: int) -> bytes:
        return self._pieces[offset][:size]


def octets(array: NDArray[Any]) -> memoryview:
    """The bytes of an array of any type, as they lie in memory in C order."""
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


class SpilledArray:
    """One array, in parts. Parts may differ in type (labels have their own lengths): the whole has the common one."""

    def __init__(self, spill: Spill) -> None:
        self._spill = spill
        self._parts: list[tuple[int, np.dtype[Any], tuple[int, ...]]] = []
        self.n_rows = 0
        self.dtype: np.dtype[Any] = np.dtype(np.uint8)
        """The common type of the parts."""

    def append(self, array: NDArray[Any]) -> None:
        self._parts.append((self._spill.append(array), array.dtype, array.shape))
        self.n_rows += array.shape[0]
        if len(self._parts) == 1 or array.dtype != self.dtype:
            self.dtype = np.result_type(array.dtype, *([self.dtype] if len(self._parts) > 1 else []))

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.n_rows, *self._parts[0][2][1:])

    def parts(self) -> Iterator[NDArray[Any]]:
        """The parts in order, each in the common type."""
        return (self.part(number) for number in range(len(self._parts)))

    def part(self, number: int) -> NDArray[Any]:
        """One of the parts."""
        offset, dtype, shape = self._parts[number]
        content = self._spill.read(offset, int(np.prod(shape)) * dtype.itemsize)
        return np.frombuffer(content, dtype).reshape(shape).astype(self.dtype, copy=False)

    def whole(self) -> NDArray[Any]:
        return np.concatenate(list(self.parts()))

    @property
    def part_bytes(self) -> list[int]:
        """The size of each part."""
        return [dtype.itemsize * math.prod(shape) for _, dtype, shape in self._parts]

    def some(self, first: int, last: int) -> NDArray[Any]:
        """Parts from `first` up to `last`, in the common type."""
        return np.concatenate([self.part(number) for number in range(first, last)])


class SpilledTexts:
    """A column of codes, in parts that may have tables of their own. Codes are on disk; what is read back are texts."""

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
        """The common type of the texts of all parts."""
        return np.result_type(*{table.dtype for table in self._tables})

    @property
    def shape(self) -> tuple[int, ...]:
        return self._codes.shape

    def parts(self) -> Iterator[NDArray[Any]]:
        """The texts, part by part, in the common type."""
        return (part.astype(self.dtype, copy=False) for part in self._columns())

    def whole(self) -> Categorical:
        """All parts as one column of codes."""
        return cast("Categorical", concatenated(list(self._columns())))

    @property
    def part_bytes(self) -> list[int]:
        """The size of the codes of each part."""
        return self._codes.part_bytes

    def some(self, first: int, last: int) -> Categorical:
        """Parts from `first` up to `last`, as one column of codes."""
        tables = self._tables[first:last]
        parts = [Categorical(self._codes.part(first + k), table) for k, table in enumerate(tables)]
        return cast("Categorical", concatenated(parts))

    def _columns(self) -> Iterator[Categorical]:
        return (Categorical(codes, table) for codes, table in zip(self._codes.parts(), self._tables, strict=True))


class SpilledTable:
    """Columns of one container. A ragged one is NAME (flat), NAME.start and NAME.length: no parameter has a point."""

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
        """All columns in memory."""
        return {name: self._column(name) for name in self._names()}

    def blocks(self, max_bytes: int) -> list[tuple[int, int]]:
        """Parts, from the first up to the last, of blocks of rows of some `max_bytes` each."""
        sizes = np.sum([array.part_bytes for array in self.arrays.values()], axis=0)
        blocks, first, n_bytes = [], 0, 0
        for number, size in enumerate(sizes.tolist(), 1):
            n_bytes += size
            if n_bytes >= max_bytes or number == len(sizes):
                blocks.append((first, number))
                first, n_bytes = number, 0
        return blocks

    def some(self, first: int, last: int) -> dict[str, Column]:
        """The rows of parts from `first` up to `last`."""
        return {name: self._some(name, first, last) for name in self._names()}

    def _names(self) -> list[str]:
        """Names of the columns, without what stands beside ragged ones."""
        beside = {f"{name}.{part}" for name in self.ragged for part in ("start", "length")}
        return [name for name in self.arrays if name not in beside]

    def _some(self, name: str, first: int, last: int) -> Column:
        values = self.arrays[name].some(first, last)
        if name not in self.ragged:
            return values
        length = np.asarray(self.arrays[f"{name}.length"].some(first, last))
        return Ragged(values, flat_starts(length), length)

    def _column(self, name: str) -> Column:
        if name not in self.ragged:
            return self.arrays[name].whole()
        start, length = (np.asarray(self.arrays[f"{name}.{part}"].whole()) for part in ("start", "length"))
        return Ragged(self.arrays[name].whole(), start, length)

    def _append(self, name: str, values: NDArray[Any] | Categorical) -> None:
        if name not in self.arrays:
            self.arrays[name] = (SpilledTexts if isinstance(values, Categorical) else SpilledArray)(self._spill)
        self.arrays[name].append(values)  # type: ignore[arg-type]  # a column keeps its kind
