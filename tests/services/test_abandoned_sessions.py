"""Sessions that anonymous readers leave behind, on a mosquitto set up as docker-compose.yml has that of the readers."""

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import paho.mqtt.client as mqtt
import psutil
import pytest
import yaml
from waiting import wait_until

ROOT = Path(__file__).parents[2]
MOSQUITTO = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/sbin")
pytestmark = pytest.mark.skipif(not MOSQUITTO, reason="mosquitto is not installed")
MIB = 1 << 20
PIECE = os.urandom(MIB // 4)
OF_ITSELF = 24 * MIB
"""Of a mosquitto without clients, and what is on its way."""


def settings(text):
    return dict(line.split(" ", 1) for line in text.splitlines() if " " in line and not line.startswith("#"))


def free_ports(n):
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(n)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


class Readers:
    """The readers' broker; what its bridge would bring comes by a door of the test's own."""

    def __init__(self, folder):
        shipped = (ROOT / "docker" / "readers.conf").read_text().partition("connection services")[0]
        self.settings = settings(shipped)
        self.port, self.inner = free_ports(2)
        shipped = shipped.replace("listener 1883", f"listener {self.port} 127.0.0.1")
        shipped = shipped.replace("/mosquitto/config/", f"{ROOT}/docker/").replace(
            "sys_interval 5", "sys_interval 1"
        )
        root = "user root\n" if os.geteuid() == 0 else ""
        (folder / "conf").write_text(f"{shipped}\nlistener {self.inner} 127.0.0.1\nallow_anonymous true\n{root}")
        self.process = subprocess.Popen([MOSQUITTO, "-c", folder / "conf"], stdout=subprocess.DEVNULL)
        self.n_live = 0
        self._clients = []

    def connect(self, name, port, *, clean=True):
        client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=name, clean_session=clean)
        for _ in range(100):
            try:
                client.connect("127.0.0.1", port)
                break
            except OSError:
                time.sleep(0.05)
        client.loop_start()
        self._clients.append(client)
        return client

    def listen(self, name, *, clean=True):
        """Subscribe to all there is."""
        client, done = self.connect(name, self.port, clean=clean), []
        client.on_subscribe = lambda *_: done.append(1)
        client.on_message = self._count
        client.subscribe("#", 1)
        wait_until(lambda: done)
        return client

    def _count(self, _client, _userdata, message):
        self.n_live += message.topic.startswith("m/")

    def abandon(self, name):
        client = self.listen(name, clean=False)
        client.on_message = None
        client.disconnect()
        client.loop_stop()

    def publish(self, n_bytes):
        """The longest wait for an acknowledgement, in seconds."""
        client, longest_s = self.connect("inner", self.inner), 0.0
        for _ in range(n_bytes // len(PIECE)):
            began = time.monotonic()
            client.publish("m/live/product/a/b", PIECE, 1).wait_for_publish(10)
            longest_s = max(longest_s, time.monotonic() - began)
        return longest_s

    @property
    def rss(self):
        return psutil.Process(self.process.pid).memory_info().rss

    def stop(self):
        for client in self._clients:
            client.disconnect()
            client.loop_stop()
        self.process.kill()
        self.process.wait()


@pytest.fixture
def readers(tmp_path):
    broker = Readers(tmp_path)
    yield broker
    broker.stop()


def test_a_session_left_behind_holds_32_mib_of_100_and_others_read_on(readers):
    readers.listen("live")
    readers.abandon("gone")
    longest_s = readers.publish(100 * MIB)
    assert int(readers.settings["max_queued_bytes"]) == 32 * MIB
    assert readers.rss < 32 * MIB + OF_ITSELF  # 43 MB measured; 410 MB before there was a limit
    assert longest_s < 2  # 0.03 to 0.06 s measured; 0.56 s before
    deadline = time.monotonic() + 10
    while readers.n_live < 400 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert readers.n_live == 400


def test_a_broker_that_sessions_fill_is_ended_by_its_health_check_to_begin_anew(readers):
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    [kind, words] = compose["services"]["readers"]["healthcheck"]["test"]
    assert kind == "CMD-SHELL"
    words = (
        words.replace("$$", "$").replace("1883", str(readers.port)).replace("kill 1", f"kill {readers.process.pid}")
    )
    threshold = int(words.partition("-lt ")[2].split()[0])
    assert threshold <= 0.8 * int(readers.settings["memory_limit"])
    scaled = words.replace(str(threshold), str(40 * MIB))

    def check():
        return subprocess.run(["sh", "-c", scaled], stdout=subprocess.DEVNULL, check=False, timeout=20).returncode

    readers.abandon("one")
    readers.publish(34 * MIB)
    assert check() == 0
    assert readers.process.poll() is None
    readers.abandon("two")
    readers.publish(34 * MIB)
    deadline = time.monotonic() + 20
    while readers.process.poll() is None and time.monotonic() < deadline:
        check()
        time.sleep(0.2)
    assert readers.process.poll() == 0
