"""Whatever values products have, every kind of file is written, or left out where there is nothing to write."""

import numpy as np
import pytest
from downlink_pipeline.archive.products import product_files
from downlink_pipeline.model.batches import NO_TIME, Product, Quantity, TimeRange
from of_zhurong import origin

for library in ("netCDF4", "xarray", "zarr", "cdflib", "segyio", "scipy", "matplotlib"):
    pytest.importorskip(library)
N = 7
FORMS = {
    "radargram": {"amplitude": ("f4", (N, 30)), "twt_ns": ("f8", (30,)), "depth_m": ("f8", (30,))},
    "traces": {
        "real": ("f4", (N, 30)), "imaginary": ("f4", (N, 30)), "twt_ns": ("f8", (30,)), "position_m": ("f8", (N, 3)),
    },
    "image": {"image": ("f4", (N, 20, 30))},
    "colours": {"image": ("f4", (N, 20, 30, 3))},
    "spectra": {"radiance": ("f8", (N, 16)), "wavelength_nm": ("f8", (N, 16))},
    "traverse": {"position_enu_m": ("f8", (N, 3)), "distance_m": ("f8", (N,))},
    "words": {"text": ("U9", (N,))},
    "sound": {"sound_pressure_pa": ("f4", (N, 50)), "sample_rate_hz": ("f8", (N,))},
    "curves": {"a": ("f8", (N,)), "b": ("u1", (N,)), "c": ("i8", (N, 3)), "on": ("?", (N,)), "wide": ("f4", (N, 90))},
}  # fmt: skip
DIMS = {"image": ("row", "line", "sample", "band")}


def garbage(draw, dtype, shape):
    dtype = np.dtype(dtype)
    if dtype.kind == "U":
        return np.array(draw.choice(["$x^{", "\u4eca\u5929", "", "\\frac", "a\nb"], shape), dtype)
    if dtype.kind == "f":
        largest = np.finfo(dtype).max
        odd = np.array([0, -1, 1, np.nan, np.inf, -np.inf, largest, -largest, 1e-30], dtype)
        return np.where(draw.random(shape) < 0.5, draw.choice(odd, shape), draw.normal(size=shape).astype(dtype))
    if dtype.kind == "b":
        return draw.random(shape) < 0.5
    info = np.iinfo(dtype)
    return draw.integers(info.min, info.max, shape, dtype, endpoint=True)


def product(form, seed):
    draw = np.random.default_rng(seed)
    dated = seed % 3
    utc_ns = 1_621_916_400 * 10**9 + draw.integers(-(10**12), 10**12, N) if dated else np.full(N, NO_TIME)
    if dated == 2:
        utc_ns[1] = NO_TIME
    known = utc_ns[utc_ns != NO_TIME]
    ends = (int(known.min()), int(known.max())) if len(known) else (NO_TIME, NO_TIME)
    arrays = {"time_utc_ns": Quantity(utc_ns, "ns")}
    for name, (dtype, shape) in FORMS[form].items():
        dims = DIMS.get(name, ("row", f"{form}_a", f"{form}_b"))[: len(shape)] if shape[0] == N else (f"{form}_a",)
        arrays[name] = Quantity(garbage(draw, dtype, shape), "1", "", dims)
    quality = draw.integers(0, 2**32, N, np.uint32, endpoint=False)
    return Product(
        f"{form}-{seed}", "zhurong", "s", "noise", form, "2B", TimeRange(ends, ends), arrays, quality, {}
    )


@pytest.mark.parametrize("kind", ["netcdf", "quicklook", "zarr", "segy", "wav"])
@pytest.mark.parametrize("seed", range(3))
def test_noise_is_written_as_it_is(kind, seed, tmp_path):
    with product_files(tmp_path, origin("s", ("s.cadu",)), kind) as files:
        files.add(product(form, seed) for form in FORMS)
    expected = {"netcdf": len(FORMS), "quicklook": len(FORMS), "zarr": 1, "segy": 3}
    assert len(files.entries) == expected.get(kind, len(files.entries))
    assert all(path.exists() for path in files.entries)


@pytest.mark.parametrize("form", FORMS)
def test_a_product_without_rows_is_a_file_without_rows(form, tmp_path):
    one = product(form, 0)
    arrays = {
        name: Quantity(q.values[:0] if q.dims[0] == "row" else q.values, q.unit, "", q.dims)
        for name, q in one.arrays.items()
    }
    none = Product(
        one.id, one.mission, one.stream, "noise", form, "2B", one.time, arrays, np.empty(0, np.uint32), {}
    )
    for kind, n_files in {"netcdf": 1, "quicklook": 1, "zarr": 1, "segy": 0, "wav": 0}.items():
        with product_files(tmp_path, origin("s", ("s.cadu",)), kind) as files:
            files.add([none])
        assert len(files.entries) == n_files
