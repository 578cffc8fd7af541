"""What an operator hears of brokers and certificates: figures of `$SYS`, and when a certificate ends."""

import asyncio
import math
import shutil
import socket
import subprocess
import time

import pytest
from downlink_pipeline.mqtt.address import BrokerAddress
from downlink_pipeline.recordings.expiry import remaining_s
from downlink_pipeline.services import broker_watch
from downlink_pipeline.services.broker_watch import BrokerWatch
from downlink_pipeline.services.metrics import PublishMeters
from downlink_pipeline.system.certs import make_certificates

MOSQUITTO = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/sbin")
CONF = """\
listener {port} 127.0.0.1
allow_anonymous true
sys_interval 1
max_queued_messages 2
max_inflight_messages 1
"""


@pytest.fixture
def broker(tmp_path):
    if not MOSQUITTO:
        pytest.skip("mosquitto is not installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (tmp_path / "conf").write_text(CONF.format(port=port))
    process = subprocess.Popen([MOSQUITTO, "-c", tmp_path / "conf"], stdout=-3, stderr=-3)
    process.port = port
    yield process
    process.kill()
    process.wait()


@pytest.fixture
async def watched(broker):
    meters = PublishMeters()
    watch = BrokerWatch("readers", BrokerAddress("127.0.0.1", broker.port), meters)
    task = asyncio.create_task(watch.run())

    async def until(line, within_s=20):
        end = time.monotonic() + within_s
        while line not in meters.text().decode():
            assert not task.done()
            assert time.monotonic() < end, meters.text().decode()
            await asyncio.sleep(0.1)

    yield until
    task.cancel()
    await asyncio.wait([task])


def client(program, port, *words):
    return asyncio.create_subprocess_exec(program, "-p", str(port), *words, stdout=-3, stderr=-3)


async def test_readers_that_are_there_that_are_away_and_what_is_dropped_are_counted(broker, watched):
    await watched('downlink_broker_clients{broker="readers",state="connected"} 1.0')
    here = await client("mosquitto_sub", broker.port, "-t", "x")
    await watched('downlink_broker_clients{broker="readers",state="connected"} 2.0')
    away = await client("mosquitto_sub", broker.port, "-t", "x", "-q", "1", "-c", "-i", "away", "-E")
    await away.wait()
    await watched('downlink_broker_clients{broker="readers",state="disconnected"} 1.0')
    for _ in range(7):  # two wait in its queue; the rest is dropped
        await (await client("mosquitto_pub", broker.port, "-t", "x", "-q", "1", "-m", "m")).wait()
    await watched('downlink_broker_dropped_messages{broker="readers"} 5.0')
    await watched('downlink_broker_answers{broker="readers"} 1.0')
    here.kill()
    await here.wait()


async def test_a_broker_that_falls_silent_is_told_and_ends_nothing(broker, watched, monkeypatch):
    await watched('downlink_broker_answers{broker="readers"} 1.0')
    monkeypatch.setattr(broker_watch, "STALE_S", 1.5)
    broker.kill()
    await watched('downlink_broker_answers{broker="readers"} 0.0')


def test_the_first_certificate_that_ends_counts(tmp_path):
    make_certificates(tmp_path / "long", ["localhost"], "+", 100)
    make_certificates(tmp_path / "short", ["localhost"], "+", 10)
    files = [tmp_path / "long" / "ca.crt", None, tmp_path / "short" / "publish.crt"]
    assert remaining_s(files) == pytest.approx(10 * 86_400, abs=60)


def test_without_certificates_none_ends_and_one_that_cannot_be_read_has_ended(tmp_path):
    assert remaining_s([None]) == math.inf
    (tmp_path / "x.crt").write_text("no certificate")
    assert remaining_s([tmp_path / "x.crt"]) <= 0
    assert remaining_s([tmp_path / "none.crt"]) <= 0


async def test_health_and_metrics_of_a_service_say_how_long_its_certificates_hold(make_stack, tmp_path):
    make_certificates(tmp_path / "certs", ["127.0.0.1"], "zhurong", 20)
    stack = make_stack(tls=tmp_path / "certs")
    stack.start("broker", "publish")
    await stack.ready("publish")
    assert '"certificate_days": 20.0' in stack.get("publish", "/health")
    figures = stack.get("publish", "/metrics")
    told = next(line for line in figures.splitlines() if line.startswith("downlink_certificate_seconds "))
    assert float(told.split()[1]) == pytest.approx(20 * 86_400, abs=120)
