"""A TCP way to a server that can be cut and opened again on the same port."""

import asyncio


class Relay:
    """Connections to `port` go to `target` (host, port); `close` aborts all of them and refuses new ones."""

    def __init__(self, host, port):
        self._target = host, port
        self._server = None
        self._writers = set()
        self._tasks = set()
        self.n_connections = 0
        self.port = 0

    async def open(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self):
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader, writer):
        self._tasks.add(asyncio.current_task())
        self.n_connections += 1
        try:
            there, back = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, back}
        await asyncio.gather(self._copy(reader, back), self._copy(there, writer), return_exceptions=True)

    async def _copy(self, reader, writer):
        while received := await reader.read(65_536):
            writer.write(received)
            await writer.drain()
        writer.close()
