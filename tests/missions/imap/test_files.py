"""Files of MAG's vectors open in the tools of heliophysics."""

from dataclasses import replace

import numpy as np
import pytest
from downlink_pipeline import open_pass
from downlink_pipeline.archive.products import product_files
from downlink_pipeline.mission.loading import load_mission
from downlink_pipeline.processing.origin import origin_of

cdflib = pytest.importorskip("cdflib")


@pytest.fixture(scope="module")
def cdf_files(imap_data, tmp_path_factory):
    out = tmp_path_factory.mktemp("products")
    recording = imap_data / "mag_l1.packets"
    origin = origin_of([recording], load_mission("imap"), "mag_l1")
    words = {"project": "IMAP", "creator_name": "downlink"}
    with product_files(out, replace(origin, archive_table=words), "cdf") as files:
        files.add(open_pass(recording, mission="imap").products())
    return sorted(out.rglob("*.cdf"))


def test_vectors_of_each_sensor_are_a_cdf_file(cdf_files):
    names = " ".join(path.name for path in cdf_files).lower()
    assert "mago" in names
    assert "magi" in names


def test_it_opens_in_cdflib_with_times_in_terrestrial_time_and_attributes_of_istp(cdf_files):
    file = cdflib.CDF(next(path for path in cdf_files if "mago" in path.name.lower()))
    about = file.globalattsget()
    wanted = {"Project", "Source_name", "Discipline", "Data_type", "Descriptor", "Data_version", "Logical_file_id"}
    wanted |= {"PI_name", "PI_affiliation", "TEXT", "Instrument_type", "Mission_group", "Logical_source"}
    assert wanted <= about.keys()
    assert about["Discipline"] == ["Solar Physics>Heliospheric Physics"]  # of the package's own archive rules
    # MET 0 is 315,576,066.184 s of TT after J2000; the first vector by time is of MET 439,067,307 + 64,605/65,535 s
    first = 315_576_066_184_000_000 + 439_067_307 * 10**9 + 64_605 * 10**9 // 65_535
    assert int(file.varget("Epoch")[0]) == first
    attributes = file.varattsget("field_counts")
    assert {
        "CATDESC",
        "DEPEND_0",
        "FIELDNAM",
        "FILLVAL",
        "UNITS",
        "VALIDMIN",
        "VALIDMAX",
        "VAR_TYPE",
    } <= attributes.keys()
    assert attributes["DEPEND_0"] == "Epoch"


def test_it_opens_in_spacepy_whose_checker_of_istp_finds_nothing(cdf_files, monkeypatch, tmp_path):
    monkeypatch.setenv("SPACEPY", str(tmp_path))  # where SpacePy keeps its settings
    pycdf, istp = (pytest.importorskip(f"spacepy.pycdf{part}") for part in ("", ".istp"))
    with pycdf.CDF(str(next(path for path in cdf_files if "magi" in path.name.lower()))) as file:
        assert istp.FileChecks.all(file) == []
        assert file["field_counts"].shape == (96, 3)
        assert np.asarray(file["range_index"][...]).tolist() == [3] * 96
