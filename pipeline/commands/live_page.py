"""The live page of a broker's topics: `downlink dashboard`, and the page of a demo.

broker -> subscriber -> page. The page's content of missions is read once (`tabs.page_content`). The modules that read
it are not imported here: a server that got the content from a child process does not need them in memory.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from ..dashboard.history_source import HistorySource
from ..dashboard.missions import KnownMission
from ..dashboard.server import RETAINED_TOPICS, TOPICS, Served, available, serving
from ..dashboard.tabs import Tab
from ..messages import topics
from ..mqtt.broker import BrokerAddress
from ..mqtt.one_shot import OneShotPublisher
from ..mqtt.publisher import subscribe
from ..mqtt.reconnect import Timing
from ..system.allocator import return_freed_memory
from ..system.signals import until_signal
from .displays import DisplayFiles

if TYPE_CHECKING:
    from ..mission.loading import Mission


@dataclass(frozen=True, slots=True)
class PageContent:
    """The page's content of missions. `history`: source of past rows, if there is a history."""

    missions: tuple[KnownMission, ...] = ()
    tabs: tuple[Tab, ...] = ()
    history: HistorySource | None = None


@asynccontextmanager
async def dashboard(
    address: BrokerAddress,
    host: str = "127.0.0.1",
    port: int = 5006,
    *,
    or_any_port: bool = False,
    origins: Sequence[str] = (),
    trouble: Callable[[str], None] = lambda _: None,
    missions: Sequence[Mission] = (),
    history: str | None = None,
    content: PageContent | None = None,
) -> AsyncIterator[Served]:
    """Serve the live page of a broker's topics while the block runs. `origins`: addresses of the page in browsers.

    `content`: None: read that of `missions` and installed packages, with the `history` (a folder or URL); ConfigError
    if there is no history.

    If the broker is unreachable, the connection is retried with backoff; the page and `trouble` get each change.
    """
    known = content if content is not None else await asyncio.to_thread(_content, missions, history)

    def messages(notify: Callable[[str], None]) -> AsyncGenerator[tuple[str, bytes, bool], None]:
        def both(text: str) -> None:
            notify(text)
            trouble(text)

        def listening() -> None:
            notify(f"connected to {address}")

        return subscribe(
            address,
            TOPICS,
            on_trouble=both,
            on_listening=listening,
            timing=Timing(first_s=math.inf),
            retained=RETAINED_TOPICS,
        )

    async with (
        OneShotPublisher(address) as publisher,
        serving(
            messages,
            topics.unpack_product,
            partial(_publish_command, publisher),
            host=host,
            port=port,
            or_any_port=or_any_port,
            named_origins=origins,
            tabs=known.tabs,
            missions=known.missions,
            history=known.history,
            displays=DisplayFiles({one.name: one.folder for one in known.missions}),
        ) as served,
    ):
        yield served


def _content(missions: Sequence[Mission], history: str | None) -> PageContent:
    from .tabs import page_content  # noqa: PLC0415 - see above

    return page_content(missions, history)


def read_content(names: Sequence[str], history: str | None) -> PageContent:
    """Read the page's content of missions by name; ConfigError with the problems of the first that cannot be read."""
    from ..mission.loading import load_mission  # noqa: PLC0415 - see above

    return _content([load_mission(one) for one in names], history)


async def _publish_command(publisher: OneShotPublisher, stream: str, command: Mapping[str, Any]) -> None:
    """Send a command to the replay of `<mission>/<stream>`."""
    mission, name = stream.split("/", 1)
    await publisher.publish(topics.control_message(mission, name, command))


async def serve_dashboard(
    address: BrokerAddress,
    host: str,
    port: int,
    notify: Callable[[str], None],
    trouble: Callable[[str], None] = lambda _: None,
    *,
    origins: Sequence[str] = (),
    content: PageContent | None = None,
) -> None:
    """Serve the live page until Ctrl-C, and wait for a broker that is unreachable; RunError if it refuses.

    `notify` is called with the page's address, `trouble` with each change of the connection to the broker.
    """
    return_freed_memory()
    async with dashboard(address, host, port, origins=origins, trouble=trouble, content=content) as served:
        notify(served.url)
        stopped = asyncio.create_task(until_signal(), name="stop")
        try:
            await asyncio.wait((stopped, served.listening), return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped.cancel()
        if served.listening.done():
            served.listening.result()


def has_dashboard() -> bool:
    """Whether the libraries of the page are installed."""
    return available()
