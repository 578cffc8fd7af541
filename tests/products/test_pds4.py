"""Radar tables in the genuine record layout, with labels that pds4_tools reads."""

import shutil
import sqlite3
import warnings

import numpy as np
import pytest

from pipeline.archive.radar_layout import HIGH, LOW, MISSING, records
from pipeline.errors import RunError
from pipeline.simulate import Faults, Scenario, simulate

SIZES = {"HF": (16_453, 16_420), "LF": (12_069, 12_036)}


@pytest.fixture(scope="session")
def read_label(tmp_path_factory):
    """pds4_tools wants a label to end in .xml, beside its table."""
    tools = pytest.importorskip("pds4_tools")

    def read(table):
        place = tmp_path_factory.mktemp("label")
        shutil.copy(table, place)
        shutil.copy(f"{table}L", place / "label.xml")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the reader's own
            return tools.read(str(place / "label.xml"), quiet=True)

    return read


@pytest.fixture(scope="session")
def tables(folder):
    with sqlite3.connect(folder / "products.sqlite") as database:
        found = database.execute("select file from files where kind = 'pds4-table'").fetchall()
    database.close()
    return {("HF" if "HF" in name else "LF"): folder / name for (name,) in found}


@pytest.fixture(scope="session")
def genuine(real_data):
    files = sorted((real_data / "zhurong-roper").glob("*.2B"))
    if len(files) != 2:
        pytest.skip(f"no genuine radar products in {real_data}")
    return files


@pytest.fixture(scope="session", params=["clean", "damaged"])
def returned(request, genuine, write, tmp_path_factory):
    """Zhurong's own records through the simulated link and back; damage that Reed-Solomon corrects."""
    place = tmp_path_factory.mktemp("genuine")
    faults = (
        Faults() if request.param == "clean" else Faults(symbol_errors=12, symbol_error_share=0.5, noise_bytes=999)
    )
    simulate(place / "pass.cadu", Scenario(radar_files=tuple(genuine), faults=faults))
    return write([place / "pass.cadu"], file_format="pds4")


def test_a_record_has_the_size_of_the_archived_ones():
    assert (HIGH.record.itemsize, LOW.record.itemsize) == (16_453, 12_069)


@pytest.mark.parametrize("channel", ["HF", "LF"])
def test_the_label_describes_what_the_table_holds(channel, tables, read_label, rows):
    product = {"HF": "high_frequency", "LF": "low_frequency"}[channel]
    table = read_label(tables[channel])[0]
    science = np.array([mode != b"\xcc" for mode in table["Work_Mode"]])
    assert np.array_equal(np.asarray(table["Frame_Count"])[science], rows("gpr", product, "frame_count"))
    samples = [name for name in table.data.dtype.names if "Scientific" in name]
    real = rows("gpr", product, "real")
    assert np.array_equal(np.asarray(table[samples[0]])[science][:, : real.shape[1]], real)


@pytest.mark.parametrize("channel", ["HF", "LF"])
def test_records_are_in_the_order_of_their_times(channel, tables):
    octets = np.fromfile(tables[channel], np.uint8).reshape(-1, SIZES[channel][0])
    seconds = octets[:, 4:8].copy().view(">u4")[:, 0] * 1000.0 + octets[:, 8:10].copy().view(">u2")[:, 0]
    assert (np.diff(seconds) > 0).all()


def test_what_is_not_known_has_its_missing_constant(tables, read_label):
    table = read_label(tables["HF"])[0]
    assert set(np.asarray(table["Rover_Location_X"]).tolist()) == {MISSING}
    [special] = [
        field.meta_data["Special_Constants"]
        for field in table.fields
        if field.meta_data["name"] == "Rover_Location_X"
    ]
    assert float(special["missing_constant"]) == MISSING
    assert "not by GRAS" in tables["HF"].with_name(f"{tables['HF'].name}L").read_text()


def test_a_label_without_a_code_is_told_in_one_line():
    arrays = {"work_mode": np.array(["DREAMING"]), "attitude_deg": np.zeros((1, 3))}
    with pytest.raises(RunError, match="work_mode 'DREAMING' has no code"):
        records(HIGH, {**arrays, "real": np.zeros((1, 2)), "imaginary": np.zeros((1, 2))}, np.zeros(1, np.uint32))


def test_a_number_that_the_dictionary_has_no_label_for_comes_back():
    arrays = {"polarization": np.array(["UNKNOWN_221"]), "attitude_deg": np.zeros((1, 3))}
    found = records(
        HIGH, {**arrays, "real": np.zeros((1, 2)), "imaginary": np.zeros((1, 2))}, np.zeros(1, np.uint32)
    )
    assert found["polarization"].tolist() == [221]


def test_zhurongs_own_records_come_back_byte_for_byte_in_all_that_came_from_the_rover(genuine, returned):
    for path, (record_bytes, rover_bytes) in zip(genuine, SIZES.values(), strict=True):
        sent = np.fromfile(path, np.uint8).reshape(-1, record_bytes)
        got = np.fromfile(returned / path.name, np.uint8).reshape(-1, record_bytes)
        assert np.array_equal(got[:, :rover_bytes], sent[:, :rover_bytes])


def test_what_the_ground_adds_is_what_gras_added_where_it_can_be_known(genuine, returned):
    for path, (record_bytes, rover_bytes) in zip(genuine, SIZES.values(), strict=True):
        sent, got = (
            np.fromfile(one, np.uint8).reshape(-1, record_bytes)[:, rover_bytes:-1].copy().view("<f4").astype(float)
            for one in (path, returned / path.name)
        )
        turned = (got[:, 3:6] - sent[:, 3:6] + 180) % 360 - 180
        assert np.abs(turned).max() < 0.02
        assert np.abs(got[:, 6:8] - sent[:, 6:8]).max() < 0.02


def test_the_label_has_the_structure_of_the_genuine_one(genuine, returned, read_label):
    for path in genuine:
        sent, got = read_label(path)[0], read_label(returned / path.name)[0]
        assert got.data.dtype == sent.data.dtype
        assert [field.meta_data["data_type"] for field in got.fields] == [
            field.meta_data["data_type"] for field in sent.fields
        ]
        assert got.meta_data["records"] == sent.meta_data["records"]


def test_the_label_has_the_times_of_the_genuine_one(genuine, returned):
    for path in genuine:
        sent, got = (one.with_name(f"{one.name}L").read_text() for one in (path, returned / path.name))
        for tag in ("start_date_time", "stop_date_time", "sequence_id", "product_id", "longitude", "data_content"):
            start, stop = f"<{tag}", f"</{tag}>"
            assert got.split(start)[1].split(stop)[0] == sent.split(start)[1].split(stop)[0]
        assert abs(_lmst_s(got) - _lmst_s(sent)) < 3


def _lmst_s(label):
    text = label.split("<start_local_mean_solar_time>00011M")[1].split("<")[0]
    hours, minutes, seconds = map(float, text.split(":"))
    return (hours * 60 + minutes) * 60 + seconds
