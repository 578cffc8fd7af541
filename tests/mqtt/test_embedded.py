import asyncio
import os
import signal
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from downlink_pipeline.model.batches import Message
from downlink_pipeline.model.errors import ConfigError, RunError
from downlink_pipeline.mqtt import embedded
from downlink_pipeline.mqtt.address import BrokerAddress
from downlink_pipeline.mqtt.broker import broker
from downlink_pipeline.mqtt.embedded import EmbeddedBroker, Patience, Program, find_program
from downlink_pipeline.mqtt.publisher import Publisher, Timing
from structlog.testing import capture_logs

ROOT = Path(__file__).parents[2]
KILLED_RUN = """
import asyncio, os, signal
from downlink_pipeline.mqtt.embedded import EmbeddedBroker, Program, _amqtt

async def main():
    async with EmbeddedBroker(Program("amqtt", _amqtt)) as ours:
        print(ours.pid, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""
QUICK = Patience(start_s=5, n_restarts=1, pause_s=0.01)


@pytest.fixture(params=["mosquitto", "amqtt"])
def program(request):
    if request.param == "mosquitto":
        if find_program().name != "mosquitto":
            pytest.skip("mosquitto is not installed")
        return find_program()
    if not find_spec("amqtt"):
        pytest.skip("amqtt is not installed")
    return Program("amqtt", embedded._amqtt)


def is_running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def until(condition, patience_s=5.0):
    async with asyncio.timeout(patience_s):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_an_embedded_broker_is_ready_when_it_is_given_and_gone_afterwards(program):
    async with EmbeddedBroker(program, QUICK) as ours:
        address = BrokerAddress("127.0.0.1", ours.port, mqtt_5=program.name == "mosquitto")
        async with Publisher(address) as publisher:
            await publisher.publish([Message("t", b"x")])
        assert os.getsid(ours.pid) != os.getsid(0)
        assert is_running(ours.pid)
    assert not is_running(ours.pid)


async def test_a_broker_that_dies_comes_back_on_its_port_and_nothing_in_hand_is_lost(program):
    async with EmbeddedBroker(program, QUICK) as ours:
        address = BrokerAddress("127.0.0.1", ours.port, mqtt_5=program.name == "mosquitto", ended=ours.ended)
        async with Publisher(address, timing=Timing(pause_s=0.02), on_trouble=lambda _: None) as publisher:
            await publisher.publish([Message("t", b"x")])
            os.kill(ours.pid, signal.SIGKILL)
            await publisher.publish([Message("t", b"y")])
        assert address.alive


async def test_a_broker_that_dies_too_often_has_ended(program):
    async with EmbeddedBroker(program, QUICK) as ours:
        first = ours.pid
        os.kill(first, signal.SIGKILL)
        await until(lambda: ours.pid != first)
        os.kill(ours.pid, signal.SIGKILL)
        await until(ours.ended)
        assert "with status -9" in ours.ended()


async def test_a_broker_that_does_not_start_is_one_line_with_its_last_words():
    says = Program("broken", lambda _port, _folder: [sys.executable, "-c", "raise SystemExit('no licence')"])
    with pytest.raises(RunError, match=r"^the embedded broker \(broken\) does not start: no licence$"):
        await EmbeddedBroker(says, QUICK).__aenter__()


async def test_a_broker_that_starts_without_end_is_one_line_after_a_bounded_wait():
    sleeps = Program("slow", lambda _port, _folder: ["sleep", "60"])
    with pytest.raises(RunError, match=r"does not start: no answer within 0.1 s"):
        await EmbeddedBroker(sleeps, Patience(start_s=0.1)).__aenter__()


def test_without_any_broker_a_person_reads_what_to_install(monkeypatch):
    monkeypatch.setattr(embedded.shutil, "which", lambda *_args, **_more: None)
    monkeypatch.setattr(embedded, "find_spec", lambda _name: None)
    with pytest.raises(RunError, match=r"^no MQTT broker: .*--broker.*install mosquitto .*amqtt.*$"):
        find_program()


def test_without_mosquitto_amqtt_is_taken(monkeypatch):
    if not find_spec("amqtt"):
        pytest.skip("amqtt is not installed")
    monkeypatch.setattr(embedded.shutil, "which", lambda *_args, **_more: None)
    assert find_program().name == "amqtt"


async def test_a_broker_does_not_outlive_a_run_that_is_killed():
    if not find_spec("amqtt") or not embedded._die_with_parent():
        pytest.skip("amqtt or setpriv is not installed")
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = await asyncio.create_subprocess_exec(
        sys.executable, "-c", KILLED_RUN, env=environ, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await run.communicate()
    await until(lambda: not is_running(int(said)))


async def test_a_url_is_just_its_address():
    async with broker("mqtt://anna@host:1999") as address:
        assert address == BrokerAddress("host", 1999, "anna")


async def test_nonsense_for_a_url_is_a_configuration_error():
    with pytest.raises(ConfigError, match="the broker's URL"):
        await broker("nonsense").__aenter__()


async def test_no_url_is_an_embedded_broker_and_the_log_says_which():
    with capture_logs() as logs:
        async with broker(None) as address:
            assert address.alive
            async with Publisher(address) as publisher:
                await publisher.publish([Message("t", b"x")])
    assert not address.alive
    assert logs[0]["broker"] in {"mosquitto", "amqtt"}
