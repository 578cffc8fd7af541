"""What is known of a link so far: settings, and for each of them what speaks for it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from ..settings import ChannelSettings, LinkSettings


@dataclass(frozen=True, slots=True)
class Guess:
    """`why`: evidence in words by the key of `[link]` that it is for; `notes`: what belongs to no key.

    `channels` with the evidence for each, in the same order as `channel_why`.
    """

    settings: LinkSettings
    why: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    channels: tuple[ChannelSettings, ...] = ()
    channel_why: tuple[str, ...] = ()
    n_packets: int = 0
    """Packets that these settings give."""

    def having(self, key: str, value: Any, why: str = "") -> Guess:
        """With one more setting and its evidence."""
        return replace(
            self, settings=replace(self.settings, **{key: value}), why=self.why | ({key: why} if why else {})
        )

    def noting(self, text: str) -> Guess:
        """With one more line that belongs to no key."""
        return replace(self, notes=(*self.notes, text))
