"""Nothing is confirmed any more: /health and the metric of the alert rule tell it within 30 s, and its end."""

import asyncio
import json
import time
from urllib.error import HTTPError

LIMIT_S = 30


async def test_decode_that_is_gone_is_told_within_30_s_and_no_more_when_it_is_back(
    make_stack, subscriber, undisturbed, bundled
):
    expected = undisturbed()
    stack = make_stack()
    stack.start()
    async with subscriber(stack) as witness:
        await stack.ready()
        assert json.loads(stack.get("ingest", "/health"))["ok"]
        stack.kill("decode-one")
        killed_at = time.monotonic()
        stack.feed(bundled / "damaged.cadu", lasting_s=1)
        told = {}
        async with asyncio.timeout(LIMIT_S + 10):
            while not told:
                await asyncio.sleep(0.5)
                try:
                    stack.get("ingest", "/health")
                except HTTPError as error:
                    told = json.loads(error.read())
        assert time.monotonic() - killed_at < LIMIT_S
        assert told["ingest"]["stations"]["test"]["stalled"]
        assert 'downlink_stalled_passes{station="test"} 1.0' in stack.get("ingest", "/metrics")
        stack.start("decode-one")
        await witness.until(expected.keys(), 90)
        assert witness.told == expected
        async with asyncio.timeout(30):
            while 'downlink_stalled_passes{station="test"} 0.0' not in stack.get("ingest", "/metrics"):  # noqa: ASYNC110
                await asyncio.sleep(0.2)
        assert json.loads(stack.get("ingest", "/health"))["ok"]
