"""Each service killed and away while 100 MB flow; and a cut network, a full disk, a slow worker, one gone for good.

The outages of a minute go on at the same time, beside the other tests of this module. `make soak` has ten minutes.
"""

import asyncio
import json
import os
import resource
import signal

import numpy as np
import pytest
from waiting import until

OUTAGE_S = float(os.environ.get("DOWNLINK_OUTAGE_S", "4"))
"""Of what is not a service; a minute in `make soak`."""
AWAY_S = float(os.environ.get("DOWNLINK_AWAY_S", "60"))
SERVICES = ["ingest", "decode-one", "publish", "broker", "subscriber"]


REFUSED = {
    "offer": (["m/stage/offer"], "ingest", ["m/stage/offer"]),
    "raw": (["m/stage/raw/#"], "ingest", ["m/stage/raw/one"]),
    "claim": (["m/stage/claim"], "decode-one", ["m/stage/claim"]),
    "out": (["m/stage/out"], "decode-one", ["m/stage/out"]),
    "done": (["m/stage/done"], "publish", ["m/stage/done"]),
    "outputs": (["m/test/#"], "publish", [f"m/test/{kind}" for kind in ("product/", "latest/", "link/")]),
}
"""What an access list denies, which service tells it, and what it names."""


@pytest.fixture(scope="module", autouse=True)
def _outages(away, refused, request):
    """Those whose tests are wanted begin with the first test of the module."""
    wanted = " ".join(item.name for item in request.session.items if "going" in item.fixturenames)
    begun = {name: away(name, away_s=AWAY_S) for name in SERVICES if f"[{name}]" in wanted}
    begun |= {name: refused(*one) for name, one in REFUSED.items() if f"[{name}]" in wanted}
    return begun | ({"each": away(*SERVICES, away_s=10.0)} if "each_service" in wanted else {})


@pytest.fixture
def going(_outages):
    return _outages


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_may_be_away_for_a_minute_while_100_mb_flow(going, service):
    """Each packet comes in one product, all bytes are recorded, the outage is told, the broker's memory is bounded."""
    going[service].result()


@pytest.mark.parametrize("message", REFUSED)
def test_what_an_access_list_forbids_is_told_by_name_and_comes_once_it_is_mended(going, message):
    """Recording goes on meanwhile, and nothing counts as published."""
    going[message].result()


def test_each_service_in_turn_may_be_away_for_10_s_while_100_mb_flow(going):
    going["each"].result()


async def test_the_network_between_ingest_and_the_broker_may_be_cut(
    make_stack, subscriber, undisturbed, bundled, relay
):
    expected = undisturbed()
    stack = make_stack(settings={"DOWNLINK_PASS_GAP_S": "90"})
    stack.start("broker")
    async with subscriber(stack) as witness, relay(stack.port) as wire:
        stack.start("decode-one", "publish")
        stack.client_port = wire.port
        stack.start("ingest")
        await stack.ready()
        stack.feed(bundled / "damaged.cadu", lasting_s=OUTAGE_S + 4)
        await until(lambda: witness.products, 60)
        wire.cut()
        await asyncio.sleep(OUTAGE_S)
        n_before = len(witness.products)
        wire.mend()
        await witness.until(expected.keys(), 60)
        assert n_before < len(expected)
        assert witness.told == expected
        assert witness.unequal == []


def recorded_bytes(stack):
    """Of the file of the pass that is open."""
    return sum(path.stat().st_size for path in (stack.folder / "ingest" / "test" / "pass").glob("*.raw"))


async def test_a_full_disk_stops_ingest_loudly_and_it_goes_on_by_itself(
    make_stack, subscriber, undisturbed, bundled
):
    expected = undisturbed()
    stack = make_stack(settings={"DOWNLINK_PASS_GAP_S": "90"})
    stack.start()
    async with subscriber(stack) as witness:
        await stack.ready()
        stack.feed(bundled / "damaged.cadu", lasting_s=OUTAGE_S + 4)
        pid = stack.processes["ingest"].pid
        soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        # The limit holds for the log of the process too, which must still take the lines looked for below.
        log_bytes = len(stack.log("ingest").encode()) + 16_384
        async with asyncio.timeout(60):
            while (largest := recorded_bytes(stack)) < log_bytes:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (largest + 100, hard))
        await asyncio.sleep(OUTAGE_S)
        with pytest.raises(OSError, match="503"):
            stack.get("ingest", "/health")
        assert 'downlink_disk_full{station="test"} 1.0' in stack.get("ingest", "/metrics")
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))
        await witness.until(expected.keys(), 60)
        assert witness.told == expected
        assert json.loads(stack.get("ingest", "/health"))["ok"]
    assert "the disk takes no more" in stack.log("ingest")
    assert "the disk takes bytes again" in stack.log("ingest")


@pytest.fixture(scope="module")
def part(bundled, tmp_path_factory):
    """The first third of the damaged pass, with its receive times."""
    path = tmp_path_factory.mktemp("part") / "part.cadu"
    octets = (bundled / "damaged.cadu").read_bytes()
    path.write_bytes(octets[: len(octets) // 3])
    times = np.fromfile(bundled / "damaged.cadu.times", "<i8").reshape(-1, 2)
    times[times[:, 0] < len(octets) // 3].tofile(f"{path}.times")
    return path


async def test_a_worker_that_is_ten_times_slower_is_waited_for(make_stack, subscriber, undisturbed, part):
    expected = undisturbed(part)
    stack = make_stack()
    stack.start()

    async def slow_down():
        while True:
            stack.processes["decode-one"].send_signal(signal.SIGSTOP)
            await asyncio.sleep(0.09)
            stack.processes["decode-one"].send_signal(signal.SIGCONT)
            await asyncio.sleep(0.01)

    async with subscriber(stack) as witness:
        await stack.ready()
        slowness = asyncio.create_task(slow_down())
        stack.feed(part, lasting_s=OUTAGE_S + 1)
        await witness.until(expected.keys(), 90 + OUTAGE_S)
        slowness.cancel()
        assert witness.told == expected
    assert "sent again" not in stack.log("ingest").split("connected")[-1]


async def test_of_two_workers_one_may_die_for_good(make_stack, subscriber, undisturbed, part):
    stations = ("north", "south", "west")
    expected = {key: value for station in stations for key, value in undisturbed(part, station).items()}
    stack = make_stack(workers=("a", "b"), stations=stations, settings={"DOWNLINK_SILENCE_S": "2"})
    stack.start()
    async with subscriber(stack) as witness:
        await stack.ready()
        for station in stations:
            stack.feed(part, lasting_s=OUTAGE_S + 4, station=station)
        async with asyncio.timeout(30):
            while not all(json.loads(stack.get(f"decode-{n}", "/health"))["decode"]["runs"] for n in "ab"):  # noqa: ASYNC110
                await asyncio.sleep(0.2)
        stack.kill("decode-a")
        await witness.until(expected.keys(), 90 + OUTAGE_S)
        assert witness.told == expected
        assert witness.unequal == []


async def test_three_workers_share_the_passes(make_stack, subscriber, undisturbed, bundled):
    stations = ("north", "south", "west")
    expected = {key: value for station in stations for key, value in undisturbed(stream=station).items()}
    stack = make_stack(workers=("a", "b", "c"), stations=stations, settings={"DOWNLINK_SILENCE_S": "60"})
    stack.start()
    async with subscriber(stack) as witness:
        await stack.ready()
        for station in stations:
            stack.feed(bundled / "damaged.cadu", lasting_s=5, station=station)
        await witness.until(expected.keys(), 60)
        assert witness.told == expected
        assert witness.n_messages == len(expected)
    assert [stack.log(f"decode-{name}").count("takes on") for name in "abc"] == [1, 1, 1]
