"""CDF files by the checker of SpacePy, which knows the ISTP guidelines and is not ours."""

from dataclasses import replace

import numpy as np
import pytest
from downlink_pipeline.archive.collection import Origin
from downlink_pipeline.archive.products import product_files
from downlink_pipeline.model.batches import NO_TIME, Product, Quantity, TimeRange
from of_zhurong import origin

cdflib = pytest.importorskip("cdflib")
DAY_NS = 1_621_900_800 * 10**9  # 2021-05-25
WORDS = {
    "creator_name": "A. Person",
    "institution": "An Institute",
    "license": "CC0-1.0",
    "acknowledgement": "Cite us.",
    "project": "Project",
    "first_date": "2020-07-23",
}


@pytest.fixture(scope="module")
def checks(tmp_path_factory):
    """SpacePy keeps its own settings in a folder that it makes when it is imported."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPACEPY", str(tmp_path_factory.mktemp("spacepy")))
        pycdf = pytest.importorskip("spacepy.pycdf")
        istp = pytest.importorskip("spacepy.pycdf.istp")

    def check(path):
        with pycdf.CDF(str(path)) as file:
            return istp.FileChecks.all(file)

    return check


KINDS = {
    ("magnetometer", "field"), ("momag", "field"), ("weather", "meteorology"), ("weather", "sound"),
    ("libs", "lines"), ("swir", "bands"), ("gpr", "low_frequency"), ("minpa", "spectrum"),
    ("rover", "traverse"), ("clock", "correlation"), ("moric", "strip"),
}  # fmt: skip
"""Vectors, spectra, scales without rows, sigmas of another form, images."""


@pytest.fixture(scope="module")
def kinds(products, tmp_path_factory):
    """A CDF file of the first product of each of these kinds."""
    folder = tmp_path_factory.mktemp("istp")
    first = {(one.instrument, one.product): one for one in reversed(products)}
    first = {key: one for key, one in first.items() if key in KINDS}
    with product_files(folder, origin("clean", ("clean.cadu",), archive_table=WORDS), "cdf") as files:
        files.add(first.values())
    return sorted(folder.glob("*.cdf"))


def hard():
    """Names, types and values that ISTP does not take as they are; times that are neither whole nor in order."""
    utc = DAY_NS + np.array([3, 1, 0, 2]) * 10**9
    utc[2] = NO_TIME
    arrays = {
        "time_utc_ns": Quantity(utc, "ns"),
        "BATT.V/1": Quantity(np.array([3.5, np.nan, np.inf, 4.5]), "V"),
        "BATT_V_1": Quantity(np.array([1.0, 2.0, 3.0, 4.0], np.float16), "V"),
        "pixels": Quantity(np.array([[0, 255]] * 4, np.uint8), "", "", ("row", "sample")),
        "count": Quantity(np.array([1, 2, 3, 1 << 63], np.uint64), ""),
        "low": Quantity(np.array([-128, 127, 0, 1], np.int8), ""),
        "flag": Quantity(np.array([True, False, True, True]), ""),
        "pressure": Quantity(np.ones((4, 3), np.float32), "Pa", "", ("row", "axis")),
        "pressure_sigma": Quantity(np.ones(4), "Pa"),
        "speed": Quantity(np.ones(4), "m s-1"),
        "speed_sigma": Quantity(np.ones(4), "m s-1"),
        "scale": Quantity(np.arange(5.0), "nm", "", ("channel",)),
        "cube": Quantity(np.zeros((4, 2, 3)), "1", "", ("row", "line", "band")),
    }
    return Product(
        "telemetry-x-0", "probe", "s", "telemetry", "X", "01", TimeRange((NO_TIME,) * 2, (DAY_NS, DAY_NS + 10**10)),
        arrays, np.array([0, 1, 1 << 12, 2], np.uint32), {},
    )  # fmt: skip


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    folder = tmp_path_factory.mktemp("odd")
    with product_files(folder, Origin("probe", "s", ("a",), archive_table=WORDS), "cdf") as files:
        files.add([hard()])
    return next(folder.glob("*.cdf"))


def test_the_checker_finds_nothing_in_a_file_of_any_kind_of_array(kinds, checks):
    found = {path.name: problems for path in kinds if (problems := checks(path))}
    assert len(kinds) == len(KINDS)
    assert found == {}


def test_the_checker_finds_nothing_against_names_types_and_order_of_any_mission(odd, checks):
    """A row without a time is the fill value, which SpacePy reads as the last day of 9999."""
    assert [one for one in checks(odd) if "multiple days" not in one] == []


def test_records_are_in_the_order_of_time_and_those_without_come_last(odd):
    file = cdflib.CDF(odd)
    epoch = file.varget("Epoch")
    assert (np.diff(epoch[:3]) == 10**9).all()
    assert epoch[3] == NO_TIME
    np.testing.assert_array_equal(file.varget("BATT_V_1"), [-1e31, 4.5, 3.5, -1e31])
    assert file.varget("quality").tolist() == [1, 2, 0, 1 << 12]


def test_a_value_that_is_the_fill_value_of_its_type_is_kept_in_a_wider_one(odd):
    file = cdflib.CDF(odd)
    assert file.varget("pixels").tolist() == [[0, 255]] * 4
    assert file.varattsget("pixels")["FILLVAL"] == 65_535
    assert sorted(file.varget("low").tolist()) == [-128, 0, 1, 127]
    assert file.varattsget("low")["FILLVAL"] == -32_768


def test_a_sigma_is_given_as_delta_only_where_it_has_the_same_form(odd):
    file = cdflib.CDF(odd)
    assert file.varattsget("speed")["DELTA_PLUS_VAR"] == "speed_sigma"
    assert "DELTA_PLUS_VAR" not in file.varattsget("pressure")
    assert "pressure_sigma" in file.varattsget("pressure")["VAR_NOTES"]


def test_formats_print_what_the_variables_hold(kinds):
    """ISTP: FORTRAN formats; of TT2000 29 characters, of integers their digits and sign."""
    for path in kinds[:6]:
        file = cdflib.CDF(path)
        about = {name: file.varattsget(name) for name in file.cdf_info().zVariables}
        assert about["Epoch"]["FORMAT"] == "A29"
        assert about["quality"]["FORMAT"] == "I10"  # 4294967294
        assert about["usable"]["FORMAT"] == "I1"
        assert all("FORMAT" in one and "FILLVAL" in one for one in about.values())


def test_valid_ranges_are_those_of_the_quantity_and_not_of_the_data(kinds):
    (field,) = (path for path in kinds if "_RoMAG_" in path.name)
    file = cdflib.CDF(field)
    about = {name: file.varattsget(name) for name in file.cdf_info().zVariables}
    ends = {name: (one["VALIDMIN"], one["VALIDMAX"]) for name, one in about.items() if "VALIDMIN" in one}
    assert ends["field_a_enu_nt"] == (-65_000, 65_000)  # Du et al. 2020
    assert ends["temperature_a_degc"][0] == -273.15
    assert (ends["lmst"], ends["ls"], ends["usable"]) == ((0, 24), (0, 360), (0, 1))
    launch = cdflib.cdfepoch.compute_tt2000([2020, 7, 23, 0, 0, 0, 0, 0, 0])
    assert ends["Epoch"] == (launch, cdflib.cdfepoch.compute_tt2000([2100, 1, 1, 0, 0, 0, 0, 0, 0]))


def test_the_logical_source_is_what_the_name_has_before_its_times(kinds):
    (field,) = (path for path in kinds if "_RoMAG_" in path.name)
    about = cdflib.CDF(field).globalattsget()
    assert about["Logical_source"] == ["HX1-Ro_DOWNLINK_RoMAG_SCI_N"]
    assert about["Logical_file_id"] == [field.stem]


def test_people_and_terms_are_those_of_the_mission_file(kinds):
    about = cdflib.CDF(kinds[0]).globalattsget()
    reported = {
        key: about[key] for key in ("PI_name", "PI_affiliation", "Rules_of_use", "Acknowledgement", "Project")
    }
    assert reported == {
        "PI_name": ["A. Person"], "PI_affiliation": ["An Institute"], "Rules_of_use": ["CC0-1.0"],
        "Acknowledgement": ["Cite us."], "Project": ["Project"],
    }  # fmt: skip


def test_a_pass_across_midnight_is_a_file_for_each_day(checks, tmp_path):
    """ISTP's archives keep daily files, and the checker takes files for such."""
    utc = DAY_NS + np.array([86_399, 86_400, 86_398, 172_801], np.int64) * 10**9
    one = replace(
        hard(),
        arrays={"time_utc_ns": Quantity(utc, "ns"), "n": Quantity(np.arange(4), "")},
        time=TimeRange((NO_TIME,) * 2, (int(utc.min()), int(utc.max()))),
    )
    with product_files(tmp_path, Origin("probe", "s", ("a",)), "cdf") as files:
        files.add([one])
    paths = sorted(tmp_path.glob("*.cdf"))
    assert [path.name for path in paths] == [
        "probe_telemetry_X_20210525235958_20210525235959.cdf",
        "probe_telemetry_X_20210526000000_20210526000000.cdf",
        "probe_telemetry_X_20210527000001_20210527000001.cdf",
    ]
    assert [cdflib.CDF(path).varget("n").tolist() for path in paths] == [[2, 0], [1], [3]]
    assert [problem for path in paths for problem in checks(path)] == []
