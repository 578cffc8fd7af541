"""Columns of codes as variables of xarray: their texts are made when they are looked at, and not kept."""

from __future__ import annotations

from typing import Any

import numpy as np
from xarray.backends import BackendArray
from xarray.core import indexing

from ..model.categorical import Categorical
from .lazy_rows import lazy


class _Texts(BackendArray):
    """What xarray asks of an array that is not in memory."""

    def __init__(self, column: Categorical) -> None:
        self._column = column
        self.shape = column.shape
        self.dtype = column.dtype

    def __getitem__(self, key: Any) -> Any:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.OUTER_1VECTOR, self._at)

    def _at(self, key: tuple[Any, ...]) -> Any:
        return np.asarray(self._column[key])


def lazy_texts(column: Categorical) -> Any:
    """Data of a variable whose values are the texts."""
    return lazy(_Texts(column))
