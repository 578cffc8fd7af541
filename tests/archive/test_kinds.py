"""Each kind of file opens in the tool of its trade and says there what the products say."""

import sqlite3
import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from downlink_pipeline.archive.kinds import KINDS
from downlink_pipeline.archive.products import product_files
from downlink_pipeline.cli.options import FileFormat
from of_zhurong import origin

xarray = pytest.importorskip("xarray")
segyio = pytest.importorskip("segyio")
image = pytest.importorskip("PIL.Image")
pytest.importorskip("zarr")
pytest.importorskip("matplotlib")


def file(folder, kind, instrument, product, ending=""):
    query = "select file from files where kind = ? and instrument = ? and product = ?"
    with sqlite3.connect(folder / "products.sqlite") as database:
        found = database.execute(query, (kind, instrument, product)).fetchall()
    database.close()
    [name] = [name for (name,) in found if name.endswith(ending)]
    return folder / name


def array(few, instrument, product, name):
    of_kind = [one for one in few if (one.instrument, one.product) == (instrument, product)]
    return np.concatenate([one.arrays[name].values for one in of_kind])


def test_a_pass_makes_one_of_every_kind(few_files):
    with sqlite3.connect(few_files / "products.sqlite") as database:
        kinds = {kind for (kind,) in database.execute("select distinct kind from files")}
    database.close()
    assert kinds == (set(KINDS) - {"pds4", "picture", "file"}) | {"pds4-table", "pds4-label"}


@pytest.fixture(scope="module")
def low_frequency(few_files):
    return file(few_files, "segy", "gpr", "low_frequency", ".imaginary.sgy")


def test_segyio_reads_the_traces(low_frequency, few):
    with segyio.open(low_frequency, strict=False) as found:
        np.testing.assert_array_equal(found.trace.raw[:], array(few, "gpr", "low_frequency", "imaginary"))
        assert found.bin[segyio.BinField.Interval] == 10_000  # 10 ns in ps


def test_the_bytes_of_the_file_are_those_of_the_standard(low_frequency, few):
    """SEG-Y rev 1: 3,200 + 400 bytes of headers, then 240 before each trace; big-endian, format 5 is IEEE."""
    content = low_frequency.read_bytes()
    sent = array(few, "gpr", "low_frequency", "imaginary")
    assert content[:3200].decode("cp037").startswith("C 1 zhurong: gpr low_frequency")
    assert np.frombuffer(content, ">i2", 5, 3216)[[0, 2, 4]].tolist() == [10_000, 1500, 5]
    traces = np.frombuffer(content[3600:], np.uint8).reshape(len(sent), 240 + 4 * 1500)
    np.testing.assert_array_equal(traces[:, 240:].copy().view(">f4"), sent)
    north_east_down = array(few, "gpr", "low_frequency", "position_m")
    np.testing.assert_array_equal(traces[:, 80:84].copy().view(">i4")[:, 0], np.rint(north_east_down[:, 1] * 1000))
    utc = array(few, "gpr", "low_frequency", "time_utc_ns")[0].astype("M8[ns]").item() // 10**9
    year, day, hour, minute, second = np.frombuffer(content, ">i2", 5, 3600 + 156).tolist()
    of_day_s = hour * 3600 + minute * 60 + second
    reported = np.datetime64(f"{year}-01-01T00:00:00") + np.timedelta64((day - 1) * 86_400 + of_day_s, "s")
    assert reported.astype(np.int64) == utc


@pytest.mark.parametrize(
    ("first_ns", "delay", "scalar"),
    [(-1.906, -1906, -1000), (0.0, 0, -1000), (210.5, 21050, -100), (1_000.5, 10005, -10), (40_000, 32_767, 1)],
)
def test_the_delay_has_the_digits_that_fit_into_two_bytes_with_the_scalar_of_the_standard(
    few, tmp_path, first_ns, delay, scalar
):
    """Rev 1: bytes 215-216 are the scalar of the times in bytes 95-114; negative divides."""
    traces = next(one for one in few if (one.instrument, one.product) == ("gpr", "low_frequency"))
    times = replace(traces.arrays["twt_ns"], values=traces.arrays["twt_ns"].values + first_ns)
    moved = replace(traces, arrays={**traces.arrays, "twt_ns": times})
    with product_files(tmp_path, origin("clean", ("clean.cadu",)), "segy") as files:
        files.add([moved])
    header = next(tmp_path.glob("*.real.sgy")).read_bytes()[3600:3840]
    assert [int(np.frombuffer(header, ">i2", 1, at - 1)[0]) for at in (109, 215)] == [delay, scalar]


def test_no_line_of_the_textual_header_is_cut(few, tmp_path):
    names = tuple(f"a-station-with-quite-a-long-name-{number}.cadu" for number in range(8))
    traces = next(one for one in few if (one.instrument, one.product) == ("gpr", "low_frequency"))
    with product_files(tmp_path, origin("clean", names), "segy") as files:
        files.add([traces])
    text = next(tmp_path.glob("*.real.sgy")).read_bytes()[:3200].decode("cp037")
    cards = [text[at : at + 80] for at in range(0, 3200, 80)]
    assert [card[:3] for card in cards] == [f"C{number:2}" for number in range(1, 41)]
    words = " ".join(" ".join(card[3:].split()) for card in cards)
    assert ", ".join(names) in words
    assert f"DICTIONARY SHA256: {traces.lineage['dictionary_sha256']}" in words


def test_scipy_reads_a_burst_in_pascals(few_files, sound):
    wavfile = pytest.importorskip("scipy.io.wavfile")
    rate, pressure = wavfile.read(file(few_files, "wav", "weather", "sound"))
    assert rate == 16_000
    np.testing.assert_array_equal(pressure, sound.arrays["sound_pressure_pa"].values[0])


def test_the_name_of_a_burst_has_its_own_times(few_files):
    name = file(few_files, "wav", "weather", "sound").name
    assert name.endswith("_SCI_N_20210525042500_20210525042500_00011_A.2A.wav")


def test_xarray_reads_every_group_of_the_zarr_store(few_files, few):
    store, weather = next(few_files.glob("*.zarr")), ("weather", "meteorology")
    with xarray.open_zarr(store, group="weather/meteorology", consolidated=False) as found:
        np.testing.assert_array_equal(found["pressure_pa"].values, array(few, *weather, "pressure_pa"))
        assert found["pressure_pa"].attrs["standard_name"] == "surface_air_pressure"
        assert np.array_equal(found["time"].values.astype(np.int64), array(few, *weather, "time_utc_ns"))
    with xarray.open_zarr(store, group="rover/event", consolidated=False) as found:
        assert found["text"].values.tolist() == array(few, "rover", "event", "text").tolist()


def test_every_quick_look_is_a_picture_that_is_not_blank(few_files):
    pictures = sorted(few_files.glob("*.png"))
    assert len(pictures) == 5
    for path in pictures:
        with image.open(path) as picture:
            assert picture.size == (1000, 700)
            assert len(np.unique(np.asarray(picture.convert("L")))) > 20


def test_the_pds4_label_says_which_correlation_and_recording_its_table_has(few_files):
    label = ET.parse(file(few_files, "pds4-label", "gpr", "low_frequency")).getroot()
    lineage = {one.tag.rpartition("}")[2]: one.text for one in label.iter() if one.text}
    assert (lineage["recordings"], lineage["clock_correlation"]) == ("clean.cadu", "none: epoch + count")


def test_every_kind_can_be_requested_separately_on_the_command_line():
    choices = get_args(get_args(FileFormat)[0])
    assert set(choices) == {"archive", *KINDS}
