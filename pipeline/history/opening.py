"""Open a history in a folder, on an object store, or on a server (`downlink history serve`)."""

from __future__ import annotations

from pathlib import Path

from .history import History

TOKEN = "DOWNLINK_HISTORY_TOKEN"  # noqa: S105 - a variable's name
FLIGHT, HTTP = ("grpc://", "grpc+tcp://", "grpc+tls://"), ("http://", "https://")


def opened(url: str | Path) -> History:
    """Open the history at `url`. ConfigError if there is none."""
    if str(url).startswith(FLIGHT + HTTP):
        from .remote import RemoteHistory  # noqa: PLC0415 - a folder needs none of it

        return RemoteHistory(str(url))
    return History(url)
