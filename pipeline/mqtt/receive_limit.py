"""What comes in over a connection, with a bound on each message and on all that wait.

In: packets as paho reads them. Out: messages, each with one copy of its payload. A message larger than
MAX_PACKET_BYTES is not kept while it is read; it is acknowledged, dropped and told of. An MQTT 5 broker does not even
send it, since the connection announces the bound. Beyond MAX_WAITING_BYTES nothing is read until some is taken up:
then the broker has to wait.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

import structlog
from paho.mqtt.client import MQTTMessage
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.properties import VariableByteIntegers

from ..system.tls import in_words

MAX_PACKET_BYTES = 64 << 20
"""Over twice the largest that is made: an image of 4 million samples, a radargram of 1024 traces, a batch of 16 MiB."""
MAX_WAITING_BYTES = 64 << 20

_RECEIVE_BYTES = 1 << 16
_OVERHEAD_BYTES = 1000
"""Of a message here, beside its payload."""
_HEAD_BYTES = 2 + 65_535 + 2
"""Topic and packet id: what is kept of a message that is dropped."""
_PUBLISH = 0x30
_log = structlog.get_logger("mqtt")


class ReceiveLimiter:
    """Stands between a paho client and its socket. `taken` is told of each message that is taken up."""

    def __init__(self, client: Any, *, with_properties: bool) -> None:
        self._client = client
        self._with_properties = with_properties
        self._receive = client._sock_recv  # noqa: SLF001  paho has no other place to stand at
        self._read_publish = client._handle_publish  # noqa: SLF001
        client._sock_recv = self._receive_bounded  # noqa: SLF001
        self._send = client._sock_send  # noqa: SLF001
        client._sock_send = self._send_or_read  # noqa: SLF001
        client._handle_publish = self._take_publish  # noqa: SLF001
        self._n_waiting_bytes = 0
        self._paused: Any = None
        """The socket, while it is not read."""
        self.n_dropped = 0
        self.n_read_bytes = 0
        """All that came from the socket."""
        self.refusal = ""
        """What TLS said when the other side ended it."""

    def taken(self, n_payload_bytes: int) -> None:
        """A message is taken up; reading goes on once half of the room is free."""
        self._n_waiting_bytes -= n_payload_bytes + _OVERHEAD_BYTES
        if self._paused is not None and self._n_waiting_bytes < MAX_WAITING_BYTES // 2:
            sock, self._paused = self._paused, None
            if sock is self._client.socket() and sock.fileno() >= 0:
                self._client.on_socket_open(self._client, None, sock)

    def _receive_bounded(self, n_bytes: int) -> bytes:
        """In pieces for which the heap has memory; paho asks for all that a message lacks, in new memory each time."""
        packet = self._client._in_packet  # noqa: SLF001
        if packet["remaining_length"] > MAX_PACKET_BYTES:
            if packet["command"] & 0xF0 != _PUBLISH:
                raise ConnectionError("the broker sends what is no MQTT")
            del packet["packet"][_HEAD_BYTES:]
        try:
            octets: bytes = self._receive(min(n_bytes, _RECEIVE_BYTES))
        except ssl.SSLError as error:
            self.refusal = in_words(error)
            raise
        self.n_read_bytes += len(octets)
        return octets

    def _send_or_read(self, octets: bytes) -> int:
        """Write; where the connection is gone, read first what the broker answered before it closed that."""
        try:
            n_bytes: int = self._send(octets)
        except BlockingIOError:
            raise
        except OSError:
            while not self._client._packet_read():  # noqa: SLF001
                pass
            raise
        return n_bytes

    @property
    def is_paused(self) -> bool:
        """Whether nothing is read until some of what waits is taken up."""
        return self._paused is not None

    def _take_publish(self) -> MQTTErrorCode:
        """A PUBLISH with one copy of its payload. Paho makes nine, for properties that nobody asks for here.

        What is not as it should be is left to paho, which knows what to say of it.
        """
        packet = self._client._in_packet  # noqa: SLF001
        octets, qos = packet["packet"], packet["command"] >> 1 & 3
        topic_end = 2 + int.from_bytes(octets[:2], "big")
        start = topic_end + 2 * qos
        if packet["remaining_length"] > MAX_PACKET_BYTES:
            return self._drop(packet, topic_end)
        if self._with_properties and start < len(octets):
            n_properties, n_length = VariableByteIntegers.decode(bytes(octets[start : start + 4]))  # type: ignore[no-untyped-call]
            start += n_length + n_properties
        if qos > 1 or start > len(octets) or topic_end == 2:
            unread: MQTTErrorCode = self._read_publish()
            return unread
        with memoryview(octets) as view:
            message = MQTTMessage(
                int.from_bytes(view[topic_end : topic_end + 2 * qos], "big"), bytes(view[2:topic_end])
            )
            message.payload = bytes(view[start:])
        message.qos, message.retain = qos, bool(packet["command"] & 1)
        self._client._handle_on_message(message)  # noqa: SLF001
        self._n_waiting_bytes += len(message.payload) + _OVERHEAD_BYTES
        if self._n_waiting_bytes > MAX_WAITING_BYTES and self._paused is None:
            self._pause()
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def _pause(self) -> None:
        self._paused = self._client.socket()
        if self._paused is not None:
            asyncio.get_running_loop().remove_reader(self._paused.fileno())

    def _drop(self, packet: dict[str, Any], topic_end: int) -> MQTTErrorCode:
        octets, qos = packet["packet"], packet["command"] >> 1 & 3
        self.n_dropped += 1
        if self.n_dropped.bit_count() == 1:  # 1, 2, 4, 8, ...: told, but not without end
            topic = bytes(octets[2:topic_end]).decode("utf-8", "replace")[:200]
            _log.warning("dropped: too large", topic=topic, bytes=packet["remaining_length"], so_far=self.n_dropped)
        if qos:
            self._client.ack(int.from_bytes(octets[topic_end : topic_end + 2], "big"), qos)
        return MQTTErrorCode.MQTT_ERR_SUCCESS
