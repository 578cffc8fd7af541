"""NetCDF files say what the products say, to xarray and to the checker of the conventions."""

import json
import subprocess
import sys

import numpy as np
import pytest
from downlink_pipeline.archive.netcdf_attributes import _arc
from downlink_pipeline.archive.products import product_files
from of_zhurong import origin

xarray = pytest.importorskip("xarray")
pytest.importorskip("netCDF4")

KINDS = [
    ("weather", "meteorology"),
    ("rover", "navigation"),
    ("rover", "engineering"),
    ("rover", "event"),
    ("gpr", "high_frequency"),
    ("gpr", "low_frequency"),
    ("gpr", "low_frequency_self_test"),
    ("libs", "shot"),
    ("libs", "mean"),
    ("swir", "radiance"),
    ("swir", "reflectance"),
]


CF_CHECKER = """
import copy, sys
from compliance_checker.cf import util
from compliance_checker.runner import CheckSuite, ComplianceChecker

def remembered(function, known):
    def call(ds, *more):
        if (id(ds), *more) not in known:
            known[id(ds), *more] = ds, function(ds, *more)
        return copy.copy(known[id(ds), *more][1])
    return call

for name in ("auxiliary_coordinate_variables", "z_variables", "axis_variables", "time_variables", "lon_variable",
             "longitude_variables", "latitude_variables", "lat_variable", "z_variable", "geophysical_variables"):
    setattr(util, f"get_{name}", remembered(getattr(util, f"get_{name}"), {}))
CheckSuite.load_all_available_checkers()
for path in sys.argv[1:]:
    ComplianceChecker.run_checker(path, ["cf:1.11"], 0, "strict", output_format="text")
"""
"""The checker asks hundreds of times which variable of a file is what; remembered, that takes a quarter of the time."""


@pytest.fixture
def opened(file_of):
    def open_file(instrument, product):
        return xarray.open_dataset(file_of("netcdf", instrument, product), decode_timedelta=False)

    return open_file


@pytest.mark.parametrize("kind", KINDS, ids="/".join)
def test_every_array_of_every_row_is_that_of_the_products(kind, opened, products, rows):
    first = next(one for one in products if (one.instrument, one.product) == kind)
    with opened(*kind) as found:
        for name, quantity in first.arrays.items():
            if quantity.dims[:1] == ("row",) and name != "time_utc_ns":
                np.testing.assert_array_equal(found[name].values, rows(*kind, name))
        np.testing.assert_array_equal(found["quality"].values, rows(*kind, "quality"))


@pytest.mark.parametrize("kind", KINDS, ids="/".join)
def test_time_is_utc_to_the_nanosecond(kind, opened, rows):
    with opened(*kind) as found:
        assert np.array_equal(found["time"].values.astype("M8[ns]").astype(np.int64), rows(*kind, "time_utc_ns"))


def test_what_is_the_same_for_all_products_is_stored_once(opened, products):
    sent = next(one for one in products if one.product == "high_frequency").arrays["twt_ns"].values
    with opened("gpr", "high_frequency") as found:
        assert found["twt_ns"].dims == ("sample",)
        assert np.array_equal(found["twt_ns"].values, sent)


def test_what_each_product_has_of_its_own_is_stored_by_product(opened, products):
    sent = [
        one.arrays["dark_counts"].values for one in products if (one.instrument, one.product) == ("libs", "shot")
    ]
    with opened("libs", "shot") as found:
        assert found["dark_counts"].dims == ("product", "channel")
        np.testing.assert_array_equal(found["dark_counts"].values, np.stack(sent))


def test_each_row_leads_back_to_its_product(opened, products):
    sent = [one for one in products if (one.instrument, one.product) == ("weather", "meteorology")]
    with opened("weather", "meteorology") as found:
        assert found["product_id"].values.tolist() == [one.id for one in sent]
        assert found["product_n_rows"].values.tolist() == [len(one.quality) for one in sent]
        assert found["product_seq_count_first"].values.tolist() == [one.lineage["seq_count"][0] for one in sent]


def test_quality_bits_have_their_meanings(opened):
    with opened("weather", "meteorology") as found:
        about = found["quality"].attrs
    assert about["flag_meanings"].split()[:2] == ["CORRECTED", "AFTER_GAP"]
    assert about["flag_masks"][:2].tolist() == [1, 2]


def test_quantities_have_the_words_of_the_conventions(opened):
    with opened("weather", "meteorology") as found:
        about = found["pressure_pa"].attrs
    assert (about["standard_name"], about["units"]) == ("surface_air_pressure", "Pa")
    assert about["ancillary_variables"] == "quality usable pressure_pa_sigma"


def test_the_file_says_where_it_comes_from(opened, products):
    lineage = next(one for one in products if one.instrument == "weather").lineage
    with opened("weather", "meteorology") as found:
        about = found.attrs
    assert about["recordings"] == "clean.cadu"
    assert about["dictionary_sha256"] == lineage["dictionary_sha256"]
    assert about["calibration_sha256"] == lineage["calibration_sha256"]["weather"]
    assert about["processing_level"] == "GRAS 2B; NASA PDS4 Calibrated"
    assert json.loads(about["frames_received"])["uncorrectable"] == 0
    assert about["site_frame"] == "MARS_COORDINATE_SYSTEM"


def test_the_first_row_has_the_mars_time_of_its_product(opened, products):
    first = next(one for one in products if one.instrument == "weather").time
    with opened("weather", "meteorology") as found:
        assert found["sol"].values[0] == first.sol[0] == 11
        assert found["lmst"].values[0] == pytest.approx(first.lmst_h[0], abs=1e-9)
        assert found["ltst"].values[0] == pytest.approx(first.ltst_h[0], abs=1e-9)
        assert found["ls"].values[0] == pytest.approx(first.ls_deg[0], abs=1e-9)


def test_the_checker_of_the_conventions_finds_nothing_against_the_files(folder):
    """CF 2.4 recommends, and does not require, that time is the last axis beside those of no place: ours is the first,
    so that rows are.
    """
    pytest.importorskip("compliance_checker")
    files = sorted(map(str, folder.glob("*.nc")))
    command = [sys.executable, "-c", CF_CHECKER, *files]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = [line for line in done.stdout.splitlines() if line.startswith(("§", "* "))]
    assert [
        line for line in found if line != "§2.4 Dimensions" and "in the recommended order T, Z" not in line
    ] == []
    assert done.stdout.count("Compliance Checker Report") == len(files)


def test_the_highly_recommended_words_of_discovery_are_there(folder):
    pytest.importorskip("compliance_checker")
    for path in folder.glob("*.nc"):
        with xarray.open_dataset(path, decode_timedelta=False) as found:
            assert all(found.attrs[key] for key in ("title", "summary", "keywords", "Conventions"))


def test_a_file_of_the_orbiter_belongs_to_no_site(opened):
    with opened("orbiter", "state") as orbiter, opened("weather", "meteorology") as landed:
        assert not [key for key in orbiter.attrs if key.startswith(("site", "sol"))]
        assert "site" in landed.attrs


def test_longitudes_and_latitudes_are_found_by_their_units_and_standard_names(file_of):
    """CF-1.11, 4.1 and 4.2."""
    with xarray.open_dataset(file_of("netcdf", "rover", "traverse"), decode_times=False) as found:
        places = {name: (found[name].attrs["units"], found[name].attrs["standard_name"])
                  for name in ("longitude_deg", "latitude_deg")}  # fmt: skip
    assert places == {
        "longitude_deg": ("degrees_east", "longitude"),
        "latitude_deg": ("degrees_north", "latitude"),
    }


PEOPLE = {
    "creator_name": "A. Person",
    "creator_type": "person",
    "creator_email": "a.person@example.org",
    "creator_url": "https://example.org/a",
    "institution": "An Institute",
    "publisher_name": "A. Publisher",
    "publisher_email": "data@example.org",
    "publisher_url": "https://example.org",
    "license": "CC0-1.0",
    "acknowledgement": "Cite us.",
    "references": "https://doi.org/10.1/x",
    "project": "A Project",
    "platform": "A Spacecraft",
    "naming_authority": "org.example",
    "keywords": ["Mars", "wind"],
}
# ACDD-1.3, recommended; date_created is left out, so that equal products make equal files
RECOMMENDED = [
    "id", "naming_authority", "history", "source", "processing_level", "comment", "acknowledgement", "license",
    "standard_name_vocabulary", "creator_name", "creator_email", "creator_url", "institution", "project",
    "publisher_name", "publisher_email", "publisher_url", "geospatial_bounds", "geospatial_bounds_crs",
    "geospatial_bounds_vertical_crs", "geospatial_lat_min", "geospatial_lat_max", "geospatial_lon_min",
    "geospatial_lon_max", "geospatial_vertical_min", "geospatial_vertical_max", "geospatial_vertical_positive",
    "time_coverage_start", "time_coverage_end", "time_coverage_duration", "time_coverage_resolution",
]  # fmt: skip


@pytest.fixture(scope="module")
def signed(few, tmp_path_factory):
    """The attributes of the weather, and the file's path, of a mission whose file says all of its table [archive]."""
    folder = tmp_path_factory.mktemp("signed")
    site = {"name": "s", "frame": "F", "longitude_deg": 109.9, "latitude_deg": 25.1, "altitude_m": -4918.6}
    with product_files(folder, origin("s", ("a",), site, archive_table=PEOPLE), "netcdf") as files:
        files.add([one for one in few if one.product == "meteorology"])
    (path,) = folder.glob("*MCS_*.nc")
    with xarray.open_dataset(path, decode_cf=False) as found:
        return path, found.attrs


def test_all_words_that_acdd_recommends_are_there(signed):
    _, about = signed
    assert [key for key in RECOMMENDED if key not in about] == []


def test_people_terms_and_keywords_are_those_of_the_mission_file(signed):
    _, about = signed
    assert {key: about[key] for key in PEOPLE if key != "keywords"} == {
        key: value for key, value in PEOPLE.items() if key != "keywords"
    }
    assert about["creator_institution"] == "An Institute"
    assert about["keywords"].split(", ") == [
        "zhurong",
        "weather",
        "weather meteorology",
        "telemetry",
        "Mars",
        "wind",
    ]


def test_the_checker_of_acdd_misses_no_word_about_the_file_but_the_date_of_writing(signed, tmp_path):
    """compliance-checker, acdd:1.3: of variables it wants standard names, which CF has not for each."""
    pytest.importorskip("compliance_checker")
    program = "from compliance_checker.runner import ComplianceChecker as C, CheckSuite as S\n"
    program += "import sys; S.load_all_available_checkers()\n"
    program += (
        "C.run_checker(sys.argv[1], ['acdd:1.3'], 0, 'normal', output_filename=sys.argv[2], output_format='json')"
    )
    out = tmp_path / "report.json"
    command = [sys.executable, "-c", program, str(signed[0]), str(out)]
    subprocess.run(command, capture_output=True, timeout=120, check=True)
    report = json.loads(out.read_text())["acdd:1.3"]
    checks = [one for level in ("high_priorities", "medium_priorities") for one in report[level]]
    missing = [text for one in checks if one["name"] == "Global Attributes" for text in one["msgs"]]
    assert len(checks) > 5
    assert missing == []
    assert [one["msgs"] for one in checks if one["name"] == "date_created_is_iso"] == [
        ["Attr date_created is not present"]
    ]


def test_the_bounds_of_a_file_of_places_are_those_of_its_rows(file_of):
    """ACDD: geospatial_bounds is WKT with latitude first."""
    with xarray.open_dataset(file_of("netcdf", "rover", "traverse"), decode_times=False) as found:
        about = found.attrs
        west, east = (float(end(found["longitude_deg"])) for end in (np.min, np.max))
        south, north = (float(end(found["latitude_deg"])) for end in (np.min, np.max))
        assert (about["geospatial_lon_min"], about["geospatial_lon_max"]) == (west, east)
        assert (about["geospatial_lat_min"], about["geospatial_lat_max"]) == (south, north)
        assert about["geospatial_vertical_min"] == float(found["altitude_m"].min())
    first = about["geospatial_bounds"].removeprefix("POLYGON ((").split(",")[0].split()
    np.testing.assert_allclose([float(one) for one in first], [south, west], atol=1e-6)


def test_the_bounds_of_longitudes_across_the_meridian_are_the_short_way_round():
    assert _arc(np.array([350.0, 5.0, 359.0])) == (350.0, 5.0)
    assert _arc(np.array([10.0, 20.0])) == (10.0, 20.0)
    assert _arc(np.array([7.0])) == (7.0, 7.0)
