"""Arrow Flight gives what a folder gives, in bulk; it is read-only, bounded, and closed to strangers."""

import asyncio
import json
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest
from downlink_pipeline.api import open_history
from downlink_pipeline.commands.history_server import serve as serve_history
from downlink_pipeline.history.flight import FlightServer
from downlink_pipeline.history.remote import RemoteHistory
from downlink_pipeline.model.errors import ConfigError, RunError
from history_products import DAY, product
from pyarrow import flight

S = 10**9
PRESSURE = "weather/meteorology.pressure_pa"
TOKEN = "a-token-of-24-characters"


@pytest.fixture(scope="module")
def url(zhurong) -> Iterator[str]:
    server = FlightServer(open_history(zhurong), "127.0.0.1", 0)
    yield f"grpc://127.0.0.1:{server.port}"
    server.shutdown()


@pytest.fixture
def serve():
    """Serve a folder; gives the history that asks it."""
    opened = []

    def run(folder, token="", given=""):
        server = FlightServer(open_history(folder), "127.0.0.1", 0, token=token)
        opened.append(server)
        return RemoteHistory(f"grpc://127.0.0.1:{server.port}", token=given)

    yield run
    for one in opened:
        one.shutdown()


def test_a_history_is_asked_over_flight_as_on_a_disk(zhurong, url):
    near, far = open_history(zhurong), open_history(url)
    assert far.get(PRESSURE, points=7).identical(near.get(PRESSURE, points=7))
    assert far.get(PRESSURE, columns=["apid"]).identical(near.get(PRESSURE, columns=["apid"]))
    assert far.find("*pressure*") == near.find("*pressure*")
    assert far.kinds() == near.kinds()
    assert far.parameters("weather/meteorology") == near.parameters("weather/meteorology")
    assert far.last(PRESSURE) == near.last(PRESSURE)
    assert far.passes() == near.passes()
    query = 'select count(*) n, max(pressure_pa) m from "weather/meteorology"'
    assert far.sql(query) == near.sql(query)
    for kind in ("weather/meteorology", "rover/engineering"):
        there, here = (one.scan(kind).to_table().to_pylist() for one in (far, near))
        assert sorted(map(repr, there)) == sorted(map(repr, here))


def test_a_range_is_the_same_with_dates_and_times(put, serve):
    folder = put(product(DAY + np.arange(100) * 3600 * S, TEMP=np.arange(100)))
    far = serve(folder)
    assert far.get("HK.TEMP", start="2025-12-01", end="2025-12-01")["HK.TEMP"].values.tolist() == [*range(24, 48)]
    rows = far.batches("HK", columns=["TEMP"], start=np.datetime64("2025-12-01T05:00"), end=DAY + 31 * 3600 * S)
    assert rows.read_all()["TEMP"].to_pylist() == [29, 30]


def test_values_of_another_unit_have_a_column_of_their_own(put, serve):
    folder = put(product([DAY], V=[5.0], units={"V": "V"}))
    put(product([DAY + S], V=[7], seq=1, units={"V": "mV"}), name="two", folder=folder)
    found = serve(folder).batches("HK", columns=["V", "V [V]"]).read_all()
    assert sorted(zip(found["V"].to_pylist(), found["V [V]"].to_pylist(), strict=True), key=str) == [
        (7, None),
        (None, 5.0),
    ]
    with pytest.raises(ConfigError, match=r"another unit or form, V \[V\]"):
        open_history(folder).scan("HK")


def test_clients_that_know_nothing_of_downlink_list_and_fetch_kinds(zhurong, url):
    with flight.connect(url) as client:
        infos = {b"/".join(one.descriptor.path).decode(): one for one in client.list_flights()}
        assert set(infos) == set(open_history(zhurong).kinds())
        info = client.get_flight_info(flight.FlightDescriptor.for_path("weather/meteorology"))
        table = client.do_get(info.endpoints[0].ticket).read_all()
        assert len(table) == info.total_records == open_history(zhurong).scan("weather/meteorology").count_rows()
        assert table.schema.field("pressure_pa").metadata[b"unit"] == b"Pa"


@pytest.mark.parametrize(
    ("call", "why"),
    [
        (lambda far: far.get("NO.SUCH"), "no parameter NO.SUCH"),
        (lambda far: far.get(PRESSURE, max_values=3), "values, and 3 are the most"),
        (lambda far: far.batches("NO"), "the history has no NO"),
        (lambda far: far.batches("weather/meteorology", columns=["x"]), "no column x"),
        (lambda far: far.sql("drop table x"), "one SELECT"),
        (lambda far: far.table(PRESSURE, sideways=1), "call table: an argument"),
        (lambda far: far.table(PRESSURE, points=0), "points: at least 1"),
        (lambda far: far.storage, "needs its folder"),
        (lambda far: far._ask("drop"), "a ticket is JSON with a call"),
        (lambda far: far.get(PRESSURE, start="soon"), "no ISO 8601 time"),
    ],
)
def test_what_is_asked_wrongly_is_the_line_that_a_folder_gives(url, call, why):
    with pytest.raises(ConfigError, match=why) as found:
        call(open_history(url))
    assert len(str(found.value).splitlines()) == 1


def test_tickets_that_are_no_json_and_writing_are_refused(url):
    with flight.connect(url) as client:
        for ticket in (b"", b"\xff\xfe", b"[]", b'{"call": []}', b'{"call": "table"}', b"[" * 900_000):
            with pytest.raises(flight.FlightServerError) as found:
                client.do_get(flight.Ticket(ticket)).read_all()
            assert json.loads(found.value.extra_info)["usage"]
        with pytest.raises(NotImplementedError):
            list(client.do_action(flight.Action("drop", b"")))
        writer, _ = client.do_put(flight.FlightDescriptor.for_path("HK"), pa.schema([("a", pa.int64())]))
        with pytest.raises(NotImplementedError):
            writer.close()


def test_a_token_is_needed_where_one_is_set(put, serve):
    folder = put(product([DAY], TEMP=[1]))
    assert serve(folder, TOKEN, TOKEN).get("HK.TEMP")["HK.TEMP"].values.tolist() == [1]
    for wrong in ("", "another-token-of-24-char"):
        with pytest.raises(ConfigError, match="DOWNLINK_HISTORY_TOKEN is needed"):
            serve(folder, TOKEN, wrong).find()


def test_answers_that_nobody_fetches_give_their_turn_back(put, serve):
    folder = put(product(DAY + np.arange(50) * S, TEMP=np.arange(50)))
    far = serve(folder)
    for _ in range(9):  # more than are answered at once
        left = far.batches("HK")
        del left
    assert far.get("HK.TEMP").sizes["time"] == 50


async def test_flight_is_served_beside_http(put):
    folder, told = put(product([DAY], TEMP=[1], MODE=["safe"])), asyncio.Queue()
    task = asyncio.create_task(serve_history(folder, "127.0.0.1", 0, told.put_nowait, flight=("127.0.0.1", 0)))
    web, bulk = [(await asyncio.wait_for(told.get(), 20)).rpartition(" on ")[2] for _ in range(2)]
    assert web.startswith("http://127.0.0.1:")
    far = await asyncio.to_thread(open_history, bulk)
    last = await asyncio.to_thread(far.last, "HK.TEMP", "HK.MODE")
    assert last["value"].to_pylist() == ["1", "safe"]
    assert [row["value"] for row in await asyncio.to_thread(far.newest, "HK.TEMP", "HK.MODE")] == [1, "safe"]
    far.close()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_beyond_this_machine_flight_needs_a_token_too(zhurong):
    with pytest.raises(ConfigError, match=r"history would listen on 0\.0\.0\.0 to anyone"):
        asyncio.run(serve_history(zhurong, "127.0.0.1", 0, print, token="", flight=("0.0.0.0", 0)))


def test_a_server_that_is_gone_is_one_line():
    with pytest.raises(RunError, match="does not answer"):
        open_history("grpc://127.0.0.1:9").find()
    with pytest.raises(ConfigError, match="grpc://HOST:PORT"):
        open_history("grpc://127.0.0.1:notaport")


def test_the_command_line_asks_over_flight_too(url, command):
    done = command("history", "get", PRESSURE, "--points", "3", "--history", url)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "3 rows"
    done = command("history", "compact", "--history", url)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
