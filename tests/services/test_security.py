"""Who is not let in is told so in one line, learns nothing, and brings nothing down."""

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import urllib.error

import psutil
import pytest
from downlink_pipeline.cli.main import cli
from downlink_pipeline.model.errors import ConfigError
from downlink_pipeline.system.certs import make_certificates
from waiting import until


def downlink(*words, within_s=20, **settings):
    done = subprocess.run(
        [sys.executable, "-m", "downlink_pipeline", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        timeout=within_s,
        env={**os.environ, **settings},
    )
    return done.returncode, done.stderr


def mosquitto(command, stack, who, *words):
    files = [
        "--cafile",
        stack.tls / "ca.crt",
        "--cert",
        stack.tls / f"{who}.crt",
        "--key",
        stack.tls / f"{who}.key",
    ]
    done = subprocess.run(
        [command, "-h", "127.0.0.1", "-p", str(stack.port), *map(str, files), *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )
    return done.stdout + done.stderr


@pytest.fixture
def certificates(tmp_path):
    make_certificates(tmp_path / "certs", ["127.0.0.1"], "zhurong", 1)
    return tmp_path / "certs"


async def test_a_pass_goes_through_with_certificates_at_every_door(
    make_stack, subscriber, undisturbed, bundled, certificates
):
    expected = undisturbed("clean.cadu")
    stack = make_stack(tls=certificates)
    stack.start()
    async with subscriber(stack) as witness:
        await stack.ready()
        stack.feed(bundled / "clean.cadu")
        await witness.until(expected.keys(), 40)
        assert witness.told == expected


async def test_a_reader_cannot_hear_the_services_nor_speak_for_them(make_stack, certificates):
    stack = make_stack(tls=certificates)
    stack.start()
    await stack.ready()
    listening = asyncio.to_thread(mosquitto, "mosquitto_sub", stack, "reader", "-t", "zhurong/#", "-v", "-W", "3")
    task = asyncio.create_task(listening)
    await asyncio.sleep(0.5)  # until it has subscribed, which it does not say
    for who in ("reader", "ingest"):
        for topic in ("zhurong/live/product/a/b", "zhurong/stage/out"):
            await asyncio.to_thread(
                mosquitto, "mosquitto_pub", stack, who, "-q", "1", "-t", topic, "-m", f"forged by {who}"
            )
    heard = await task
    assert "zhurong/status/publish" in heard
    assert "forged" not in heard
    assert "stage/" not in heard
    assert 'downlink_malformed_messages_total{stage="publish"} 0.0' in stack.get("publish", "/metrics")


def test_a_key_is_for_its_owner_alone_and_is_not_overwritten(certificates):
    assert {path.stat().st_mode & 0o777 for path in certificates.glob("*.key")} == {0o600}
    status, told = downlink("certs", "--out", certificates)
    assert status == 2
    assert "has certificates already" in told


async def test_an_expired_certificate_is_refused_and_the_service_says_so(make_stack, tmp_path):
    make_certificates(tmp_path / "old", ["127.0.0.1"], "zhurong", 0)
    stack = make_stack(tls=tmp_path / "old")
    stack.start("broker", "publish")
    async with asyncio.timeout(20):
        while "waiting for mqtts://127.0.0.1" not in stack.log("publish"):
            assert stack.processes["publish"].poll() is None
            await asyncio.sleep(0.1)
    assert "certificate has expired" in stack.log("publish")
    assert "Traceback" not in stack.log("publish")


async def test_a_wrong_password_ends_a_service_in_one_line_that_does_not_tell_it(make_stack, tmp_path):
    stack = make_stack()
    await with_password(stack, tmp_path, "right")
    stack.start("broker")
    (tmp_path / "secret").write_text("wr0ng-secret\n")
    words = ("stage", "publish", "-m", "zhurong", "--broker", f"mqtt://ops@127.0.0.1:{stack.port}", "--health", "")
    status, told = await asyncio.to_thread(
        downlink, *words, "--state", tmp_path, DOWNLINK_BROKER_PASSWORD_FILE=str(tmp_path / "secret")
    )
    assert status == 1
    assert "not authorized" in told.lower() or "bad user name or password" in told.lower()
    assert "wr0ng" not in told
    assert "Traceback" not in told


INGEST = ("stage", "ingest", "-m", "zhurong", "--health", "")


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ((*INGEST, "--source", "s=tcp-listen://0.0.0.0:0"), "s would listen on 0.0.0.0 to anyone"),
        ((*INGEST, "--source", "s=feed://[::]:0?cert=/none&key=/none"), "s would listen on :: to anyone"),
        ((*INGEST, "--source", "s=udp://0.0.0.0:0?cert=/a&key=/b&ca=/c"), "s would listen on 0.0.0.0 to anyone"),
        (
            ("stage", "all", "-m", "zhurong", "--source", "s=udp://192.0.2.7:0"),
            "s would listen on 192.0.2.7 to anyone",
        ),
        ((*INGEST, "--source", "s=stdin:", "--health", "0.0.0.0:0"), "health would listen on 0.0.0.0 to anyone"),
        (("stage", "decode", "-m", "zhurong", "--health", "[::]:0"), "health would listen on :: to anyone"),
        (("stage", "publish", "-m", "zhurong", "--health", "host:0"), "health would listen on host to anyone"),
        (("dashboard", "--address", "0.0.0.0"), "dashboard would listen on 0.0.0.0 to anyone"),
        ((*INGEST, "--source", "stage=stdin:"), "the stream cannot be called 'stage'"),
        ((*INGEST, "--source", "s=stdin:", "--fsync", "maybe"), "--fsync maybe"),
        (
            (*INGEST, "--source", "s=feed://127.0.0.1:0?cert=/none&key=/none"),
            "the certificates of s cannot be used",
        ),
    ],
)
def test_wrong_settings_end_a_service_with_status_2_and_one_line_before_it_looks_for_a_broker(
    tmp_path, words, what
):
    state = () if words[0] == "dashboard" else ("--state", tmp_path)
    with pytest.raises(ConfigError) as told:
        cli([*words, *map(str, state), "--broker", "mqtt://127.0.0.1:1"], standalone_mode=False)
    assert str(told.value).startswith(what)
    assert "\n" not in str(told.value)


async def test_a_second_service_on_one_folder_and_one_without_a_folder_end_with_one_line(make_stack):
    stack = make_stack()
    stack.start()
    await stack.ready()
    for service, folder in (("ingest", stack.folder / "ingest"), ("publish", stack.folder / "publish")):
        words = stack.command(service)
        words[words.index("--health") + 1] = ""
        status, told = await asyncio.to_thread(downlink, *words)
        assert (status, told.count("\n")) == (1, 1), told
        assert f"{folder} is in use by another process" in told
    words[words.index("--state") + 1] = "/proc/sys/downlink"
    status, told = await asyncio.to_thread(downlink, *words)
    assert (status, told.count("\n")) == (1, 1), told
    assert "cannot write in /proc/sys/downlink" in told
    stack.kill("ingest")
    stack.start("ingest")
    await stack.ready()


@pytest.mark.parametrize(
    "words",
    [
        ("stage", "ingest", "-m", "zhurong", "--source", "stdin:"),
        ("stage", "all", "-m", "zhurong", "--source", "stdin:"),
        ("stage", "decode", "-m", "zhurong"),
        ("stage", "publish", "-m", "zhurong"),
        ("watch",),
        ("dashboard",),
        ("replay", "replay_data/clean.cadu", "-m", "zhurong"),
    ],
)
def test_a_password_on_a_command_line_is_refused_and_not_repeated(words):
    with pytest.raises(ConfigError, match=r"^[^\n]*DOWNLINK_BROKER_PASSWORD_FILE[^\n]*$") as told:
        cli([*words, "--broker", "mqtt://ops:wr0ng-secret@127.0.0.1:1"], standalone_mode=False)
    assert "wr0ng-secret" not in str(told.value)


async def test_a_password_is_in_no_log_answer_or_process_list(make_stack, tmp_path):
    """In a URL of the environment or in a file; while the broker is there, after it was lost, where it refuses."""
    stack = make_stack()
    await with_password(stack, tmp_path, "s3cret-word")
    (tmp_path / "secret").write_text("s3cret-word\n")
    stack.settings = {"DOWNLINK_BROKER_PASSWORD_FILE": str(tmp_path / "secret"), "DOWNLINK_SILENCE_S": "1"}
    url = f"mqtt://ops@127.0.0.1:{stack.port}"
    plain = stack.command
    stack.command = lambda name: [url if word.startswith("mqtt://") else word for word in plain(name)]
    stack.start()
    await stack.ready()
    stack.kill("broker")
    await until(lambda: all(unwell(stack, name) for name in stack.services))
    stack.start("broker")
    await stack.ready()
    for name in stack.services:
        pid = stack.processes[name].pid
        texts = [stack.log(name), stack.get(name, "/health"), stack.get(name, "/metrics")]
        texts += psutil.Process(pid).cmdline()
        assert "connected to mqtt://ops@127.0.0.1" in texts[0]
        assert not [text for text in texts if "s3cret-word" in text]
    secret = {"DOWNLINK_BROKER": f"mqtt://ops:wr0ng-secret@127.0.0.1:{stack.port}", "DOWNLINK_HEALTH": ""}
    for words in (("stage", "publish", "-m", "zhurong", "--state", str(tmp_path)), ("watch",), ("dashboard",)):
        status, told = await asyncio.to_thread(downlink, *words, **secret)
        assert status == 1
        assert f"mqtt://ops@127.0.0.1:{stack.port}" in told
        assert "wr0ng" not in told


def unwell(stack, name):
    """Whether the health of a service is bad."""
    try:
        stack.get(name, "/health")
    except urllib.error.HTTPError:
        return True
    return False


async def with_password(stack, tmp_path, password):
    """Let the broker ask for that of `ops`, and start nothing."""
    words = ["mosquitto_passwd", "-b", "-c", tmp_path / "passwords", "ops", password]
    await asyncio.to_thread(subprocess.run, words, check=True)
    conf = stack.folder / "broker.conf"
    asked = f"allow_anonymous false\npassword_file {tmp_path}/passwords"
    conf.write_text(conf.read_text().replace("allow_anonymous true", asked))


async def test_health_is_bad_while_the_broker_is_away(make_stack):
    stack = make_stack()
    stack.start("broker", "publish")
    await stack.ready("publish")
    assert "downlink_broker_connected 1.0" in stack.get("publish", "/metrics")
    stack.kill("broker")
    await until(lambda: unwell(stack, "publish"))
    with pytest.raises(urllib.error.HTTPError, match="503") as answer:
        stack.get("publish", "/health")
    assert json.loads(answer.value.read())["broker"] is False
    assert "downlink_broker_connected 0.0" in stack.get("publish", "/metrics")


def is_open(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


async def test_who_connects_under_the_names_of_services_stops_nothing(make_stack, subscriber, undisturbed, bundled):
    """An anonymous reader takes each id that the mission's and the services' names give, again and again."""
    expected = undisturbed("clean.cadu")
    stack = make_stack()
    stack.start("broker")
    names = [f"{name}-{way}" for name in ("ingest", "decode-one", "publish") for way in ("in", "out")]
    words = ["mosquitto_sub", "-h", "127.0.0.1", "-p", str(stack.port), "-t", "zhurong/status/#", "-V", "mqttv5"]
    await until(lambda: is_open(stack.port))
    thieves = [await asyncio.create_subprocess_exec(*words, "-i", f"zhurong-{name}", stdout=-3) for name in names]
    try:
        stack.start(*stack.services)
        await stack.ready()
        async with subscriber(stack) as witness:
            stack.feed(bundled / "clean.cadu")
            await witness.until(expected.keys(), 25)
            assert witness.told == expected
    finally:
        for thief in thieves:
            thief.kill()
            await thief.wait()
    for name in stack.services:
        assert "lost the connection" not in stack.log(name)
