"""Products in Python: a Dataset is what xarray opens of the NetCDF file, with a time axis, lineage and passes."""

import json
from pathlib import Path

import numpy as np
import pytest
from downlink_pipeline import open_pass
from downlink_pipeline.archive.collection import Collection, Origin, collection_key
from downlink_pipeline.archive.datasets import product_dataset
from downlink_pipeline.archive.netcdf import fill_netcdf
from downlink_pipeline.archive.spill import MemorySpill
from downlink_pipeline.commands.recordings import stream_name
from downlink_pipeline.model.batches import NO_TIME, Product, Quantity, TimeRange
from downlink_pipeline.processing.origin import stream_of
from of_zhurong import origin

xarray = pytest.importorskip("xarray")
pytest.importorskip("netCDF4")
SITE = {"name": "site", "frame": "F", "longitude_deg": 109.9, "latitude_deg": 25.1, "altitude_m": -4099.0}
ORIGIN = origin("clean", ("clean.cadu",), SITE, {"read": 10}, simulated=True)


def collections(products):
    found = {}
    for product in products:
        key = collection_key(product)
        found.setdefault(key, Collection(product, MemorySpill())).add(product)
    return list(found.values())


@pytest.fixture(scope="module")
def each(products):
    return collections(products)


def test_a_dataset_is_what_xarray_opens_of_the_file_of_every_kind(each, tmp_path):
    names = {f"{one.instrument}/{one.product}" for one in each}
    assert len(names) > 35
    for number, one in enumerate(each):
        path = tmp_path / f"{number}.nc"
        fill_netcdf(path, one, ORIGIN, "id")
        with xarray.open_dataset(path, decode_timedelta=False) as opened:
            made = product_dataset(one, ORIGIN, "id")
            made = (
                made if "time" in made.dims else made.drop_indexes("time")
            )  # which a file cannot have along `row`
            xarray.testing.assert_identical(made, opened.load())
        path.unlink()


def test_every_kind_of_the_pass_is_selected_and_resampled_by_time(each):
    for one in each:
        found = product_dataset(one, ORIGIN, "id")
        time = found["time"].values
        half = time[0] + (time[-1] - time[0]) / 2
        assert len(found.sel(time=slice(time[0], half))["time"]) == np.count_nonzero(time <= half)
        minutes = len(np.unique(time.astype("M8[m]")))
        means = found.resample(time="1min").mean()
        assert np.isfinite(means["quality"].values).sum() == minutes
    along_row = {
        f"{one.instrument}/{one.product}" for one in each if "row" in product_dataset(one, ORIGIN, "id").dims
    }
    assert along_row == {"libs/drift", "libs/lines", "minpa/spectrum"}  # several rows of one spectrum


def test_the_coordinates_of_a_row_are_its_time_on_each_clock(each):
    found = {f"{one.instrument}/{one.product}": product_dataset(one, ORIGIN, "id") for one in each}
    assert set(found["weather/meteorology"].coords) == {"time", "sol", "lmst", "ltst", "ls"}
    assert set(found["libs/spectrum"].coords) == {"time", "sol", "lmst", "ltst", "ls"}


def test_lineage_and_calibration_are_attributes_of_every_kind(each):
    for one in each:
        about = product_dataset(one, ORIGIN, "id").attrs
        lineage = json.loads(about["lineage"])
        assert (about["recordings"], about["simulated"]) == ("clean.cadu", "true")
        assert lineage["container"] or about["container"]
        if one.instrument in {"weather", "gpr", "libs", "swir"}:
            assert about["calibration_version"]
            assert about["calibration_sha256"]
            assert {part.split(":")[0] for part in about["calibration_basis"].split("; ")} <= {
                "assumed", "recalled", "published", "not told",
            }  # fmt: skip


def telemetry(times_ns, value=0.0, **lineage):
    times = np.array(times_ns, np.int64)
    known = times[times != NO_TIME]
    ends = (int(known.min()), int(known.max())) if len(known) else (NO_TIME, NO_TIME)
    arrays = {
        "time_utc_ns": Quantity(times, "ns"),
        "A": Quantity(np.full(len(times), value), "V"),
        "dark": Quantity(np.full(3, value), "", "", ("channel",)),
    }
    quality = np.zeros(len(times), np.uint32)
    return Product("x-1", "sat", "s", "probe", "hk", "2A", TimeRange(ends, ends), arrays, quality, lineage)


def made(*products):
    (one,) = collections(products)
    return product_dataset(one, Origin("sat", "s", ("a",)), "id")


S = 1_000_000_000


def test_what_each_product_has_of_its_own_is_kept_for_each():
    found = made(telemetry([0, S], 1.0), telemetry([2 * S], 2.0))
    assert found["dark"].dims == ("product", "channel")
    assert found["dark"].values.tolist() == [[1, 1, 1], [2, 2, 2]]


@pytest.mark.parametrize("times", [[0, NO_TIME, 2 * S], [2 * S, S]])
def test_rows_without_a_time_or_out_of_order_lie_along_row(times):
    found = made(telemetry(times))
    assert found["A"].dims == ("row",)
    assert "time" in found.coords


def test_rows_of_one_time_are_selected_together():
    """They lie along `row`: CF 1.3 wants values of a coordinate that are all different."""
    found = made(telemetry([0, S, S, 2 * S]))
    assert found.sel(time=slice("1970-01-01T00:00:01", "1970-01-01T00:00:01")).sizes["row"] == 2
    assert found.resample(time="2s").mean()["A"].dims == ("time",)


def test_several_passes_are_one_dataset_with_the_pass_of_each_row(bundled: Path) -> None:
    paths = [bundled / "night.cadu", bundled / "clean.cadu"]
    both = open_pass(paths, mission="zhurong").product("weather/meteorology")
    separate = [open_pass(path, mission="zhurong").product("weather/meteorology") for path in paths]
    of_pass = both["pass"].values
    for path, one in zip(paths, separate, strict=True):
        mine = both.isel(time=np.flatnonzero(of_pass == path.name))
        np.testing.assert_array_equal(mine["pressure_pa"].values, one["pressure_pa"].values)
        assert "pass" not in one.coords
    assert both.indexes["time"].is_monotonic_increasing  # whatever the order of the recordings
    assert both.attrs["recordings"] == "night.cadu, clean.cadu"
    span = slice(separate[1]["time"].values[0], separate[1]["time"].values[-1])
    assert set(both.sel(time=span)["pass"].values) == {"clean.cadu"}


def test_the_stream_of_products_in_python_is_that_of_their_files():
    assert stream_of([Path("My Pass.cadu")]) == stream_name(None, [Path("My Pass.cadu")]) == "my_pass"
