"""The frame types and the readers of their headers."""

from __future__ import annotations

from collections.abc import Callable

from ..settings import FrameType, LinkSettings
from .aos import AosHeaders
from .headers import HeaderReader
from .tm import TmHeaders
from .uslp import UslpHeaders

_READERS: dict[FrameType, Callable[[LinkSettings], HeaderReader]] = {
    "aos": AosHeaders,
    "tm": TmHeaders,
    "uslp": UslpHeaders,
}


def header_reader(settings: LinkSettings) -> HeaderReader:
    """The reader of this link's frame type."""
    return _READERS[settings.frame_type](settings)
