"""Each certificate of `downlink certs` at each door: ingest's for stations, the broker's, and in the broker's place."""

import asyncio
import contextlib

import pytest
from downlink_pipeline.model.errors import ConfigError, RunError
from downlink_pipeline.mqtt.address import BrokerAddress
from downlink_pipeline.mqtt.publisher import Publisher
from downlink_pipeline.recordings.log import Policy, Recorder
from downlink_pipeline.services.dispatch import Pace
from downlink_pipeline.services.station_recorder import StationRecorder
from downlink_pipeline.stations.address import read_station, tls_of
from downlink_pipeline.stations.feed_listener import FeedListener
from downlink_pipeline.stations.feed_messages import Hello
from downlink_pipeline.stations.tcp import TcpListener
from downlink_pipeline.system.certs import CLIENTS, make_certificates
from structlog.testing import capture_logs
from waiting import until

EVERYONE = ("broker", *CLIENTS)


@pytest.fixture(scope="module")
def certs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certs")
    make_certificates(folder, ["127.0.0.1"], "zhurong", 1)
    return folder


def files(certs, who):
    return f"cert={certs}/{who}.crt&key={certs}/{who}.key&ca={certs}/ca.crt"


@contextlib.asynccontextmanager
async def listening(url, folder=None):
    """The port of a listener, and what arrives at it: of a feed that is recorded in `folder`, where one is given."""
    station = read_station(url)
    desk = StationRecorder("s", Recorder(folder, Policy()), Policy(), Pace()) if folder else None
    listener = FeedListener(station, desk) if desk else TcpListener(station)
    came = []

    async def take():
        async for arrival in listener.arrivals():
            came.append(b"".join(map(bytes, arrival.pieces)))  # noqa: PERF401

    task = asyncio.create_task(take())
    await until(lambda: listener.port)
    try:
        yield listener.port, came
    finally:
        task.cancel()
        await asyncio.wait([task])


HELLO = Hello("0f" * 8, "p.cadu", 9, "ab" * 32, "auto").line() + bytes(9)


async def says(port, certs, who, octets):
    """What the listener answers to these bytes, sent with the certificate of `who`; empty where it closes."""
    tls = tls_of(read_station(f"feed://127.0.0.1:{port}?{files(certs, who)}"), server=False)
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls)
        writer.write(octets)
        answer = await asyncio.wait_for(reader.read(8), 5)
    except OSError:
        return b""
    writer.transport.abort()
    return answer


@pytest.mark.parametrize("who", EVERYONE)
async def test_only_a_stations_certificate_feeds_ingest(certs, who, tmp_path):
    url = f"feed://127.0.0.1:0?{files(certs, 'ingest')}"
    async with listening(url, tmp_path) as (port, came):
        answer = await says(port, certs, who, HELLO)
        assert answer == (b"begin p." if who == "station" else b"")
        assert bool(came) == (who == "station")


@pytest.mark.parametrize("who", EVERYONE)
async def test_who_may_connect_is_named_in_the_source(certs, who, tmp_path):
    url = f"feed://127.0.0.1:0?{files(certs, 'ingest')}&who=reader,operator"
    async with listening(url, tmp_path) as (port, _):
        answer = await says(port, certs, who, HELLO)
        assert answer == (b"begin p." if who in {"reader", "operator"} else b"")


async def test_a_certificate_that_is_refused_is_logged_by_its_name_and_does_not_disturb_who_is_connected(certs):
    url = f"s=tcp-listen://127.0.0.1:0?{files(certs, 'ingest')}"
    with capture_logs() as told:
        async with listening(url) as (port, came):
            tls = tls_of(read_station(f"tcp://127.0.0.1:{port}?{files(certs, 'station')}"), server=False)
            _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls)
            writer.write(b"first ")
            await until(lambda: came)
            for who in ("reader", "decode"):
                assert await says(port, certs, who, b"forged") == b""
            writer.write(b"second")
            await until(lambda: b"".join(came) == b"first second")
            writer.transport.abort()
    assert [one["who"] for one in told if one["event"] == "accepted a certificate"] == ["station"]
    refused = [one for one in told if one["event"] == "refused: no TLS connection"]
    assert {one["station"] for one in refused} == {"s"}
    reasons = [f"the certificate of '{who}' is not that of station" for who in ("reader", "decode")]
    assert [one["reason"] for one in refused] == reasons


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("s=feed://127.0.0.1:0?cert=/a&key=/b&ca=/c&who=", "who= names the certificates"),
        ("s=feed://127.0.0.1:0?cert=/a&key=/b&ca=/c&who=a,,b", "who= names the certificates"),
        ("s=feed://127.0.0.1:0?cert=/a&key=/b&who=station", "who= needs ca="),
        ("s=udp://127.0.0.1:0?who=station", "who= needs ca="),
    ],
)
def test_a_who_that_would_check_nothing_is_a_mistake(url, what):
    with pytest.raises(ConfigError, match=what):
        read_station(url)


async def brokers_answer(mosquitto, certs, shown, own):
    """Connect as `own` to a broker that shows the certificate of `shown`."""
    files = [f"cafile {certs}/ca.crt", f"certfile {certs}/{shown}.crt", f"keyfile {certs}/{shown}.key"]
    broker = await mosquitto(*files, "require_certificate true", "use_identity_as_username true")
    cert, key = certs / f"{own}.crt", certs / f"{own}.key"
    return BrokerAddress("127.0.0.1", broker.port, tls=True, ca=certs / "ca.crt", cert=cert, key=key)


@pytest.mark.parametrize("shown", CLIENTS)
async def test_no_services_certificate_passes_for_the_brokers(mosquitto, certs, hasty, shown):
    address = await brokers_answer(mosquitto, certs, shown, "publish")
    with pytest.raises(RunError, match=r"certificate verify failed: (unsuitable|unsupported|it is that of)"):
        async with Publisher(address, timing=hasty):
            pass


@pytest.mark.parametrize("own", EVERYONE)
async def test_the_broker_takes_each_clients_certificate_and_not_its_own(mosquitto, certs, hasty, own):
    address = await brokers_answer(mosquitto, certs, "broker", own)
    if own != "broker":
        async with Publisher(address, timing=hasty):
            return
    with pytest.raises(RunError, match="it closes the connection"):
        async with Publisher(address, timing=hasty):
            pass


async def test_ingests_certificate_is_good_for_the_hosts_of_stations_alone(tmp_path):
    make_certificates(tmp_path, ["broker.example"], "zhurong", 1, ["127.0.0.1"])
    async with listening(f"feed://127.0.0.1:0?{files(tmp_path, 'ingest')}", tmp_path / "s") as (port, _):
        assert await says(port, tmp_path, "station", HELLO) == b"begin p."
    async with listening(f"feed://127.0.0.1:0?{files(tmp_path, 'broker')}", tmp_path / "t") as (port, _):
        assert await says(port, tmp_path, "station", HELLO) == b""
