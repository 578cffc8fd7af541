"""The link layer as one machine: bytes in, space packets out, and an account of everything between.

    bytes (containers taken off) -> blocks (synchronizer) -> frames (coding) -> headers
        -> channels (continuity) -> packets (assembler)

Dropped and counted: bytes outside blocks, frames that fail a check, frames of channels nobody asked for,
duplicates, unfinished and idle packets. Nothing that arrives raises; the output is the same for any split.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..model.batches import ByteBatch
from ..model.errors import ConfigError
from .containers.unwrapping import Unwrapping
from .frame_receiver import FrameReceiver
from .output import LinkOutput
from .packet_receiver import PacketReceiver
from .settings import ChannelSettings, LinkSettings
from .validity import settings_problems
from .verdict import HeaderCounts

__all__ = ["LinkOutput", "Receiver"]


class Receiver:
    """One link. Feed it the bytes of a recording, then flush; `report` accounts for all of them.

    `frames`: hand on the frames beside their packets. Raises ConfigError where the settings cannot be those of any
    link.
    """

    def __init__(self, settings: LinkSettings, channels: Sequence[ChannelSettings], *, frames: bool = True) -> None:
        problems = settings_problems(settings)
        if problems:
            raise ConfigError(problems)
        self._unwrapping = Unwrapping(settings)
        self._is_wrapped = bool(self._unwrapping)
        self._receiver: FrameReceiver | PacketReceiver
        if settings.framing == "packets":
            self._receiver = PacketReceiver(settings, channels)
        else:
            self._receiver = FrameReceiver(settings, channels, frames=frames)

    def receive(self, batch: ByteBatch) -> LinkOutput:
        """Everything that is whole and decided with these bytes."""
        return self._receiver.receive(self._unwrapping.unwrap(batch) if self._is_wrapped else batch)

    def flush(self) -> LinkOutput:
        """The end of the recording: what still waits and is whole; unfinished packets are counted as truncated."""
        return self._receiver.flush(self._unwrapping.flush())

    def header_counts(self) -> list[HeaderCounts]:
        """Packet headers so far, bad ones and good ones, of the channels that have bad ones."""
        return self._receiver.header_counts()

    def report(self) -> dict[str, Any]:
        """The keys bytes, frames, channels and packets of the pass report, and `synchronizer` for coded streams."""
        report = self._receiver.report()
        return self._unwrapping.on_report(report) if self._unwrapping else report
