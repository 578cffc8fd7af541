"""The examples as a user runs them, on a mosquitto with WebSockets that a replay has filled."""

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from urllib.request import urlopen

import pytest
from downlink_pipeline.commands import asyncapi
from downlink_pipeline.commands.catalogue import catalogue
from downlink_pipeline.mission.loading import load_mission
from pages import EXAMPLES, NODE, REPOSITORY, free_port, served_page

MOSQUITTO = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/sbin")


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    """(TCP port, WebSocket port)."""
    if not MOSQUITTO:
        pytest.skip("mosquitto is not installed")
    folder, ports = tmp_path_factory.mktemp("broker"), (free_port(), free_port())
    lines = ["allow_anonymous true", "max_queued_messages 0", f"listener {ports[0]} 127.0.0.1"]
    lines += [f"listener {ports[1]} 127.0.0.1", "protocol websockets"]
    (folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([MOSQUITTO, "-c", folder / "mosquitto.conf"], stdout=log, stderr=log)
    yield ports
    process.terminate()
    process.wait()


def replay(port):
    """The bundled pass, as fast as it goes."""
    address = f"mqtt://127.0.0.1:{port}"
    command = [
        sys.executable,
        "-m",
        "downlink_pipeline",
        "replay",
        REPOSITORY / "replay_data/clean.cadu",
        "-m",
        "zhurong",
    ]
    subprocess.run([*command, "--broker", address], check=True, capture_output=True, cwd=REPOSITORY)


def test_python_has_products_as_datasets(broker, products):
    port, _ = broker
    fields = [one for one in products if (one.instrument, one.product) == ("magnetometer", "field")]
    command = [sys.executable, EXAMPLES / "subscribe.py", "--port", str(port), "--count", str(len(fields))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as example:
        assert "subscribed" in example.stdout.readline()
        replay(port)
        told, wrong = example.communicate(timeout=60)
    assert example.returncode == 0, wrong
    for field in fields:
        mean = field.arrays["field_a_magnitude_nt"].values[field.usable].mean()
        assert f"{len(field.quality)} rows, {field.usable.sum()} usable\n    |B| = {mean:.2f} nT" in told


@pytest.fixture
def served(tmp_path):
    """The URL of the browser's example, its packages beside it as npm puts them there."""
    if not NODE.is_dir():
        pytest.skip("no packages from npm: make test installs them where it can")
    with served_page("browser", tmp_path) as address:
        yield f"{address}/"


async def test_a_browser_draws_the_field(broker, served, chromium, products):
    port, web_port = broker
    tab = await chromium.open(
        f"{served}?broker=ws://127.0.0.1:{web_port}", ready="document.getElementById('state') !== null"
    )
    await tab.until("document.getElementById('state').textContent.startsWith('connected')")
    await asyncio.to_thread(replay, port)
    fields = [one for one in products if (one.instrument, one.product) == ("magnetometer", "field")]
    n_samples = min(4096, sum(len(one.quality) for one in fields))
    points = f"document.getElementById('line').getAttribute('points').split(' ').length == {n_samples}"
    await tab.until(points)
    assert fields[-1].arrays["field_a_magnitude_nt"].unit in await tab.run(
        "document.getElementById('span').textContent"
    )
    await tab.until("document.getElementById('latest').textContent.includes('pressure_pa')")
    assert await tab.run("errors") == []


def test_node_red_keeps_the_newest_weather(broker, tmp_path, products):
    program = NODE / "node-red" / "red.js"
    if not (shutil.which("node") and program.is_file()):
        pytest.skip("no node-red: make test installs it where it can")
    port, _ = broker
    replay(port)
    web = free_port()
    shutil.copy(EXAMPLES / "node-red" / "flow.json", tmp_path / "flow.json")
    settings = (
        "module.exports = { uiHost: '127.0.0.1', telemetry: { enabled: false, updateNotification: false } }\n"
    )
    (tmp_path / "settings.js").write_text(settings)
    environment = os.environ | {"DOWNLINK_HOST": "127.0.0.1", "DOWNLINK_PORT": str(port)}
    command = ["node", program, "-u", tmp_path, "-s", tmp_path / "settings.js", "-p", str(web), "flow.json"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=tmp_path)
    try:
        weather = _weather(web, tmp_path / "log")
    finally:
        process.terminate()
        process.wait()
    last = [one for one in products if one.product == "meteorology"][-1]
    assert weather["pressure_pa"]["value"] == pytest.approx(last.arrays["pressure_pa"].values[-1])
    assert weather["pressure_pa"]["unit"] == "Pa"


def _weather(port, log):
    """What the flow answers, once it has the four quantities."""
    for _ in range(300):
        try:
            with urlopen(f"http://127.0.0.1:{port}/weather", timeout=5) as answer:
                found = json.load(answer)
        except OSError:
            found = {}
        if len(found) >= 4:
            return found
        time.sleep(0.1)
    raise AssertionError(log.read_text())


@pytest.fixture(scope="module")
def latest(products):
    """Addresses of all `latest` topics of the mission."""
    mission = load_mission("zhurong")
    channels = asyncapi.document(mission, catalogue(mission, products))["channels"].values()
    return {one["address"] for one in channels if "/latest/" in one["address"]}


def test_every_topic_of_the_grafana_dashboard_is_published(latest):
    """Form only: Grafana itself is not run here."""
    text = (REPOSITORY / "docker/grafana/dashboards/zhurong.json").read_text()
    asked = {target["topic"] for panel in json.loads(text)["panels"] for target in panel["targets"]}
    assert {topic.replace("$stream", "{stream}") for topic in asked} <= latest


def test_the_telegraf_configuration_takes_apart_the_topics_that_are_published(latest):
    """Form only: Telegraf itself is not run here."""
    (consumer,) = tomllib.loads((EXAMPLES / "telegraf/telegraf.conf").read_text())["inputs"]["mqtt_consumer"]
    (filter_,) = consumer["topics"]
    pattern = re.escape(filter_).replace(r"\+", "[^/]+").replace(r"\#", ".+")
    parsings = consumer["topic_parsing"]
    for parsing in parsings:
        assert len({len(parsing[key].split("/")) for key in ("topic", "measurement", "tags")}) == 1
    taken_apart = [re.escape(parsing["topic"]).replace(r"\+", "[^/]+") for parsing in parsings]
    for address in latest:
        assert re.fullmatch(pattern, address.replace("{stream}", "live"))
        assert sum(re.fullmatch(one, address.replace("{stream}", "live")) is not None for one in taken_apart) == 1
    (json_v2,) = consumer["json_v2"]
    assert {json_v2["timestamp_path"], *(one["path"] for one in json_v2["field"] + json_v2["tag"])} == {
        "time", "value", "unit", "quality",
    }  # fmt: skip
