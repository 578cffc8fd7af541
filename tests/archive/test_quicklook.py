"""Quick-looks show what is in the arrays, with flags and gaps."""

import numpy as np
import pytest
from downlink_pipeline.archive.collection import Collection
from downlink_pipeline.archive.quicklook import panels_of
from downlink_pipeline.archive.quicklook_views import quicklook_of
from downlink_pipeline.archive.spill import MemorySpill
from downlink_pipeline.model.batches import Product, Quality, Quantity, TimeRange

figure = pytest.importorskip("matplotlib.figure")
from downlink_pipeline.pictures.page import page  # noqa: E402

BEGIN_NS = 1_621_916_400 * 10**9


def looked_at(arrays, quality=None, utc_ns=None):
    """The quick-look of one product, and its panels."""
    n = len(next(iter(arrays.values())).values)
    utc_ns = BEGIN_NS + np.arange(n) * 10**9 if utc_ns is None else utc_ns
    quality = np.zeros(n, np.uint32) if quality is None else quality
    ends = (int(utc_ns[0]), int(utc_ns[-1]))
    columns = {"time_utc_ns": Quantity(utc_ns, "ns", "", ("row",)), **arrays}
    product = Product("1", "m", "s", "any", "kind", "2B", TimeRange(ends, ends), columns, quality, {})
    collection = Collection(product, MemorySpill())
    collection.add(product)
    look = quicklook_of(collection)
    panels = panels_of(look)
    with page((7.7, 5.4), panels, share_x=look.share_x) as drawn:
        return drawn.axes


def by_row(values, unit="", *dims):
    return Quantity(values, unit, "", ("row", *dims))


def test_a_flag_of_one_row_among_many_is_marked():
    quality = np.zeros(100_001, np.uint32)
    quality[77_777] = Quality.SATURATED
    (axes,) = looked_at({"volts": by_row(np.sin(np.arange(100_001.0)), "V")}, quality)
    marks = [line for line in axes.lines if line.get_marker() == "|"]
    (marked,) = (line.get_xdata().astype("datetime64[ns]").astype(np.int64) for line in marks)
    assert len(marked) == 1
    assert abs(marked[0] - BEGIN_NS - 77_777 * 10**9) < 100_001 / 4000 * 10**9
    assert len(axes.lines[0].get_xdata()) <= 2 * 4000


def test_a_curve_is_interrupted_where_rows_are_missing():
    utc_ns = BEGIN_NS + np.r_[0:50, 500:550] * 10**9
    (axes,) = looked_at({"volts": by_row(np.ones(100), "V")}, utc_ns=utc_ns)
    assert np.flatnonzero(np.isnan(axes.lines[0].get_ydata())).tolist() == [50]
    assert len(axes.patches) == 1


def test_curves_of_one_unit_share_a_panel_and_an_array_of_components_has_its_own():
    ones = np.ones(9)
    a, b, field = by_row(ones, "V"), by_row(2 * ones, "V"), by_row(np.ones((9, 3)), "nT", "xyz")
    volts, nt = looked_at({"a": a, "field_nt": field, "b": b})
    assert [text.get_text() for text in volts.get_legend().get_texts()] == ["a", "b"]
    assert (volts.get_ylabel(), nt.get_ylabel(), nt.get_title("left")) == ("[V]", "[nT]", "field_nt")
    assert [text.get_text() for text in nt.get_legend().get_texts()] == ["0", "1", "2"]


def test_curves_that_are_left_out_are_counted():
    (axes,) = looked_at({"many": by_row(np.ones((9, 12)), "V", "channel")})
    assert axes.get_legend().get_texts()[-1].get_text() == "and 4 more"


def test_missing_lines_of_an_image_stay_empty():
    quality = np.zeros((2, 5), np.uint8)
    quality[1, 3] = 1
    images = np.arange(40.0).reshape(2, 5, 4)
    arrays = {"image": by_row(images, "W", "line", "sample"), "line_quality": by_row(quality, "", "line")}
    axes, bar = looked_at(arrays)
    shown = axes.images[0].get_array()
    assert shown.mask.all(axis=1).tolist() == [False, False, False, True, False]
    np.testing.assert_array_equal(shown[0], images[1, 0])
    assert bar.get_ylabel() == "[W]"
    assert axes.get_xlabel() == "sample (the newest of 2 images)"


def test_a_radargram_spans_its_travel_times_and_depths():
    twt_ns = Quantity(np.linspace(10.0, 50.0, 30), "ns", "", ("sample",))
    depth_m = Quantity(np.linspace(0.0, 3.0, 30), "m", "", ("sample",))
    amplitude = by_row(np.random.default_rng(1).normal(size=(8, 30)), "1", "sample")
    axes, bar, right = looked_at({"amplitude": amplitude, "twt_ns": twt_ns, "depth_m": depth_m})
    assert axes.images[0].get_extent() == [-0.5, 7.5, 50.0, 10.0]
    assert right.get_ylim() == (3.0, 0.0)
    assert (axes.get_ylabel(), bar.get_ylabel()) == ("two-way travel time [ns]", "amplitude")


def test_spectra_over_energies_have_logarithmic_axes_and_those_over_wavelengths_do_not():
    scale = Quantity(np.linspace(1.0, 9.0, 20), "keV", "", ("channel",))
    flux = by_row(np.ones((30, 20)), "1", "channel")
    (axes,) = looked_at({"flux": flux, "energy_kev": scale})
    assert (axes.get_xscale(), axes.get_yscale(), axes.get_xlabel()) == ("log", "log", "energy [keV]")
    (axes,) = looked_at({"flux": flux, "wavelength_nm": Quantity(scale.values, "nm", "", ("channel",))})
    assert (axes.get_xscale(), axes.get_xlabel()) == ("linear", "wavelength [nm]")
    first, *_, last = (text.get_text() for text in axes.get_legend().get_texts())
    assert (first, last) == ("row 0", "row 29")


def test_a_collection_that_cannot_be_drawn_has_its_number_of_rows_written():
    (axes,) = looked_at({"wide": by_row(np.ones((9, 90)), "V", "channel")})
    assert axes.texts[0].get_text().startswith("9 rows")
    assert not axes.axison
