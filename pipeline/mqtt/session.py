"""How a client presents itself to a broker, and what the two can fail to agree on."""

from __future__ import annotations

from dataclasses import dataclass

from ..model.batches import Message

_FINAL = {0x81, 0x82, 0x85, 0x86, 0x87, 0x8A, 0x8C, 0x90, 0x95, 0x9D}
"""Reason codes of a CONNACK that trying again does not mend (MQTT 5.0 3.2.2.2); paho gives those for 3.1.1 too."""
_UNSUPPORTED_PROTOCOL = 0x84


class ConnectionLostError(Exception):
    """There is no connection, or no longer; the text says why.

    `final`: trying again does not mend it. `other_protocol`: the broker may answer to another version of MQTT; one
    that reads MQTT 5 properties as something else waits for the rest for ever.
    """

    def __init__(self, reason: str, *, final: bool = False, other_protocol: bool = False) -> None:
        super().__init__(reason)
        self.final = final
        self.other_protocol = other_protocol


class RefusedError(ConnectionLostError):
    """The broker answered and said no; `topic`: to what, where it was not the connection."""

    def __init__(self, code: int, name: str, topic: str = "") -> None:
        text = f"the broker refuses {topic}: {name.lower()}" if topic else f"the broker refuses: {name.lower()}"
        super().__init__(text, final=code in _FINAL, other_protocol=code == _UNSUPPORTED_PROTOCOL)


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """How a client presents itself to a broker."""

    client_id: str
    will: Message | None = None
    session_s: int = 0
    """How long the broker keeps subscriptions and undelivered messages while we are away."""
    answer_s: float = 3.0
    """How long to wait for the TCP connection, and again for the broker's answer."""
