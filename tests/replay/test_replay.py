"""`downlink replay`, to a broker and a subscriber of another make."""

import asyncio
import getpass
import json
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import psutil
import pytest
from downlink_pipeline.messages.topics import unpack_product
from downlink_pipeline.mqtt.broker import BrokerAddress, broker
from downlink_pipeline.mqtt.publisher import subscribe
from waiting import until

MOSQUITTO_SUB = shutil.which("mosquitto_sub")
needs_mosquitto = pytest.mark.skipif(MOSQUITTO_SUB is None, reason="mosquitto_sub is not installed")


class Listener:
    """mosquitto_sub: every message with its topic, in order."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def messages(self) -> list[tuple[str, bytes]]:
        """All there was until the replay said that it is offline."""
        assert self._process.stdout is not None
        found: list[tuple[str, bytes]] = []
        while not (found and found[-1][0].endswith("/status/replay") and b"offline" in found[-1][1]):
            line = await asyncio.wait_for(self._process.stdout.readline(), 30)
            if line.startswith((b"Client ", b"Subscribed")):  # of -d
                continue
            topic, _, payload = line.decode().partition(" ")
            found.append((topic, bytes.fromhex(payload)))
        self._process.terminate()
        await self._process.wait()
        return found


@asynccontextmanager
async def listening(address: BrokerAddress, topic: str = "#") -> AsyncIterator[Listener]:
    command = [
        "stdbuf",
        "-oL",
        MOSQUITTO_SUB or "",
        "-h",
        address.host,
        "-p",
        str(address.port),
        "-q",
        "1",
        "-t",
        topic,
    ]
    process = await asyncio.create_subprocess_exec(
        *command, "-d", "-F", "%t %x", stdout=subprocess.PIPE, limit=1 << 28
    )
    assert process.stdout is not None
    async with asyncio.timeout(30):
        while not (await process.stdout.readline()).startswith(b"Subscribed"):
            pass
    yield Listener(process)


async def downlink(*arguments: str | Path) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "downlink_pipeline",
        *map(str, arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def replayed(
    recording: Path, mission: str | Path, *more: str
) -> tuple[dict[str, Any], list[tuple[str, bytes]]]:
    async with broker(None) as address, listening(address) as listener:
        url = f"mqtt://{address.host}:{address.port}"
        status, out, err = await downlink("replay", recording, "-m", mission, "--broker", url, "--json", *more)
        assert status == 0, err
        return json.loads(out), await listener.messages()


@needs_mosquitto
async def test_a_subscriber_of_another_make_gets_every_product(bundled: Path, clean: Any) -> None:
    report, messages = await replayed(bundled / "clean.cadu", "zhurong", "--stream", "test")
    products = [msgpack.unpackb(payload) for topic, payload in messages if "/product/" in topic]
    assert sorted(item["id"] for item in products) == sorted(product.id for product in clean.products)
    assert sum(report["products"].values()) == len(products)
    topics = {topic for topic, _ in messages}
    assert {
        "zhurong/test/product/gpr/high_frequency",
        "zhurong/test/link/rover_relay",
        "zhurong/test/report",
    } <= topics
    pressure = json.loads(dict(messages)["zhurong/test/latest/weather/pressure_pa"])
    assert pressure["unit"] == "Pa"
    assert 700 < pressure["value"] < 1000
    assert pressure["simulated"] is True  # the truth of a simulated pass stands beside the recording
    assert all(item["simulated"] is True for item in products)
    assert json.loads(dict(messages)["zhurong/status/replay"])["state"] == "offline"


@needs_mosquitto
async def test_two_replays_give_the_same_products(bundled: Path) -> None:
    ids = []
    for speed in ("max", "20"):
        _, messages = await replayed(bundled / "damaged.cadu", "zhurong", "--stream", "test", "--speed", speed)
        ids.append(sorted(payload for topic, payload in messages if "/product/" in topic))
    assert ids[0] == ids[1]


@needs_mosquitto
async def test_every_value_of_jpss_1_is_published(real_data: Path, tmp_path: Path) -> None:
    (tmp_path / "mission.toml").write_text(
        f'name = "jpss-1"\n[link]\nframing = "packets"\n[dictionary]\nxtce = "{real_data}/jpss-1/geolocation.xml"\n'
    )
    recording = real_data / "jpss-1/J01_G011_LZ_2021-04-09.packets"
    _, messages = await replayed(recording, tmp_path, "--stream", "test")
    products = [unpack_product(payload) for topic, payload in messages if "/product/telemetry/" in topic]
    quaternion = np.concatenate([item["arrays"]["ADCFAQ4"]["values"] for item in products])
    raw = np.fromfile(recording, np.uint8).reshape(7200, 71)
    np.testing.assert_array_equal(quaternion, np.ascontiguousarray(raw[:, -4:]).view(">f4")[:, 0])


@needs_mosquitto
@pytest.mark.parametrize("channel", ["HF", "LF"])
async def test_real_radar_records_come_through_bit_for_bit(real_data: Path, tmp_path: Path, channel: str) -> None:
    (file,) = (real_data / "zhurong-roper").glob(f"*-{channel}-*.2B")
    size, n_samples, product = {"HF": (16453, 2048, "high_frequency"), "LF": (12069, 1500, "low_frequency")}[
        channel
    ]
    real = np.fromfile(file, np.uint8).reshape(-1, size)
    recording = tmp_path / "pass.cadu"
    made = await downlink(
        "simulate", "--out", recording, "--radar", file, "--symbol-errors", "16", "--duration", "180"
    )
    assert made[0] == 0, made[2]
    report, messages = await replayed(recording, "zhurong", "--stream", "test")
    assert report["frames"]["clean"] == report["frames"]["uncorrectable"] == 0
    assert report["frames"]["corrected"] == report["frames"]["read"]
    found = {
        name: [unpack_product(payload) for topic, payload in messages if topic.endswith(f"/gpr/{name}")]
        for name in (product, f"{product}_self_test")
    }
    self_test = real[:, 12 if channel == "HF" else 13] == 0xCC
    for name, rows in ((product, real[~self_test]), (f"{product}_self_test", real[self_test])):
        gpr_is_the_record(found[name], rows, n_samples, interleaved=channel == "HF")
    flags = [bool(value & 32) for item in found[f"{product}_self_test"] for value in item["quality"]]
    assert flags == [True] * int(self_test.sum())
    assert len(flags) == {"HF": 3, "LF": 1}[channel]


def gpr_is_the_record(
    products: list[dict[str, Any]], rows: np.ndarray, n_samples: int, *, interleaved: bool
) -> None:
    def column(name: str) -> np.ndarray:
        return np.concatenate([item["arrays"][name]["values"] for item in products])

    samples = np.ascontiguousarray(rows[:, 18 : 18 + 8 * n_samples]).view("<u4")
    parts = (samples[:, 0::2], samples[:, 1::2]) if interleaved else np.split(samples, 2, axis=1)
    np.testing.assert_array_equal(column("real").view(np.uint32), parts[0])
    np.testing.assert_array_equal(column("imaginary").view(np.uint32), parts[1])
    at = rows.shape[1] - 33 - 18  # the ground appended 8 floats and a quality byte
    np.testing.assert_array_equal(column("navigation_block"), rows[:, at : at + 18])
    words = np.ascontiguousarray(rows[:, at : at + 18]).view(">u2").astype(int)
    counts = np.where(words & 0x8000, -(words & 0x7FFF), words)
    np.testing.assert_allclose(column("velocity_m_s"), counts[:, :3] * 1e-5, rtol=1e-12)
    np.testing.assert_allclose(column("position_m"), counts[:, 3:6] * 0.01, rtol=1e-12)
    np.testing.assert_allclose(column("attitude_deg")[:, ::-1], counts[:, [7, 6, 8]] * 180 / 32768, rtol=1e-12)
    seconds = np.ascontiguousarray(rows[:, 4:8]).view(">u4")[:, 0].astype(np.int64)
    milliseconds = np.ascontiguousarray(rows[:, 8:10]).view(">u2")[:, 0].astype(np.int64)
    np.testing.assert_array_equal(column("time_onboard_ns"), seconds * 10**9 + milliseconds * 10**6)


async def test_the_script_of_the_readme_reads_the_field(bundled: Path, tmp_path: Path) -> None:
    (script,) = re.findall(r"```python\n(.*?)```", (bundled.parent / "README.md").read_text(), re.DOTALL)
    (tmp_path / "script.py").write_text(script)
    async with broker(None) as address:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-u", str(tmp_path / "script.py"), str(address.port), stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        connected = psutil.Process(process.pid).net_connections
        await until(lambda: [one for one in connected() if one.status == psutil.CONN_ESTABLISHED])
        url = f"mqtt://{address.host}:{address.port}"
        status, _, err = await downlink("replay", bundled / "clean.cadu", "-m", "zhurong", "--broker", url)
        assert status == 0, err
        lines = [(await asyncio.wait_for(process.stdout.readline(), 10)).decode() for _ in range(36)]
        process.kill()
        await process.wait()
    assert lines[0].startswith("2021-05-25T04:20:00")
    assert all(line.endswith(" nT\n") for line in lines)


@needs_mosquitto
async def test_a_broker_that_dies_in_the_middle_is_waited_for_and_nothing_is_lost(
    bundled: Path, tmp_path: Path, clean: Any
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (tmp_path / "broker.conf").write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\npersistence true\n"
        f"persistence_location {tmp_path}/\nautosave_interval 1\nuser {getpass.getuser()}\n"
    )
    broker_command = (
        shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin"),
        "-c",
        tmp_path / "broker.conf",
    )
    first = await asyncio.create_subprocess_exec(*map(str, broker_command))
    heard: list[str] = []

    async def listen() -> None:
        address = BrokerAddress("127.0.0.1", port)
        async for _, payload, _ in subscribe(address, ["zhurong/test/product/#"], client_id="ear", session_s=600):
            heard.append(msgpack.unpackb(payload)["id"])

    listener = asyncio.create_task(listen())
    replay = asyncio.create_task(
        downlink(
            *("replay", bundled / "clean.cadu", "-m", "zhurong", "--speed", "2", "--stream", "test"),
            *("--broker", f"mqtt://127.0.0.1:{port}"),
        )
    )
    await until(lambda: heard, 60)
    # Else the new broker does not know the subscription, and a message that is sent before it is made again is lost.
    saved = tmp_path / "mosquitto.db"
    await until(lambda: saved.exists() and b"zhurong/test/product/#" in saved.read_bytes())
    first.kill()
    await first.wait()
    await asyncio.sleep(1)  # an outage of a second
    second = await asyncio.create_subprocess_exec(*map(str, broker_command))
    status, _, err = await replay
    await until(lambda: set(heard) == {product.id for product in clean.products})
    listener.cancel()
    await asyncio.wait((listener,))
    second.terminate()
    await second.wait()
    assert status == 0, err
    assert "lost the connection" in err
    assert set(heard) == {product.id for product in clean.products}
