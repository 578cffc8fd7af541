"""One sigma of an array is the array named NAME_sigma: files tie the two together."""

import numpy as np
import pytest
from downlink_pipeline.archive.products import product_files
from downlink_pipeline.model.batches import Product, Quantity, TimeRange
from of_zhurong import origin

xarray = pytest.importorskip("xarray")
cdflib = pytest.importorskip("cdflib")
pytest.importorskip("netCDF4")
UTC_NS = 1_621_916_400 * 10**9 + np.arange(3) * 10**9


def write(folder, instrument, product, arrays):
    ends = (int(UTC_NS[0]), int(UTC_NS[-1]))
    made = Product(
        f"{instrument}-{product}-0", "zhurong", "s", instrument, product, "2B", TimeRange(ends, ends, (11, 11)),
        {"time_utc_ns": Quantity(UTC_NS, "ns"), **arrays}, np.zeros(3, np.uint32), {},
    )  # fmt: skip
    with product_files(folder, origin("s", ("s.cadu",))) as files:
        files.add([made])


def test_netcdf_ties_an_array_to_its_sigma(tmp_path):
    arrays = {
        "pressure_pa": Quantity(np.full(3, 800.0), "Pa"),
        "pressure_pa_sigma": Quantity(np.full(3, 8.0), "Pa"),
    }
    write(tmp_path, "weather", "meteorology", arrays)
    with xarray.open_dataset(next(tmp_path.glob("*.nc"))) as found:
        assert found["pressure_pa"].attrs["ancillary_variables"] == "quality usable pressure_pa_sigma"
        assert found["pressure_pa_sigma"].attrs["standard_name"] == "surface_air_pressure standard_error"
        assert found["pressure_pa_sigma"].attrs["units"] == "Pa"


def test_cdf_ties_an_array_to_its_sigma(tmp_path):
    dims = ("row", "axis")
    arrays = {
        "field_enu_nt": Quantity(np.ones((3, 3)), "nT", "", dims),
        "field_enu_nt_sigma": Quantity(np.full((3, 3), 0.5), "nT", "", dims),
    }
    write(tmp_path, "magnetometer", "field", arrays)
    found = cdflib.CDF(next(tmp_path.glob("*.cdf")))
    assert found.varattsget("field_enu_nt")["DELTA_PLUS_VAR"] == "field_enu_nt_sigma"
    assert found.varattsget("field_enu_nt_sigma")["COORDINATE_SYSTEM"] == "enu"
    assert found.varattsget("field_enu_nt_sigma")["VAR_TYPE"] == "support_data"
