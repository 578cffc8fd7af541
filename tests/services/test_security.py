"""Who is not let in is told so in one line, learns nothing, and brings nothing down."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.transport.certs import make_certificates


def downlink(*words, within_s=20, **settings):
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", *map(str, words)],
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
    await asyncio.sleep(0.5)
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
    await asyncio.sleep(3)
    assert stack.processes["publish"].poll() is None
    assert "waiting for mqtts://127.0.0.1" in stack.log("publish")
    assert "certificate has expired" in stack.log("publish")
    assert "Traceback" not in stack.log("publish")


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="there is no /proc to look a command line up in")
async def test_a_wrong_password_ends_a_service_in_one_line_that_does_not_tell_it(make_stack, tmp_path):
    stack = make_stack()
    conf = stack.folder / "broker.conf"
    words = ["mosquitto_passwd", "-b", "-c", tmp_path / "passwords", "ops", "right"]
    await asyncio.to_thread(subprocess.run, words, check=True)
    conf.write_text(
        conf.read_text().replace(
            "allow_anonymous true", f"allow_anonymous false\npassword_file {tmp_path}/passwords"
        )
    )
    stack.start("broker")
    await asyncio.sleep(0.5)
    (tmp_path / "secret").write_text("wr0ng-secret\n")
    words = ("stage", "publish", "-m", "zhurong", "--broker", f"mqtt://ops@127.0.0.1:{stack.port}", "--health", "")
    status, told = await asyncio.to_thread(
        downlink, *words, "--state", tmp_path, DOWNLINK_BROKER_PASSWORD_FILE=str(tmp_path / "secret")
    )
    assert status == 1
    assert "not authorized" in told.lower() or "bad user name or password" in told.lower()
    assert "wr0ng" not in told
    assert "Traceback" not in told


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["--source", "s=tcp-listen://0.0.0.0:0"], "s would listen on 0.0.0.0 to anyone"),
        (["--source", "s=udp://0.0.0.0:0"], "s would listen on 0.0.0.0 to anyone"),
        (["--source", "s=stdin:", "--health", "0.0.0.0:0"], "health would listen on 0.0.0.0 to anyone"),
        (["--source", "stage=stdin:"], "the stream cannot be called 'stage'"),
        (["--source", "s=stdin:", "--fsync", "maybe"], "--fsync maybe"),
        (["--source", "s=feed://127.0.0.1:0?cert=/none&key=/none"], "the certificates of s cannot be used"),
    ],
)
async def test_wrong_settings_end_a_service_with_status_2_and_one_line(make_stack, tmp_path, words, what):
    stack = make_stack()
    stack.start("broker")
    url = f"mqtt://127.0.0.1:{stack.port}"
    status, told = await asyncio.to_thread(
        downlink, "stage", "ingest", "-m", "zhurong", "--broker", url, "--state", tmp_path, "--health", "", *words
    )
    assert status == 2, told
    assert what in told
    assert "Traceback" not in told
