"""Mission packages, as docs/missions.md tells: found by entry points, beside folders; a broken one hurts no other."""

import pytest
from downlink_pipeline.api import ConfigError, load_mission, open_pass
from downlink_pipeline.commands.recordings import describe
from downlink_pipeline.mission.packages import usable_packages
from toy_package import FIELDS, MISSION, PACKAGE


def packets(folder, counts):
    path = folder / "sat.packets"
    path.write_bytes(b"".join(bytes([8, 100, 0xC0, i, 0, 1, 0, count]) for i, count in enumerate(counts)))
    return path


def made(mission, tmp_path, counts):
    """Dose rates, by the packets of these counts."""
    products = list(open_pass(packets(tmp_path, counts), mission=str(mission)).products())
    return [float(rate) for one in products if one.product == "rate" for rate in one.arrays["rate"].values]


def refused(mission):
    with pytest.raises(ConfigError) as told:
        load_mission(mission)
    [line] = str(told.value).splitlines()
    return line


def test_a_mission_of_a_package_makes_its_products(install, tmp_path):
    install("downlink_toy")
    assert made("toy", tmp_path, [1, 2, 4]) == [0.5, 1.0, 2.0]


def test_check_names_package_and_folder(install):
    folder = install("downlink_toy")
    told = describe(load_mission("toy"))
    assert told["packages"] == ["package downlink_toy of downlink-toy 1.0"]
    assert told["folder"] == [str(folder)]


def test_a_folder_comes_before_a_package_of_its_name(install, tmp_path):
    install("downlink_toy")
    (tmp_path / "configs/toy").mkdir(parents=True)
    (tmp_path / "configs/toy/mission.toml").write_text('name = "toy"\n[link]\nframing = "packets"\n')
    found = load_mission("toy")
    assert (found.folder, found.packages) == (tmp_path / "configs/toy", ())


def test_a_folder_has_the_instruments_of_a_package(install, tmp_path):
    install("downlink_toy")
    folder = tmp_path / "other"
    folder.mkdir()
    (folder / "mission.toml").write_text(MISSION.format(name="other").replace('"*"', '"dose"'))
    (folder / "sat.csv").write_text(FIELDS)
    assert made(folder, tmp_path, [7]) == [3.5]


def test_a_calibration_of_the_mission_comes_before_that_of_the_instrument(install, tmp_path):
    folder = install("downlink_toy")
    (folder / "calibration").mkdir()
    (folder / "calibration/dose.toml").write_text('version = "2"\ngray_per_count = 3.0\n')
    assert made("toy", tmp_path, [7]) == [21.0]


BROKEN = {
    "import error": ("import nothing_of_this_name\n", "No module named 'nothing_of_this_name'"),
    "other interface": (PACKAGE.replace("interface=1", "interface=99"), "interface 99, and this downlink has 1"),
    "something else": ("PACKAGE = 3\n", "is no MissionPackage"),
    "broken syntax": ("def\n", "SyntaxError"),
    "no such name": ("OTHER = 3\n", "AttributeError"),
    "an exit": ("raise SystemExit(3)\n", "SystemExit: 3"),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_package_is_one_line_for_who_asks_for_it(how, install):
    init, text = BROKEN[how]
    install("downlink_toy", init=init)
    line = refused("toy")
    assert line.startswith("mission package 'toy' of downlink-toy 1.0 cannot be used: ")
    assert text in line


def test_a_package_of_instruments_alone_is_told_from_a_mission_that_is_not_there(install):
    (install("downlink_toy") / "mission.toml").unlink()
    assert refused("toy").startswith("mission package 'toy' has no mission.toml")


def test_a_broken_package_hurts_no_other_mission(install, tmp_path):
    install("downlink_bad", name="bad", init="import nothing_of_this_name\n")
    install("downlink_toy")
    assert made("toy", tmp_path, [2]) == [1.0]
    assert len(load_mission("zhurong").instruments) == 23


def test_what_cannot_be_used_is_listed_beside_what_can(install):
    install("downlink_bad", name="bad", init="import nothing_of_this_name\n")
    usable, problems = usable_packages()
    assert "zhurong" in [one.name for one in usable]
    assert [line.split(" of ")[0] for line in problems] == ["mission package 'bad'"]


def test_two_packages_of_one_name_are_one_line(install):
    install("downlink_toy")
    install("downlink_toy_two", name="toy")
    line = refused("toy")
    assert "downlink-toy 1.0" in line
    assert "downlink-toy-two 1.0" in line


def test_an_unknown_mission_lists_packages_too(install):
    install("downlink_toy")
    assert refused("nowhere").endswith("toy, zhurong")


def test_an_instrument_that_nobody_brings_is_named_with_those_that_there_are(install):
    folder = install("downlink_toy")
    text = (folder / "mission.toml").read_text()
    (folder / "mission.toml").write_text(text.replace('"*"', '"camera"'))
    assert "there is no instrument 'camera': dose" in refused("toy")


def test_a_type_that_numpy_does_not_know_is_refused_before_a_byte_is_read(install):
    folder = install("downlink_toy")
    kinds = folder / "dose/kinds.py"
    kinds.write_text(kinds.read_text().replace('"f8"', '"float99"'))
    assert "dose/rate: rate has an unknown NumPy type: 'float99'" in refused("toy")


def test_an_instrument_that_cannot_be_imported_is_one_line(install):
    folder = install("downlink_toy")
    (folder / "dose/dose.py").write_text("import nothing_of_this_name\n")
    assert "No module named 'nothing_of_this_name'" in refused("toy")


@pytest.mark.parametrize("axes", ["row step=72", "row step", "row line=2 sample=2"])
def test_newest_values_of_what_is_no_number_and_no_short_vector_are_refused_before_a_byte_is_read(axes, install):
    kinds = install("downlink_toy") / "dose/kinds.py"
    kinds.write_text(kinds.read_text().replace('"row", "Gy s-1"', f'"{axes}", "Gy s-1"'))
    assert "dose/rate: `latest` names rate of axes" in refused("toy")
