"""No file can be opened (EMFILE), for a while, in each service: that is later, and not the end."""

import asyncio
import json
import resource

import pytest
from waiting import until

TIGHT_S = 6.0


def is_well(stack, service):
    try:
        return json.loads(stack.get(service, "/health"))["ok"]
    except OSError:  # 503 too
        return False


@pytest.mark.parametrize("service", ["ingest", "decode-one", "publish"])
async def test_a_service_that_can_open_no_file_goes_on_when_it_can_again(
    make_stack, subscriber, undisturbed, bundled, service
):
    expected = undisturbed()
    stack = make_stack(settings={"DOWNLINK_FILE_MB": "1"})
    stack.start()
    async with subscriber(stack) as witness:
        await stack.ready(within_s=60)
        stack.feed(bundled / "damaged.cadu", lasting_s=4)
        await until(lambda: witness.products)  # within the pass
        process = stack.processes[service]
        soft, hard = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (3, hard))
        await asyncio.sleep(TIGHT_S)  # how long it can open none
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (soft, hard))
        await witness.until(expected.keys(), 90)
        assert witness.told == expected
        assert witness.unequal == []
        assert process.poll() is None
        async with asyncio.timeout(30):
            while not is_well(stack, service):  # noqa: ASYNC110
                await asyncio.sleep(0.2)
    assert "Traceback" not in stack.log(service)
