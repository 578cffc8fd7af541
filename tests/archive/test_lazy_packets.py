"""A recording that xarray opens: nothing is decoded that nobody looks at, and what is looked at is what was sent."""

import gc
import struct
import sys
import tempfile
from pathlib import Path

import pytest
from downlink_pipeline import open_pass
from downlink_pipeline.model.batches import Quality

xarray = pytest.importorskip("xarray")

MISSION = """name = "odd"
[link]
framing = "packets"
[dictionary]
xtce = "odd.xml"
[clock]
epoch = "2000-01-01T00:00:00Z"
terms = [{ parameter = "SECONDS", unit_ns = 1_000_000_000 }]
"""
HEADER = (("VERSION", 3), ("TYPE", 1), ("SHF", 1), ("APID", 11), ("FLAGS", 2), ("COUNT", 14), ("LENGTH", 16))
NUMBERS = (("SECONDS", 32), ("N", 8), ("R.L", 8), ("A", 16), ("B", 8), ("M", 8), ("OPT", 16))
SIZE = """<SizeInBits><DynamicValue><ParameterInstanceRef parameterRef="R.L"/>
<LinearAdjustment slope="8" intercept="0"/></DynamicValue></SizeInBits>"""
BY_N = '<RepeatEntry><Count><DynamicValue><ParameterInstanceRef parameterRef="N"/></DynamicValue></Count></RepeatEntry>'
IF_ODD = '<IncludeCondition><Comparison parameterRef="M" value="1" useCalibratedValue="false"/></IncludeCondition>'


def number(name, bits, inside=""):
    encoding = f'<IntegerDataEncoding sizeInBits="{bits}" encoding="unsigned"/>'
    return f'<IntegerParameterType name="{name}_T" signed="false">{encoding}{inside}</IntegerParameterType>'


def entry(name, inside=""):
    return f'<ParameterRefEntry parameterRef="{name}">{inside}</ParameterRefEntry>'


def xtce():
    limited = '<ValidRange minInclusive="0" maxInclusive="999"/>'
    types = "".join(number(name, bits) for name, bits in (*HEADER, *NUMBERS) if name not in {"A", "M"})
    types += number("A", 16, limited).replace("R.L", "L")
    types += """<EnumeratedParameterType name="M_T"><IntegerDataEncoding sizeInBits="8"/><EnumerationList>
    <Enumeration value="0" label="OFF"/><Enumeration value="1" label="ON"/></EnumerationList>
    </EnumeratedParameterType>"""
    types += (
        f'<BinaryParameterType name="D_T"><BinaryDataEncoding>{SIZE}</BinaryDataEncoding></BinaryParameterType>'
    )
    types += """<AggregateParameterType name="R_T"><MemberList><Member name="L" typeRef="R.L_T"/>
    <Member name="D" typeRef="D_T"/></MemberList></AggregateParameterType>"""
    names = [name for name, _ in (*HEADER, *NUMBERS) if name != "R.L"]
    parameters = "".join(f'<Parameter name="{name}" parameterTypeRef="{name}_T"/>' for name in [*names, "R"])
    header = "".join(entry(name) for name, _ in HEADER)

    def container(name, apid, entries):
        return f"""<SequenceContainer name="{name}"><EntryList>{entries}</EntryList><BaseContainer containerRef="H">
        <RestrictionCriteria><Comparison parameterRef="APID" value="{apid}"/></RestrictionCriteria></BaseContainer>
        </SequenceContainer>"""

    fixed = entry("SECONDS") + entry("A") + entry("B") + entry("M")
    odd = entry("SECONDS") + entry("M") + entry("N") + entry("R", BY_N) + entry("OPT", IF_ODD)
    return f"""<SpaceSystem name="ODD" xmlns="http://www.omg.org/spec/XTCE/20180204"><TelemetryMetaData>
    <ParameterTypeSet>{types}</ParameterTypeSet><ParameterSet>{parameters}</ParameterSet><ContainerSet>
    <SequenceContainer name="H" abstract="true"><EntryList>{header}</EntryList></SequenceContainer>
    {container("FIXED", 1, fixed)}{container("ODD", 2, odd)}</ContainerSet></TelemetryMetaData></SpaceSystem>"""


def packet(apid, count, body):
    return struct.pack(">HHH", apid, 0xC000 | count, len(body) - 1) + body


N = 500
SECONDS = [1000 + (i if i % 50 else i + 3) for i in range(N)]
"""Some packets are later than the one behind them."""
BLOBS = [[bytes([i % 256, k]) * (k % 3) for k in range(i % 5)] for i in range(N)]


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    """Fixed packets, and as many of varying size; of each kind one is cut short."""
    folder = tmp_path_factory.mktemp("odd")
    (folder / "mission.toml").write_text(MISSION)
    (folder / "odd.xml").write_text(xtce())
    octets = b""
    for i in range(N):
        octets += packet(1, i, struct.pack(">IHBB", SECONDS[i], i * 3, i % 256, 7 if i == 123 else i % 2))
        records = b"".join(bytes([len(blob)]) + blob for blob in BLOBS[i])
        optional = struct.pack(">H", i) if i % 2 else b""
        octets += packet(2, i, struct.pack(">IBB", SECONDS[i], i % 2, i % 5) + records + optional)
    octets += packet(1, N, bytes(3)) + packet(2, N, struct.pack(">IBB", 5000, 0, 200))
    (folder / "odd.packets").write_bytes(octets)
    return open_pass(folder / "odd.packets", mission=str(folder))


BY_TIME = sorted(range(N), key=lambda i: (SECONDS[i], i))


def test_values_of_fixed_packets_are_those_sent_in_order_of_their_time(recording):
    found = recording.open_xarray("FIXED")
    assert found["A"].values.tolist() == [i * 3 for i in BY_TIME]
    assert found["B"].isel(time=slice(100, 400, 7)).values.tolist() == [i % 256 for i in BY_TIME[100:400:7]]
    assert found["A"].isel(time=-1).item() == 3 * BY_TIME[-1]
    assert [found["M"].values.tolist()[BY_TIME.index(i)] for i in (0, 1, 123)] == ["OFF", "ON", "UNKNOWN_7"]
    assert found["packet_seq_count"].values.tolist() == BY_TIME


def test_quality_is_what_decoding_says(recording):
    quality = recording.open_xarray("FIXED")["packet_quality"].values
    beyond = [bool(value & Quality.OUT_OF_RANGE) for value in quality.tolist()]
    assert beyond == [i * 3 > 999 for i in BY_TIME]
    assert [i for i, value in zip(BY_TIME, quality.tolist(), strict=True) if value & Quality.UNKNOWN_VALUE] == [123]


def test_values_of_varying_size_are_those_sent(recording):
    found = recording.open_xarray("ODD")
    assert found["R.D.length"].values.tolist() == [sum(map(len, BLOBS[i])) for i in BY_TIME]
    rows = found["R.D"].isel(time=slice(7, 11)).values
    lengths = found["R.D.length"].isel(time=slice(7, 11)).values
    assert [row[:n].tobytes() for row, n in zip(rows, lengths.tolist(), strict=True)] == [
        b"".join(BLOBS[i]) for i in BY_TIME[7:11]
    ]
    assert found["OPT.length"].values.tolist() == [i % 2 for i in BY_TIME]
    assert found["OPT"].values[:, 0].tolist() == [i * (i % 2) for i in BY_TIME]


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize("container", ["FIXED", "ODD"])
def test_a_dataset_that_is_opened_is_the_one_that_is_decoded_at_once(recording, container, raw):
    opened, whole = (how(container, raw=raw) for how in (recording.open_xarray, recording.to_xarray))
    assert {name: one.dtype for name, one in opened.variables.items()} == {
        name: one.dtype for name, one in whole.variables.items()
    }
    xarray.testing.assert_identical(opened.load(), whole.load())


def test_several_passes_are_distinguished(recording, tmp_path):
    other = tmp_path / "other.packets"
    other.write_bytes(packet(1, 0, struct.pack(">IHBB", 9000, 1, 2, 0)))
    both = open_pass([*recording.paths, other], mission=recording.mission.name and str(recording.paths[0].parent))
    opened, whole = both.open_xarray("FIXED"), both.to_xarray("FIXED")
    assert opened["pass"].values.tolist()[-1] == "other.packets"
    xarray.testing.assert_identical(opened.load(), whole.load())


def decoded_bytes(act):
    """How many packets the decoder's operations were run on."""
    rows = 0

    def count(frame, event, _):
        nonlocal rows
        if event == "call" and frame.f_code.co_name == "_operate":
            rows += frame.f_locals["values"].n * len(frame.f_locals["operations"])

    sys.setprofile(count)
    try:
        found = act()
    finally:
        sys.setprofile(None)
    return rows, found


def test_opening_decodes_a_part_and_a_slice_only_its_rows(recording):
    all_of_it, _ = decoded_bytes(lambda: recording.to_xarray("FIXED"))
    opening, found = decoded_bytes(lambda: recording.open_xarray("FIXED"))
    slicing, values = decoded_bytes(lambda: found["A"].isel(time=slice(100, 110)).values)
    assert values.tolist() == [i * 3 for i in BY_TIME[100:110]]
    assert opening < all_of_it / 2
    assert slicing == 10


def test_packets_beyond_a_bound_are_in_a_file_that_goes_with_the_dataset(recording, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    opened = recording.open_xarray("ODD", memory_bytes=1000)
    assert list(tmp_path.rglob("packets"))
    xarray.testing.assert_identical(opened.load(), recording.to_xarray("ODD").load())
    kept = recording.open_xarray("FIXED", memory_bytes=1000)[["A"]].isel(time=slice(3))
    del opened
    gc.collect()
    assert kept["A"].values.tolist() == [i * 3 for i in BY_TIME[:3]]
    del kept
    gc.collect()
    assert not list(Path(tmp_path).rglob("packets"))
