"""A file that another program writes: each content is read once, whole, as a pass of its own."""

import asyncio
import os
from collections import defaultdict
from contextlib import aclosing, asynccontextmanager

import pytest
from downlink_pipeline.services.protocol import _NAME
from downlink_pipeline.stations.address import Station
from downlink_pipeline.stations.file import GrowingFile
from downlink_pipeline.stations.followed import safe_name


class Recorded(defaultdict):
    """Bytes by pass name, as a recorder would have them; survives a restart of the source."""

    def __init__(self):
        super().__init__(bytes)

    def position_of(self, name):
        return len(self.get(name, b""))

    async def until(self, *contents):
        """Wait until exactly these contents are recorded, in order of their beginning."""
        async with asyncio.timeout(20):
            while list(self.values()) != list(contents):  # noqa: ASYNC110 - what is recorded can only be asked
                await asyncio.sleep(0.01)


@asynccontextmanager
async def following(path, recorded, memory):
    source = GrowingFile(Station("s", "file", path=path), recorded.position_of, memory)

    async def take():
        async with aclosing(source.arrivals()) as arrivals:
            async for arrival in arrivals:
                recorded[arrival.name] += b"".join(arrival.pieces)

    task = asyncio.create_task(take())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


@pytest.fixture
def path(tmp_path):
    return tmp_path / "station.raw"


@pytest.fixture
def memory(tmp_path):
    return tmp_path / "memory" / "followed.json"


async def test_a_file_that_is_truncated_in_place_begins_a_pass(path, memory):
    recorded = Recorded()
    path.write_bytes(b"first content")
    async with following(path, recorded, memory):
        await recorded.until(b"first content")
        os.truncate(path, 0)  # as logrotate's copytruncate
        with path.open("ab") as file:
            file.write(b"second")
        await recorded.until(b"first content", b"second")


async def test_a_file_truncated_while_nobody_read_and_longer_now_begins_a_pass(path, memory):
    recorded = Recorded()
    path.write_bytes(b"first")
    async with following(path, recorded, memory):
        await recorded.until(b"first")
    os.truncate(path, 0)
    path.write_bytes(b"another content that is longer")
    async with following(path, recorded, memory):
        await recorded.until(b"first", b"another content that is longer")


async def test_the_same_content_goes_on_after_a_restart(path, memory):
    recorded = Recorded()
    path.write_bytes(b"a" * 10_000)
    async with following(path, recorded, memory):
        await recorded.until(b"a" * 10_000)
    with path.open("ab") as file:
        file.write(b"b" * 10_000)
    async with following(path, recorded, memory):
        await recorded.until(b"a" * 10_000 + b"b" * 10_000)


async def test_a_ring_of_files_whose_inodes_are_used_again_gives_each_content_once(path, memory):
    recorded = Recorded()
    contents = [bytes([48 + turn]) * (6000 - 900 * turn) for turn in range(5)]
    spare = path.with_name("spare")
    async with following(path, recorded, memory):
        for turn, content in enumerate(contents):
            if spare.exists():  # the file of two turns before gets the name, with new content
                os.truncate(spare, 0)
                spare.write_bytes(content)
            fresh = spare if spare.exists() else path.with_name(f"fresh{turn}")
            fresh.write_bytes(content)
            if path.exists():
                aside = path.with_name("aside")
                path.rename(aside)
                fresh.rename(path)
                aside.rename(spare)
            else:
                fresh.rename(path)
            await recorded.until(*contents[: turn + 1])


async def test_what_is_written_to_a_renamed_file_before_its_writer_reopens_is_not_lost(path, memory):
    recorded = Recorded()
    with path.open("wb", buffering=0) as file:
        file.write(b"before ")
        async with following(path, recorded, memory):
            await recorded.until(b"before ")
            path.rename(path.with_name("old"))
            path.write_bytes(b"successor")
            file.write(b"after")
            await recorded.until(b"before after", b"successor")


async def test_a_cut_file_does_not_keep_the_loop_busy(path, memory):
    recorded = Recorded()
    path.write_bytes(b"0123456789")
    async with following(path, recorded, memory):
        await recorded.until(b"0123456789")
        os.truncate(path, 4)
        await recorded.until(b"0123456789", b"0123")
        turns = 0
        async with asyncio.timeout(5):
            while turns < 100:  # a loop that spins in the source would never come here
                await asyncio.sleep(0)
                turns += 1


@pytest.mark.parametrize("kind", ["pipe", "folder"])
async def test_what_is_no_regular_file_is_waited_for_and_never_blocks(path, memory, kind):
    os.mkfifo(path) if kind == "pipe" else path.mkdir()
    recorded = Recorded()
    async with following(path, recorded, memory):
        await asyncio.sleep(0)
        path.unlink() if kind == "pipe" else path.rmdir()
        path.write_bytes(b"now a file")
        await recorded.until(b"now a file")


async def test_a_spoilt_memory_costs_no_byte(path, memory):
    recorded = Recorded()
    path.write_bytes(b"content")
    async with following(path, recorded, memory):
        await recorded.until(b"content")
    memory.write_bytes(b"\0\xff{")
    with path.open("ab") as file:
        file.write(b" and more")
    async with following(path, recorded, memory):
        await recorded.until(b"content and more")


@pytest.mark.parametrize("name", ["pass of today.raw", "Überflug.raw", ".hidden", "a~2", "~", "x" * 300, "ü"])
def test_every_file_name_gives_a_pass_name_that_all_services_take(name):
    safe = safe_name(name)
    assert _NAME.fullmatch(f"{safe}.18446744073709551615.9999~9999")
    assert "~" not in safe
    assert safe_name(f"{name}2") != safe


def test_a_plain_name_stays_as_it_is():
    assert safe_name("station-1_b.raw") == "station-1_b.raw"
