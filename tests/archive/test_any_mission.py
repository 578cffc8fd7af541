"""A mission without instruments has its telemetry as NetCDF: JPSS-1, attitude and ephemeris."""

import numpy as np
import pytest
from downlink_pipeline.archive.collection import Origin
from downlink_pipeline.archive.products import product_files
from downlink_pipeline.commands.recordings import write_products
from downlink_pipeline.mission.loading import load_mission
from downlink_pipeline.model.batches import NO_TIME, Product, Quantity, TimeRange
from downlink_pipeline.model.errors import ConfigError

xarray = pytest.importorskip("xarray")
pytest.importorskip("netCDF4")
pytest.importorskip("cdflib")
MISSION = """
name = "jpss-1"
[link]
framing = "packets"
[dictionary]
xtce = "geolocation.xml"
[clock]
epoch = "1958-01-01T00:00:00Z"
terms = [
  { parameter = "DOY", unit_ns = 86_400_000_000_000 },
  { parameter = "MSEC", unit_ns = 1_000_000 },
  { parameter = "USEC", unit_ns = 1_000 },
]
"""


def telemetry(arrays, n_rows, first=0):
    undated = {"time_utc_ns": Quantity(np.full(n_rows, NO_TIME), "ns")}
    return Product(
        f"telemetry-hk-{first}", "probe", "s", "telemetry", "HK", "01", TimeRange((NO_TIME,) * 2, (NO_TIME,) * 2),
        {**undated, **arrays}, np.zeros(n_rows, np.uint32), {"container": "HK", "seq_count": [first, first + 1]},
    )  # fmt: skip


def write(folder, *made):
    with product_files(folder, Origin("probe", "s", ("s.packets",))) as files:
        files.add(made)
    return xarray.open_dataset(next(folder.glob("*.nc")), decode_timedelta=False)


def test_all_packets_of_jpss_are_rows_of_one_file(real_data, tmp_path):
    recording = real_data / "jpss-1" / "J01_G011_LZ_2021-04-09.packets"
    if not recording.is_file():
        pytest.skip(f"the recorded packets {recording} are not here")
    mission = tmp_path / "mission"
    mission.mkdir()
    (mission / "mission.toml").write_text(MISSION)
    (mission / "geolocation.xml").write_bytes((recording.parent / "geolocation.xml").read_bytes())
    write_products([recording], load_mission(str(mission)), tmp_path / "out", lambda _: None, file_format="archive")
    path = tmp_path / "out" / "jpss-1_telemetry_JPSS_ATT_EPHEM_20210409000000_20210409015959.nc"
    sent = np.fromfile(recording, np.uint8).reshape(-1, 71)[:, 23:27].copy().view(">f4")[:, 0]
    with xarray.open_dataset(path) as found:
        assert found.sizes["time"] == 7200
        assert np.array_equal(found["ADGPSPOSX"].values, sent)
        assert found["ADGPSPOSX"].attrs["units"] == "m"
        assert str(found["time"].values[0]) == "2021-04-09T00:00:00.007137000"


def test_a_mission_without_a_dictionary_is_reported_in_one_line(tmp_path):
    (tmp_path / "mission.toml").write_text('name = "bare"\n[link]\nframing = "packets"\n')
    with pytest.raises(ConfigError, match="mission bare has no dictionary"):
        write_products([], load_mission(str(tmp_path)), tmp_path / "out", lambda _: None, file_format="archive")


def test_telemetry_without_times_is_named_by_its_stream(tmp_path):
    with write(tmp_path, telemetry({"A": Quantity(np.array([1, 2]), "")}, 2)) as found:
        assert np.isnat(found["time"].values).all()
    assert [path.name for path in tmp_path.glob("*.nc")] == ["probe_telemetry_HK_s.nc"]


def test_values_of_differing_length_keep_their_rows(tmp_path):
    def blob(*lengths):
        length = np.array(lengths)
        return {
            "BLOB": Quantity(np.arange(length.sum()), "", "", ("BLOB_value",)),
            "BLOB.start": Quantity(np.cumsum(length) - length, ""),
            "BLOB.length": Quantity(length, ""),
        }

    with write(tmp_path, telemetry(blob(2, 1), 2), telemetry(blob(1, 2), 2, 7)) as found:
        assert found["BLOB"].values.tolist() == [0, 1, 2, 0, 1, 2]
        assert found["BLOB_start"].values.tolist() == [0, 2, 3, 4]
        assert found["BLOB_length"].values.tolist() == [2, 1, 1, 2]


def test_every_type_of_value_has_a_form(tmp_path):
    arrays = {
        "TEXT": Quantity(np.array(["on", "größer"]), ""),
        "OCTETS": Quantity(np.array([b"ab", b"c"]), ""),
        "TRUTH": Quantity(np.array([True, False]), ""),
        "HALF": Quantity(np.array([0.5, np.nan], np.float16), "V"),
        "COMPLEX": Quantity(np.array([1 + 2j, 3j]), "V"),
        "AT": Quantity(np.array(["2021-05-25T04:20:00", "NaT"], "M8[ms]"), ""),
        "LARGE": Quantity(np.array([2**64 - 1, 0], np.uint64), ""),
        "1 strange name": Quantity(np.array([1, 2]), ""),
        "quality": Quantity(np.array([3, 4]), ""),
    }
    with write(tmp_path, telemetry(arrays, 2)) as found:
        assert found["TEXT"].values.tolist() == ["on", "größer"]
        assert found["OCTETS"].values.tolist() == ["ab", "c"]
        assert found["TRUTH"].values.tolist() == [1, 0]
        assert found["HALF"].values[0] == 0.5
        assert found["AT"].values[0] == 1_621_916_400 * 10**9
        assert found["COMPLEX"].values.tolist() == [[1, 2], [0, 3]]
        assert found["LARGE"].values.tolist() == [2**64 - 1, 0]
        assert found["p_1_strange_name"].values.tolist() == [1, 2]
        assert found["quality_"].values.tolist() == [3, 4]


def test_integers_at_the_end_of_their_scale_are_not_missing(tmp_path):
    ends = {
        name: Quantity(np.array([np.iinfo(name).min, np.iinfo(name).max], name), "") for name in ("u1", "u2", "i4")
    }
    with write(tmp_path, telemetry(ends, 2)) as found:
        assert all(np.array_equal(found[name].values, quantity.values) for name, quantity in ends.items())
