"""`python amqtt_child.py PORT`: the pure Python broker on a loopback port, for where no other is installed.

A process of its own, since it would take the pipeline's event loop. It ends at SIGTERM.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys


async def serve(port: int) -> None:
    """Serve MQTT 3.1.1 without authentication on 127.0.0.1 until SIGTERM."""
    from amqtt.broker import Broker  # noqa: PLC0415  an optional dependency, needed in this process only

    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    broker = Broker(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
        }
    )
    await broker.start()
    await ended.wait()
    await broker.shutdown()


if __name__ == "__main__":
    logging.basicConfig(level=logging.ERROR)
    asyncio.run(serve(int(sys.argv[1])))
