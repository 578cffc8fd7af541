"""`xarray.open_dataset(path, engine="downlink", mission=...)`: decoded packets of a recording as a Dataset.

xarray finds this by the entry point `downlink` of the group `xarray.backends`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

import xarray
from xarray.backends import BackendEntrypoint

from ..api import open_pass
from ..model.errors import ConfigError


class DownlinkBackend(BackendEntrypoint):
    """Opens the packets of one container. `mission` and `container` are as in `open_pass` and `to_xarray`.

    Only with `engine="downlink"`: a recording is not recognised without its mission.
    """

    description = "Packets of recorded telemetry passes, decoded by a mission's dictionary"
    open_dataset_parameters: ClassVar[Any] = (
        "filename_or_obj",
        "drop_variables",
        "mission",
        "container",
        "raw",
        "merge",
        "memory_bytes",
    )

    def open_dataset(  # type: ignore[override]  # the options are this engine's own
        self,
        filename_or_obj: str | os.PathLike[Any],
        *,
        drop_variables: str | Iterable[str] | None = None,
        mission: str | os.PathLike[str] | None = None,
        container: str | None = None,
        raw: bool = False,
        merge: bool = False,
        memory_bytes: int | None = None,
    ) -> xarray.Dataset:
        """Open a recording as `RecordedPass.open_xarray`; `container` is optional if the recording has only one.

        Variables are decoded when they are accessed; with `chunks=` of `open_dataset` chunk by chunk. Packets beyond
        `memory_bytes` (by default half of the available memory) are kept in a temporary file.

        Raises ConfigError if the mission is missing or wrong, and if the pass has no such packets, or several
        containers and none is named.
        """
        if mission is None:
            raise ConfigError(
                'engine="downlink" needs a mission: open_dataset(path, engine="downlink", mission=...)'
            )
        if not isinstance(filename_or_obj, str | os.PathLike):
            raise ConfigError('engine="downlink" opens recordings by their path')
        found = open_pass(Path(filename_or_obj), mission=os.fspath(mission), merge=merge)
        dropped = [drop_variables] if isinstance(drop_variables, str) else drop_variables
        return found.open_xarray(
            container or _only(found.containers()), raw=raw, drop=tuple(dropped or ()), memory_bytes=memory_bytes
        )

    def guess_can_open(self, _: Any) -> bool:
        """Give False: a mission is always needed."""
        return False


def _only(containers: dict[str, int]) -> str:
    if len(containers) == 1:
        return next(iter(containers))
    found = ", ".join(containers) or "nothing that is decoded"
    raise ConfigError(f"name one container: the pass has {found}")
