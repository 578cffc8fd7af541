"""What arrays are like, apart from what is in them: their names, types and shapes.

Arrays that are alike have one form, which is one object: what follows from it can be remembered by it. It travels with
the arrays where it is known, so that one need not look at each of them again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

DType = np.dtype[Any]
Shape = tuple[int, ...]
Array = NDArray[Any]
MAX_FORMS = 512
"""Forms remembered: of one product there are several when its rows differ in number."""
_DTYPE, _SHAPE = attrgetter("dtype"), attrgetter("shape")


@dataclass(frozen=True, slots=True, eq=False)
class Form:
    """Names, types and shapes of arrays, in their order."""

    names: tuple[str, ...]
    dtypes: tuple[DType, ...]
    shapes: tuple[Shape, ...]


class Arrays(dict[str, Array]):
    """Arrays by name, whose form is known."""

    __slots__ = ("form",)

    def __init__(self, arrays: Mapping[str, Array], form: Form) -> None:
        super().__init__(arrays)
        self.form = form


class LateArrays(Mapping[str, Array]):
    """Arrays by name that are made when one is looked at, all by `make`. Who wants only their bytes, as a message
    does, gets those of each by `octets`, in the order of the form.
    """

    __slots__ = ("_made", "_make", "_octets", "form")

    def __init__(self, form: Form, make: Callable[[], dict[str, Array]], octets: Callable[[], list[bytes]]) -> None:
        self.form = form
        self._make, self._octets = make, octets
        self._made: dict[str, Array] | None = None

    @property
    def made(self) -> dict[str, Array]:
        if self._made is None:
            self._made = self._make()
        return self._made

    def octets(self) -> list[bytes]:
        """Of native numbers in C order, as they are now: who looked at an array may have changed it."""
        return self._octets() if self._made is None else [array.tobytes() for array in self._made.values()]

    def behind(self, front: dict[str, Array], form: Form) -> LateArrays:
        """The same behind other arrays."""
        return LateArrays(
            form,
            lambda: {**front, **self.made},
            lambda: [*[array.tobytes() for array in front.values()], *self.octets()],
        )

    def __getitem__(self, name: str) -> Array:
        return self.made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.form.names)

    def __len__(self) -> int:
        return len(self.form.names)


def form_of(arrays: Mapping[str, Array]) -> Form:
    """One object for all that are alike."""
    if isinstance(arrays, Arrays | LateArrays):
        return arrays.form
    values = arrays.values()
    return same_form(tuple(arrays), tuple(map(_DTYPE, values)), tuple(map(_SHAPE, values)))


@lru_cache(MAX_FORMS)
def same_form(names: tuple[str, ...], dtypes: tuple[DType, ...], shapes: tuple[Shape, ...]) -> Form:
    """The form of these names, types and shapes."""
    return Form(names, dtypes, shapes)
