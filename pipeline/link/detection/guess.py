"""The settings of a link detected so far, with the evidence for each."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from ..settings import ChannelSettings, LinkSettings


@dataclass(frozen=True, slots=True)
class Guess:
    """`why`: evidence as text, by the key of `[link]`; `notes`: text that belongs to no key.

    `channel_why`: the evidence for each of `channels`, in the same order.
    """

    settings: LinkSettings
    why: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    channels: tuple[ChannelSettings, ...] = ()
    channel_why: tuple[str, ...] = ()
    has_headers: bool = False
    """Whether most frames begin with a header of their type."""
    n_packets: int = 0
    """Number of packets that these settings find."""

    def having(self, key: str, value: Any, why: str = "") -> Guess:
        """Add a setting with its evidence."""
        return replace(
            self, settings=replace(self.settings, **{key: value}), why=self.why | ({key: why} if why else {})
        )

    def noting(self, text: str) -> Guess:
        """Add a note."""
        return replace(self, notes=(*self.notes, text))
