"""Between the client library and the network: packets are taken whole, and written as the network takes them."""

import ast
import socket
from pathlib import Path

import pytest
from downlink_pipeline.mqtt.buffered_socket import BufferedSocket
from downlink_pipeline.mqtt.receive_limit import ReceiveLimiter

MQTT = Path(__file__).parents[2] / "pipeline"


def limiter():
    return ReceiveLimiter(
        with_properties=False, deliver=lambda _: None, acknowledge=lambda _: None, acknowledged=lambda *_: None
    )


@pytest.fixture
def ends():
    """A BufferedSocket, and the other end of its connection."""
    ours, other = socket.socketpair()
    ours.setblocking(False)
    buffered = BufferedSocket(ours, limiter())
    yield buffered, other
    buffered.abort()
    other.close()


def read(other, n_bytes):
    octets = b""
    while len(octets) < n_bytes:
        octets += other.recv(n_bytes - len(octets))
    return octets


def test_a_packet_is_taken_whole_whatever_the_network_takes_of_it(ends):
    buffered, other = ends
    packet = bytes(range(256)) * 40_000
    assert buffered.send(packet) == len(packet)
    received = b""
    while len(received) < len(packet):
        buffered.flush()
        received += other.recv(1 << 20)
    assert received == packet
    assert buffered.n_unsent_bytes == 0


def test_packets_of_all_sizes_leave_in_order(ends):
    buffered, other = ends
    packets = [bytes([i]) * size for i, size in enumerate((3, 20_000, 5, 7, 9_000, 1, 70_000, 2) * 3)]
    for i, packet in enumerate(packets):
        buffered.add(packet[:3], packet[3:])
        if i % 5 == 4:
            buffered.flush()
    buffered.flush()
    total = b"".join(packets)
    received = b""
    while len(received) < len(total):
        received += read(other, 1000) if len(total) - len(received) >= 1000 else other.recv(1000)
        buffered.flush()
    assert received == total


class CountingSocket(socket.socket):
    """A socket that counts the calls by which it is written to."""

    n_calls = 0

    def send(self, *args):
        self.n_calls += 1
        return super().send(*args)

    def sendmsg(self, *args):
        self.n_calls += 1
        return super().sendmsg(*args)


def test_messages_that_wait_are_written_by_few_calls_of_the_system():
    near, far = socket.socketpair()
    counting = CountingSocket(fileno=near.detach())
    counting.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    buffered = BufferedSocket(counting, limiter())
    payloads = [bytes([i]) * 10_000 for i in range(12)]
    for i, payload in enumerate(payloads):
        buffered.add(b"head%02d" % i, payload)
    buffered.flush()
    assert read(far, 12 * 10_006) == b"".join(b"head%02d" % i + one for i, one in enumerate(payloads))
    assert counting.n_calls == 1
    buffered.abort()
    far.close()


def test_with_a_mebibyte_unsent_no_more_is_taken_until_some_is_written(ends):
    buffered, other = ends
    while True:
        try:
            buffered.send(bytes(100_000))
        except BlockingIOError:
            break
        assert buffered.n_unsent_bytes <= 1_200_000
    while buffered.n_unsent_bytes:
        buffered.flush()
        other.recv(1 << 20)
    assert buffered.send(b"x") == 1


def test_the_library_reads_what_is_no_message_nor_acknowledgement_and_then_the_end(ends):
    buffered, other = ends
    assert not buffered.fill()
    with pytest.raises(BlockingIOError):
        buffered.recv(1)
    other.sendall(b"\x30\x04\x00\x01th" + b"\x40\x02\x00\x07" + b"\x90\x03\x00\x07\x01")
    other.close()
    assert buffered.fill()
    assert [buffered.recv(1), buffered.recv(1), buffered.recv(9)] == [b"\x90", b"\x03", b"\x00\x07\x01"]
    assert not buffered.has_unread
    assert buffered.fill()
    assert buffered.has_unread
    assert buffered.recv(1) == b""
    assert not buffered.fill()


def test_closing_writes_what_the_network_takes_at_once(ends):
    buffered, other = ends
    buffered.send(b"\xe0\x00")
    buffered.close()
    assert other.recv(10) == b"\xe0\x00"
    assert other.recv(10) == b""
    assert not buffered.is_open


def test_only_one_file_knows_paho_and_none_touches_private_parts_of_it_or_of_aiomqtt():
    libraries = {}
    for path in MQTT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            for name in names:
                if name.split(".")[0] in {"paho", "aiomqtt"}:
                    libraries.setdefault(name.split(".")[0], set()).add(path)
    assert [path.name for path in libraries["paho"]] == ["paho_client.py"]
    for path in set().union(*libraries.values()):
        assert private_of_others(ast.parse(path.read_text("utf-8"))) == []


def private_of_others(tree):
    """Private attributes of what is not `self`, and private names of a base or module."""
    attributes = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    return [
        ast.unparse(node)
        for node in attributes
        if node.attr.startswith("_")
        and not node.attr.startswith("__")
        and not (isinstance(node.value, ast.Name) and node.value.id == "self")
    ]
