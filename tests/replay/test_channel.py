"""The bounded way between two stages."""

import asyncio

from downlink_pipeline.replay.channel import Channel


async def test_what_is_sent_arrives_in_order_and_then_ends() -> None:
    channel: Channel[int] = Channel(8)
    for item in (1, 2, 3):
        await channel.send(item)
    await channel.close()
    assert [item async for item in channel] == [1, 2, 3]


async def test_a_sender_waits_when_the_channel_is_full() -> None:
    channel: Channel[int] = Channel(1)
    await channel.send(1)
    second = asyncio.create_task(channel.send(2))
    await asyncio.sleep(0)
    assert not second.done()
    assert await anext(aiter(channel)) == 1
    await second
