"""Commands with a connection to a broker: replay and watch. The live page is in `live_page`.

recording -> player -> run of the chain -> publisher -> broker -> watch, live page
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import structlog

from ..messages import topics
from ..mission.loading import Mission
from ..model.batches import Message
from ..model.errors import ConfigError, DownlinkError
from ..mqtt.broker import BrokerAddress
from ..mqtt.publisher import Publisher, subscribe
from ..processing.passes import station_names, with_origin
from ..replay.player import Player
from ..replay.session import Keep, Replay
from ..system.allocator import keep_objects
from ..system.signals import stopped_by_signals

_FILTER = re.compile(r"(([^+#]*|\+)/)*([^+#]*|\+|#)")
GRACE_S = 10.0  # after Ctrl-C, longest wait for a broker that does not answer
log = structlog.get_logger(__name__)


async def replay(
    passes: Sequence[Path],
    mission: Mission,
    address: BrokerAddress,
    seen: Callable[[int, Sequence[Message]], None],
    *,
    stream: str,
    speed: float | None,
    rate_bits_per_s: float | None = None,
    hold: bool = False,
    merge: bool = False,
    begun: Callable[[], None] = lambda: None,
    print_line: Callable[[str], None] = lambda _: None,
    ended: Callable[[dict[str, Any]], None] = lambda _: None,
    keep: Keep | None = None,
) -> dict[str, Any]:
    """Run recordings through the whole pipeline to a broker. Returns the pass report.

    Commands on the stream's `control` topic pause and resume it, set its speed and seek. `hold`: wait at the end for a
    seek back, until Ctrl-C. `begun` is called once the broker is connected, `ended` with the report whenever the end is
    reached, `print_line` with a note on the pace of a recording without receive times. `keep`: records the products.
    """
    stations = station_names(mission, passes, merge=merge)
    mission = with_origin(mission, passes)
    player = Player(
        mission, passes, speed, stations=stations, hold=hold, rate_bits_per_s=rate_bits_per_s, print_line=print_line
    )
    online, offline = (topics.status_message(mission.name, "replay", state) for state in ("online", "offline"))
    client_id = f"{mission.name}-{stream}-{os.getpid()}"
    async with Publisher(
        address, client_id=client_id, birth=online, will=offline, on_trouble=log.warning
    ) as publisher:
        begun()
        stages = Replay(player, mission, stream, publisher.publish, ended=ended, keep=keep)
        keep_objects()
        control = topics.control_topic(mission.name, stream)
        async with _controlled(address, control, stages.command):
            with stopped_by_signals(_log_stopping) as stop:
                run = asyncio.create_task(stages.run(stop, seen), name="replay")
                drained = await _until_drained(run, stop, lambda: stages.n_messages)
    counts = {"messages": stages.n_messages, "quarantined_batches": stages.n_quarantined}
    return stages.report() | counts | ({} if drained else {"undelivered": True})


@asynccontextmanager
async def _controlled(
    address: BrokerAddress, topic: str, carry_out: Callable[[bytes], Awaitable[None]]
) -> AsyncIterator[None]:
    """Handle commands of a topic while the block runs. If the broker forbids the subscription, this is logged."""
    listening = asyncio.Event()

    async def listen() -> None:
        try:
            async with aclosing(
                subscribe(address, [topic], on_trouble=lambda _: None, on_listening=listening.set)
            ) as commands:
                async for _, payload, retained in commands:
                    if not retained:  # a retained command is an old one
                        await carry_out(payload)
        except DownlinkError as error:
            log.warning("the replay cannot be controlled", why=str(error))
        finally:
            listening.set()

    task = asyncio.create_task(listen(), name="control")
    try:
        await listening.wait()
        yield
    finally:
        task.cancel()
        await asyncio.wait((task,))


def _log_stopping() -> None:
    log.warning("stopping: bytes already read are still published; interrupt again to stop immediately")


async def _until_drained(run: asyncio.Task[None], stop: asyncio.Event, n_sent: Callable[[], int]) -> bool:
    """Wait for the stages; once stopped, at most GRACE_S without a message sent. Returns whether they ended."""
    stopped = asyncio.create_task(stop.wait(), name="stop")
    try:
        await asyncio.wait((run, stopped), return_when=asyncio.FIRST_COMPLETED)
        before = -1
        while not run.done() and n_sent() != before:
            before = n_sent()
            await asyncio.wait((run,), timeout=GRACE_S)
        if not run.done():
            run.cancel()
            await asyncio.wait((run,))
            return False
        run.result()
        return True
    finally:
        stopped.cancel()
        run.cancel()


async def watch(
    address: BrokerAddress, patterns: Sequence[str], show: Callable[[str, bytes, bool], None], limit: int | None
) -> None:
    """Call `show` with each message of the topics, up to `limit` messages or until Ctrl-C. ConfigError for a filter."""
    for pattern in patterns:
        if not _FILTER.fullmatch(pattern):
            raise ConfigError(
                f"'{pattern}' is not a topic filter: '+' matches a whole level, '#' all levels at the end"
            )
    n_shown = 0
    async with aclosing(subscribe(address, patterns)) as messages:
        async for topic, payload, retained in messages:
            show(topic, payload, retained)
            n_shown += 1
            if n_shown == limit:
                return
