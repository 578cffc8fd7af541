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
    """The reader of this link's frame type."""
    return _READERS[settings.frame_type](settings)


def channel_readers(
    settings: LinkSettings, channels: Sequence[ChannelSettings], of_link: HeaderReader
) -> list[HeaderReader]:
    """The reader of each channel: that of the link, unless the channel has settings of its own."""
    own = [settings_of_channel(settings, channel) for channel in channels]
    return [of_link if one is settings else header_reader(one) for one in own]
