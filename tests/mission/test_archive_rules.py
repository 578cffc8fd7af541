"""A mission package brings the rules of its archive: names of files, labels, who observed what (docs/missions.md)."""

import struct
import xml.etree.ElementTree as ET

import pytest
from downlink_pipeline.api import ConfigError, load_mission
from downlink_pipeline.commands.recordings import write_products
from toy_package import MISSION

CLOCK = """
[clock]
epoch = "2010-01-01T00:00:00Z"
terms = [{ parameter = "SECONDS", unit_ns = 1_000_000_000 }]
"""
KINDS = """
from downlink_pipeline.api import InstrumentArchive, InstrumentFolder, ProductKind

ARRAYS = {"image": ("f4", "row line=2 sample=3", "count", "as received"), "gain": ("f8", "row", "dB", "of it")}
IMAGE = ProductKind("dose", "image", "2C", ARRAYS, files=("netcdf", "pds4", "cdf"), file_word="raw-2")
INSTRUMENT = InstrumentFolder(
    {"dose": "dose:Dose"}, kinds=(IMAGE,), archive=InstrumentArchive("Dose Camera", platform="lander")
)
"""
DOSE = """
import numpy as np
from downlink_pipeline.api import Calibration, Draft, Instrument

from .kinds import IMAGE


class Dose(Instrument):
    model = Calibration
    containers = {"sat": frozenset({"COUNT", "SECONDS"})}

    def drafts(self, rows):
        image = np.ones((len(rows), 2, 3), np.float32)
        gain = np.asarray(rows.columns["COUNT"], np.float64)
        yield Draft(IMAGE, rows, rows.time_ns, {"image": image, "gain": gain}, rows.quality)
"""
PACKAGE = """
from downlink_pipeline.api import ArchiveRules, FileNames, ImageName, MissionPackage, Pds4Rules, Platform

ARCHIVE = ArchiveRules(
    names=FileNames(
        "toy_{instrument}_l{level}_{word}_{data}{craft}_{day}_v{version}",
        version="003",
        data_words=("sci", "sim"),
        images=(ImageName(("gain",), "-{gain}"),),
    ),
    pds4=Pds4Rules(
        investigation="TOY-1",
        target=("Moon", "Satellite"),
        identifier="urn:nasa:pds:toy",
        domain="Interior",
        parameters={"Instrument_Parm": (("amplifier_gain", "gain", "dB"),)},
    ),
    platforms={"orbiter": Platform("Orbiter", {"craft": "-o"}), "lander": Platform("Lander", {"craft": "-l"})},
    levels="TOY",
)
PACKAGE = MissionPackage(__name__, interface=1, archive=ARCHIVE)
"""
BARE = PACKAGE.replace("archive=ARCHIVE", "archive=ArchiveRules()")
BARE_KINDS = KINDS.replace('"pds4", ', "").replace(', platform="lander"', "")
# 2010-01-01 is 14,610 days after 1970-01-01; 86,400 * 40 seconds later is 2010-02-10
SECONDS = 86_400 * 40 + 3


@pytest.fixture
def toy(install, tmp_path):
    """Lay out the package; gives a function that writes the files of one image and lists them by name."""

    def make(init=PACKAGE, kinds=KINDS):
        folder = install("downlink_toy", init=init)
        (folder / "dose/kinds.py").write_text(kinds)
        (folder / "dose/dose.py").write_text(DOSE)
        (folder / "dose/calibration.toml").write_text('version = "1"\n')
        (folder / "mission.toml").write_text(MISSION.format(name="toy") + CLOCK)
        (folder / "sat.csv").write_text("name,data_type,bit_length\nSECONDS,uint,32\nCOUNT,uint,16\n")

        def write(file_format="archive"):
            recording = tmp_path / "one.packets"
            recording.write_bytes(bytes([8, 100, 0xC0, 0, 0, 5]) + struct.pack(">IH", SECONDS, 7))
            out = tmp_path / "out"
            write_products([recording], load_mission("toy"), out, lambda _: None, file_format=file_format)
            return {path.name: path for path in out.iterdir() if path.name != "products.sqlite"}

        return write

    return make


def refused(act):
    with pytest.raises(ConfigError) as told:
        act()
    [line] = str(told.value).splitlines()
    return line


def test_files_have_the_names_of_the_packages_own_grammar(toy):
    pytest.importorskip("cdflib")
    pytest.importorskip("netCDF4")
    own = "toy_dose_l2C_raw-2{}_sci-l_20100210_v003"
    assert set(toy()()) == {
        f"{own.format('')}.nc",
        f"{own.format('')}.cdf",
        own.format("-7.0"),
        f"{own.format('-7.0')}L",
    }


def test_a_label_says_what_the_package_declares_of_mission_target_and_craft(toy):
    [path] = [path for name, path in toy()("pds4").items() if name.endswith("L")]
    found = {one.tag.rpartition("}")[2]: (one.text, one.get("unit")) for one in ET.parse(path).getroot().iter()}
    [target] = ET.parse(path).getroot().iter("{http://pds.nasa.gov/pds4/pds/v1}Target_Identification")
    assert [one.text for one in target] == ["Moon", "Satellite"]
    assert found["logical_identifier"][0] == "urn:nasa:pds:toy:data_dose:toy_dose_l2c_raw-2-7.0_sci-l_20100210_v003"
    assert found["instrument_name"][0] == "Dose Camera"
    assert found["processing_level"][0] == "Derived"
    assert found["domain"][0] == "Interior"
    assert found["amplifier_gain"] == ("7", "dB")
    assert "TOY-1 Lander" in path.read_text()


def test_levels_are_those_of_the_missions_archive(toy):
    netcdf = pytest.importorskip("netCDF4")
    [path] = toy()("netcdf").values()
    with netcdf.Dataset(path) as found:
        assert found.processing_level == "TOY 2C; NASA PDS4 Derived"


def test_a_mission_without_a_pds4_archive_says_so_in_one_line(toy):
    write = toy(
        init=PACKAGE.replace("archive=ARCHIVE", "archive=ArchiveRules()"),
        kinds=KINDS.replace('"pds4", ', "").replace(', platform="lander"', ""),
    )
    assert refused(lambda: write("pds4")) == (
        "mission toy declares no PDS4 archive: its package has no `archive.pds4`"
    )


def test_a_mission_without_rules_has_plain_names(toy):
    pytest.importorskip("netCDF4")
    write = toy(
        init=PACKAGE.replace("archive=ARCHIVE", "archive=ArchiveRules()"),
        kinds=KINDS.replace('"pds4", ', "").replace(', platform="lander"', ""),
    )
    assert set(write("netcdf")) == {"toy_dose_image_20100210000003_20100210000003.nc"}


WRONG = {
    "a field that there is not": ("{day}", "{dya}", "names dya: there are craft, data, day, instrument"),
    "no file name": ("toy_{instrument}", "toy/{instrument}", "has /, and names have letters, digits"),
    "no format string": ("{day}", "{day", "is no format string"),
    "a craft that there is not": ('"lander": Platform', '"rover": Platform', "is of platform 'lander', and"),
    "no labels for PDS4 files": (
        "pds4=Pds4Rules(",
        "pds4=None and Pds4Rules(",
        "dose/image asks for PDS4 files, and",
    ),
    "an array that a name does not ask for": ("-{gain}", "-{count}", "names count: there are gain"),
}


@pytest.mark.parametrize("how", WRONG)
def test_rules_that_cannot_hold_are_one_line_before_a_byte_is_read(how, toy):
    right, wrong, text = WRONG[how]
    write = toy(init=PACKAGE.replace(right, wrong))
    line = refused(write)
    assert "mission package 'toy' of downlink-toy 1.0 cannot be used: " in line
    assert text in line
