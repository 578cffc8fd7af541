"""A replay with pauses, changes of speed and seeks gives the same products as one without."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import pytest
from downlink_pipeline.commands import live as app
from downlink_pipeline.messages import topics
from downlink_pipeline.mission.loading import load_mission
from downlink_pipeline.model.batches import ByteBatch, Message
from downlink_pipeline.mqtt.address import BrokerAddress
from downlink_pipeline.mqtt.embedded import EmbeddedBroker, Program, _amqtt, find_program
from downlink_pipeline.mqtt.publisher import Publisher, subscribe
from downlink_pipeline.replay.control import Command
from downlink_pipeline.replay.player import END, Player
from downlink_pipeline.replay.session import Replay

PAUSE, RESUME = b'{"command": "pause"}', b'{"command": "resume"}'


class Played:
    """A replay without a broker, and what it published."""

    def __init__(self, *recordings: Path, speed: float | None, hold: bool = False) -> None:
        self.messages: list[Message] = []
        self.reports: list[dict[str, Any]] = []
        mission = load_mission("zhurong")
        self.tape = Player(mission, recordings, speed, hold=hold)
        self.replay = Replay(self.tape, mission, "test", self._take, ended=self.reports.append)
        self.stop = asyncio.Event()

    async def _take(self, messages: Any) -> None:
        self.messages += messages

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        run = asyncio.create_task(self.replay.run(self.stop, lambda *_: None))
        yield
        await asyncio.wait_for(run, 30)

    def progress(self) -> dict[str, Any]:
        reported = [json.loads(one.payload) for one in self.messages if one.topic.endswith("/progress")]
        return reported[-1] if reported else {}

    def ids(self) -> list[str]:
        return [msgpack.unpackb(one.payload)["id"] for one in self.messages if "/product/" in one.topic]

    async def until(self, true: Callable[[], Any]) -> None:
        async with asyncio.timeout(20):
            while not true():  # noqa: ASYNC110 - the replay tells nobody
                await asyncio.sleep(0.02)

    async def is_quiet(self) -> None:
        """Wait until all that was read is decoded and published."""
        await self.until(lambda: self.replay._n_bytes == self.tape.position)

    async def command(self, **content: Any) -> None:
        await self.replay.command(json.dumps(content).encode())


def ids_of(decoded: Any) -> list[str]:
    return sorted(product.id for product in decoded.products)


async def test_a_paused_replay_stands_still_and_resumed_it_loses_nothing(bundled: Path, clean: Any) -> None:
    played = Played(bundled / "clean.cadu", speed=4.0)
    async with played.running():
        await played.until(lambda: len(played.ids()) > 5)
        await played.command(command="pause")
        await played.is_quiet()
        n_before = len(played.ids())
        await asyncio.sleep(0.5)  # nothing more comes
        assert len(played.ids()) == n_before
        assert played.progress()["state"] == "paused"
        assert (
            0 < played.progress()["bytes"] < played.progress()["total"] == (bundled / "clean.cadu").stat().st_size
        )
        await played.command(command="speed", speed="max")
        await played.command(command="resume")
    assert sorted(played.ids()) == ids_of(clean)
    assert played.progress()["state"] == "ended"


async def test_after_a_seek_back_it_gives_the_same_products_once_more(bundled: Path, clean: Any) -> None:
    played = Played(bundled / "clean.cadu", speed=None, hold=True)
    async with played.running():
        await played.until(lambda: len(played.reports) == 1)
        began = played.progress()["began"]
        await played.command(command="pause")
        await played.command(command="seek", share=0.5)
        await played.until(lambda: played.progress()["began"] != began and played.progress()["state"] == "paused")
        half = played.progress()["total"] // 2
        await played.until(lambda: half <= played.replay._n_bytes < half + 2000)
        n_half = len(played.ids()) - len(clean.products)
        assert 0 < n_half < len(clean.products)
        await played.command(command="resume")
        await played.until(lambda: len(played.reports) == 2)
        played.stop.set()
    assert sorted(played.ids()) == sorted(2 * ids_of(clean))
    assert played.reports[0]["frames"] == played.reports[1]["frames"] == clean.report["frames"]


def seconds_in(bundled: Path, seconds: int) -> np.datetime64:
    """A whole second of reception, so long after the clean pass began."""
    began = json.loads((bundled / "clean.cadu.truth.json").read_text())["link"]["received_from_utc"]
    return np.datetime64(began[:19], "ms") + np.timedelta64(seconds, "s")


async def test_a_seek_forward_to_a_time_leaves_no_product_out(bundled: Path, clean: Any) -> None:
    played = Played(bundled / "clean.cadu", speed=0.5)
    wanted = seconds_in(bundled, 5)
    async with played.running():
        await played.until(lambda: played.replay._published.received_ns)
        await played.command(command="pause")
        await played.command(command="seek", time=f"{wanted}Z")
        just_before = str(wanted - np.timedelta64(10, "ms"))
        await played.until(lambda: (played.progress()["time"] or "") > just_before)
        await played.is_quiet()
        await played.command(command="pause")
        reported = played.progress()["time"]
        await played.command(command="speed", speed=1000)
        await played.command(command="resume")
    assert reported[:19] == str(wanted - np.timedelta64(1, "s"))[:19]
    assert sorted(played.ids()) == ids_of(clean)


async def test_played_again_after_the_end_it_begins_at_the_beginning(bundled: Path, damaged: Any) -> None:
    played = Played(bundled / "damaged.cadu", speed=None, hold=True)
    async with played.running():
        await played.until(lambda: len(played.reports) == 1)
        await played.replay.command(RESUME)
        await played.until(lambda: len(played.reports) == 2)
        played.stop.set()
    assert sorted(played.ids()) == sorted(2 * ids_of(damaged))


async def test_it_has_not_ended_before_its_last_products_are_published(bundled: Path, clean: Any) -> None:
    played = Played(bundled / "clean.cadu", speed=None)
    accepted = asyncio.Event()
    publish = played.replay._publish

    async def publish_late(messages: Any) -> None:
        if any("/product/" in one.topic for one in messages):
            await accepted.wait()
        await publish(messages)

    played.replay._publish = publish_late
    async with played.running():
        await played.until(lambda: played.tape.state == "ended")
        n_before = len(played.messages)
        await played.until(lambda: len(played.messages) > n_before)
        assert played.progress()["state"] == "playing"
        accepted.set()
    assert played.progress()["state"] == "ended"
    assert sorted(played.ids()) == ids_of(clean)


async def test_what_cannot_be_done_is_reported_and_changes_nothing(tmp_path: Path, bundled: Path) -> None:
    (tmp_path / "untimed.cadu").write_bytes((bundled / "clean.cadu").read_bytes()[:100_000])
    played = Played(tmp_path / "untimed.cadu", speed=None, hold=True)
    async with played.running():
        await played.until(lambda: played.reports)
        await played.command(command="seek", time="2021-05-25T08:12:36Z")
        assert "no receive times" in played.progress()["refused"]
        await played.replay.command(b"\xff")
        assert "JSON object" in played.progress()["refused"]
        assert played.progress()["state"] == "ended"
        await played.replay.command(PAUSE)
        assert played.progress()["refused"] == ""
        played.stop.set()


@pytest.mark.parametrize("share", [0.1, 0.37, 0.9999, 1.0])
async def test_a_tape_stops_at_the_byte_that_is_sought(bundled: Path, share: float) -> None:
    mission = load_mission("zhurong")
    tape = Player(mission, [bundled / "clean.cadu"], None)
    tape.take(Command("pause"))
    tape.take(Command("seek", share=share))
    total = (bundled / "clean.cadu").stat().st_size
    seen = 0
    items = tape.play()
    while seen < round(share * total):
        item = await asyncio.wait_for(anext(items), 5)
        seen += len(item.data) if isinstance(item, ByteBatch) else 0
    assert seen == round(share * total)
    if share == 1.0:
        assert await anext(items) == END
    await items.aclose()


async def test_each_byte_has_its_receive_time_however_the_tape_is_cut(bundled: Path) -> None:
    mission = load_mission("zhurong")

    async def times(*shares: float) -> list[int]:
        tape = Player(mission, [bundled / "clean.cadu"], None)
        result: list[int] = []
        for share in shares:
            tape.take(Command("seek", share=share))
            tape.take(Command("pause"))
        async with aclosing(tape.play()) as items:
            async for item in items:
                if isinstance(item, ByteBatch):
                    at = item.mark_ns[item.mark_start.searchsorted(range(len(item.data)), side="right") - 1]
                    result += at.tolist()
                if item != END:
                    tape.take(Command("resume"))
        return result

    assert await times() == await times(0.123) == await times(0.77)


@pytest.mark.parametrize("name", ["mosquitto", "amqtt"])  # amqtt knows only MQTT 3.1.1
async def test_a_command_comes_through_a_broker(name: str, bundled: Path, clean: Any) -> None:
    if not (find_spec("amqtt") if name == "amqtt" else shutil.which("mosquitto", path="/usr/sbin:/usr/bin")):
        pytest.skip(f"{name} is not installed")
    async with EmbeddedBroker(Program("amqtt", _amqtt) if name == "amqtt" else find_program()) as broker:
        address = BrokerAddress("127.0.0.1", broker.port, mqtt_5=name != "amqtt")
        heard: list[dict[str, Any]] = []
        ids: list[str] = []

        async def listen() -> None:
            patterns = ["zhurong/test/progress", "zhurong/test/product/#"]
            async for topic, payload, _ in subscribe(address, patterns, on_listening=listening.set):
                if topic.endswith("progress"):
                    heard.append(json.loads(payload))
                else:
                    ids.append(msgpack.unpackb(payload)["id"])

        async def print_line(**command: Any) -> None:
            async with Publisher(address, remember_s=0.0) as publisher:
                await publisher.publish([topics.control_message("zhurong", "test", command)])

        async def until(state: str) -> None:
            async with asyncio.timeout(20):
                while not heard or heard[-1]["state"] != state:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)

        listening = asyncio.Event()
        ear = asyncio.create_task(listen())
        await asyncio.wait_for(listening.wait(), 20)
        mission = load_mission("zhurong")
        run = asyncio.create_task(
            app.replay([bundled / "clean.cadu"], mission, address, lambda *_: None, stream="test", speed=1.0)
        )
        await until("playing")
        await print_line(command="pause")
        await until("paused")
        await print_line(command="speed", speed="max")
        await print_line(command="resume")
        await asyncio.wait_for(run, 30)
        await until("ended")
        ear.cancel()
        await asyncio.wait((ear,))
    assert sorted(ids) == ids_of(clean)
