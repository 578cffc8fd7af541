"""Checks of the arguments of queries. Each raises ConfigError, in one line, for an argument that is not valid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..model.errors import ConfigError
from ..model.printable import printable
from .names import FIXED, REPLACED
from .passes import all_passes
from .result_tables import some_of
from .samples import PARTS
from .storage import Storage
from .summaries import COMMON

_MAX_SHOWN = 200
VALUES, AXES = ("calibrated", "raw"), ("time", "received")


def shown(given: Any) -> str:
    """A value as error lines quote it: printable, at most _MAX_SHOWN characters."""
    text = printable(str(given))
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."


def check_one_of(what: str, given: Any, known: Sequence[str]) -> None:
    """Check that a word is one of those known."""
    if given not in known:
        raise ConfigError(f"{what}={shown(given)}: {' or '.join(known)}")


def check_names(names: Sequence[str]) -> None:
    """Check names of parameters, which become columns: none may be the name of a fixed column."""
    if not names:
        raise ConfigError("name at least one parameter")
    for name in names:
        if name in {*FIXED, *COMMON}:
            raise ConfigError(f"{name} is a column of every kind: name the parameter KIND.{name}")


def check_points(points: Any, names: Sequence[str]) -> None:
    """Check the number of samples, at least 1, and that no two columns of the result have the same name."""
    if not isinstance(points, int | np.integer) or isinstance(points, bool) or points < 1:
        raise ConfigError(
            "points: at least 1" if isinstance(points, int) else f"points={shown(points)}: a whole number"
        )
    both = {f"{name}.{part}" for name in names for part in PARTS} & {*names}
    if both:
        raise ConfigError(
            f"samples of several names have a column {', '.join(sorted(both))}: ask for one at a time"
        )


def checked_columns(columns: str | Sequence[str], points: Any) -> list[str]:
    """The fixed columns of a query as a list. `points`: of the query; samples have no fixed columns."""
    given = [columns] if isinstance(columns, str) else list(columns)
    unknown = [shown(one) for one in given if one not in FIXED]
    if unknown:
        raise ConfigError(f"there is no column {', '.join(unknown)}: there is {', '.join(FIXED)}")
    if given and points is not None:
        raise ConfigError(f"samples have no columns {', '.join(given)}: ask for rows, without points")
    return given


def check_version(storage: Storage, version: str | None) -> None:
    """Check that the history has rows of a version: they may have been pruned."""
    if version is None:
        return
    now = {one.version for one in all_passes(storage) if one.version}
    replaced = {one for one in storage.folders(REPLACED) if storage.files(f"{REPLACED}/{one}")}
    if version not in now | replaced:
        raise ConfigError(
            f"the history has no rows of version {shown(version)}: it has {some_of(sorted(now | replaced))}"
        )
