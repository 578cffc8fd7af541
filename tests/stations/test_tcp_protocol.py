"""What comes in over one connection: whole, in order, in pieces of bounded size, with its end and its failure told."""

import asyncio
import socket
import struct
from contextlib import asynccontextmanager

import numpy as np
import pytest
from downlink_pipeline.stations.tcp_protocol import READ_BYTES, TcpReceiver


@asynccontextmanager
async def joined():
    """An inlet and the socket that sends into it."""
    opened = asyncio.get_running_loop().create_future()
    server = await asyncio.get_running_loop().create_server(lambda: TcpReceiver(opened.set_result), "127.0.0.1", 0)
    with socket.create_connection(server.sockets[0].getsockname()) as sender:
        inlet = await asyncio.wait_for(opened, 5)
        yield inlet, sender
        inlet.abort()
        server.close()


async def read_all(inlet):
    pieces = []
    while piece := await asyncio.wait_for(inlet.read(), 5):
        pieces.append(piece)
    return pieces


async def test_large_pieces_keep_their_bytes_while_later_ones_come_in():
    sent = np.random.default_rng(1).bytes(3 * READ_BYTES + 12345)
    async with joined() as (inlet, sender):
        sending = asyncio.create_task(asyncio.to_thread(lambda: (sender.sendall(sent), sender.close())))
        pieces = await read_all(inlet)
        await sending
    assert b"".join(pieces) == sent
    assert max(map(len, pieces)) <= READ_BYTES


async def test_what_follows_the_first_line_in_one_segment_is_read_after_it():
    async with joined() as (inlet, sender):
        sender.sendall(b"hello\nthe rest")
        await asyncio.sleep(0.05)  # both are there before it reads
        assert await inlet.read_line(100) == b"hello\n"
        assert await inlet.read() == b"the rest"


async def test_a_line_that_comes_letter_by_letter_is_one_and_one_too_long_has_no_end():
    async with joined() as (inlet, sender):
        line = asyncio.create_task(inlet.read_line(20))
        for letter in b"hello\n":
            sender.sendall(bytes([letter]))
            await asyncio.sleep(0.002)  # so that each letter is a read of its own
        assert await asyncio.wait_for(line, 5) == b"hello\n"
        sender.sendall(bytes(50))
        assert await asyncio.wait_for(inlet.read_line(20), 5) == bytes(20)


async def test_what_came_before_a_reset_is_given_and_then_the_error_raised():
    async with joined() as (inlet, sender):
        sender.sendall(b"last words")
        await asyncio.sleep(0.05)  # they are there before the reset
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sender.close()
        await asyncio.sleep(0.05)  # so is the reset, before it reads
        assert await inlet.read() == b"last words"
        with pytest.raises(ConnectionError):
            await inlet.read()
