"""Session options of a client, and the errors of connections and refusals."""

from __future__ import annotations

from dataclasses import dataclass

from ..model.batches import Message

_FINAL = {0x81, 0x82, 0x85, 0x86, 0x87, 0x8A, 0x8C, 0x90, 0x95, 0x9D}
"""Reason codes of a CONNACK after which a retry cannot succeed (MQTT 5.0 3.2.2.2); paho gives them for 3.1.1, too."""
_UNSUPPORTED_PROTOCOL = 0x84


class ConnectionLostError(Exception):
    """There is no connection, or no longer. The text is the reason.

    `final`: a retry cannot succeed. `other_protocol`: the broker may accept another version of MQTT; one that does not
    know the properties of MQTT 5 may wait for more bytes without end.
    """

    def __init__(self, reason: str, *, final: bool = False, other_protocol: bool = False) -> None:
        super().__init__(reason)
        self.final = final
        self.other_protocol = other_protocol


class RefusedError(ConnectionLostError):
    """The broker refused the connection, or the subscription to `topic`."""

    def __init__(self, code: int, name: str, topic: str = "") -> None:
        text = f"the broker refuses {topic}: {name.lower()}" if topic else f"the broker refuses: {name.lower()}"
        super().__init__(text, final=code in _FINAL, other_protocol=code == _UNSUPPORTED_PROTOCOL)


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """How a client connects: id, last will, session expiry, timeout."""

    client_id: str
    will: Message | None = None
    session_s: int = 0
    """Session expiry: seconds for which the broker keeps subscriptions and undelivered messages after a disconnect."""
    answer_s: float = 3.0
    """Timeout in seconds of the TCP connection, and again of the broker's answer."""
