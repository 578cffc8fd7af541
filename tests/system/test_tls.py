"""What can be wrong with certificates is one clear line each, at a broker and at a station."""

import asyncio
import contextlib
import ssl
import subprocess

import pytest
from downlink_pipeline.model.errors import ConfigError, RunError
from downlink_pipeline.mqtt.address import BrokerAddress
from downlink_pipeline.mqtt.publisher import Publisher
from downlink_pipeline.mqtt.reconnect import Reconnector, Timing
from downlink_pipeline.mqtt.session import SessionOptions
from downlink_pipeline.mqtt.tls import client_context
from downlink_pipeline.stations.address import read_station, tls_of
from downlink_pipeline.stations.feed import feed
from downlink_pipeline.stations.feed_listener import FeedListener
from downlink_pipeline.stations.tcp import TcpListener
from downlink_pipeline.system import tls
from downlink_pipeline.system.certs import make_certificates
from structlog.testing import capture_logs
from waiting import until

NAMES = ("ingest", "station")


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """Folders of certificates: as they should be, of another authority, of another host, expired."""
    root = tmp_path_factory.mktemp("lab")
    for name, host, days in (
        ("good", "127.0.0.1", 1),
        ("other", "127.0.0.1", 1),
        ("host", "elsewhere.example", 1),
        ("old", "127.0.0.1", 0),
    ):
        make_certificates(root / name, [host], "zhurong", days)
    return root


def tls_lines(folder):
    files = [f"cafile {folder}/ca.crt", f"certfile {folder}/broker.crt", f"keyfile {folder}/broker.key"]
    return [*files, "require_certificate true", "use_identity_as_username true"]


def address(port, ca=None, own=None, key=None, *, tls=True):
    cert = own / "publish.crt" if own else None
    return BrokerAddress("127.0.0.1", port, tls=tls, ca=ca, cert=cert, key=key or (own and own / "publish.key"))


@pytest.mark.parametrize(
    ("broker_has", "trusted", "own", "told"),
    [
        ("good", "other", "good", "certificate verify failed: self-signed certificate in certificate chain$"),
        ("good", "good", "other", "it closes the connection: .*unknown ca$"),
        ("good", "good", None, "it closes the connection: .*certificate required$"),
        ("host", "host", "host", "certificate is not valid for '127.0.0.1'"),
        ("old", "old", "old", "certificate verify failed: certificate has expired$"),
        (None, "good", "good", "does it speak TLS, and take this certificate"),
        ("good", None, None, "without an answer; does it want TLS"),
    ],
)
async def test_certificates_that_do_not_fit_are_one_line(mosquitto, lab, hasty, broker_has, trusted, own, told):
    broker = await mosquitto(*(tls_lines(lab / broker_has) if broker_has else ["allow_anonymous true"]))
    ca, own = trusted and lab / trusted / "ca.crt", own and lab / own
    with pytest.raises(RunError, match=told) as error:
        async with Publisher(address(broker.port, ca, own, tls=bool(trusted)), timing=hasty):
            pass
    assert "\n" not in str(error.value)
    assert "_ssl.c" not in str(error.value)


async def test_a_client_whose_certificate_expired_hears_so_from_the_broker(mosquitto, lab, tmp_path, hasty):
    """The broker's own is good, and it knows the authority of the expired one."""
    both = tmp_path / "both.crt"
    both.write_bytes(b"".join((lab / name / "ca.crt").read_bytes() for name in ("good", "old")))
    lines = [line.replace(f"{lab}/good/ca.crt", str(both)) for line in tls_lines(lab / "good")]
    broker = await mosquitto(*lines)
    with pytest.raises(RunError, match=r"it closes the connection: .*expired$"):
        async with Publisher(address(broker.port, lab / "good" / "ca.crt", lab / "old"), timing=hasty):
            pass


async def test_a_service_that_waits_tells_each_new_reason_once_and_goes_on_when_it_is_mended(mosquitto, lab):
    broker = await mosquitto(*tls_lines(lab / "good"))
    told = []
    timing = Timing(pause_s=0.02, longest_pause_s=0.05)
    known = address(broker.port, lab / "good" / "ca.crt", lab / "good")
    reconnector = Reconnector(known, SessionOptions("waits"), timing, told.append)
    await (await reconnector.first()).close()
    broker.kill()
    waiting = asyncio.create_task(reconnector.reconnect("closed"))
    await until(lambda: told)
    good = (broker.folder / "broker.conf").read_text()
    (broker.folder / "broker.conf").write_text(good.replace(f"{lab}/good/broker", f"{lab}/other/broker"))
    await broker.start()
    await until(lambda: any("certificate verify failed" in line for line in told))
    broker.kill()
    (broker.folder / "broker.conf").write_text(good)
    await broker.start()
    await (await asyncio.wait_for(waiting, 10)).close()
    assert len(told) == len(set(told))
    assert any("certificate verify failed" in line for line in told)
    assert told[-1].endswith("again")


@pytest.mark.parametrize(
    ("cert", "key", "told"),
    [
        ("good/publish.crt", "other/publish.key", r"other/publish\.key is not the key of .*good/publish\.crt$"),
        ("good/none.crt", "good/publish.key", r"good/none\.crt: No such file or directory$"),
        ("good/acl", "good/publish.key", "are no certificate and its key$"),
        ("good/publish.crt", "locked.key", r"locked\.key has a passphrase; store it without one$"),
        (None, "good/publish.key", r"a key \(.*\) without its certificate$"),
    ],
)
def test_files_that_are_of_no_use_are_told_by_their_names(lab, cert, key, told):
    if not (lab / "locked.key").exists():
        words = ["openssl", "ec", "-in", lab / "good" / "publish.key", "-aes256", "-passout", "pass:x"]
        subprocess.run([*words, "-out", lab / "locked.key"], check=True, capture_output=True)
    ours = BrokerAddress("127.0.0.1", 1, tls=True, cert=cert and lab / cert, key=lab / key)
    with pytest.raises(ConfigError, match=told):
        client_context(ours)
    files = "&".join(f"{name}={lab / file}" for name, file in (("cert", cert), ("key", key)) if file)
    with pytest.raises(ConfigError, match=told):
        tls_of(read_station(f"s=tcp://127.0.0.1:1?{files}"), server=False)


def test_a_listener_cannot_do_with_an_authority_alone(lab):
    with pytest.raises(ConfigError, match="a listener needs cert, key and ca"):
        tls_of(read_station(f"s=feed://127.0.0.1:0?ca={lab}/good/ca.crt"), server=True)


async def test_a_listener_says_whom_it_refused_and_a_feed_that_trusts_another_ends_at_once(lab, tmp_path):
    def url(folder, who, ca):
        return (
            f"feed://127.0.0.1:{{}}?cert={lab}/{folder}/{who}.crt&key={lab}/{folder}/{who}.key&ca={lab}/{ca}/ca.crt"
        )

    (tmp_path / "pass").write_bytes(bytes(9))
    listener = FeedListener(read_station(url("good", "ingest", "good").format(0)), None)
    with capture_logs() as told:
        task = asyncio.create_task(anext(listener.arrivals()))
        await until(lambda: listener.port)
        wrong = read_station(url("good", "station", "other").format(listener.port))
        with pytest.raises(RunError, match="certificate verify failed: self-signed"):
            await asyncio.wait_for(feed(wrong, tmp_path / "pass", "p", None), 5)
        _, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        writer.write(b"downlink p 9\n" + bytes(9))
        await until(lambda: [one for one in told if one.get("reason") == "wrong version number"])
        writer.close()
        stranger = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        stranger.check_hostname, stranger.verify_mode = False, ssl.CERT_NONE
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port, ssl=stranger)
        with contextlib.suppress(OSError):
            assert await reader.read() == b""
        writer.close()
        task.cancel()
    refused = [one["reason"] for one in told if one["event"] == "refused: no TLS connection"]
    assert refused == ["wrong version number", "peer did not return a certificate"]


async def test_a_feed_in_the_clear_to_a_tls_listener_says_what_it_waits_for(lab, tmp_path):
    (tmp_path / "pass").write_bytes(bytes(9))
    files = f"cert={lab}/good/ingest.crt&key={lab}/good/ingest.key&ca={lab}/good/ca.crt"
    listener = FeedListener(read_station(f"feed://127.0.0.1:0?{files}"), None)
    task = asyncio.create_task(anext(listener.arrivals()))
    await until(lambda: listener.port)
    with capture_logs() as told, pytest.raises(RunError, match="it closes the connection without an answer"):
        await feed(read_station(f"feed://127.0.0.1:{listener.port}"), tmp_path / "pass", "p", None, patience_s=-1)
    task.cancel()
    assert any("refused" in one["event"] for one in told)


async def test_handshakes_that_are_never_finished_are_ended_and_keep_nobody_else_out(lab, monkeypatch):
    monkeypatch.setattr(tls, "HANDSHAKE_S", 0.5)
    files = {who: f"cert={lab}/good/{who}.crt&key={lab}/good/{who}.key&ca={lab}/good/ca.crt" for who in NAMES}
    listener = TcpListener(read_station(f"tcp-listen://127.0.0.1:0?{files['ingest']}"))
    arrivals = listener.arrivals()
    first = asyncio.create_task(anext(arrivals))
    await until(lambda: listener.port)
    begun = asyncio.get_running_loop().time()
    half_open = [await asyncio.open_connection("127.0.0.1", listener.port) for _ in range(200)]
    station = read_station(f"tcp://127.0.0.1:{listener.port}?{files['station']}")
    context = tls_of(station, server=False)
    _, writer = await asyncio.open_connection("127.0.0.1", station.port, ssl=context)
    writer.write(b"bytes")
    assert (await asyncio.wait_for(first, 5)).pieces == [b"bytes"]
    for reader, other in half_open:
        with contextlib.suppress(OSError):
            assert await asyncio.wait_for(reader.read(), 5) == b""
        other.close()
    assert asyncio.get_running_loop().time() - begun < 5
    writer.close()
    await arrivals.aclose()
