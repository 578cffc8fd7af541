"""A container's decoded packets in memory: `to_columns`, `to_xarray` and xarray's own `open_dataset`."""

import os
import subprocess
import sys
import tomllib
import tracemalloc
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import numpy as np
import pytest
from downlink_pipeline import open_pass
from downlink_pipeline.model.batches import NO_TIME, ColumnBatch, Ragged
from downlink_pipeline.model.errors import ConfigError
from downlink_pipeline.model.reused_memory import MEMORY
from downlink_pipeline.processing.gathered import GatheredColumns

xarray = pytest.importorskip("xarray")
HERE = Path(__file__).parents[2]

MISSION = 'name = "few"\n[link]\nframing = "packets"\n[dictionary]\nxtce = "few.xml"\n'
HEADER = (("VERSION", 3), ("TYPE", 1), ("SHF", 1), ("APID", 11), ("FLAGS", 2), ("COUNT", 14), ("LENGTH", 16))


def xtce(fields):
    """A dictionary of unsigned integers, all in one packet; the names of those of one bit are enumerations."""
    types, parameters, entries = [], [], []
    for name, bits in [*HEADER, *fields]:
        encoding = f'<IntegerDataEncoding sizeInBits="{bits}" encoding="unsigned"/>'
        types.append(f'<IntegerParameterType name="{name}_T" signed="false">{encoding}</IntegerParameterType>')
        parameters.append(f'<Parameter name="{name}" parameterTypeRef="{name}_T"/>')
        entries.append(f'<ParameterRefEntry parameterRef="{name}"/>')
    return f"""<SpaceSystem name="FEW" xmlns="http://www.omg.org/spec/XTCE/20180204"><TelemetryMetaData>
    <ParameterTypeSet>{"".join(types)}</ParameterTypeSet><ParameterSet>{"".join(parameters)}</ParameterSet>
    <ContainerSet><SequenceContainer name="HK"><EntryList>{"".join(entries)}</EntryList></SequenceContainer>
    </ContainerSet></TelemetryMetaData></SpaceSystem>"""


@pytest.fixture
def recording(tmp_path):
    """Give the folder of a mission with `n` packets of a number of 32 bits and one of 8, and its recording."""

    def make(n):
        (tmp_path / "mission.toml").write_text(MISSION)
        (tmp_path / "few.xml").write_text(xtce([("WIDE", 32), ("NARROW", 8)]))
        packets = np.zeros((n, 11), np.uint8)
        packets[:, 1], packets[:, 2], packets[:, 5] = 7, 0xC0, 4
        packets[:, 6:10] = np.arange(n, dtype=">u4")[:, None].view(np.uint8)
        packets[:, 10] = np.arange(n) % 251
        path = tmp_path / "few.packets"
        path.write_bytes(packets.tobytes())
        return path, str(tmp_path)

    return make


def batch(first, **columns):
    n = len(next(iter(columns.values())))
    rows = np.arange(first, first + n)
    return ColumnBatch(
        "HK",
        np.full(n, NO_TIME),
        columns,
        {},
        {"A": "V"},
        np.full(n, 7, np.uint16),
        rows.astype(np.uint16),
        np.zeros(n, np.int64),
        rows,
        np.zeros(n, np.uint32),
    )


def gathered(*batches, **how):
    found = GatheredColumns(**how)
    for each in batches:
        found.add(each)
    return found.batch()


def test_batches_become_one_in_their_order():
    found = gathered(*(batch(i, A=np.array([i, i + 0.5])) for i in range(0, 40, 2)))
    assert found.columns["A"].tolist() == [each for i in range(0, 40, 2) for each in (i, i + 0.5)]
    assert found.order.tolist() == list(range(40))
    assert found.units == {"A": "V"}


def test_texts_are_as_wide_as_the_longest_of_all_batches():
    parts = [["ON"], ["STANDBY", "OFF"], ["A"]]
    found = gathered(*(batch(i, A=np.array(part)) for i, part in enumerate(parts)))
    assert found.columns["A"].tolist() == ["ON", "STANDBY", "OFF", "A"]


def test_rows_of_differing_length_keep_only_what_is_theirs():
    values = np.arange(100, dtype=np.uint16)
    parts = [
        Ragged(values, np.array([10, 50]), np.array([3, 2])),
        Ragged(values, np.array([7, 7]), np.array([0, 1])),
        Ragged(values, np.array([20, 22]), np.array([2, 1])),
    ]
    found = gathered(*(batch(2 * i, A=part) for i, part in enumerate(parts))).columns["A"]
    assert found.values.tolist() == [10, 11, 12, 50, 51, 7, 20, 21, 22]
    assert found.start.tolist() == [0, 3, 5, 5, 6, 8]
    assert found.length.tolist() == [3, 2, 0, 1, 2, 1]


def test_receive_times_that_begin_late_stand_in_their_rows():
    early, late = batch(0, A=np.zeros(2)), batch(2, A=np.zeros(2))
    late.received_ns[:] = [5, 6]
    assert gathered(early, late).received_ns.tolist() == [0, 0, 5, 6]


def test_columns_that_are_dropped_are_not_there():
    assert list(gathered(batch(0, A=np.zeros(1), B=np.zeros(1)), drop=("A",)).columns) == ["B"]


def test_a_recording_of_many_batches_is_one_batch_of_columns(recording):
    path, mission = recording(1_200_000)
    found = open_pass(path, mission=mission).to_columns("HK")
    assert (found.columns["WIDE"] == np.arange(1_200_000)).all()
    assert (found.columns["NARROW"] == np.arange(1_200_000) % 251).all()


def test_twice_the_packets_take_no_more_memory_than_their_columns(recording):
    def made(n):
        path, mission = recording(n)
        MEMORY.forget()
        tracemalloc.start()
        found = open_pass(path, mission=mission).to_xarray("HK")
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert found.sizes["packet"] == n
        return peak, sum(variable.nbytes for variable in found.variables.values())

    # What is made of a few MB of packets on the way is the same for both.
    (few_peak, few), (many_peak, many) = made(1_600_000), made(2_400_000)
    assert many_peak - few_peak < 1.5 * (many - few)


def test_xarray_opens_a_recording_by_the_entry_point(recording):
    path, mission = recording(10)
    declared = tomllib.loads((HERE / "pyproject.toml").read_text())["project"]["entry-points"]["xarray.backends"]
    points = EntryPoints(EntryPoint(name, value, "xarray.backends") for name, value in declared.items())
    engines = xarray.backends.plugins.build_engines(points)
    found = xarray.open_dataset(path, engine=type(engines["downlink"]), mission=mission, container="HK")
    assert found["WIDE"].values.tolist() == list(range(10))


def opened(path, **how):
    engine = pytest.importorskip("downlink_pipeline.commands.xarray_engine").DownlinkBackend
    return xarray.open_dataset(path, engine=engine, **how)


def test_the_only_container_need_not_be_named(recording):
    path, mission = recording(3)
    assert opened(path, mission=mission)["NARROW"].values.tolist() == [0, 1, 2]


def test_what_is_opened_is_what_to_xarray_gives(recording):
    path, mission = recording(5)
    xarray.testing.assert_identical(opened(path, mission=mission), open_pass(path, mission=mission).to_xarray("HK"))


def test_dropped_variables_are_not_in_the_dataset(recording):
    path, mission = recording(3)
    found = opened(path, mission=mission, drop_variables="WIDE")
    assert "WIDE" not in found
    assert "NARROW" in found


def test_opening_in_chunks_gives_the_same_values(recording):
    pytest.importorskip("dask")
    path, mission = recording(9)
    assert opened(path, mission=mission, chunks={"packet": 4})["WIDE"].sum().compute().item() == 36


def test_opening_without_a_mission_says_what_is_missing(recording):
    path, _ = recording(1)
    with pytest.raises(ConfigError, match="needs a mission"):
        opened(path)


def test_opening_a_container_that_is_not_there_names_those_that_are(recording):
    path, mission = recording(1)
    with pytest.raises(ConfigError, match="the pass has no ORBIT: it has HK"):
        opened(path, mission=mission, container="ORBIT")


def test_labels_of_several_batches_are_one_column_and_text_in_a_dataset(tmp_path):
    """4 MB are decoded at once: the second batch has a value without a label, and so a table of its own."""
    enumerated = """<EnumeratedParameterType name="NARROW_T"><IntegerDataEncoding sizeInBits="8"/><EnumerationList>
    <Enumeration value="0" label="OFF"/><Enumeration value="1" label="ON"/>
    </EnumerationList></EnumeratedParameterType>"""
    whole = xtce([("NARROW", 8), *((f"W{i}", 32) for i in range(500))])
    plain = whole[
        whole.index('<IntegerParameterType name="NARROW_T"') : whole.index('<IntegerParameterType name="W0_T"')
    ]
    (tmp_path / "mission.toml").write_text(MISSION)
    (tmp_path / "few.xml").write_text(whole.replace(plain, enumerated))
    packets = np.zeros((2500, 2007), np.uint8)
    packets[:, 1], packets[:, 2], packets[:, 4:6] = 7, 0xC0, ((2000 >> 8), 2000 & 0xFF)
    packets[:, 6] = np.arange(2500) % 2
    packets[2400, 6] = 77
    (tmp_path / "few.packets").write_bytes(packets.tobytes())
    found = open_pass(tmp_path / "few.packets", mission=str(tmp_path)).to_xarray("HK")["NARROW"]
    texts = [("OFF", "ON")[i % 2] for i in range(2500)]
    texts[2400] = "UNKNOWN_77"
    assert found.values.tolist() == texts
    assert found[2399:2402].values.tolist() == texts[2399:2402]
    assert int((found == "ON").sum()) == 1250
    assert xarray.concat([found, found], found.dims[0]).values.tolist() == [*texts, *texts]


def test_columns_of_a_large_recording_share_blocks_and_those_of_a_small_one_do_not(recording):
    path, mission = recording(700_000)
    large = open_pass(path, mission=mission).to_columns("HK")
    path, mission = recording(1000)
    small = open_pass(path, mission=mission).to_columns("HK")
    bases = [
        {id(base_of(batch.columns[name])) for name in ("APID", "NARROW", "LENGTH")} for batch in (large, small)
    ]
    assert [len(found) for found in bases] == [1, 3]


def base_of(array):
    while array.base is not None:
        array = array.base
    return array


PROGRAM = """
from pathlib import Path
from downlink_pipeline import open_pass
found = open_pass({path!r}, mission={mission!r}).to_xarray("HK", memory_bytes={bound})
peak_kb = next(line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line)
print(peak_kb, found.sizes["packet"], float(found["WIDE"].isel(packet=slice(-1000, None)).mean()))
"""


def test_memory_is_bounded_however_long_the_recording(tmp_path: Path):
    """Of the process, by VmHWM: ru_maxrss would have that of the parent, too, when it began."""
    pytest.importorskip("pyarrow")
    (tmp_path / "mission.toml").write_text(MISSION)
    (tmp_path / "few.xml").write_text(xtce([("WIDE", 32), *((f"N{k}", 8) for k in range(27))]))
    peaks = []
    for n in (600_000, 1_400_000):
        packets = np.zeros((n, 37), np.uint8)
        packets[:, 1], packets[:, 2], packets[:, 5] = 7, 0xC0, 30
        packets[:, 6:10] = np.arange(n, dtype=">u4")[:, None].view(np.uint8)
        path = tmp_path / "few.packets"
        path.write_bytes(packets.tobytes())
        del packets
        program = PROGRAM.format(path=str(path), mission=str(tmp_path), bound=4 << 20)
        env = os.environ | {"PYTHONPATH": str(HERE)}
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=env)
        peak_kb, n_rows, mean = done.stdout.split()
        assert (int(n_rows), float(mean)) == (n, n - 500.5)
        peaks.append(int(peak_kb) * 1024)
    # Of 70 bytes, the columns of a row with what is known of it; 15 to 20 stay, of holes in the heap.
    assert peaks[1] - peaks[0] < 0.4 * 800_000 * 70
