"""One MQTT connection: paho's client in the event loop, by its public interface.

A `Connection` is opened once, used until it is lost, closed, and never used again: after a loss paho's own queues
are not to be trusted, so the sender keeps what is not acknowledged. Acknowledgements of what was sent come to
`acknowledged(packet id, refusal)`. Messages and their acknowledgements are encoded here (`packets`), all other packets
by paho. Only making the TCP connection, which blocks, has a thread.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from ..model.batches import Message
from ..system.tls import in_words
from .address import BrokerAddress
from .buffered_socket import BufferedSocket, SocketWrapper
from .packets import PacketIds, ReceivedMessage, encode_puback, encode_publish
from .paho_client import MQTT_3_1_1, MQTT_5, Client, Properties, ProtocolVersion, ReasonCode, prepare, puback_reason
from .receive_limit import MAX_PACKET_BYTES, ReceiveLimiter
from .session import ConnectionLostError, RefusedError, SessionOptions
from .tls import client_context

__all__ = ["MQTT_3_1_1", "MQTT_5", "Connection"]

_KEEPALIVE_CHECK_S = 1.0
_GOODBYE_S = 1.0
_END: Any = object()
"""Queued behind the last message of a connection."""


class Connection:
    """A connection that is open from `open` to `lost` or `close`."""

    def __init__(self, address: BrokerAddress, options: SessionOptions, protocol: ProtocolVersion) -> None:
        self.protocol = protocol
        self._with_properties = protocol == MQTT_5
        self.receive_maximum: int = 65_535
        self.maximum_packet_bytes: int = MAX_PACKET_BYTES
        self.acknowledged: Callable[[int, str], None] = lambda _mid, _refusal: None
        self._answer_s = options.answer_s
        self._hint = _hint(address)
        self._loop = asyncio.get_running_loop()
        self._connected: asyncio.Future[None] = self._loop.create_future()
        self._lost: asyncio.Future[str] = self._loop.create_future()
        """Reason of the loss, once the connection is lost."""
        self._answers: dict[int, asyncio.Future[list[ReasonCode]]] = {}
        """Subscriptions without an answer yet, by packet id."""
        self._queue: asyncio.Queue[ReceivedMessage] = asyncio.Queue()
        self._failure: Exception | None = None
        self._limiter = ReceiveLimiter(
            with_properties=self._with_properties,
            deliver=self._queue.put_nowait,
            acknowledge=self._acknowledge,
            acknowledged=self._note_acknowledged,
        )
        self._packet_ids = PacketIds()
        self._wrapper = SocketWrapper(client_context(address), self._limiter)
        self._socket: BufferedSocket | None = None
        self._is_paused = self._is_writing = self._waits_for_network = False
        self._writes_soon: asyncio.Handle | None = None
        self._written = asyncio.Event()
        self._next_ping: asyncio.TimerHandle | None = None
        self._client, self._connect = prepare(address, options, protocol, self._wrapper)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_subscribe = self._on_subscribe

    async def open(self) -> Connection:
        """Connect; raises ConnectionLostError or RefusedError. A failed connection leaves no socket open."""
        connecting = self._loop.run_in_executor(None, self._connect)
        try:
            await asyncio.shield(connecting)
        except asyncio.CancelledError:  # the thread that connects cannot be stopped, only tidied up after
            connecting.add_done_callback(lambda _: self._abandon())
            raise
        except (OSError, ValueError) as error:
            raise _not_connected(error, self._hint) from None
        try:
            self._start()
            async with asyncio.timeout(self._answer_s):
                await self._connected
        except TimeoutError:
            self._abandon()
            raise self._no_answer() from None
        except (ConnectionLostError, asyncio.CancelledError):
            self._abandon()
            raise
        return self

    def _start(self) -> None:
        """Let the event loop read and write the TCP connection, which is established."""
        self._socket = self._wrapper.wrapped
        assert self._socket is not None
        self._client.on_socket_register_write = self._on_register_write
        self._client.on_socket_close = lambda *_: self._stop()
        self._loop.add_reader(self._socket.fileno(), self._read)
        self._keep_alive()
        self._write()

    async def lost(self) -> None:
        """Wait until the connection is lost, then raise ConnectionLostError."""
        await asyncio.wait([self._lost])
        raise ConnectionLostError(self._lost.result())

    async def close(self) -> None:
        """Send DISCONNECT if that is still possible, within a second, and close the socket in any case."""
        try:
            if not self._lost.done():
                self._write()
                async with asyncio.timeout(_GOODBYE_S):
                    await self._written.wait()
                self._client.disconnect()
                self._write()
        except TimeoutError:
            pass
        finally:
            self._abandon()

    def send(self, message: Message) -> int:
        """Buffer one message for `write_now`. Its packet id comes back in `acknowledged`, at QoS 0 in the loop's next
        turn. ConnectionLostError where there is no connection, ValueError where MQTT does not allow the message.
        """
        sock = self._socket
        if sock is None or self._lost.done():
            raise ConnectionLostError("the connection is gone")
        packet_id = self._packet_ids.take()
        sock.add(encode_publish(message, packet_id, with_properties=self._with_properties), message.payload)
        self._written.clear()
        if not message.qos:
            self._loop.call_soon(self._note_acknowledged, packet_id, 0)
        return packet_id

    def write_now(self) -> None:
        """Write the messages that `send` has buffered, the rest as soon as the network accepts more."""
        if not (self._written.is_set() or self._waits_for_network):
            self._write()

    async def listen(self, topics: Sequence[str]) -> None:
        """Subscribe to `topics` at QoS 1; RefusedError where the broker does not allow one.

        A broker sends the queued messages of a session before its SUBACK. So messages must be consumed by `received`
        meanwhile, and only silence counts as no answer: ConnectionLostError when nothing was read for `answer_s`
        seconds.
        """
        _, mid = self._client.subscribe([(topic, 1) for topic in topics])
        if mid is None:
            raise ConnectionLostError("the connection is gone")
        answer = self._answers[mid] = self._loop.create_future()
        try:
            await self._wait_for(answer)
        finally:
            del self._answers[mid]
        for topic, code in zip(topics, answer.result(), strict=False):
            if code.is_failure:
                raise RefusedError(code.value, str(code), topic)

    def ignore(self, topics: Sequence[str]) -> None:
        """Unsubscribe from `topics`. Messages that the broker has queued are still delivered."""
        self._client.unsubscribe(list(topics))

    async def _wait_for(self, answer: asyncio.Future[Any]) -> None:
        n_before = -1
        while not answer.done():
            if self._limiter.n_read_bytes == n_before and not self._is_paused:
                raise self._no_answer()
            n_before = self._limiter.n_read_bytes
            await asyncio.wait((answer, self._lost), timeout=self._answer_s, return_when=asyncio.FIRST_COMPLETED)
            if self._lost.done() and not answer.done():
                raise ConnectionLostError(self._lost.result())

    def fail(self, error: Exception) -> None:
        """Make `received` raise `error`."""
        self._failure = error
        self._queue.put_nowait(_END)

    async def received(self, n_in_work: int = 1) -> AsyncIterator[ReceivedMessage]:
        """Yield messages. Each is acknowledged once `n_in_work` later ones are requested."""
        in_work: deque[ReceivedMessage] = deque()
        while (message := await self._queue.get()) is not _END:
            self._limiter.release(message)
            if self._is_paused and self._limiter.has_room:
                self._resume()
            yield message
            in_work.append(message)
            if len(in_work) >= n_in_work:
                done = in_work.popleft()
                if done.qos:
                    self._acknowledge(done.packet_id)
        raise self._failure or ConnectionLostError(self._lost.result())

    @property
    def n_waiting(self) -> int:
        """Messages that are received and not yet consumed."""
        return self._queue.qsize()

    def _acknowledge(self, packet_id: int) -> None:
        """Acknowledge a received message; written in the loop's next turn, with others."""
        if self._socket and not self._lost.done():
            self._socket.add(encode_puback(packet_id))
            self._write_soon()

    def _note_acknowledged(self, packet_id: int, code: int) -> None:
        """The broker has answered for a sent message."""
        self._packet_ids.release(packet_id)
        self.acknowledged(packet_id, puback_reason(code) if code else "")

    # Callbacks of paho.

    def _on_connect(
        self, _client: Client, _userdata: Any, _flags: Any, code: ReasonCode, properties: Properties | None
    ) -> None:
        if self._connected.done():
            return
        if code.is_failure:
            self._connected.set_exception(RefusedError(code.value, str(code)))
            return
        self.receive_maximum = getattr(properties, "ReceiveMaximum", self.receive_maximum)
        limit = getattr(properties, "MaximumPacketSize", self.maximum_packet_bytes)
        self.maximum_packet_bytes = min(limit, self.maximum_packet_bytes)
        self._connected.set_result(None)

    def _on_disconnect(
        self, _client: Client, _userdata: Any, _flags: Any, code: ReasonCode, _properties: Properties | None
    ) -> None:
        self._end(_reason(str(code)))

    def _on_subscribe(
        self, _client: Client, _userdata: Any, mid: int, codes: list[ReasonCode], _properties: Any
    ) -> None:
        if (answer := self._answers.get(mid)) and not answer.done():
            answer.set_result(codes)

    def _on_register_write(self, _client: Client, _userdata: Any, _sock: Any) -> None:
        self._write_soon()

    def _write_soon(self) -> None:
        """Write once, in the loop's next turn, for all that is buffered by then."""
        self._written.clear()
        if not (self._writes_soon or self._is_writing or self._waits_for_network):
            self._writes_soon = self._loop.call_soon(self._write)

    # Callbacks of the event loop.

    def _read(self) -> None:
        """Read once; again soon where TLS has read ahead, of which the loop knows nothing."""
        sock = self._socket
        if sock is None or not sock.is_open or self._is_paused or not self._fill(sock):
            return
        self._read_by_client(sock)
        if self._limiter.is_full and sock.is_open:
            self._is_paused = True
            self._loop.remove_reader(sock.fileno())
        elif sock.n_pending_bytes:
            self._loop.call_soon(self._read)

    def _fill(self, sock: BufferedSocket) -> bool:
        """Read once from the network; False where there was nothing."""
        try:
            return sock.fill()
        except Exception as error:  # noqa: BLE001  a packet read in part is of no use: the connection ends
            self._end(_reason(error))
            return False

    def _read_by_client(self, sock: BufferedSocket) -> None:
        """Let paho read the packets that are its own."""
        try:
            while sock.has_unread:
                self._client.loop_read()
        except Exception as error:  # noqa: BLE001  paho's may be of any kind, and each ends the connection
            self._end(_reason(error))

    def _resume(self) -> None:
        """Read again after a pause."""
        self._is_paused = False
        if self._socket and self._socket.is_open and not self._lost.done():
            self._loop.add_reader(self._socket.fileno(), self._read)
            self._loop.call_soon(self._read)

    def _write(self) -> None:
        """Write all that is buffered; the rest as soon as the network accepts more."""
        if self._writes_soon:
            self._writes_soon.cancel()
            self._writes_soon = None
        sock = self._socket
        if sock is None or not sock.is_open or self._lost.done():
            return
        self._is_writing = True
        try:
            sock.flush()
            while self._client.want_write() and not sock.n_unsent_bytes:
                self._client.loop_write()
                sock.flush()
        except Exception as error:  # noqa: BLE001  as of reading
            while self._fill(sock):  # the broker may have answered before it closed the connection
                self._read_by_client(sock)
            self._end(_reason(error))
        finally:
            self._is_writing = False
        self._await_network(sock)

    def _await_network(self, sock: BufferedSocket) -> None:
        """Go on writing as soon as the network takes more, where something is left."""
        if not sock.is_open or self._lost.done():
            return
        waits = sock.n_unsent_bytes > 0 or self._client.want_write()
        if waits and not self._waits_for_network:
            self._loop.add_writer(sock.fileno(), self._write)
        elif self._waits_for_network and not waits:
            self._loop.remove_writer(sock.fileno())
        self._waits_for_network = waits
        if not waits:
            self._written.set()

    def _keep_alive(self) -> None:
        """Let paho send a PINGREQ every KEEPALIVE_S, and end the connection where no answer comes."""
        self._client.loop_misc()
        if not self._lost.done():
            self._next_ping = self._loop.call_later(_KEEPALIVE_CHECK_S, self._keep_alive)

    def _end(self, reason: str) -> None:
        """The connection is lost: note the reason, and end all waits."""
        if self._lost.done():
            return
        self._lost.set_result(reason)
        self._stop()
        if not self._connected.done():
            refusal = self._socket.refusal if self._socket else ""
            words = f": {refusal}" if refusal else f" without an answer{self._hint}"
            error = ConnectionLostError(f"it closes the connection{words}", other_protocol=not refusal)
            self._connected.set_exception(error)
        self._written.set()
        self._queue.put_nowait(_END)

    def _stop(self) -> None:
        """Remove the socket from the event loop, before it is closed: its number may be reused at once."""
        if self._next_ping:
            self._next_ping.cancel()
        if self._socket and self._socket.is_open:
            self._loop.remove_reader(self._socket.fileno())
            self._loop.remove_writer(self._socket.fileno())
        self._waits_for_network = False

    def _abandon(self) -> None:
        """Close the socket; paho alone does so only after it has written a DISCONNECT."""
        self._stop()
        if self._wrapper.wrapped:
            self._wrapper.wrapped.abort()
        if self._connected.done() and not self._connected.cancelled():
            self._connected.exception()

    def _no_answer(self) -> ConnectionLostError:
        return ConnectionLostError(
            f"no answer within {math.ceil(self._answer_s)} s; is it an MQTT broker?", other_protocol=True
        )


def _not_connected(error: Exception, hint: str) -> ConnectionLostError:
    """The error for a failed TCP or TLS connection, in words for users."""
    reason = _reason(error)
    return ConnectionLostError(f"{reason}{hint}" if "reset by peer" in reason or "EOF" in reason else reason)


def _hint(address: BrokerAddress) -> str:
    """The likely cause where a broker closes a connection without a reason."""
    if not address.tls:
        return "; does it want TLS (mqtts://)?"
    return "; does it speak TLS, and take this certificate?" if address.cert else "; does it speak TLS?"


def _reason(error: object) -> str:
    text = re.sub(r"^\[Errno -?\d+\] ", "", in_words(error)) or "closed"
    if text == "Unspecified error":  # paho's text for a close without a reason
        return "it was closed (by the broker, by the network, or for another client of the same name)"
    return text[:1].lower() + text[1:]
