"""The link layer: bytes in, space packets out, and counts of everything between.

    bytes (containers unwrapped) -> blocks (synchronizer) -> frames (coding) -> headers
        -> channels (continuity) -> packets (assembler)

Dropped and counted: bytes outside blocks, frames that fail a check, frames of channels that are not wanted,
duplicates, unfinished and idle packets. No input raises an exception; the output is the same for any split of it.
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
    """One link. Call `receive` with the bytes of a recording in pieces of any size, then `flush`, then `report`.

    `frames`: also output the frames, not only their packets. Raises ConfigError if the settings are contradictory.
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
        """Return the frames, packets and events completed by these bytes."""
        return self._receiver.receive(self._unwrapping.unwrap(batch) if self._is_wrapped else batch)

    def flush(self) -> LinkOutput:
        """End the recording: return what is complete; unfinished packets are counted as truncated."""
        return self._receiver.flush(self._unwrapping.flush())

    def header_counts(self) -> list[HeaderCounts]:
        """Counts of good and bad packet headers so far, of the channels that have bad ones."""
        return self._receiver.header_counts()

    def report(self) -> dict[str, Any]:
        """Return the keys link, bytes, frames, channels and packets of the pass report; of frames also synchronizer."""
        report = self._receiver.report()
        return self._unwrapping.on_report(report) if self._unwrapping else report
