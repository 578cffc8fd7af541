"""One pass through the services and mosquitto, any of them killed at random moments: every product arrives."""

import asyncio
import os
import random

import pytest

N_KILLS = int(os.environ.get("DOWNLINK_KILLS", "10"))


async def test_an_undisturbed_pass_arrives_once_and_equal(make_stack, subscriber, undisturbed, bundled):
    expected = undisturbed()
    stack = make_stack()
    stack.start()
    async with subscriber(stack) as witness:
        await stack.ready()
        stack.feed(bundled / "damaged.cadu")
        await witness.until(expected.keys(), 30)
        assert witness.told == expected
        assert witness.n_messages == len(expected)
        assert witness.unequal == []


@pytest.mark.parametrize("seed", [1])
async def test_killing_any_process_at_any_moment_loses_nothing(make_stack, subscriber, undisturbed, bundled, seed):
    """The pass goes on as long as there are kills; `make soak` has a hundred."""
    chance = random.Random(seed)
    expected = undisturbed()
    stack = make_stack(settings={"DOWNLINK_SILENCE_S": "2", "DOWNLINK_PASS_GAP_S": "30"})
    stack.start()
    n_killed = dict.fromkeys(["ingest", "decode-one", "publish", "broker"], 0)
    async with subscriber(stack) as witness:
        await stack.ready()
        stack.feed(bundled / "damaged.cadu", lasting_s=1.5 * N_KILLS)
        for i in range(N_KILLS):
            await asyncio.sleep(chance.uniform(0.2, 2.5))
            victim = chance.choice(list(n_killed)) if i >= len(n_killed) else list(n_killed)[i]
            stack.kill(victim)
            stack.start(victim)
            n_killed[victim] += 1
        await witness.until(expected.keys(), 90 + 1.5 * N_KILLS)  # after each break the feed goes on at its pace
        assert witness.unequal == []
        told = witness.told
        assert {key: told[key] for key in expected} == expected
        assert set(witness.products) == set(expected)
    assert sum(n_killed.values()) == N_KILLS
