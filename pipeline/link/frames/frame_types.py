"""The frame types and the readers of their headers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..settings import ChannelSettings, FrameType, LinkSettings, settings_of_channel
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
    """Make the header reader of the link's frame type."""
    return _READERS[settings.frame_type](settings)


def channel_readers(
    settings: LinkSettings, channels: Sequence[ChannelSettings], of_link: HeaderReader
) -> list[HeaderReader]:
    """Make the header reader of each channel: `of_link`, unless the channel overrides settings of the link."""
    by_channel = [settings_of_channel(settings, channel) for channel in channels]
    return [of_link if merged is settings else header_reader(merged) for merged in by_channel]
