"""Raw values: of products that carry them (`[products] raw`) as of an import, by every interface.

Packets are made here with `struct`, so what is raw is known without the decoder.
"""

import csv
import io
import json
import struct

import pytest
from asgi import ask
from downlink_pipeline.api import open_history
from downlink_pipeline.commands.history import import_passes
from downlink_pipeline.history.flight import FlightServer
from downlink_pipeline.history.messages import product_of
from downlink_pipeline.history.passes import PassRecord
from downlink_pipeline.history.recorder import PassImport
from downlink_pipeline.history.storage import Storage
from downlink_pipeline.history.web import application
from downlink_pipeline.messages.topics import product_message
from downlink_pipeline.mission.loading import load_mission
from downlink_pipeline.model.batches import NO_TIME, ByteBatch
from downlink_pipeline.processing.chain import ProcessingChain
from history_products import DAY, product

HALF = """<DefaultCalibrator><PolynomialCalibrator><Term coefficient="0.5" exponent="1"/></PolynomialCalibrator>
</DefaultCalibrator>"""
TYPES = {"HEAD": "head", "S": "u32", "N": "u8", "PLAIN": "plain", "VOLT": "volt", "TEMP": "temp", "MODE": "mode",
         "TEXT": "text", "MANY": "many"}  # fmt: skip
PARAMETERS = "".join(f'<Parameter name="{name}" parameterTypeRef="{kind}"/>' for name, kind in TYPES.items())
ENTRIES = "".join(f'<ParameterRefEntry parameterRef="{name}"/>' for name in TYPES)
XTCE = f"""<SpaceSystem name="SAT" xmlns="http://www.omg.org/spec/XTCE/20180204"><TelemetryMetaData><ParameterTypeSet>
<IntegerParameterType name="head"><IntegerDataEncoding sizeInBits="48"/></IntegerParameterType>
<IntegerParameterType name="u8"><IntegerDataEncoding sizeInBits="8"/></IntegerParameterType>
<IntegerParameterType name="u32"><IntegerDataEncoding sizeInBits="32"/></IntegerParameterType>
<FloatParameterType name="plain" sizeInBits="64"><FloatDataEncoding sizeInBits="64"/></FloatParameterType>
<FloatParameterType name="volt" sizeInBits="64"><UnitSet><Unit>V</Unit></UnitSet>
<FloatDataEncoding sizeInBits="64">{HALF}</FloatDataEncoding></FloatParameterType>
<FloatParameterType name="temp" sizeInBits="64"><UnitSet><Unit>degC</Unit></UnitSet>
<IntegerDataEncoding sizeInBits="16">{HALF}</IntegerDataEncoding></FloatParameterType>
<EnumeratedParameterType name="mode"><IntegerDataEncoding sizeInBits="8"/><EnumerationList><Enumeration value="3"
label="SAFE"/><Enumeration value="7" label="NOMINAL"/></EnumerationList></EnumeratedParameterType>
<StringParameterType name="text"><StringDataEncoding><SizeInBits><Fixed><FixedValue>16</FixedValue></Fixed></SizeInBits>
</StringDataEncoding></StringParameterType>
<ArrayParameterType name="many" arrayTypeRef="temp"><DimensionList><Dimension><StartingIndex><FixedValue>0</FixedValue>
</StartingIndex><EndingIndex><DynamicValue><ParameterInstanceRef parameterRef="N"/><LinearAdjustment intercept="-1"/>
</DynamicValue></EndingIndex></Dimension></DimensionList></ArrayParameterType>
</ParameterTypeSet><ParameterSet>{PARAMETERS}</ParameterSet>
<ContainerSet><SequenceContainer name="HK"><EntryList>{ENTRIES}</EntryList>
</SequenceContainer></ContainerSet></TelemetryMetaData></SpaceSystem>"""
TABLE = """name = "sat"
[link]
framing = "packets"
[dictionary]
xtce = "sat.xml"
[clock]
epoch = "2026-01-01T00:00:00Z"
terms = [{ parameter = "S", unit_ns = 1_000_000_000 }]
"""
RAW = {
    "S": [1000, 1001, 1002, 1003],
    "PLAIN": [0.25, 1.25, 2.25, 3.25],
    "VOLT": [4.0, 5.0, 6.0, 7.0],
    "TEMP": [140, 141, 142, 143],
    "MODE": [7, 3, 7, 3],
    "TEXT": [[97, 48], [97, 49], [97, 50], [97, 51]],
    "MANY": [[200], [200, 201], [200], [200, 201]],
}
CALIBRATED = RAW | {
    "VOLT": [2.0, 2.5, 3.0, 3.5],
    "TEMP": [70.0, 70.5, 71.0, 71.5],
    "MODE": ["NOMINAL", "SAFE", "NOMINAL", "SAFE"],
    "TEXT": ["a0", "a1", "a2", "a3"],
    "MANY": [[100.0], [100.0, 100.5], [100.0], [100.0, 100.5]],
}


def packet(i: int) -> bytes:
    n = len(RAW["MANY"][i])
    body = struct.pack(
        ">IBddHB2s", 1000 + i, n, RAW["PLAIN"][i], RAW["VOLT"][i], 140 + i, RAW["MODE"][i], b"a%d" % i
    )
    body += struct.pack(f">{n}H", *RAW["MANY"][i])
    return struct.pack(">HHH", 0x0807, 0xC000 | i, len(body) - 1) + body


PACKETS = [packet(i) for i in range(4)]


@pytest.fixture(scope="module")
def missions(tmp_path_factory):
    """The mission without and with published raw values, and the recording."""
    folder = tmp_path_factory.mktemp("missions")
    for name, more in (("quiet", ""), ("raw", "[products]\nraw = true\n")):
        (folder / name).mkdir()
        (folder / name / "sat.xml").write_text(XTCE)
        (folder / name / "mission.toml").write_text(TABLE + more)
    (folder / "pass.packets").write_bytes(b"".join(PACKETS))
    return folder


@pytest.fixture
def ways(missions, recorder, tmp_path, command):
    """Ways of the packets into a history, each of which gives its folder."""

    def live():
        """As the service keeps products: one for each packet, as their messages say it."""
        chain = ProcessingChain(load_mission(str(missions / "raw")), "pass")
        made = [one for octets in PACKETS for one in chain.process(ByteBatch.of(octets), complete=True).products]
        for one in [*made, *chain.flush().products]:
            back = product_of(product_message(one).payload)
            recorder.add(back, back.id, "pass.packets")
            recorder.flush()
        recorder.maintain()
        return tmp_path / "history"

    def replayed():
        words = ("-m", missions / "raw", "--history", tmp_path / "replayed", "--speed", "max")
        done = command("replay", missions / "pass.packets", *words)
        assert done.returncode == 0, done.stderr
        return tmp_path / "replayed"

    def imported():
        mission, where = load_mission(str(missions / "quiet")), tmp_path / "imported"
        import_passes([missions / "pass.packets"], mission, str(where), print, raw=True)
        return where

    return {"live": live, "replayed": replayed, "imported": imported}


@pytest.mark.parametrize("way", ["live", "replayed", "imported"])
def test_raw_and_calibrated_values_are_those_of_the_packets_whatever_way_they_came(ways, way):
    history = open_history(ways[way]())
    for name, expected in CALIBRATED.items():
        assert history.table(f"HK.{name}")[f"HK.{name}"].to_pylist() == expected, name
        assert history.table(f"HK.{name}", values="raw")[f"HK.{name}"].to_pylist() == RAW[name], name
    assert {one.parameter: one.unit for one in history.find("*", "raw")}.get("TEMP") == ""
    assert not [one.name for one in history.find("*", "raw") if one.name.endswith(".raw")]
    assert ("TEMP.raw" in {one.parameter for one in history.find("*")}) == (way != "imported")


def test_command_line_http_and_flight_give_raw_values_of_live_rows(ways, command):
    folder = ways["live"]()
    done = command("history", "get", "HK.TEMP", "--raw", "--history", folder, "--format", "csv")
    assert [int(row["HK.TEMP"]) for row in csv.DictReader(io.StringIO(done.stdout))] == RAW["TEMP"]
    app = application(open_history(folder))
    for asked, key in (("values?", "HK.TEMP"), ("samples?points=10000&", "value"), ("last?", "value")):
        status, body = ask(app, f"/api/{asked}name=HK.TEMP&raw=true")
        assert status == 200, body
        found = [row[key] for row in json.loads(body)["rows"]]
        assert found == RAW["TEMP"][-len(found) :]
    server = FlightServer(open_history(folder), "127.0.0.1", 0)
    far = open_history(f"grpc://127.0.0.1:{server.port}")
    assert far.table("HK.MODE", values="raw")["HK.MODE"].to_pylist() == RAW["MODE"]
    server.shutdown()


def test_an_import_of_what_was_live_replaces_raw_values_and_one_made_again_doubles_none(missions, ways):
    folder, mission = ways["live"](), load_mission(str(missions / "raw"))
    for _ in range(2):
        import_passes([missions / "pass.packets"], mission, str(folder), print, again=True)
        found = open_history(folder).table("HK.TEMP", values="raw", columns=["pass"])
        assert found["HK.TEMP"].to_pylist() == RAW["TEMP"]


def test_raw_values_of_containers_that_instruments_read_are_replaced_with_their_pass(tmp_path):
    """Their products are of other kinds, so the rows of the pass do not say where its raw values are."""
    storage = Storage(tmp_path / "history", create=True)
    for version in ("one", "one", "two"):
        filling = PassImport(storage, PassRecord("north", "pass-1", "sat", version, has_raw=True))
        filling.add(product([DAY], container="MADE", V=[1.5]))
        filling.add_raw(product([DAY], container="READ", V=[3]))
        filling.finish()
        history = open_history(tmp_path / "history")
        assert history.table("READ.V", values="raw")["READ.V"].to_pylist() == [3]
    assert history.table("READ.V", values="raw", version="one")["READ.V"].to_pylist() == [3]


def test_raw_values_without_onboard_time_are_all_kept_where_sequence_counts_wrap(tmp_path):
    filling = PassImport(Storage(tmp_path / "history", create=True), PassRecord("north", "pass-1", "sat", "one"))
    for value in (1, 2):
        filling.add_raw(product([NO_TIME], received=DAY + value, V=[value]))
    filling.finish()
    assert open_history(tmp_path / "history").table("HK.V", values="raw")["HK.V"].to_pylist() == [1, 2]
