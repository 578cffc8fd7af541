"""The CDF file of the magnetometer says to cdflib what the products say, in the words of ISTP."""

import numpy as np
import pytest
from downlink_pipeline.archive.cdf import tt2000
from downlink_pipeline.model.batches import NO_TIME

cdflib = pytest.importorskip("cdflib")
KIND = ("magnetometer", "field")


@pytest.fixture
def field(file_of):
    return cdflib.CDF(file_of("cdf", *KIND))


def test_every_array_is_that_of_the_products(field, products, rows):
    first = next(one for one in products if (one.instrument, one.product) == KIND)
    for name, quantity in first.arrays.items():
        if name != "time_utc_ns":
            expected = rows(*KIND, name) if quantity.dims[0] == "row" else quantity.values
            found = field.varget(name)
            np.testing.assert_array_equal(np.where(found == -1e31, np.nan, found), expected)
    np.testing.assert_array_equal(field.varget("quality"), rows(*KIND, "quality"))


def test_epoch_is_the_utc_of_the_products(field, rows):
    assert field.varinq("Epoch").Data_Type_Description == "CDF_TIME_TT2000"
    utc = cdflib.cdfepoch.to_datetime(field.varget("Epoch"))
    assert np.array_equal(utc.astype("M8[ns]").astype(np.int64), rows(*KIND, "time_utc_ns"))


def test_tt2000_counts_leap_seconds():
    # 2017-01-01T00:00:00 UTC: 37 s TAI-UTC and 32.184 s; the day before had 36. Published: CDF user's guide, TT2000
    utc = np.array(["2016-12-31T00:00:00", "2017-01-01T00:00:00"], "M8[ns]").astype(np.int64)
    assert tt2000(utc).tolist() == cdflib.cdfepoch.compute_tt2000([[2016, 12, 31, 0, 0, 0, 0, 0, 0],
                                                                  [2017, 1, 1, 0, 0, 0, 0, 0, 0]]).tolist()  # fmt: skip
    assert np.diff(tt2000(utc)) == 86_401 * 10**9


def test_no_time_is_the_fill_value():
    assert tt2000(np.array([NO_TIME])).tolist() == [NO_TIME]


def test_the_field_has_the_words_of_istp(field):
    about = field.varattsget("field_a_enu_nt")
    assert (about["DEPEND_0"], about["UNITS"], about["VAR_TYPE"]) == ("Epoch", "nT", "data")
    assert (about["FILLVAL"], about["SI_CONVERSION"], about["COORDINATE_SYSTEM"]) == (-1e31, "1.0e-9>T", "enu")
    assert [str(one).strip() for one in np.ravel(field.varget(about["LABL_PTR_1"]))] == ["East", "North", "Up"]


def test_the_file_says_what_istp_requires(field, file_of):
    about = field.globalattsget()
    required = ("Project", "Source_name", "Discipline", "Data_type", "Descriptor", "Data_version", "Logical_source",
                "PI_name", "PI_affiliation", "Mission_group", "Instrument_type", "TEXT")  # fmt: skip
    assert all(about[key] for key in required)
    assert about["Logical_file_id"] == [file_of("cdf", *KIND).stem]


def test_the_extras_of_cdflib_read_it_as_a_dataset(file_of):
    reader = pytest.importorskip("cdflib.xarray")
    found = reader.cdf_to_xarray(str(file_of("cdf", *KIND)))
    assert found["field_a_enu_nt"].dims[0] == "Epoch"
