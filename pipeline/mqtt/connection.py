"""One MQTT connection: with `incoming`, the only files that know aiomqtt and the paho client below it.

A `Connection` is opened once, used until it is lost, closed, and never used again: after a loss paho's own queues
are not to be trusted, so whoever sends keeps what is not acknowledged. Messages are handed to paho directly, since
an awaitable call for each costs twice as much; acknowledgements come to `acknowledged(packet id, refusal)`.
"""

from __future__ import annotations

import asyncio
import logging
import math
import re
import socket
import ssl
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from functools import cache
from typing import Any

import aiomqtt
from aiomqtt.exceptions import MqttConnectError
from paho.mqtt.client import MQTT_CLEAN_START_FIRST_ONLY
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from ..model.batches import Message
from ..system.tls import check_broker, in_words, load_authority, load_own
from .address import BrokerAddress
from .receive_limit import MAX_PACKET_BYTES, ReceiveLimiter
from .session import ConnectionLostError, RefusedError, SessionOptions

MQTT_5 = aiomqtt.ProtocolVersion.V5
MQTT_3_1_1 = aiomqtt.ProtocolVersion.V311

KEEPALIVE_S = 20
"""An idle connection that is dead is noticed within one and a half of these."""

SUBSCRIBER_RECEIVE_MAXIMUM = 100
"""What an MQTT 5 broker may send us unacknowledged: it bounds what waits here."""

_FAILURE = 0x80
_END: Any = object()
"""Behind the last message of a connection."""

_QUIET = logging.getLogger(f"{__name__}.paho")
"""Not heard: what it says of a lost connection is told once, and by us."""
_QUIET.disabled = True


class Connection(aiomqtt.Client):
    """A connection that is open from `open` to `lost` or `close`."""

    def __init__(self, address: BrokerAddress, options: SessionOptions, protocol: aiomqtt.ProtocolVersion) -> None:
        super().__init__(
            address.host,
            address.port,
            username=address.username,
            password=address.password,
            identifier=options.client_id,
            protocol=protocol,
            will=_will(options.will, protocol) if options.will else None,
            timeout=options.answer_s,
            keepalive=KEEPALIVE_S,
            max_inflight_messages=65_535,  # the sender keeps its own window
            tls_context=_tls_context(address) if address.tls else None,
            logger=_QUIET,
            socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
            **_session(options, protocol),
        )
        self.protocol = protocol
        self._hint = _hint(address)
        self._thread = threading.get_ident()
        self._writes_soon: asyncio.Handle | None = None
        self._failure: Exception | None = None
        self.pending_calls_threshold = 1 << 30
        self.receive_maximum: int = 65_535
        self.maximum_packet_bytes: int = MAX_PACKET_BYTES
        self.acknowledged: Callable[[int, str], None] = lambda _mid, _refusal: None
        self._client.connect_timeout = options.answer_s
        self._client.manual_ack_set(True)
        self._incoming = ReceiveLimiter(self._client, with_properties=protocol == MQTT_5)
        self._queue_packet = self._client._packet_queue  # noqa: SLF001
        self._client._packet_queue = self._queue_as_view  # type: ignore[assignment, method-assign]  # noqa: SLF001
        self._disconnected.add_done_callback(self._end_of_wait)

    async def open(self) -> Connection:
        """Connect; raises ConnectionLostError or RefusedError. A failed connection leaves no socket open."""
        opening = asyncio.ensure_future(self.__aenter__())
        try:
            await asyncio.shield(opening)
        except asyncio.CancelledError:  # the thread that connects cannot be stopped, only tidied up after
            opening.add_done_callback(self._abandon_opening)
            raise
        except (aiomqtt.MqttError, ValueError) as error:
            self._abandon()
            raise _as_lost(error, self.timeout, self._incoming.refusal, self._hint) from None
        return self

    async def lost(self) -> None:
        """Wait until the connection is gone, then raise ConnectionLostError."""
        await asyncio.wait([self._disconnected])
        raise ConnectionLostError(_reason(self._disconnected.exception()))

    async def close(self) -> None:
        """Say goodbye if that is still possible, within a second, and close the socket whatever happens."""
        self.timeout = 1.0
        try:
            await self.__aexit__(None, None, None)
        except aiomqtt.MqttError:
            pass
        finally:
            self._abandon()

    def send(self, message: Message) -> int:
        """Hand over one message without waiting; its packet id comes back in `acknowledged`."""
        properties = _content_type(message.content_type) if self.protocol == MQTT_5 else None
        info = self._client.publish(message.topic, message.payload, message.qos, message.retain, properties)
        if info.rc:
            raise ConnectionLostError("the connection is gone")
        return info.mid

    def write_now(self) -> None:
        """Write what was handed over, and not only in the loop's next turn."""
        if self._writes_soon:
            self._writes_soon.cancel()
            self._write_soon(self._client.socket())

    async def listen(self, topics: Sequence[str]) -> None:
        """Subscribe to `topics` at QoS 1; RefusedError where the broker does not allow one.

        A broker sends what a session holds before its SUBACK. So messages must be taken up by `received` meanwhile, and
        only silence counts as no answer: ConnectionLostError when nothing was read for `timeout` seconds.
        """
        asked = asyncio.ensure_future(self.subscribe([(topic, 1) for topic in topics], timeout=math.inf))
        try:
            await self._answered(asked)
            codes = asked.result()
        except aiomqtt.MqttError as error:
            raise _as_lost(error, self.timeout) from None
        finally:
            asked.cancel()
        for topic, code in zip(topics, codes, strict=False):
            if isinstance(code, ReasonCode) and code.value >= _FAILURE:
                raise RefusedError(code.value, str(code), topic)

    async def _answered(self, asked: asyncio.Future[Any]) -> None:
        n_before = -1
        while not asked.done():
            if self._incoming.n_read_bytes == n_before and not self._incoming.is_paused:
                raise aiomqtt.MqttError("Operation timed out")
            n_before = self._incoming.n_read_bytes
            await asyncio.wait(
                (asked, self._disconnected), timeout=self.timeout, return_when=asyncio.FIRST_COMPLETED
            )
            if self._disconnected.done() and not asked.done():
                raise ConnectionLostError(_reason(self._disconnected.exception()))

    def fail(self, error: Exception) -> None:
        """End the wait of `received`, which then raises `error`."""
        self._failure = error
        self._queue.put_nowait(_END)

    async def received(self, n_in_work: int = 1) -> AsyncIterator[aiomqtt.Message]:
        """What comes in; each is acknowledged when `n_in_work` later ones are asked for: none in work is forgotten.

        Reads the queue itself, since aiomqtt makes a task for each message.
        """
        in_work: deque[aiomqtt.Message] = deque()
        while (message := await self._queue.get()) is not _END:
            self._incoming.taken(len(message.payload))
            yield message
            in_work.append(message)
            if len(in_work) >= n_in_work:
                done = in_work.popleft()
                self._client.ack(done.mid, done.qos)
        raise self._failure or ConnectionLostError(_reason(self._disconnected.exception()))

    @property
    def n_waiting(self) -> int:
        """Messages that are here and not taken up."""
        return self._queue.qsize()

    def _queue_as_view(self, command: int, packet: bytes | bytearray, *more: Any) -> MQTTErrorCode:
        """Of a view paho sends the rest of a message without copying it first."""
        return self._queue_packet(command, memoryview(packet), *more)  # type: ignore[arg-type]

    def _on_connect(
        self, client: Any, userdata: Any, flags: Any, reason_code: ReasonCode, properties: Properties | None = None
    ) -> None:
        """As aiomqtt's, and the broker's own limits are noted."""
        self.receive_maximum = getattr(properties, "ReceiveMaximum", self.receive_maximum)
        limit = getattr(properties, "MaximumPacketSize", self.maximum_packet_bytes)
        self.maximum_packet_bytes = min(limit, self.maximum_packet_bytes)
        super()._on_connect(client, userdata, flags, reason_code, properties)

    def _on_disconnect(
        self, client: Any, userdata: Any, flags: Any, reason_code: ReasonCode, properties: Properties | None = None
    ) -> None:
        """As aiomqtt's, and closed before any answer ends the wait for one."""
        if not self._connected.done():
            self._connected.set_exception(_closed(reason_code))
        super()._on_disconnect(client, userdata, flags, reason_code, properties)

    def _on_publish(
        self, client: Any, userdata: Any, mid: int, reason_code: ReasonCode, properties: Properties
    ) -> None:
        super()._on_publish(client, userdata, mid, reason_code, properties)
        self.acknowledged(mid, str(reason_code) if reason_code.value >= _FAILURE else "")

    def _on_socket_register_write(self, client: Any, userdata: Any, sock: Any) -> None:  # noqa: ARG002
        """As aiomqtt's, which may come to a socket that is closed by then, and its number another's."""
        if threading.get_ident() != self._thread:
            self._loop.call_soon_threadsafe(self._write_when_ready, sock)
        elif not self._writes_soon:
            self._writes_soon = self._loop.call_soon(self._write_soon, sock)

    def _write_soon(self, sock: Any) -> None:
        """Once for all that was handed over by now; what the socket does not take waits until it is ready."""
        self._writes_soon = None
        if self._is_open(sock):
            self._write()
            if self._client.want_write():
                self._write_when_ready(sock)

    def _is_open(self, sock: Any) -> bool:
        """Whether it is the socket of the connection, and not one of before."""
        own: Any = self._client.socket()
        return own is not None and own is sock and own.fileno() >= 0

    def _write_when_ready(self, sock: Any) -> None:
        if self._is_open(sock):
            self._loop.add_writer(sock.fileno(), self._write)

    def _write(self) -> None:
        try:
            self._client.loop_write()
        except Exception as error:  # noqa: BLE001  paho's may be of any kind, and each ends the connection
            if not self._disconnected.done():
                self._disconnected.set_exception(error)

    def _end_of_wait(self, disconnected: asyncio.Future[None]) -> None:
        """A connection that broke while it was made ends the wait too; either way the error has been seen."""
        error = None if disconnected.cancelled() else disconnected.exception()
        self._queue.put_nowait(_END)
        if error and not self._connected.done():
            self._connected.set_exception(aiomqtt.MqttError(str(error)))

    def _abandon_opening(self, opening: asyncio.Future[Any]) -> None:
        self._abandon()
        if not opening.cancelled():
            opening.exception()

    def _abandon(self) -> None:
        self._client._sock_close()  # noqa: SLF001  paho closes a socket only after writing a DISCONNECT to it
        if self._connected.done() and not self._connected.cancelled():
            self._connected.exception()


class _TlsSocket(ssl.SSLSocket):
    """A socket that is closed where its handshake fails, which paho forgets, or where a service poses as the broker."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
            check_broker(self.getpeercert())
        except OSError:
            self.close()
            raise


def _tls_context(address: BrokerAddress) -> ssl.SSLContext:
    """The address's authority, else the system's or those of $SSL_CERT_FILE. ConfigError for files of no use."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if address.ca:
        load_authority(context, address.ca, str(address))
    else:
        context.load_default_certs()
    load_own(context, address.cert, address.key, str(address))
    context.sslsocket_class = _TlsSocket
    return context


def _session(options: SessionOptions, protocol: aiomqtt.ProtocolVersion) -> dict[str, Any]:
    if protocol == MQTT_3_1_1:
        return {"clean_session": not options.session_s}
    properties = _properties(
        PacketTypes.CONNECT,
        ReceiveMaximum=SUBSCRIBER_RECEIVE_MAXIMUM,
        MaximumPacketSize=MAX_PACKET_BYTES,
        SessionExpiryInterval=options.session_s,
    )
    return {"properties": properties, "clean_start": False if options.session_s else MQTT_CLEAN_START_FIRST_ONLY}


def _will(message: Message, protocol: aiomqtt.ProtocolVersion) -> aiomqtt.Will:
    properties = None
    if protocol == MQTT_5:
        properties = _properties(PacketTypes.WILLMESSAGE, ContentType=message.content_type)
    return aiomqtt.Will(message.topic, message.payload, message.qos, message.retain, properties)


@cache
def _content_type(content_type: str) -> Properties:
    return _PackedOnce(_properties(PacketTypes.PUBLISH, ContentType=content_type))


class _PackedOnce(Properties):
    """Properties that do not change: to pack them anew costs more than the rest of a small message."""

    def __init__(self, properties: Properties) -> None:
        self.__dict__.update(properties.__dict__, packed=properties.pack())  # type: ignore[no-untyped-call]

    def pack(self) -> bytes:
        packed: bytes = self.__dict__["packed"]
        return packed


def _properties(packet_type: int, **values: str | int) -> Properties:
    properties = Properties(packet_type)  # type: ignore[no-untyped-call]
    for name, value in values.items():
        setattr(properties, name, value)
    return properties


def _closed(reason_code: ReasonCode) -> aiomqtt.MqttError:
    return aiomqtt.MqttCodeError(reason_code, "closed before an answer")


def _as_lost(error: Exception, timeout_s: float, refusal: str = "", hint: str = "") -> ConnectionLostError:
    """The errors of aiomqtt in words for a person. `refusal`: of TLS, where there was one."""
    if isinstance(error, MqttConnectError) and isinstance(error.rc, ReasonCode):
        return RefusedError(error.rc.value, str(error.rc))
    if refusal:
        return ConnectionLostError(f"it closes the connection: {refusal}")
    if isinstance(error, aiomqtt.MqttCodeError):
        return ConnectionLostError(f"it closes the connection without an answer{hint}", other_protocol=True)
    if str(error) == "Operation timed out":
        return ConnectionLostError(
            f"no answer within {math.ceil(timeout_s)} s; is it an MQTT broker?", other_protocol=True
        )
    reason = _reason(error)
    return ConnectionLostError(f"{reason}{hint}" if "reset by peer" in reason or "EOF" in reason else reason)


def _hint(address: BrokerAddress) -> str:
    """What may be wrong where a broker closes a connection without a word."""
    if not address.tls:
        return "; does it want TLS (mqtts://)?"
    return "; does it speak TLS, and take this certificate?" if address.cert else "; does it speak TLS?"


def _reason(error: BaseException | None) -> str:
    text = re.sub(r"^\[(Errno -?\d+|code:\d+)\] ", "", in_words(error or "")) or "closed"
    if text == "Unspecified error":  # paho's word for an end without a word
        return "it was closed (by the broker, by the network, or for another client of the same name)"
    return text[:1].lower() + text[1:]
