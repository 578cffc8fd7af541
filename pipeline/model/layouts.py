"""What arrays are like, apart from what is in them: their names, types and shapes.

Arrays that are alike have one form, which is one object: what follows from it can be remembered by it. It travels with
the arrays where it is known, so that one need not look at each of them again.
"""

from __future__ import annotations

from collections.abc import Mapping
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


def form_of(arrays: Mapping[str, Array]) -> Form:
    """One object for all that are alike."""
    if isinstance(arrays, Arrays):
        return arrays.form
    values = arrays.values()
    return same_form(tuple(arrays), tuple(map(_DTYPE, values)), tuple(map(_SHAPE, values)))


@lru_cache(MAX_FORMS)
def same_form(names: tuple[str, ...], dtypes: tuple[DType, ...], shapes: tuple[Shape, ...]) -> Form:
    """The form of these names, types and shapes."""
    return Form(names, dtypes, shapes)
