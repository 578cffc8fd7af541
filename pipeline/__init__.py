"""downlink: from frames received by a ground station to science products on MQTT topics."""

from __future__ import annotations

TYPE_CHECKING = False  # not imported: `typing` takes 10 ms, in which Ctrl-C is not handled yet
if TYPE_CHECKING:
    from typing import Any

    from .api import RecordedPass, open_bundled, open_history, open_pass

    __version__: str

__all__ = ["RecordedPass", "__version__", "open_bundled", "open_history", "open_pass"]


def __getattr__(name: str) -> Any:
    """Import the public interface on access, so that importing a submodule does not load it."""
    if name == "__version__":
        from .system.software import release  # noqa: PLC0415

        return release()
    if name in __all__:
        from . import api  # noqa: PLC0415

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
