"""Every kind of column as npz, Parquet, NetCDF and xarray, calibrated and raw: what comes back is what was sent."""

import numpy as np
import pytest
from downlink_pipeline import open_pass
from downlink_pipeline.commands.recordings import decode
from downlink_pipeline.dictionary.encoder import encode
from downlink_pipeline.dictionary.xtce.reader import read_xtce
from downlink_pipeline.mission.loading import load_mission


def array(name, element, last):
    return f"""<ArrayParameterType name="{name}" arrayTypeRef="{element}"><DimensionList><Dimension><StartingIndex>
    <FixedValue>0</FixedValue></StartingIndex><EndingIndex>{last}</EndingIndex></Dimension></DimensionList>
    </ArrayParameterType>"""


def told(name, slope=1, intercept=0):
    adjustment = f'<LinearAdjustment slope="{slope}" intercept="{intercept}"/>'
    return f'<DynamicValue><ParameterInstanceRef parameterRef="{name}"/>{adjustment}</DynamicValue>'


TYPES = f"""
<StringParameterType name="TEXT"><StringDataEncoding><Variable maxSizeInBits="800"><TerminationChar>00</TerminationChar>
</Variable></StringDataEncoding></StringParameterType>
<BinaryParameterType name="BLOB"><BinaryDataEncoding><SizeInBits>{told("N", 8)}</SizeInBits></BinaryDataEncoding>
</BinaryParameterType>
<BinaryParameterType name="KEY"><BinaryDataEncoding><SizeInBits><FixedValue>16</FixedValue></SizeInBits>
</BinaryDataEncoding></BinaryParameterType>
<FloatParameterType name="VOLT"><UnitSet><Unit>V</Unit></UnitSet><IntegerDataEncoding sizeInBits="8"><DefaultCalibrator>
<PolynomialCalibrator><Term coefficient="0.5" exponent="1"/></PolynomialCalibrator></DefaultCalibrator>
</IntegerDataEncoding></FloatParameterType>
<EnumeratedParameterType name="MODE"><IntegerDataEncoding sizeInBits="8"/><EnumerationList>
<Enumeration value="0" label="OFF"/><Enumeration value="1" label="ON"/></EnumerationList></EnumeratedParameterType>
<BooleanParameterType name="FLAG"><IntegerDataEncoding sizeInBits="8"/></BooleanParameterType>
<IntegerParameterType name="SPELLED"><StringDataEncoding><Variable maxSizeInBits="80"><TerminationChar>2C
</TerminationChar></Variable></StringDataEncoding></IntegerParameterType>
<AbsoluteTimeParameterType name="WHEN"><Encoding><IntegerDataEncoding sizeInBits="32"/></Encoding>
<ReferenceTime><Epoch>UNIX</Epoch></ReferenceTime></AbsoluteTimeParameterType>
{array("TEXTS", "TEXT", told("N", 1, -1))} {array("PAIR", "U16", "<FixedValue>1</FixedValue>")}
{array("VOLTS", "VOLT", told("N", 1, -1))} {array("PAIRS", "PAIR", told("N", 1, -1))}
<AggregateParameterType name="ITEM"><MemberList><Member name="n" typeRef="U8"/><Member name="b" typeRef="BYTES"/>
</MemberList></AggregateParameterType>
<BinaryParameterType name="BYTES"><BinaryDataEncoding><SizeInBits>{told("items.n", 8)}</SizeInBits></BinaryDataEncoding>
</BinaryParameterType>{array("ITEMS", "ITEM", told("N", 1, -1))}
<AggregateParameterType name="DUO"><MemberList><Member name="p" typeRef="PAIR"/></MemberList></AggregateParameterType>
{array("DUOS", "DUO", told("N", 1, -1))}"""
PARAMETERS = {
    "N": "U8", "key": "KEY", "volt": "VOLT", "mode": "MODE", "flag": "FLAG", "spelled": "SPELLED", "when": "WHEN",
    "pair": "PAIR", "text": "TEXT", "blob": "BLOB", "texts": "TEXTS", "volts": "VOLTS", "pairs": "PAIRS",
    "items": "ITEMS", "duos": "DUOS",
}  # fmt: skip
ROWS = [
    {"N": 2, "key": b"ab", "volt": 5, "mode": 1, "flag": 1, "spelled": "-7", "when": 3, "pair": [1, 2], "text": "hello",
     "blob": b"xy", "texts": ["a", "bc"], "volts": [1, 2], "pairs": [1, 2, 3, 4], "items.n": [1, 2],
     "items.b": [b"p", b"qr"],
     "duos.p": [1, 2, 3, 4]},
    {"N": 0, "key": b"cd", "volt": 6, "mode": 9, "flag": 0, "spelled": "12", "when": 4, "pair": [3, 4], "text": "",
     "blob": b"", "texts": [], "volts": [], "pairs": [], "items.n": [], "items.b": [], "duos.p": []},
    {"N": 1, "key": b"ef", "volt": 7, "mode": 0, "flag": 1, "spelled": "0", "when": 5, "pair": [5, 6], "text": "z",
     "blob": b"w", "texts": ["def"], "volts": [3], "pairs": [5, 6], "items.n": [3], "items.b": [b"stu"],
     "duos.p": [5, 6]},
]  # fmt: skip
CALIBRATED = {
    "N": [2, 0, 1], "key": [[97, 98], [99, 100], [101, 102]], "volt": [2.5, 3.0, 3.5],
    "mode": ["ON", "UNKNOWN_9", "OFF"], "flag": [True, False, True], "spelled": [-7, 12, 0],
    "when": [3 * 10**9, 4 * 10**9, 5 * 10**9], "pair": [[1, 2], [3, 4], [5, 6]], "text": ["hello", "", "z"],
    "blob": [list(b"xy"), [], list(b"w")], "texts": [["a", "bc"], [], ["def"]], "volts": [[0.5, 1.0], [], [1.5]],
    "items.n": [[1, 2], [], [3]], "items.b": [list(b"pqr"), [], list(b"stu")], "items.b.sizes": [[1, 2], [], [3]],
    "pairs": [[1, 2, 3, 4], [], [5, 6]], "duos.p": [[[1, 2], [3, 4]], [], [[5, 6]]],
}  # fmt: skip
RAW = {
    **CALIBRATED, "volt": [5, 6, 7], "mode": [1, 9, 0], "flag": [1, 0, 1], "when": [3, 4, 5],
    "spelled": [list(b"-7,"), list(b"12,"), list(b"0,")], "text": [list(b"hello\0"), [0], list(b"z\0")],
    "volts": [[1, 2], [], [3]], "texts": [list(b"a\0bc\0"), [], list(b"def\0")], "texts.sizes": [[2, 3], [], [4]],
}  # fmt: skip


@pytest.fixture(scope="session")
def mission(tmp_path_factory, document):
    folder = tmp_path_factory.mktemp("mission")
    xtce = document(TYPES, PARAMETERS)
    dictionary = read_xtce(xtce)
    (folder / "telemetry.xml").write_bytes(xtce)
    text = 'name = "x"\n[link]\nframing = "packets"\n[dictionary]\nxtce = "telemetry.xml"\n'
    (folder / "mission.toml").write_text(text)
    packets = [encode(dictionary, "PACKET", {"COUNT": i, "FLAGS": 3, **row}) for i, row in enumerate(ROWS)]
    (folder / "all.packets").write_bytes(b"".join(packets))
    return folder


def rows_of(get, name, names):
    """A column as lists: its flat values by start and length, its padded rows by length, or as it is."""
    values = np.asarray(get(name))
    values = values.astype(np.int64) if values.dtype.kind == "M" else values
    if f"{name}.length" not in names:
        return values.tolist()
    if f"{name}.start" not in names:
        return [row[:length].tolist() for row, length in zip(values, get(f"{name}.length"), strict=True)]
    bounds = zip(get(f"{name}.start").tolist(), get(f"{name}.length").tolist(), strict=True)
    return [values[start : start + length].tolist() for start, length in bounds]


def write(mission, folder, file_format, raw):
    loaded = load_mission(str(mission))
    decode([mission / "all.packets"], loaded, folder, lambda *_: None, file_format=file_format, raw=raw)


@pytest.mark.parametrize(("raw", "expected"), [(False, CALIBRATED), (True, RAW)])
def test_npz_has_every_value(mission, tmp_path, raw, expected):
    decode(
        [mission / "all.packets"], load_mission(str(mission)), tmp_path, lambda *_: None, file_format="npz", raw=raw
    )
    found = np.load(tmp_path / "PACKET.npz")
    assert {name: rows_of(found.__getitem__, name, found.files) for name in expected} == expected


@pytest.mark.parametrize(("raw", "expected"), [(False, CALIBRATED), (True, RAW)])
def test_parquet_has_every_value(mission, tmp_path, raw, expected):
    parquet = pytest.importorskip("pyarrow.parquet")
    decode(
        [mission / "all.packets"],
        load_mission(str(mission)),
        tmp_path,
        lambda *_: None,
        file_format="parquet",
        raw=raw,
    )
    found = parquet.read_table(tmp_path / "PACKET.parquet")
    assert {name: found[name].to_pylist() for name in expected} == expected
    assert raw or found.schema.field("volt").metadata == {b"unit": b"V"}


@pytest.mark.parametrize(("raw", "expected"), [(False, CALIBRATED), (True, RAW)])
def test_netcdf_has_every_value(mission, tmp_path, raw, expected):
    xarray = pytest.importorskip("xarray")
    decode(
        [mission / "all.packets"],
        load_mission(str(mission)),
        tmp_path,
        lambda *_: None,
        file_format="netcdf",
        raw=raw,
    )
    with xarray.open_dataset(tmp_path / "PACKET.nc", engine="netcdf4") as found:
        names = set(found.variables)
        assert {name: rows_of(lambda n: found[n].values, name, names) for name in expected} == expected


@pytest.mark.parametrize(("raw", "expected"), [(False, CALIBRATED), (True, RAW)])
def test_xarray_has_every_value_and_its_unit(mission, raw, expected):
    pytest.importorskip("xarray")
    found = open_pass(mission / "all.packets", mission=str(mission)).to_xarray("PACKET", raw=raw)
    names = set(found.variables)
    assert {name: rows_of(lambda n: found[n].values, name, names) for name in expected} == expected
    assert found["volt"].attrs.get("units") == (None if raw else "V")
    assert found["duos.p"].shape == (3, 2, 2)  # packets, the longest, pair
